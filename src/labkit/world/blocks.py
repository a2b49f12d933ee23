"""A document before it is a file: typed blocks of sentences that remember which facts and personal data they hold.

Every format writer renders the same blocks. This module knows nothing about file formats or dirt.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from labkit.world.facts import Pool
from labkit.world.personal import address_of

COMPANY = "Tidewater Robotics"
EVERYBODY = "staff@tidewaterrobotics.example"

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
        """Everything below the title: a date, the control block of a numbered document, then its blocks.

        What was written as one piece and goes out by mail is the text of one message.
        """
        blocks = self.blocks
        if "number" in self.meta:
            control = (
                ("Document", plain(self.meta["number"])),
                ("Revision", plain(self.meta["revision"])),
                ("Effective", plain(self.date.isoformat())),
            )
            blocks = (Pairs(control), *blocks)
        elif self.format == "text":
            blocks = (Pairs((("Date", plain(self.date.isoformat())),)), *blocks)
        if self.format == "csv":
            blocks = (Paragraph((plain(f"Date: {self.date.isoformat()}"),)), *blocks)
        if self.format == "eml" and not any(isinstance(block, Message) for block in blocks):
            return (self._mailed(blocks),)
        return blocks

    def _mailed(self, blocks: tuple[Block, ...]) -> Message:
        """One message from the author, or from the outsider ``meta`` names, to ``meta['to']`` or everybody."""
        words = self.author.split()
        mine = f"{self.author} <{address_of(words[0], words[-1], COMPANY)}>"
        time = f"09:{random.Random(self.seed).randint(0, 59):02d}"
        sender, receiver = self.meta.get("from", mine), self.meta.get("to", f"All staff <{EVERYBODY}>")
        return Message(*_correspondent(sender), *_correspondent(receiver), self.date, time, blocks)


def _correspondent(line: str) -> tuple[Run, Run]:
    """Name and address of ``Name <address>``; ours are kept, and a name is a person's if the address is made of it."""
    name, _, address = line.rstrip(">").partition(" <")
    own = address.endswith(EVERYBODY.partition("@")[2])
    action: Action = "keep" if own else "redact"
    words = name.split()
    personal = len(words) > 1 and address.partition("@")[0] == address_of(words[0], words[-1], "").partition("@")[0]
    return Run(name, "person" if personal else "", action), Run(address, "email", action)


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
