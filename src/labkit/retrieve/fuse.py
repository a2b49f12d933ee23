"""Joins ranked lists by rank alone (Cormack, Clarke and Büttcher 2009).

Scores of different retrievers do not compare; ranks do. It knows nothing about what produced the lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.schema import Hit

RRF_K = 60
"""The paper's constant: how slowly trust falls with rank."""


def reciprocal_rank_fusion(lists: Mapping[str, Sequence[Hit]], k: int, *, constant: int = RRF_K) -> list[Hit]:
    """The k best hits of several lists, each worth 1 / (constant + rank) in every list that holds it.

    Args:
        lists: path name → its hits, best first.
        k: how many to return.
        constant: of the formula.

    Returns:
        Hits with the summed score, and in ``why`` the rank on each path; ties are ordered by chunk id.
    """
    scores: dict[str, float] = {}
    ranks: dict[str, dict[str, int]] = {}
    chunks = {}
    for path, hits in lists.items():
        for rank, hit in enumerate(hits, start=1):
            chunk_id = hit.chunk.chunk_id
            if path in ranks.setdefault(chunk_id, {}):
                continue  # a list that repeats a chunk does not make it better
            chunks[chunk_id] = hit.chunk
            ranks[chunk_id][path] = rank
            scores[chunk_id] = scores.get(chunk_id, 0.0) + 1.0 / (constant + rank)
    best = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))[:k]
    return [Hit(chunk=chunks[chunk_id], score=scores[chunk_id], why=ranks[chunk_id]) for chunk_id in best]
