"""Retrieval by meaning and by words together, fused into one ranking.

Each path alone misses what the other finds: dense search confuses E-417 with E-471, lexical search does not know
that a *gripper* is an *end effector*.
"""

from __future__ import annotations

from labkit.retrieve.fuse import Fusion, reciprocal_rank_fusion
from labkit.retrieve.store import MAX_K, check_search
from labkit.schema import Hit, RequestContext, Retriever

DEPTH = 50
"""How far down each path's list fusion looks, at least."""


class HybridRetriever:
    """Implements :class:`labkit.schema.Retriever` by fusing others.

    Args:
        paths: name → retriever; the names appear in ``Hit.why``.
        fusion: makes one ranking of theirs.
        depth: hits taken from each path, if k is not larger.
    """

    def __init__(
        self, paths: dict[str, Retriever], *, fusion: Fusion = reciprocal_rank_fusion, depth: int = DEPTH
    ) -> None:
        self._paths, self._fusion, self._depth = paths, fusion, depth

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k best chunks over all paths.

        Raises:
            InputError: the question is empty or too long, or k is out of range.
        """
        query = check_search(query, k)
        depth = min(max(k, self._depth), MAX_K)
        lists = {}
        for name, retriever in self._paths.items():
            with ctx.trace.span(f"retrieve.{name}"):
                lists[name] = retriever.search(query, depth, ctx)
        return self._fusion(lists, k)
