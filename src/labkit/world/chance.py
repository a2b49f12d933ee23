"""Named random streams and the calendar: one stream per subsystem, so adding one leaves the others unchanged."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal, TypeVar

START = date(2024, 1, 1)
END = date(2025, 12, 31)

_T = TypeVar("_T")


def stream(seed: int, *names: object) -> random.Random:
    """An independent generator for ``names`` under ``seed``; the same on every machine."""
    key = "/".join(str(part) for part in (seed, *names))
    return random.Random(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big"))


def share(word: str) -> float:
    """A number in [0, 1) that depends on the word alone."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") / 2**32


def day_between(rng: random.Random, first: date, last: date) -> date:
    """A uniformly drawn day of ``[first, last]``; ``first`` where the interval is empty."""
    return first + timedelta(days=rng.randint(0, max(0, (last - first).days)))


def weighted(rng: random.Random, options: Sequence[_T], weights: Sequence[float]) -> _T:
    """One option, drawn by weight."""
    return rng.choices(options, weights)[0]


def split_of(name: str) -> Literal["train", "dev", "test"]:
    """The split a name of an entity pool belongs to, for every seed and pack: 40 / 15 / 45 %."""
    position = share(name)
    return "train" if position < 0.40 else "dev" if position < 0.55 else "test"
