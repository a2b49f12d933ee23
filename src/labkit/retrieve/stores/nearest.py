"""The nearest of many vectors under a mask, in memory: exact, or by a short sketch first.

Up to :data:`EXACT_UP_TO` vectors all are compared. Beyond, each is first compared in its :data:`SKETCH` principal
directions only, a sixth of the numbers, and the best :data:`RESCORED` of those are compared in full. The mask is
applied before anything is ranked, so a narrow one costs no recall.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EXACT_UP_TO = 20_000
SKETCH = 64
RESCORED = 1_000
_SAMPLE = 5_000

Array = NDArray[np.float32]


class Nearest:
    """Searches unit vectors (n, dimensions) that do not change.

    Args:
        vectors: what to search.
    """

    def __init__(self, vectors: Array) -> None:
        self._vectors = vectors
        self._basis: Array | None = None
        if len(vectors) > EXACT_UP_TO:
            sample = vectors[:: max(1, len(vectors) // _SAMPLE)]
            self._basis = np.linalg.svd(sample.T @ sample)[0][:, :SKETCH].astype(np.float32)
            self._sketches = np.ascontiguousarray(vectors @ self._basis)

    def search(self, vector: Array, mask: NDArray[np.bool_], k: int) -> tuple[NDArray[np.intp], Array]:
        """Positions and cosines of the k nearest rows of the mask, best first; fewer if it has fewer."""
        rows = np.flatnonzero(mask)
        if self._basis is not None and len(rows) > max(RESCORED, k):
            rough = _products(self._sketches, vector @ self._basis)[rows]
            rows = rows[_best(rough, max(RESCORED, k))]
        whole = len(rows) == len(self._vectors)
        scores = _products(self._vectors if whole else self._vectors[rows], vector)
        best = _best(scores, k)
        best = best[np.argsort(-scores[best], kind="stable")]
        return rows[best], scores[best]


def _products(rows: Array, vector: Array) -> Array:
    # One thread: a BLAS that waits for its second on a busy machine takes many times as long as the product.
    return np.asarray(np.einsum("ij,j->i", rows, vector), np.float32)


def _best(scores: Array, k: int) -> NDArray[np.intp]:
    """Positions of the k highest, in any order."""
    return np.argpartition(-scores, k - 1)[:k] if k < len(scores) else np.arange(len(scores))
