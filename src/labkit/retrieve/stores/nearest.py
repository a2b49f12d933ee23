"""The nearest of many vectors under a mask, in memory: exact, or in the lists nearest to the question.

Up to :data:`EXACT_UP_TO` vectors that qualify all are compared. Where there are more, the vectors are parted into
lists around centres (an inverted file; Sivic and Zisserman 2003), and lists are compared whole, nearest centre first,
until enough vectors that qualify were seen: the mask is applied before anything is ranked, so a narrow one costs no
recall. Vectors are parted in their :data:`WIDTH` principal directions, which makes a million a matter of seconds;
they and the means of the lists are compared in full.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

EXACT_UP_TO = 10_000
"""Vectors that are compared one by one: what that costs is a few milliseconds."""
LISTS = 3
"""Lists, in square roots of the number of vectors."""
SEEN = 12
"""Vectors compared, in square roots of the number that qualify; `labkit bench retrieve` measures the recall."""
SEEN_PER_HIT = 20
"""Vectors compared at least for each that is asked for."""
WIDTH = 64
_ROUNDS = 4  # of k-means
_SAMPLE = 40  # vectors per centre that k-means sees
_BLOCK = 2_048

Array = NDArray[np.float32]
Positions = NDArray[np.intp]


class Nearest:
    """Searches unit vectors that do not change.

    Args:
        vectors: (n, dimensions). Many are put in another order in place: give an array nobody else uses.
    """

    def __init__(self, vectors: Array) -> None:
        self._vectors = vectors
        self._order: Positions = np.arange(len(vectors))  # where each row of _vectors stood when it was given
        self._starts: Positions | None = None
        if len(vectors) > EXACT_UP_TO:
            self._part()

    def search(self, vector: Array, mask: NDArray[np.bool_], k: int) -> tuple[Positions, Array]:
        """Positions and cosines of the k nearest rows of the mask, best first; fewer if it has fewer."""
        qualify = int(np.count_nonzero(mask))
        enough = max(int(SEEN * sqrt(qualify)), SEEN_PER_HIT * k)
        if self._starts is None or qualify <= max(EXACT_UP_TO, enough):
            kept = mask[self._order]
            at, scores = self._order[kept], _compared(self._vectors, kept, vector)
        else:
            at, scores = self._in_lists(self._starts, vector, mask, enough)
        best = _best(scores, k)
        best = best[np.argsort(-scores[best], kind="stable")]
        return at[best], scores[best]

    def _in_lists(
        self, starts: Positions, vector: Array, mask: NDArray[np.bool_], enough: int
    ) -> tuple[Positions, Array]:
        """What qualifies in the nearest lists, and its scores, in any order."""
        found: list[Positions] = []
        scores: list[Array] = []
        seen = 0
        for nearest in np.argsort(-_products(self._means, vector)):
            part = slice(starts[nearest], starts[nearest + 1])
            at = self._order[part]
            kept = mask[at]
            if kept.any():
                found.append(at[kept])
                scores.append(_compared(self._vectors[part], kept, vector))
                seen += len(found[-1])
            if seen >= enough:
                break
        return np.concatenate(found), np.concatenate(scores)

    def _part(self) -> None:
        """Bring the vectors of each list together."""
        count, dimensions = self._vectors.shape
        lists = int(LISTS * sqrt(count))
        chosen = np.random.default_rng(0).choice(count, min(count, _SAMPLE * lists), replace=False)
        sample = self._vectors[chosen]
        basis = np.linalg.svd(sample.T @ sample)[0][:, :WIDTH]
        centres = _centres(sample @ basis, lists)
        blocks = (self._vectors[start : start + _BLOCK] @ basis for start in range(0, count, _BLOCK))
        assigned = np.concatenate([_nearest(block, centres) for block in blocks])
        self._order = np.argsort(assigned, kind="stable")
        self._starts = np.searchsorted(assigned[self._order], np.arange(lists + 1))
        # Some columns at a time: a whole copy of a million vectors takes 1.5 GB.
        for start in range(0, dimensions, 64):
            columns = slice(start, start + 64)
            self._vectors[:, columns] = self._vectors[self._order, columns]
        parts = zip(self._starts[:-1], self._starts[1:], strict=True)
        self._means = np.stack([self._vectors[start:end].sum(axis=0) / max(1, end - start) for start, end in parts])


def _centres(sample: Array, count: int) -> Array:
    """The centres of a sample by k-means, its first rows to begin with. One that loses all its rows stays put."""
    centres = sample[:count].copy()
    for _ in range(_ROUNDS):
        assigned = np.concatenate(
            [_nearest(sample[start : start + _BLOCK], centres) for start in range(0, len(sample), _BLOCK)]
        )
        sizes = np.bincount(assigned, minlength=count)
        held = sizes > 0
        starts = (np.cumsum(sizes) - sizes)[held]
        sums = np.add.reduceat(sample[np.argsort(assigned, kind="stable")], starts, axis=0)
        centres[held] = sums / sizes[held, None]
    return centres


def _nearest(rows: Array, centres: Array) -> Positions:
    """For each row the centre at the least distance."""
    products = rows @ centres.T
    products -= 0.5 * np.einsum("ij,ij->i", centres, centres)
    nearest: Positions = products.argmax(axis=1)
    return nearest


def _compared(rows: Array, kept: NDArray[np.bool_], vector: Array) -> Array:
    """The products of the rows that are kept. Copying them costs as much as multiplying: it has to leave out many."""
    if 2 * np.count_nonzero(kept) > len(kept):
        return _products(rows, vector)[kept]
    return _products(rows[kept], vector)


def _products(rows: Array, vector: Array) -> Array:
    # One thread: a BLAS that waits for its second on a busy machine takes many times as long as the product.
    return np.asarray(np.einsum("ij,j->i", rows, vector), np.float32)


def _best(scores: Array, k: int) -> Positions:
    """Positions of the k highest, in any order."""
    return np.argpartition(-scores, k - 1)[:k] if k < len(scores) else np.arange(len(scores))
