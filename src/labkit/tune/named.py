"""Small corpora with every name known: documents of worlds with other names in them, and plain sentences.

Within a corpus a name is replaced by the same invented one everywhere, as in a real archive, so that what documents
know of each other can be learned too. This module knows nothing of features or models.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.pii.features import mask
from labkit.pii.spelling import canonical
from labkit.tune.invent import Inventor
from labkit.tune.sentences import SAYING, WITH_PEOPLE, WITHOUT_PEOPLE
from labkit.world.build import build_world

SEEDS = (1009, 2003, 3001, 4001, 5003)
"""Worlds that are read; none of them is one that anything is measured on."""
_COPIES = 6
"""Corpora made of each world."""
_MADE_CORPORA = 250
_MADE_DOCUMENTS = 25
_ALONE = 0.3
_UNKNOWN = 0.5
"""Share of names that pretend to be in no list."""
_STAFF_VOUCHED, _OTHERS_VOUCHED = 0.85, 0.3
"""Share of people whom an address or a file's properties name."""
_ANY_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Example:
    """A text with its names marked, what is known of it, and the words that pretend to be in no list."""

    text: str
    spans: list[tuple[int, int]]
    vouched: frozenset[str]
    hidden: frozenset[str]
    alone: bool
    """It is read without a corpus: nobody is vouched for and no word was seen elsewhere."""


@dataclass(frozen=True, slots=True)
class Source:
    """A document of a world: its text, its marks (kind, start, end), and the names of things in it."""

    text: str
    marks: list[tuple[str, int, int]]
    staff: frozenset[str]
    things: list[str]


def from_worlds(inventor: Inventor) -> Iterator[list[Example]]:
    """Train-split documents of several worlds, each world under several casts."""
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            world = Path(folder) / "world"
            build_world("ci", seed, world, progress=False)
            sources = list(_sources(world))
        for _ in range(_COPIES):
            cast = Cast(inventor)
            yield [_renamed(source, cast) for source in sources]


def _sources(world: Path) -> Iterator[Source]:
    """Train-split documents; what only the test split says stays unseen."""
    train = {row["doc_id"] for row in _jsonl(world, "documents") if row.get("pool") == "train"}
    marks: dict[str, list[tuple[str, int, int]]] = {}
    staff: set[str] = set()
    for row in _jsonl(world, "pii"):
        marks.setdefault(row["doc_id"], []).append((row["label"], row["start"], row["end"]))
        if row["label"] == "person" and row["action"] == "keep":
            staff.add(row["text"])
    things = {
        name
        for row in _jsonl(world, "entities")
        if row["kind"] in {"site", "customer", "supplier", "product", "team", "firmware"}
        for name in (row["name"], row["name"].split()[0])
    }
    for row in _jsonl(world, "texts"):
        if row["doc_id"] in train:
            found = sorted((name for name in things if name in row["text"]), key=lambda name: (-len(name), name))
            yield Source(
                row["text"], sorted(marks.get(row["doc_id"], []), key=lambda mark: mark[1]), frozenset(staff), found
            )


def _jsonl(world: Path, name: str) -> Iterator[dict[str, Any]]:
    with (world / "truth" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


class Cast:
    """Who and what stands for the people and things of one corpus, and which of their words are in no list."""

    def __init__(self, inventor: Inventor) -> None:
        self.inventor = inventor
        self.words: dict[str, str] = {}
        self.hidden: set[str] = set()
        self.vouched: set[str] = set()
        self._things: dict[str, str] = {}

    def name(self, name: str, vouched: float) -> str:
        """The same invented name for the same name, part by part; ``vouched``: how often an address knows it."""
        first, last = self.inventor.person()
        given, _, family = name.partition(" ")
        known = self.inventor.rng.random() < vouched
        if not family:
            return self._word(name, first if self.inventor.rng.random() < 0.7 else last, known=known)
        return f"{self._word(given, first, known=known)} {self._word(family, last, known=known)}"

    def thing(self, name: str) -> str:
        """Mostly another name for a company, place or product; some keep theirs."""
        if name not in self._things:
            self._things[name] = self.inventor.thing() if self.inventor.rng.random() < 0.85 else name
            self.hide(self._things[name])
        return self._things[name]

    def _word(self, old: str, new: str, *, known: bool) -> str:
        if old not in self.words:
            self.words[old] = new
            self.hide(new)
            if known:
                self.vouched.update(canonical(new).split())
        return self.words[old]

    def hide(self, name: str) -> None:
        """Now and then let the words of a name be unknown."""
        if self.inventor.rng.random() < _UNKNOWN:
            self.hidden.update(word.lower() for word in _ANY_WORD.findall(name))


def _renamed(source: Source, cast: Cast) -> Example:
    """The document with other people and other things in it."""
    people = sorted({source.text[a:b] for kind, a, b in source.marks if kind == "person"}, key=lambda n: (-len(n), n))
    instead = {name: cast.name(name, _STAFF_VOUCHED if name in source.staff else _OTHERS_VOUCHED) for name in people}
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(thing)}(?!\w)" for thing in source.things) or r"(?!)")
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    length = done = 0
    for kind, start, end in [*source.marks, ("", len(source.text), len(source.text))]:
        if start < done:
            continue
        between = pattern.sub(lambda match: cast.thing(match[0]), source.text[done:start])
        value = source.text[start:end]
        if kind == "person":
            value = instead[value]
            spans.append((length + len(between), length + len(between) + len(value)))
        elif kind:
            value = mask("phone" if kind == "mobile" else kind, len(value))  # type: ignore[arg-type]
        parts += [between, value]
        length += len(between) + len(value)
        done = end
    return _example("".join(parts), spans, [*instead.values()], cast)


