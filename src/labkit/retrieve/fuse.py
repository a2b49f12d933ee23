"""Joins ranked lists: by rank alone, or by scores brought to one scale.

It knows nothing about what produced the lists. Both ways name in ``why`` every path that found a chunk, and its rank
there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from labkit.schema import Chunk, Hit

RRF_K = 60
"""Cormack's constant: how slowly trust falls with rank."""


class Fusion(Protocol):
    """Makes one ranking of several."""

    def __call__(self, lists: Mapping[str, Sequence[Hit]], k: int) -> list[Hit]:
        """The k best hits of ``lists``: path name → its hits, best first."""


def reciprocal_rank_fusion(lists: Mapping[str, Sequence[Hit]], k: int, *, constant: int = RRF_K) -> list[Hit]:
    """The k best hits of several lists, each worth 1 / (constant + rank) in every list that holds it.

    Scores of different retrievers do not compare; ranks do (Cormack, Clarke and Büttcher 2009).

    Args:
        lists: path name → its hits, best first.
        k: how many to return.
        constant: of the formula.

    Returns:
        Hits with the summed score, and in ``why`` the rank on each path; ties are ordered by chunk id.
    """
    worth = {path: [1.0 / (constant + rank) for rank in range(1, len(hits) + 1)] for path, hits in lists.items()}
    return _summed(lists, worth, k)


def convex_fusion(lists: Mapping[str, Sequence[Hit]], k: int, *, weights: Mapping[str, float]) -> list[Hit]:
    """The k best hits by weighted scores, each list's scores scaled to 0 for its last hit and 1 for its first.

    Keeps how far apart a path found its hits, which ranks forget (Bruch, Gai and Ingber 2023).

    Args:
        lists: path name → its hits, best first.
        k: how many to return.
        weights: what each path counts.

    Returns:
        Hits with the summed score, and in ``why`` the rank on each path; ties are ordered by chunk id.
    """
    worth = {path: [weights[path] * share for share in scaled(hits)] for path, hits in lists.items()}
    return _summed(lists, worth, k)


def scaled(hits: Sequence[Hit]) -> list[float]:
    """Scores between 0 for the last hit and 1 for the first; all 1 where they do not differ."""
    if not hits:
        return []
    low, span = hits[-1].score, hits[0].score - hits[-1].score
    return [(hit.score - low) / span if span > 0 else 1.0 for hit in hits]


def _summed(lists: Mapping[str, Sequence[Hit]], worth: Mapping[str, Sequence[float]], k: int) -> list[Hit]:
    scores: dict[str, float] = {}
    ranks: dict[str, dict[str, int]] = {}
    chunks: dict[str, Chunk] = {}
    for path, hits in lists.items():
        for rank, (hit, gain) in enumerate(zip(hits, worth[path], strict=True), start=1):
            chunk_id = hit.chunk.chunk_id
            if path in ranks.setdefault(chunk_id, {}):
                continue  # a list that repeats a chunk does not make it better
            chunks[chunk_id] = hit.chunk
            ranks[chunk_id][path] = rank
            scores[chunk_id] = scores.get(chunk_id, 0.0) + gain
    best = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))[:k]
    return [
        Hit.model_construct(chunk=chunks[chunk_id], score=scores[chunk_id], why=ranks[chunk_id]) for chunk_id in best
    ]
