"""The three tasks a small model is tuned for, as text: what it is shown, and how its reply is read.

``answer``: numbered passages and a question; the reply is a few words and ``[n]``, or :data:`ABSTENTION`. ``judge``:
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

SUPPORTED, UNSUPPORTED = "yes", "no"

_PROMPTS: dict[Task, str] = {"answer": "cite", "judge": "support", "extract": "tuples"}
_CITED = re.compile(r"\s*\[(\d+)\]")


class Shown(NamedTuple):
    """A passage as a model sees it."""

    title: str
    text: str


class Cited(NamedTuple):
    """A reply to a question, read.

    Attributes:
        text: the answer without its citations; '' where it abstains.
        places: numbers of the passages it cites, from 1, each once, in order.
    """

    text: str
    places: tuple[int, ...]


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
    """Read a reply of the answer adapter; numbers of passages that were not shown are left out.

    Args:
        text: the reply.
        passages: how many it was shown.
    """
    said = _CITED.sub("", text).strip()
    if said.rstrip(".").casefold() == ABSTENTION.rstrip(".").casefold():
        return Cited("", ())
    places = dict.fromkeys(int(number) for number in _CITED.findall(text))
    return Cited(said, tuple(place for place in places if 1 <= place <= passages))


def answered(value: str, places: Sequence[int]) -> str:
    """A reply as the answer adapter is taught to write it."""
    return f"{value} {''.join(f'[{place}]' for place in places)}"


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
