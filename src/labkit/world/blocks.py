"""A document before it is a file: typed blocks of sentences that remember which facts and personal data they hold.

Every format writer renders the same blocks; :func:`flatten` gives the clean text a perfect parser would read, with the
exact spans of evidence and personal data. This module knows nothing about file formats or dirt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from labkit.world.facts import Pool

Action = Literal["keep", "redact"]


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a sentence. ``pii`` names the kind of personal data ('' when none), ``action`` what policy says."""

    text: str
    pii: str = ""
    action: Action = "keep"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One or more sentences of prose, or the content of a cell. ``facts`` are the ids of the facts it states."""

    runs: tuple[Run, ...]
    facts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Its plain text."""
        return "".join(run.text for run in self.runs)


def plain(text: str, *facts: str) -> Sentence:
    """A sentence without personal data."""
    return Sentence((Run(text),), tuple(facts))


@dataclass(frozen=True, slots=True)
class Heading:
    """A section heading; level 2 is the first below the title."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences that run on, joined by a space."""

    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A bulleted or numbered list."""

    items: tuple[Sentence, ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table; a row is evidence for every fact of its cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[Sentence, ...], ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """``Label: value`` lines."""

    pairs: tuple[tuple[str, Sentence], ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of a chat."""

    speaker: Run
    time: str
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Message:
    """One mail of a thread; ``blocks`` hold no further messages."""

    sender: Run
    address: Run
    to: Run
    to_address: Run
    sent: date
    time: str
    blocks: tuple[Block, ...]


Block = Heading | Paragraph | Items | Table | Pairs | Turn | Message


@dataclass(slots=True)
class Draft:
    """A document that is about to be written in ``format`` to ``path``.

    In a thread ``blocks`` are Messages, newest first; in a chat they are Turns. ``meta`` holds what formats keep
    outside the text (author, document number, revision). ``seed`` decides whatever the writer leaves to chance.
    """

    doc_id: str
    doc_class: str
    pool: Pool
    path: str
    format: str
    title: str
    author: str
    date: date
    blocks: tuple[Block, ...]
    groups: tuple[str, ...] = ("staff",)
    meta: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    arc: str = ""

    @property
    def body(self) -> tuple[Block, ...]:
        """Everything below the title: the control block where the document has a number, then its blocks."""
        if "number" in self.meta:
            control = (
                ("Document", plain(self.meta["number"])),
                ("Revision", plain(self.meta["revision"])),
                ("Effective", plain(self.date.isoformat())),
            )
            return (Pairs(control), *self.blocks)
        if self.format == "text":
            return (Pairs((("Date", plain(self.date.isoformat())),)), *self.blocks)
        return self.blocks


@dataclass(frozen=True, slots=True)
class Look:
    """Dirt that depends on the format and is put in while rendering; empty strings leave it out."""

    navigation: str = ""
    cookie: str = ""
    footer: str = ""
    running_head: str = ""
    disclaimer: str = ""
    signature: str = ""
    hyphenate: bool = False
    split_tables: bool = False
    image_only: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """``text[start:end]`` of the clean text: evidence for a fact, or personal data of a kind."""

    start: int
    end: int
    label: str
    action: Action | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class CleanText:
    """What a perfect parser would read, and where things are in it."""

    text: str
    evidence: tuple[Span, ...]
    pii: tuple[Span, ...]


def flatten(draft: Draft) -> CleanText:
    """The clean text of a draft: title, then its body, separated by blank lines."""
    writer = _Flat()
    writer.sentence(plain(draft.title))
    writer.gap("\n\n")
    writer.blocks(draft.body)
    return CleanText("".join(writer.parts).rstrip("\n"), tuple(writer.evidence), tuple(writer.pii))


def sentences(blocks: Iterable[Block]) -> Iterator[Sentence]:
    """Every sentence of some blocks, in reading order."""
    for block in blocks:
        match block:
            case Paragraph(found):
                yield from found
            case Items(items):
                yield from items
            case Table(_, rows):
                for row in rows:
                    yield from row
            case Pairs(pairs):
                yield from (sentence for _, sentence in pairs)
            case Turn(sentence=sentence):
                yield sentence
            case Message(blocks=inner):
                yield from sentences(inner)
            case Heading():
                pass


def map_sentences(blocks: Iterable[Block], change: Callable[[Sentence], Sentence]) -> Iterator[Block]:
    """The same blocks with every sentence changed."""
    for block in blocks:
        match block:
            case Paragraph(found):
                yield Paragraph(tuple(map(change, found)))
            case Items(items, ordered):
                yield Items(tuple(map(change, items)), ordered)
            case Table(header, rows):
                yield Table(header, tuple(tuple(map(change, row)) for row in rows))
            case Pairs(pairs):
                yield Pairs(tuple((label, change(sentence)) for label, sentence in pairs))
            case Turn(speaker, time, sentence):
                yield Turn(speaker, time, change(sentence))
            case Message():
                yield replace(block, blocks=tuple(map_sentences(block.blocks, change)))
            case Heading():
                yield block


class _Flat:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.evidence: list[Span] = []
        self.pii: list[Span] = []

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
                self.gap(" | ".join(header))
                for row in rows:
                    self.gap("\n")
                    self.row(row)
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
                for lead, name, mail in (("From: ", sender, address), ("\nTo: ", to, to_address)):
                    self.gap(lead)
                    self.run(name)
                    self.gap(" <")
                    self.run(mail)
                    self.gap(">")
                self.gap(f"\nDate: {sent.isoformat()} {time}\n\n")
                self.blocks(inner)

    def row(self, row: tuple[Sentence, ...]) -> None:
        start = self.length
        for number, cell in enumerate(row):
            if number:
                self.gap(" | ")
            self.sentence(Sentence(cell.runs))
        for cell in row:
            self.state(cell.facts, start)
