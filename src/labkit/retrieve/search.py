"""The flat retriever: a question rewritten, each of its parts searched on all paths and reranked; no graph.

Without an encoder that shows its tokens (an embedding endpoint, say) late interaction is left out, and the two paths
are fused by their scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from labkit.llm import Embedder, TokenEmbedder
from labkit.retrieve.dense import DenseRetriever
from labkit.retrieve.fuse import convex_fusion
from labkit.retrieve.hybrid import HybridRetriever
from labkit.retrieve.late import LateInteraction
from labkit.retrieve.lexical import LexicalRetriever
from labkit.retrieve.rerank import WEIGHTS, Reranker
from labkit.retrieve.rewrite import Rewriter
from labkit.retrieve.store import check_search
from labkit.schema import Hit, RequestContext, Retriever

if TYPE_CHECKING:
    from labkit.retrieve.index import Index


def flat_retriever(index: Index, embedder: Embedder) -> Retriever:
    """The best there is without a graph."""
    return Search(ranker(index, embedder), Rewriter(index.vocabulary))


def ranker(index: Index, embedder: Embedder) -> Retriever:
    """The flat ranking, of questions as they are."""
    if index.info.late and isinstance(embedder, TokenEmbedder):
        return Reranker(index.store, embedder, LateInteraction.shipped())
    paths: dict[str, Retriever] = {
        "dense": DenseRetriever(index.store, embedder),
        "lexical": LexicalRetriever(index.store),
    }
    return HybridRetriever(paths, fusion=partial(convex_fusion, weights=WEIGHTS))


def plain_retriever(index: Index, embedder: Embedder) -> Retriever:
    """Both paths fused by rank, questions as they are: what the course starts from."""
    return HybridRetriever({"dense": DenseRetriever(index.store, embedder), "lexical": LexicalRetriever(index.store)})


class Search:
    """Implements :class:`labkit.schema.Retriever`: rewrites, searches every part, and merges.

    Args:
        retriever: ranks the passages for one question.
        rewriter: corrects and splits.
    """

    def __init__(self, retriever: Retriever, rewriter: Rewriter) -> None:
        self._retriever, self._rewriter = retriever, rewriter

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k best chunks; of several questions in one, each gets its turn.

        Raises:
            InputError: the question is empty or too long, or k is out of range.
        """
        query = check_search(query, k)
        with ctx.trace.span("retrieve.rewrite"):
            parts = self._rewriter(query).parts
        lists = [self._retriever.search(part, k, ctx) for part in parts]
        return lists[0] if len(lists) == 1 else _interleaved(lists)[:k]


def _interleaved(lists: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The first of each list, then the second of each, each chunk once; scores fall with the place."""
    turns: dict[str, Hit] = {}
    for hit in chain.from_iterable(zip_longest(*lists)):
        if hit is not None:
            turns.setdefault(hit.chunk.chunk_id, hit)
    return [hit.model_copy(update={"score": 1.0 / place}) for place, hit in enumerate(turns.values(), 1)]
