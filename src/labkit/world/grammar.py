"""The small grammar packs are written in: text, ``{slots}`` and ``[choice|choice]``.

A form is parsed once and rendered many times. This module does not know what a slot means: the caller resolves it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from labkit.errors import PackError

_SLOT = re.compile(r"\{([a-z][a-z_0-9]*)(?:\.([a-z_0-9]+))?(?::([0-9.]+-[0-9.]+))?\}")


@dataclass(frozen=True, slots=True)
class Slot:
    """``{name.part:low-high}``; ``part`` and ``span`` may be empty."""

    name: str
    part: str = ""
    span: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """``[a|b]``: one of several sequences."""

    options: tuple[tuple[Node, ...], ...]


Node = str | Slot | Choice


@lru_cache(maxsize=65536)
def parse(form: str) -> tuple[Node, ...]:
    """Parse a form.

    Raises:
        PackError: brackets or braces do not match, or a slot is malformed.
    """
    nodes, end = _sequence(form, 0, inside=False)
    if end != len(form):
        raise PackError(f"A ']' without '[' at character {end}", where=repr(form[:80]), todo="Write \\] for a literal.")
    return nodes


def _sequence(form: str, start: int, *, inside: bool) -> tuple[tuple[Node, ...], int]:
    nodes: list[Node] = []
    text: list[str] = []
    position = start

    def flush() -> None:
        if text:
            nodes.append("".join(text))
            text.clear()

    while position < len(form):
        character = form[position]
        if character == "\\" and form[position + 1 : position + 2] in set("[]|{}\\"):
            text.append(form[position + 1])
            position += 2
        elif character == "{":
            match = _SLOT.match(form, position)
            if match is None:
                raise PackError(
                    f"A malformed slot at character {position}",
                    where=repr(form[:80]),
                    todo="Write {name}, {name.part} or {n:3-9}; \\{ for a literal brace.",
                )
            flush()
            nodes.append(Slot(match[1], match[2] or "", match[3] or ""))
            position = match.end()
        elif character == "[":
            flush()
            options, position = _options(form, position + 1)
            nodes.append(Choice(options))
        elif character == "]" or (character == "|" and inside):
            break
        else:
            text.append(character)
            position += 1
    flush()
    return tuple(nodes), position


def _options(form: str, start: int) -> tuple[tuple[tuple[Node, ...], ...], int]:
    options: list[tuple[Node, ...]] = []
    position = start
    while True:
        nodes, position = _sequence(form, position, inside=True)
        options.append(nodes)
        if position >= len(form):
            raise PackError("A '[' is never closed", where=repr(form[:80]), todo="Close it with ']' or write \\[.")
        if form[position] == "]":
            return tuple(options), position + 1
        position += 1


def slots(nodes: tuple[Node, ...]) -> Iterator[Slot]:
    """Every slot that can occur, choices included."""
    for node in nodes:
        if isinstance(node, Slot):
            yield node
        elif isinstance(node, Choice):
            for option in node.options:
                yield from slots(option)


def always_holds(nodes: tuple[Node, ...], name: str) -> bool:
    """Whether the slot ``name`` appears whatever is chosen."""
    for node in nodes:
        if isinstance(node, Slot) and node.name == name:
            return True
        if isinstance(node, Choice) and all(always_holds(option, name) for option in node.options):
            return True
    return False


_T = TypeVar("_T")


def render(
    nodes: tuple[Node, ...], rng: random.Random, text: Callable[[str], _T], slot: Callable[[Slot], _T]
) -> list[_T]:
    """Walk a parsed form, choosing with ``rng``, and turn each part into a part of the caller's kind."""
    parts: list[_T] = []
    for node in nodes:
        if isinstance(node, str):
            parts.append(text(node))
        elif isinstance(node, Slot):
            parts.append(slot(node))
        else:
            parts.extend(render(rng.choice(node.options), rng, text, slot))
    return parts


def fill(form: str, rng: random.Random, values: dict[str, str]) -> str:
    """Render a form whose slots are all plain strings, such as a question.

    Raises:
        PackError: a slot has no value.
    """

    def slot(node: Slot) -> str:
        key = f"{node.name}.{node.part}" if node.part else node.name
        if key not in values:
            raise PackError(f"The slot {{{key}}} has no value here", where=repr(form[:80]))
        return values[key]

    return "".join(render(parse(form), rng, str, slot))