def all_made(inventor: Inventor) -> Iterator[list[Example]]:
    """Corpora of plain sentences."""
    return (_made(inventor) for _ in range(_MADE_CORPORA))


def _made(inventor: Inventor) -> list[Example]:
    """One corpus of plain sentences; one document in four is about nobody."""
    cast = Cast(inventor)
    people = [inventor.person() for _ in range(12)]
    things = [inventor.thing() for _ in range(12)]
    for name in (*things, *(part for person in people for part in person)):
        cast.hide(name)
    for person in people:
        if inventor.rng.random() < 0.4:
            cast.vouched.update(canonical(" ".join(person)).split())
    rng = inventor.rng
    return [
        _made_document(rng.sample(people, rng.randint(1, 5)), rng.sample(things, rng.randint(1, 4)), cast)
        for _ in range(_MADE_DOCUMENTS)
    ]


def _made_document(people: list[tuple[str, str]], things: list[str], cast: Cast) -> Example:
    rng, inventor = cast.inventor.rng, cast.inventor
    nobody = rng.random() < 0.25
    lines = [
        rng.choice(WITHOUT_PEOPLE if nobody or rng.random() < 0.45 else WITH_PEOPLE) for _ in range(rng.randint(3, 14))
    ]
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    length = 0
    for line in lines:
        for piece in re.split(r"(\{\w\})", line + rng.choice(("\n", "\n\n", " "))):
            value = _filled(piece, rng.choice(people), things, inventor)
            if piece in {"{N}", "{F}", "{L}", "{I}"}:
                spans.append((length, length + len(value)))
            parts.append(value)
            length += len(value)
    return _example("".join(parts), spans, [word for person in people for word in person], cast)


def _filled(piece: str, person: tuple[str, str], things: Sequence[str], inventor: Inventor) -> str:
    rng = inventor.rng
    first, last = person
    fillers: dict[str, Callable[[], str]] = {
        "{N}": lambda: (
            f"{first} {rng.choice('ABCDEFGHJKLMNPRSTW')}. {last}" if rng.random() < 0.05 else f"{first} {last}"
        ),
        "{F}": lambda: first,
        "{L}": lambda: last,
        "{I}": lambda: f"{first[0]}. {last}",
        "{T}": lambda: rng.choice(things),
        "{C}": lambda: inventor.place(),
        "{W}": lambda: inventor.word().capitalize(),
        "{w}": inventor.word,
        "{s}": lambda: rng.choice(SAYING),
        "{d}": lambda: str(rng.randint(1, 2_999)),
        "{p}": lambda: mask("phone", 12),
        "{m}": lambda: mask("email", 20),
    }
    return fillers[piece]() if piece in fillers else piece


def _example(text: str, spans: list[tuple[int, int]], used: Sequence[str], cast: Cast) -> Example:
    """Now and then a word that is no name is vouched for too."""
    parts = {word for name in used for word in _ANY_WORD.findall(name)}
    capitals = {word for word in _ANY_WORD.findall(text) if word[0].isupper()} - parts
    noise = {canonical(word) for word in sorted(capitals) if cast.inventor.rng.random() < 0.004}
    alone = cast.inventor.rng.random() < _ALONE
    return Example(
        text, spans, frozenset() if alone else frozenset(cast.vouched | noise), frozenset(cast.hidden), alone
    )
