"""The three tasks a small model is tuned for, as text: what it is shown, and how its reply is read.

``answer``: numbered passages and a question; the reply quotes them, ``[n] words of passage n``, and ends with a line
``Answer: …``, or it is :data:`ABSTENTION`. Quoting first is what makes a small model read: to find the sentence and to
find the answer in it are two easy steps instead of a hard one, and a quotation can be checked. ``judge``:
numbered passages and a statement; the reply is ``yes`` or ``no``. ``extract``: one passage; the reply is a line
``subject | relation | object`` for each fact, or nothing. Training and running share this module, so that what is
learned is what is asked. It knows nothing about models, adapters or where passages come from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from labkit.llm.prompts import Prompt, load_prompt

Task = Literal["answer", "judge", "extract"]
TASKS: tuple[Task, ...] = ("answer", "judge", "extract")

ABSTENTION = "Not in the passages."
"""What the answer adapter says where the passages do not answer."""

ANSWER = "Answer: "
"""How the last line of an answer begins."""

SUPPORTED, UNSUPPORTED = "yes", "no"

_PROMPTS: dict[Task, str] = {"answer": "cite", "judge": "support", "extract": "tuples"}
_QUOTED = re.compile(r"\[(\d+)\]\s*(\S.*)")


class Shown(NamedTuple):
    """A passage as a model sees it."""

    title: str
    text: str


class Quote(NamedTuple):
    """Words of a passage, the number of which counts from 1; runs of white space are single spaces."""

    place: int
    words: str


class Cited(NamedTuple):
    """A reply to a question, read.

    Attributes:
        text: the answer; '' where it abstains.
        quotes: what it rests on, in order.
    """

    text: str
    quotes: tuple[Quote, ...]

    @property
    def places(self) -> tuple[int, ...]:
        """Numbers of the passages it quotes, each once, in order."""
        return tuple(dict.fromkeys(quote.place for quote in self.quotes))


class Triple(NamedTuple):
    """A line of the extract adapter's reply."""

    subject: str
    relation: str
    object: str


def prompt_of(task: Task) -> Prompt:
    """The prompt a task is put with."""
    return load_prompt(_PROMPTS[task])


def numbered(passages: Sequence[Shown]) -> str:
    """Passages as the answer and judge prompts show them: a number, the title, then the text without empty lines."""
    if not passages:
        return "(no passages)"
    return "\n\n".join(f"[{place}] {titled(passage)}" for place, passage in enumerate(passages, 1))


def titled(passage: Shown) -> str:
    """A passage under its title, without empty lines; a title that the text begins with is not repeated."""
    lines = [line.strip() for line in passage.text.splitlines() if line.strip()]
    last = passage.title.rpartition(" > ")[2]
    if lines and last and lines[0].strip("#* ") == last:
        lines.pop(0)
    return "\n".join([passage.title, *lines] if passage.title else lines)


def cited(text: str, passages: int) -> Cited:
    """Read a reply of the answer adapter; what is no quotation of a passage that was shown is left out.

    A reply without a quotation or without an answer says nothing: it counts as an abstention.

    Args:
        text: the reply.
        passages: how many it was shown.
    """
    quotes, said = [], ""
    for line in text.split("\n"):
        if match := _QUOTED.match(line):
            quotes.append(Quote(int(match[1]), match[2].strip()))
        elif line.startswith(ANSWER):
            said = line.removeprefix(ANSWER).strip()
    kept = tuple(quote for quote in dict.fromkeys(quotes) if 1 <= quote.place <= passages)
    return Cited(said, kept) if said and kept else Cited("", ())


def answered(value: str, quotes: Sequence[Quote]) -> str:
    """A reply as the answer adapter is taught to write it."""
    return "\n".join([*(f"[{quote.place}] {quote.words}" for quote in quotes), f"{ANSWER}{value}"])


def triples(text: str) -> list[Triple]:
    """Read a reply of the extract adapter; lines that are no triple are left out, repeated ones count once."""
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(" | ")]
        if len(parts) == len(Triple._fields) and all(parts):
            found.append(Triple(*parts))
    return list(dict.fromkeys(found))


def line(triple: Triple) -> str:
    """A triple as the extract adapter is taught to write it."""
    return " | ".join(triple)
