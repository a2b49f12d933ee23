"""Moves an index from one store to another as it is: nothing is embedded again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from labkit.errors import StoreError
from labkit.retrieve.index import content_version
from labkit.retrieve.store import Rows, Store
from labkit.schema import Chunk

_CLOSE = 1e-3  # a store may normalize a vector of unit length once more


def move(source: Store, target: Store, *, progress: bool = True) -> int:
    """Copy chunks, vectors and token vectors, then compare what both hold; the source stays as it is.

    A move that broke off is repeated as a whole: rows that are there already are replaced. Both stores are read once
    more for the comparison of counts, a hash of the chunks and their token vectors, and each vector's projection on
    one direction.

    Args:
        source: where from.
        target: where to; empty, or left by a move from the same source that broke off.
        progress: show a bar.

    Returns:
        How many chunks were moved.

    Raises:
        StoreError: a store failed, or the two hold different things in the end.
        EndpointError: a server behind one of them went away.
    """
    with tqdm(total=source.count(), unit="chunk", desc="move", disable=not progress) as bar:
        for rows in source.rows():
            target.upsert(rows.chunks, rows.vectors, rows.tokens)
            bar.update(len(rows.chunks))
    before, after = _Summary(source), _Summary(target)
    if before.count != after.count:
        raise StoreError(
            f"{before.count} chunks were to be moved, the target holds {after.count}",
            todo="Move into an empty store, while nobody writes to the source.",
        )
    if before.version != after.version:
        raise StoreError(
            f"Content {before.version} was to be moved, the target holds {after.version}",
            todo="Move into an empty store, while nobody writes to the source.",
        )
    different = [chunk_id for chunk_id, value in before.extras.items() if not _same(value, after.extras[chunk_id])]
    if different:
        raise StoreError(
            f"The vectors of {len(different)} chunks changed on the way, the first of {different[0]}",
            todo="Move again into an empty store.",
        )
    return before.count


class _Summary:
    """What a store holds, in brief: count, content version, and of each chunk its projection and token hash."""

    def __init__(self, store: Store) -> None:
        self.extras: dict[str, tuple[float, bytes]] = {}
        self.count, self.version = content_version(self._chunks(store.rows()), "")

    def _chunks(self, batches: Iterator[Rows]) -> Iterator[Chunk]:
        for rows in batches:
            projected = _project(rows.vectors)
            for chunk, value, tokens in zip(rows.chunks, projected, rows.tokens, strict=True):
                self.extras[chunk.chunk_id] = float(value), hashlib.sha256(tokens.tobytes()).digest()
                yield chunk


def _project(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    direction = np.random.default_rng(0).standard_normal((vectors.shape[1],)).astype(np.float32)
    values: NDArray[np.float32] = vectors @ (direction / np.linalg.norm(direction))
    return values


def _same(one: tuple[float, bytes], other: tuple[float, bytes]) -> bool:
    return abs(one[0] - other[0]) <= _CLOSE and one[1] == other[1]
