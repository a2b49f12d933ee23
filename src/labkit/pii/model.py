"""The name tagger's artefact: weights by hash, and four word lists as Bloom filters.

Built by ``python -m labkit.tune.names``; its bytes are pinned here, so that a changed file is noticed and not used.
The filters hold given names, surnames and places (from Faker's tables) and common words; they answer *probably in the
list*, wrongly for fewer than one in a hundred others (Bloom 1970).
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ModelError, ModelMismatch

FILE = Path(__file__).with_name("names.npz")
SHA256 = "5d87d1324cd6f75a5151b2b852d83722b4f8105266f822612b682cf36f73a4cf"
BUCKETS = 1 << 17
FILTER_BITS = 1 << 20
LISTS = ("given", "surname", "common", "place")
_LETTERS = "gscp"


def bucket(feature: str) -> int:
    """Where a feature's weight stands."""
    return zlib.crc32(feature.encode()) & (BUCKETS - 1)


@dataclass(frozen=True, slots=True)
class NameModel:
    """Weights of the two stages, and the word lists."""

    weights: NDArray[np.float32]
    """One per bucket."""
    hidden: NDArray[np.float32]
    """Second stage, inputs to hidden units: one row per input of ``second_stage``, the biases last."""
    out: NDArray[np.float32]
    """Second stage, hidden units to the score: one per unit, the bias last."""
    filters: NDArray[np.uint8]
    """One row of ``FILTER_BITS`` bits per list of ``LISTS``."""

    def lists(self, word: str) -> str:
        """Which lists hold a word (given in lower case), as letters."""
        places = _places(word)
        rows = self.filters
        return "".join(
            letter
            for row, letter in enumerate(_LETTERS)
            if all(rows[row, place >> 3] >> (place & 7) & 1 for place in places)
        )


def word_filter(words: Iterable[str]) -> NDArray[np.uint8]:
    """A Bloom filter of three hashes over words in lower case."""
    bits = np.zeros(FILTER_BITS // 8, dtype=np.uint8)
    for word in words:
        for place in _places(word):
            bits[place >> 3] |= 1 << (place & 7)
    return bits


def _places(word: str) -> tuple[int, int, int]:
    number = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    return number & (FILTER_BITS - 1), number >> 21 & (FILTER_BITS - 1), number >> 42 & (FILTER_BITS - 1)


@lru_cache(maxsize=1)
def load() -> NameModel:
    """The shipped model.

    Raises:
        ModelError: the file is not there.
        ModelMismatch: its bytes are not the pinned ones.
    """
    try:
        raw = FILE.read_bytes()
    except OSError as error:
        raise ModelError("The name tagger is missing", where=str(FILE), todo="Reinstall labkit.") from error
    if hashlib.sha256(raw).hexdigest() != SHA256:
        raise ModelMismatch(
            "The name tagger is not the one that was pinned",
            where=str(FILE),
            todo="Restore it, or build it again: python -m labkit.tune.names --out src/labkit/pii/names.npz.",
        )
    return read(raw)


def read(raw: bytes) -> NameModel:
    """A model from the bytes of its file."""
    with np.load(io.BytesIO(raw)) as arrays:
        weights = arrays["weights"].astype(np.float32)
        return NameModel(weights, arrays["hidden"], arrays["out"], arrays["filters"])
