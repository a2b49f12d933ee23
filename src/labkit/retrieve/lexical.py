"""Retrieval by words: BM25 in the store's full-text index (Robertson and Zaragoza 2009)."""

from __future__ import annotations

from labkit.retrieve.store import Store, check_search
from labkit.schema import Hit, RequestContext


class LexicalRetriever:
    """Implements :class:`labkit.schema.Retriever` over a store's full text.

    Args:
        store: what to search.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k best-matching chunks the asker may read; none if no word matches.

        Raises:
            InputError: the question is empty or too long, or k is out of range.
        """
        query = check_search(query, k)
        ctx.check()
        return self._store.search_lexical(query, k, ctx)
