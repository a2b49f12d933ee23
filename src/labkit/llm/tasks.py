"""The three tasks a small model is tuned for, as text: what it is shown, and how its reply is read.

``answer``: a question, numbered passages of a sentence each, and the question again; the reply is a line ``words [n]``
for every step, words of passage n, the last of which are the answer. Where the answer is none of them, as when two
values were compared, a line ``Answer: …`` follows; where there is none, the reply is :data:`ABSTENTION`. ``judge``: a
statement, numbered passages, and the statement again; the reply is ``yes`` or ``no``. ``extract``: one passage; the
reply is a line ``subject | relation | object`` for each fact, or nothing.

What is asked stands before the passages as well as after them, because a decoder reads a passage without knowing what
comes later: it can only look for what it has already been told. The words stand before their number, because a language
model knows from its first training how to answer with words of a text and not how to point at one. Training and running
share this module, so that what is learned is what is asked. It knows nothing about models, adapters or where passages
come from.
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
"""How the last line begins where the answer is not what was quoted last."""

SUPPORTED, UNSUPPORTED = "yes", "no"

_PROMPTS: dict[Task, str] = {"answer": "cite", "judge": "support", "extract": "tuples"}
_QUOTED = re.compile(r"(.*\S)\s*\[(\d+)\]\s*")


class Shown(NamedTuple):
    """A passage as a model sees it."""

    title: str
    text: str


class Quote(NamedTuple):
    """Words of a passage: a value, or what the next step asks about. The place counts from 1."""

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
    """Passages as the answer and judge prompts show them: a line each, with its number."""
    if not passages:
        return "(no passages)"
    return "\n".join(f"[{place}] {flat(passage)}" for place, passage in enumerate(passages, 1))


def flat(passage: Shown) -> str:
    """A passage in one line, after its title and a colon; a title that the text begins with is not repeated."""
    lines = [line.strip() for line in passage.text.splitlines() if line.strip()]
    last = passage.title.rpartition(" > ")[2]
    if lines and last and lines[0].strip("#* ") == last:
        lines.pop(0)
    text = " ".join(" ".join(lines).split())
    return ": ".join(part for part in (passage.title, text) if part)


def cited(text: str, passages: int) -> Cited:
    """Read a reply of the answer adapter; what is no quotation of a passage that was shown is left out.

    The last line is what is answered. A reply that ends with anything else, such as a quotation that was cut off, says
    nothing: it counts as an abstention.

    Args:
        text: the reply.
        passages: how many it was shown.
    """
    quotes, said = [], ""
    for line in filter(None, map(str.strip, text.split("\n"))):
        said = ""
        if line.startswith(ANSWER.strip()):
            said = line.removeprefix(ANSWER.strip()).strip()
        elif (match := _QUOTED.fullmatch(line)) and 1 <= int(match[2]) <= passages:
            said = match[1].strip()
            quotes.append(Quote(int(match[2]), said))
    return Cited(said, tuple(dict.fromkeys(quotes))) if said and quotes else Cited("", ())


def answered(value: str, quotes: Sequence[Quote]) -> str:
    """A reply as the answer adapter is taught to write it."""
    lines = [f"{quote.words} [{quote.place}]" for quote in quotes]
    return "\n".join(lines if quotes[-1:] and quotes[-1].words == value else [*lines, f"{ANSWER}{value}"])


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
