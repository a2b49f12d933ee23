"""LlamaIndex's default pipeline as a peer: a ``VectorStoreIndex`` over the same chunks and vectors.

Its in-memory store and its retriever as they come. It knows neither dates nor permissions; what it finds that the
asker may not read counts as not found, and is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.retrieve.store import search_text
from labkit.schema import Chunk


def default_retriever_over(
    rows: Iterable[tuple[Chunk, NDArray[np.float32]]], vectors: Mapping[str, NDArray[np.float32]], *, k: int
) -> Any:
    """A LlamaIndex retriever over chunks with their vectors, for questions whose vectors are given.

    Args:
        rows: chunks and their vectors; the text of a node is what labkit embeds for the chunk.
        vectors: question → its vector, so that no time goes into encoding.
        k: nodes it returns.
    """
    from llama_index.core import VectorStoreIndex
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.schema import TextNode

    class Given(BaseEmbedding):  # type: ignore[misc]  # the library has no types
        """Looks vectors up."""

        def _get_query_embedding(self, query: str) -> list[float]:
            found: list[float] = vectors[query].tolist()
            return found

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

        def _get_text_embedding(self, text: str) -> list[float]:
            raise NotImplementedError  # every node brings its vector

    nodes = [TextNode(id_=chunk.chunk_id, text=search_text(chunk), embedding=vector.tolist()) for chunk, vector in rows]
    return VectorStoreIndex(nodes, embed_model=Given(model_name="given")).as_retriever(similarity_top_k=k)
