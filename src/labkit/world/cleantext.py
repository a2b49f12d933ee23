"""The clean text of a draft: what a perfect parser would read, and where facts, personal data and tables are in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from labkit.world.blocks import (
    Action,
    Block,
    Draft,
    Heading,
    Items,
    Message,
    Pairs,
    Paragraph,
    Run,
    Sentence,
    Table,
    Turn,
    plain,
)


@dataclass(frozen=True, slots=True)
class Span:
    """``text[start:end]`` of the clean text: evidence for a fact, or personal data of a kind."""

    start: int
    end: int
    label: str
    action: Action | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class CleanText:
    """What a perfect parser would read, and where things are in it.

    ``tables`` are stretches of one header line and row lines, cells parted by `` | ``.
    """

    text: str
    evidence: tuple[Span, ...]
    pii: tuple[Span, ...]
    tables: tuple[tuple[int, int], ...] = ()


def flatten(draft: Draft) -> CleanText:
    """The clean text of a draft: title, then its body, separated by blank lines."""
    writer = _Flat()
    writer.sentence(plain(draft.title))
    writer.gap("\n\n")
    writer.blocks(draft.body)
    text = "".join(writer.parts).rstrip("\n")
    return CleanText(text, tuple(writer.evidence), tuple(writer.pii), tuple(writer.tables))


class _Flat:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.evidence: list[Span] = []
        self.pii: list[Span] = []
        self.tables: list[tuple[int, int]] = []
        self.quoting = False

    def gap(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def run(self, run: Run) -> None:
        if run.pii:
            self.pii.append(Span(self.length, self.length + len(run.text), run.pii, run.action))
        self.gap(run.text)

    def sentence(self, sentence: Sentence) -> None:
        start = self.length
        for run in sentence.runs:
            self.run(run)
        self.state(sentence.facts, start)

    def state(self, facts: tuple[str, ...], start: int) -> None:
        self.evidence.extend(Span(start, self.length, fact) for fact in facts)

    def joined(self, found: Iterable[Sentence], separator: str) -> None:
        for number, sentence in enumerate(found):
            if number:
                self.gap(separator)
            self.sentence(sentence)

    def blocks(self, blocks: Iterable[Block]) -> None:
        previous: Block | None = None
        for block in blocks:
            if previous is not None:
                self.gap("\n" if isinstance(block, Turn) and isinstance(previous, Turn) else "\n\n")
            self.block(block)
            previous = block

    def block(self, block: Block) -> None:
        match block:
            case Heading(text):
                self.gap(text)
            case Paragraph(found):
                self.joined(found, " ")
            case Items(items):
                self.joined(items, "\n")
            case Table(header, rows):
                start = self.length
                self.gap(" | ".join(header))
                for row in rows:
                    self.gap("\n")
                    self.row(row)
                self.tables.append((start, self.length))
            case Pairs(pairs):
                for number, (label, sentence) in enumerate(pairs):
                    if number:
                        self.gap("\n")
                    start = self.length
                    self.gap(f"{label}: ")
                    self.sentence(Sentence(sentence.runs))
                    self.state(sentence.facts, start)
            case Turn(speaker, time, sentence):
                self.gap(f"{time} ")
                self.run(speaker)
                self.gap(": ")
                self.sentence(sentence)
            case Message(sender, address, to, to_address, sent, time, inner):
                if self.quoting:  # a quoted mail has lost its header: nobody can read to whom it went
                    self.person(f"On {sent.isoformat()} {time}, ", sender, address)
                    self.gap(" wrote:\n\n")
                else:
                    self.person("From: ", sender, address)
                    self.person("\nTo: ", to, to_address)
                    self.gap(f"\nDate: {sent.isoformat()} {time}\n\n")
                self.quoting = True
                self.blocks(inner)

    def person(self, lead: str, name: Run, mail: Run) -> None:
        self.gap(lead)
        self.run(name)
        self.gap(" <")
        self.run(mail)
        self.gap(">")

    def row(self, row: tuple[Sentence, ...]) -> None:
        start = self.length
        for number, cell in enumerate(row):
            if number:
                self.gap(" | ")
            self.sentence(Sentence(cell.runs))
        for cell in row:
            self.state(cell.facts, start)
