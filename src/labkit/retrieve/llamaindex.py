"""Retrieval across the border to LlamaIndex, in both directions.

``LlamaRetriever`` offers any :class:`labkit.schema.Retriever` to LlamaIndex. ``FromLlamaIndex`` puts any LlamaIndex
retriever where labkit expects its own; such a retriever knows nothing of access, dates or filters, so they are applied
here, to more nodes than were asked for. A chunk travels as a node: its text is the node's text, everything else is one
JSON string in the metadata, since many vector stores keep only scalars.

Source: https://developers.llamaindex.ai (custom retrievers).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import cast

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle, TextNode

from labkit.errors import InputError
from labkit.retrieve.store import MAX_K, check_search
from labkit.schema import Chunk, Hit, RequestContext, Retriever

CHUNK_KEY = "labkit_chunk"
"""Metadata key under which a node carries its chunk, without the text, as JSON."""

_SHOWN = ("source_path", "doc_class", "page")
_OVERSAMPLE = 4


def to_node(chunk: Chunk) -> TextNode:
    """A chunk as a node of the same id; no metadata is embedded or sent to a model."""
    shown = {name: value for name in _SHOWN if (value := getattr(chunk, name)) not in (None, "")}
    metadata = {**shown, CHUNK_KEY: chunk.model_dump_json(exclude={"text"})}
    return TextNode(
        id_=chunk.chunk_id, text=chunk.text, metadata=metadata, start_char_idx=chunk.start, end_char_idx=chunk.end,
        excluded_embed_metadata_keys=list(metadata), excluded_llm_metadata_keys=list(metadata),
    )  # fmt: skip


class LlamaRetriever(BaseRetriever):  # type: ignore[misc]
    """Any of our retrievers as a LlamaIndex retriever, for one request.

    LlamaIndex passes no asker along, so the asker is bound here: make one for each request, never share it.

    Args:
        retriever: what searches.
        ctx: who asks.
        k: nodes returned.
    """

    def __init__(self, retriever: Retriever, ctx: RequestContext, *, k: int = 5) -> None:
        super().__init__()
        self._retriever, self._ctx, self._k = retriever, ctx, k

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._retriever.search(query_bundle.query_str, self._k, self._ctx)
        return [NodeWithScore(node=to_node(hit.chunk), score=hit.score) for hit in hits]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


class FromLlamaIndex:
    """Implements :class:`labkit.schema.Retriever` over a LlamaIndex retriever.

    Nodes the asker may not read, that do not hold on the day asked about or that fail the filters are dropped, and
    more are fetched until k remain or the foreign index has no more. Nothing dropped is returned, logged or named in
    an error.

    Args:
        retriever: makes a retriever that returns up to so many nodes, for example
            ``lambda n: index.as_retriever(similarity_top_k=n)``.
        default_acl: groups that may read nodes without our metadata; None refuses such nodes.
        default_tenant: whose such nodes are.
    """

    def __init__(
        self, retriever: Callable[[int], BaseRetriever], *,
        default_acl: Sequence[str] | None = None, default_tenant: str = "default",
    ) -> None:  # fmt: skip
        self._retriever = retriever
        self._acl = None if default_acl is None else tuple(default_acl)
        self._tenant = default_tenant

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The best ``k`` passages the asker may read, best first; ``why`` holds the rank among those.

        Raises:
            InputError: the question is empty or too long, k is out of range, or a node has no access list and no
                default was stated.
        """
        query = check_search(query, k)
        wanted = min(_OVERSAMPLE * k, MAX_K)
        while True:
            ctx.check()
            found = self._retriever(wanted).retrieve(query)
            kept = self._readable(found, ctx)
            if len(kept) >= k or len(found) < wanted or wanted == MAX_K:
                break
            wanted = min(_OVERSAMPLE * wanted, MAX_K)
        return [
            Hit(chunk=chunk, score=score, why={"llamaindex": rank})
            for rank, (chunk, score) in enumerate(kept[:k], start=1)
        ]

    def _readable(self, found: Sequence[NodeWithScore], ctx: RequestContext) -> list[tuple[Chunk, float]]:
        kept: dict[str, tuple[Chunk, float]] = {}
        for rank, scored in enumerate(found, start=1):
            chunk = self._chunk(scored.node)
            if ctx.sees(chunk):
                # A retriever may leave scores out; its order then stands in for them.
                kept.setdefault(chunk.chunk_id, (chunk, 1.0 / rank if scored.score is None else float(scored.score)))
        return sorted(kept.values(), key=lambda pair: (-pair[1], pair[0].chunk_id))

    def _chunk(self, node: BaseNode) -> Chunk:
        text = cast("str", node.get_content(metadata_mode=MetadataMode.NONE))
        if CHUNK_KEY in node.metadata:
            try:
                return Chunk.model_validate({**json.loads(node.metadata[CHUNK_KEY]), "text": text})
            except (TypeError, ValueError):  # ValidationError is a ValueError
                # Without the cause: it would quote a passage that nobody checked the access of.
                raise InputError(
                    f"A node of the foreign index carries a damaged {CHUNK_KEY!r}", todo="Index it again with to_node."
                ) from None
        if self._acl is None:
            raise InputError(
                "A node of the foreign index does not say who may read it",
                todo="Index nodes made by to_node, or state default_acl.",
            )
        start = getattr(node, "start_char_idx", None) or 0
        document = node.ref_doc_id or node.node_id
        return Chunk(
            chunk_id=node.node_id, doc_id=document, text=text, ordinal=0, start=start, end=start + len(text),
            source_path=str(node.metadata.get("file_path") or node.metadata.get("file_name") or document),
            acl=self._acl, tenant=self._tenant, tokens=-(-len(text) // 4),  # an estimate: no tokenizer here
            content_hash=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        )  # fmt: skip
