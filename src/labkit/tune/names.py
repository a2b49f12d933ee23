"""Trains the name tagger of :mod:`labkit.pii`: ``python -m labkit.tune.names --out src/labkit/pii/names.npz``.

It reads train-split documents of several worlds in which every person, company, place and product has been given an invented
name, and plain sentences filled the same way. So the words around names are learned, and how names are spelled, but no
list of a world. Half of the names pretend to be in no list, for that is how the tagger will meet many. The same command
gives the same bytes on the same versions of the libraries.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier

from labkit.errors import ConfigError
from labkit.pii.features import NAMELIKE, ROLES, Lists, Page, Word, mask, of_place, of_word, word_class
from labkit.pii.model import BUCKETS, NameModel, bucket, word_filter
from labkit.pii.names import Row, mean_scores, second_stage
from labkit.pii.spelling import canonical
from labkit.tune.invent import Inventor
from labkit.tune.sentences import WITH_PEOPLE, WITHOUT_PEOPLE
from labkit.world.build import build_world

SEEDS = (1009, 2003, 3001, 4001, 5003)
"""Worlds that are read; none of them is one that anything is measured on."""
_COPIES = 6
_MADE_CORPORA = 250
_MADE_DOCUMENTS = 25
_HIDDEN = 12
_UNKNOWN = 0.5
"""Share of names that pretend to be in no list."""
_ANY_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Example:
    """A text with its names marked, what is known of it, and the words that pretend to be in no list."""

    text: str
    spans: list[tuple[int, int]]
    vouched: frozenset[str]
    hidden: frozenset[str]


@dataclass(frozen=True, slots=True)
class Source:
    """A document of a world: its text, its marks (kind, start, end), and the names of things in it."""

    text: str
    marks: list[tuple[str, int, int]]
    things: list[str]


def main() -> None:
    """Train and write the artefact, and say what to pin."""
    parser = argparse.ArgumentParser(description="Train the name tagger of labkit.pii.")
    parser.add_argument("--out", type=Path, required=True, help="where to write the artefact (names.npz)")
    out: Path = parser.parse_args().out
    home = os.environ.get("LABKIT_HOME")
    if not home:
        raise ConfigError("LABKIT_HOME is not set", todo="Point it at labkit's folder.")
    raw = train(Path(home))
    out.write_bytes(raw)
    print(f"{out}: {len(raw):,} bytes, sha256 {hashlib.sha256(raw).hexdigest()}")  # noqa: T201


def train(home: Path) -> bytes:
    """The artefact's bytes."""
    inventor = Inventor(random.Random(20), home)
    filters = np.stack([word_filter(words) for words in _lists(inventor)])
    lists = NameModel(*(np.zeros(0, np.float32),) * 3, filters).lists
    corpora = [*_from_worlds(inventor), *(_made(inventor) for _ in range(_MADE_CORPORA))]
    inventor.rng.shuffle(corpora)
    rows = [[_rows(example, lists) for example in corpus] for corpus in corpora]
    weights = _first_stage(rows)
    half = len(rows) // 2
    inputs = [*_inputs(rows[:half], _first_stage(rows[half:])), *_inputs(rows[half:], _first_stage(rows[:half]))]
    labels = [label for corpus in rows for row in corpus for label in row.labels]
    second = MLPClassifier((_HIDDEN,), alpha=1e-3, max_iter=25, batch_size=512, random_state=20).fit(
        np.array(inputs), labels
    )
    arrays = {
        "weights": weights.astype(np.float16),
        "hidden": np.vstack([second.coefs_[0], second.intercepts_[0]]).astype(np.float32),
        "out": np.append(second.coefs_[1][:, 0], second.intercepts_[1]).astype(np.float32),
        "filters": filters,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Rows:
    """A document as numbers: which buckets each candidate's features fall in, and which candidates are names."""

    page: Page
    buckets: list[list[int]]
    labels: list[int]


def _lists(inventor: Inventor) -> tuple[set[str], set[str], set[str]]:
    def words(entries: Sequence[str]) -> set[str]:
        return {
            word.lower()
            for entry in entries
            for word in (*_ANY_WORD.findall(entry), *re.findall(r"[^\W\d_]{3,}", entry))
        }

    return words(inventor.given), words(inventor.surnames), set(inventor.common)


def _rows(example: Example, lists: Lists) -> _Rows:
    def lexicon(text: str) -> Word:
        cls = word_class(text, lists)
        lower = text.lower()
        return Word(lower, cls[0] if lower in example.hidden and cls[0] in NAMELIKE else cls)

    page = Page(example.text, lexicon, example.vouched)
    inside = [False] * (len(example.text) + 1)
    for start, end in example.spans:
        inside[start:end] = [True] * (end - start)
    buckets = []
    for at in page.candidates:
        features = of_place(page, at)
        for role in ROLES:
            features += (
                of_word(page.words[at + role], page.classes[at + role], role)
                if role
                else of_word(page.raw[at], page.classes[at], 0)
            )
        buckets.append([bucket(feature) for feature in features])
    return _Rows(page, buckets, [int(inside[page.span(at)[0]]) for at in page.candidates])


def _matrix(rows: Sequence[_Rows]) -> csr_matrix:
    lists = [buckets for row in rows for buckets in row.buckets]
    ends = np.cumsum([0, *map(len, lists)])
    indices = np.fromiter((number for numbers in lists for number in numbers), dtype=np.int32, count=int(ends[-1]))
    matrix = csr_matrix((np.ones(len(indices), np.float32), indices, ends), shape=(len(lists), BUCKETS))
    matrix.sum_duplicates()
    return matrix


def _first_stage(corpora: Sequence[Sequence[_Rows]]) -> NDArray[np.float32]:
    """Weights per bucket; the bias is left to the second stage."""
    rows = [row for corpus in corpora for row in corpus]
    labels = np.array([label for row in rows for label in row.labels])
    learner = SGDClassifier(
        alpha=2e-6, loss="log_loss", max_iter=8, tol=None, average=True, random_state=20, fit_intercept=False
    )
    weights: NDArray[np.float32] = learner.fit(_matrix(rows), labels).coef_[0].astype(np.float16).astype(np.float32)
    return weights


def _inputs(corpora: Sequence[Sequence[_Rows]], weights: NDArray[np.float32]) -> Iterator[Row]:
    """Second-stage inputs of corpora that ``weights`` have not seen; half of the documents come without a corpus."""
    for corpus in corpora:
        scores = [[float(weights[buckets].sum()) for buckets in row.buckets] for row in corpus]
        found: dict[str, list[float]] = {}
        for row, first in zip(corpus, scores, strict=True):
            for word, score in mean_scores(row.page, first).items():
                found.setdefault(word, []).append(score)
        seen = {word: (sum(values) / len(values), len(values)) for word, values in found.items() if len(values) > 1}
        for number, (row, first) in enumerate(zip(corpus, scores, strict=True)):
            yield from second_stage(first, row.page, seen if number % 4 else {})


def _from_worlds(inventor: Inventor) -> Iterator[list[Example]]:
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
    train = {
        row["doc_id"]
        for row in _jsonl(world, "documents")
        if row.get("pool") == "train" and row.get("language") == "en"
    }
    marks: dict[str, list[tuple[str, int, int]]] = {}
    for row in _jsonl(world, "pii"):
        marks.setdefault(row["doc_id"], []).append((row["label"], row["start"], row["end"]))
    things = {
        name
        for row in _jsonl(world, "entities")
        if row["kind"] in {"site", "customer", "supplier", "product", "team", "firmware"}
        for name in (row["name"], row["name"].split()[0])
    }
    for row in _jsonl(world, "texts"):
        if row["doc_id"] in train:
            found = sorted((name for name in things if name in row["text"]), key=len, reverse=True)
            yield Source(row["text"], sorted(marks.get(row["doc_id"], []), key=lambda mark: mark[1]), found)


def _jsonl(world: Path, name: str) -> Iterator[dict[str, Any]]:
    with (world / "truth" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


class Cast:
    """Who and what stands for the people and things of one corpus, and which of their words pretend to be in no list."""

    def __init__(self, inventor: Inventor) -> None:
        self.inventor = inventor
        self.words: dict[str, str] = {}
        self.hidden: set[str] = set()
        self._things: dict[str, str] = {}

    def name(self, name: str) -> str:
        """The same invented name for the same name, part by part."""
        first, last = self.inventor.person()
        given, _, family = name.partition(" ")
        if not family:
            return self._word(name, first if self.inventor.rng.random() < 0.7 else last)
        return f"{self._word(given, first)} {self._word(family, last)}"

    def thing(self, name: str) -> str:
        """Mostly another name for a company, place or product; some keep theirs."""
        if name not in self._things:
            self._things[name] = self.inventor.thing() if self.inventor.rng.random() < 0.8 else name
        return self._things[name]

    def _word(self, old: str, new: str) -> str:
        if old not in self.words:
            self.words[old] = new
            self.hide(new)
        return self.words[old]

    def hide(self, name: str) -> None:
        """Now and then let the words of a name be unknown."""
        if self.inventor.rng.random() < _UNKNOWN:
            self.hidden.update(word.lower() for word in _ANY_WORD.findall(name))


def _renamed(source: Source, cast: Cast) -> Example:
    """The document with other people and other things in it."""
    people = sorted({source.text[a:b] for kind, a, b in source.marks if kind == "person"}, key=lambda n: (-len(n), n))
    instead = {name: cast.name(name) for name in people}
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
    mailed = any(kind == "email" for kind, _, _ in source.marks)
    return _example("".join(parts), spans, [*instead.values()], cast, share=0.6 if mailed else 0.4)


def _made(inventor: Inventor) -> list[Example]:
    """A small corpus of plain sentences; one document in four is about nobody."""
    cast = Cast(inventor)
    people = [inventor.person() for _ in range(12)]
    things = [inventor.thing() for _ in range(12)]
    for first, last in people:
        cast.hide(first)
        cast.hide(last)
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
    return _example("".join(parts), spans, [word for person in people for word in person], cast, share=0.3)


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
        "{W}": lambda: inventor.word().capitalize(),
        "{w}": inventor.word,
        "{d}": lambda: str(rng.randint(1, 2_999)),
        "{p}": lambda: mask("phone", 12),
        "{m}": lambda: mask("email", 20),
    }
    return fillers[piece]() if piece in fillers else piece


def _example(text: str, spans: list[tuple[int, int]], used: Sequence[str], cast: Cast, share: float) -> Example:
    """``share``: how often an address, author or roster vouches for a name; now and then for a word that is none."""
    rng = cast.inventor.rng
    parts = {word for name in used for word in _ANY_WORD.findall(name)}
    vouched = {canonical(word) for word in sorted(parts) if rng.random() < share}
    capitals = {word for word in _ANY_WORD.findall(text) if word[0].isupper()} - parts
    vouched |= {canonical(word) for word in sorted(capitals) if rng.random() < 0.004}
    return Example(text, spans, frozenset(vouched), frozenset(cast.hidden))


if __name__ == "__main__":
    main()
