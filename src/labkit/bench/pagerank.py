"""Personalised PageRank over the graph, the usual way to hop: the rival of following chains.

Things and passages are the nodes; a passage is tied to what it names, and things that a fact relates to each other. The
walk starts at what the question names and at the best passages of flat retrieval (Gutiérrez et al. 2024, *HippoRAG*).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from labkit.graph.graph import Graph
from labkit.retrieve.rerank import Reranker
from labkit.schema import Hit, RequestContext

_DAMPING, _STEPS = 0.5, 30
_SEEDS = 5  # passages the walk starts at, beside what the question names


class PageRankRetriever:
    """Implements :class:`labkit.schema.Retriever`.

    Args:
        flat: gives the passages to start at.
        graph: of the same chunks.
    """

    def __init__(self, flat: Reranker, graph: Graph) -> None:
        self._flat, self._graph = flat, graph
        nodes = [*sorted(graph.entities), *sorted(graph.chunks)]
        self._at: Mapping[str, int] = {node: number for number, node in enumerate(nodes)}
        self._chunk_ids = sorted(graph.chunks)
        pairs: set[tuple[int, int]] = set()
        for chunk_id in graph.chunks:
            pairs |= {(self._at[chunk_id], self._at[entity.entity_id]) for entity in graph.named_in(chunk_id)}
        for fact in graph.facts:
            if fact.object_id:
                pairs.add((self._at[fact.subject_id], self._at[fact.object_id]))
        ends = np.array([*pairs, *((other, one) for one, other in pairs)], np.int64).reshape(-1, 2)
        self._from, self._to = ends[:, 0], ends[:, 1]
        self._degree = np.maximum(1, np.bincount(self._from, minlength=len(nodes)))

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks the walk visits most, among those the request may see."""
        flat = self._flat.search(query, max(k, _SEEDS), ctx)
        start = np.zeros(len(self._at))
        for place, hit in enumerate(flat[:_SEEDS], 1):
            start[self._at[hit.chunk.chunk_id]] += 1.0 / place
        for entity in self._graph.linked(query, ctx):
            start[self._at[entity.entity_id]] += 1.0
        if not start.any():
            return flat[:k]
        rank = self._walked(start / start.sum())
        seen = [i for i in self._chunk_ids if ctx.sees(self._graph.chunks[i])]
        best = sorted(seen, key=lambda chunk_id: (-rank[self._at[chunk_id]], chunk_id))[:k]
        return [
            Hit.model_construct(chunk=self._graph.chunks[i], score=float(rank[self._at[i]]), why={"pagerank": n})
            for n, i in enumerate(best, 1)
        ]

    def _walked(self, start: NDArray[np.float64]) -> NDArray[np.float64]:
        rank = start
        for _ in range(_STEPS):
            given = _DAMPING * rank / self._degree
            rank = (1 - _DAMPING) * start + np.bincount(self._to, given[self._from], minlength=len(start))
        return rank
