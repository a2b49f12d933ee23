"""Retrieval by meaning: the question's vector against the chunks' vectors."""

from __future__ import annotations

from labkit.llm import Embedder
from labkit.retrieve.store import Store, check_search
from labkit.schema import Hit, RequestContext


class DenseRetriever:
    """Implements :class:`labkit.schema.Retriever` over a store's vectors.

    Args:
        store: what to search.
        embedder: the encoder the store's vectors were made with.
    """

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store, self._embedder = store, embedder

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k nearest chunks the asker may read. A question beyond the encoder's 256 tokens counts by its start.

        Raises:
            InputError: the question is empty or too long, or k is out of range.
        """
        query = check_search(query, k)
        ctx.check()
        return self._store.search_dense(self._embedder.encode([query], ctx)[0], k, ctx)
