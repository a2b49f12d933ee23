"""Trains the name tagger of :mod:`labkit.pii`: ``python -m labkit.tune.names --out src/labkit/pii/names.npz``.

It reads train-split documents of several worlds in which every person, company, place and product has been given an
invented name, and plain sentences filled the same way. So the words around names are learned, and how names are
spelled, but no list of a world. Half of the names pretend to be in no list, for that is how the tagger will meet many.
The same command gives the same bytes on the same versions of the libraries.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier

from labkit.errors import ConfigError
from labkit.pii.features import NAMELIKE, ROLES, Lists, Page, Word, of_place, of_word, word, word_class
from labkit.pii.model import BUCKETS, NameModel, bucket, word_filter
from labkit.pii.names import Row, mean_scores, second_stage
from labkit.tune.invent import Inventor
from labkit.tune.named import Example, all_made, from_worlds

_HIDDEN = 12
_EPOCHS = 14
_PENALTY = 5e-5
_ANY_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


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
    corpora = [*from_worlds(inventor), *all_made(inventor)]
    inventor.rng.shuffle(corpora)
    rows = [[_rows(example, lists) for example in corpus] for corpus in corpora]
    weights = _first_stage(rows)
    half = len(rows) // 2
    inputs = [*_inputs(rows[:half], _first_stage(rows[half:])), *_inputs(rows[half:], _first_stage(rows[:half]))]
    labels = [label for corpus in rows for row in corpus for label in row.labels]
    second = MLPClassifier((_HIDDEN,), alpha=1e-3, max_iter=_EPOCHS, batch_size=512, random_state=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of epochs is meant
        second.fit(np.array(inputs), labels)
    arrays: dict[str, NDArray[Any]] = {
        "weights": weights.astype(np.float16),
        "hidden": np.vstack([second.coefs_[0], second.intercepts_[0]]).astype(np.float32),
        "out": np.append(second.coefs_[1][:, 0], second.intercepts_[1]).astype(np.float32),
        "filters": filters,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Rows:
    """A document as numbers: which buckets each candidate's features fall in, and which candidates are names."""

    page: Page
    buckets: list[list[int]]
    labels: list[int]
    alone: bool


def _lists(inventor: Inventor) -> tuple[set[str], ...]:
    def words(entries: Sequence[str]) -> set[str]:
        return {
            word.lower()
            for entry in entries
            for word in (*_ANY_WORD.findall(entry), *re.findall(r"[^\W\d_]{3,}", entry))
        }

    places = words([*inventor.countries, *inventor.cities])
    return words(inventor.given), words(inventor.surnames), set(inventor.common), places - set(inventor.common)


def _rows(example: Example, lists: Lists) -> _Rows:
    def lexicon(text: str) -> Word:
        cls = word_class(text, lists)
        lower = text.lower()
        return word(text, cls[0] if lower in example.hidden and cls[0] in NAMELIKE else cls)

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
    return _Rows(page, buckets, [int(inside[page.span(at)[0]]) for at in page.candidates], example.alone)


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
        alpha=_PENALTY, loss="log_loss", max_iter=8, tol=None, average=True, random_state=20, fit_intercept=False
    )
    weights: NDArray[np.float32] = learner.fit(_matrix(rows), labels).coef_[0].astype(np.float16).astype(np.float32)
    return weights


def _inputs(corpora: Sequence[Sequence[_Rows]], weights: NDArray[np.float32]) -> Iterator[Row]:
    """Second-stage inputs of corpora that ``weights`` have not seen."""
    for corpus in corpora:
        scores = [[float(weights[buckets].sum()) for buckets in row.buckets] for row in corpus]
        found: dict[str, list[float]] = {}
        for row, first in zip(corpus, scores, strict=True):
            for name, score in mean_scores(row.page, first).items():
                found.setdefault(name, []).append(score)
        seen = {
            name: (sum(values) / len(values), max(values), len(values))
            for name, values in found.items()
            if len(values) > 1
        }
        for row, first in zip(corpus, scores, strict=True):
            yield from second_stage(first, row.page, {} if row.alone else seen)


if __name__ == "__main__":
    main()
