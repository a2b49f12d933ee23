"""A large index out of a small one: real chunks again and again, each time a little changed.

Copies get their own ids, some of their words swapped and their vectors moved, so that no two rows are equal and an
approximate index has neighbours to confuse. Access, dates and lengths stay those of the real chunks. What it measures
is time, memory and whether approximate search finds what exact search finds; nothing it holds is a true statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labkit.retrieve.store import Rows
from labkit.retrieve.stores.lancedb import LanceStore
from labkit.schema import Chunk

NOISE = 0.03
"""Standard deviation added to each of a vector's components before it is scaled to unit length again."""

_BATCH = 20_000
_WORD = re.compile(r"\w+")


def crowd(real: Rows, n: int, folder: Path, *, seed: int, tokens: bool) -> LanceStore:
    """An optimized store of ``n`` rows made of ``real`` ones, in ``folder``; with their token vectors if asked for."""
    store = LanceStore.create(folder, f"crowd_{n}", real.vectors.shape[1])
    for rows in _batches(real, n, seed):
        store.append(rows.chunks, rows.vectors, rows.tokens if tokens else None)
    store.optimize()
    return store


def _batches(real: Rows, n: int, seed: int) -> Iterator[Rows]:
    rng = np.random.default_rng(seed)
    words = [word for chunk in real.chunks for word in _WORD.findall(chunk.text)]
    size = len(real.chunks)
    for start in range(0, n, _BATCH):
        numbers = range(start, min(start + _BATCH, n))
        of = [number % size for number in numbers]
        originals = np.array([number < size for number in numbers])
        chunks = [
            real.chunks[at] if number < size else _changed(real.chunks[at], number, words, rng)
            for number, at in zip(numbers, of, strict=True)
        ]
        vectors = np.where(originals[:, None], real.vectors[of], moved(real.vectors[of], rng))
        yield Rows(chunks, vectors.astype(np.float32), [real.tokens[at] for at in of])


def moved(vectors: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Unit vectors near the given ones."""
    near = vectors + rng.normal(0, NOISE, vectors.shape).astype(np.float32)
    unit: NDArray[np.float32] = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _changed(chunk: Chunk, number: int, words: list[str], rng: np.random.Generator) -> Chunk:
    """A copy with every fifth word or so taken from elsewhere in the corpus."""
    parts = chunk.text.split(" ")
    for at in rng.integers(0, len(parts), max(1, len(parts) // 5)).tolist():
        parts[at] = words[int(rng.integers(len(words)))]
    return chunk.model_copy(update={"chunk_id": f"copy-{number}", "doc_id": f"copy-{number}", "text": " ".join(parts)})
