"""The distributed store: a collection of a Weaviate server, one of its tenants per tenant of ours.

What a server spread over nodes cannot give, and the embedded store can: a write of many chunks is no transaction, so
readers may see part of it while it runs; reading everything is not as of one moment; and dense search is approximate
(HNSW) where more than 40,000 chunks qualify. Up to there Weaviate compares all that pass a filter, and every search has
one (``flatSearchCutoff``, at its default). Everything else of the contract holds. How chunks are laid out stands in
:mod:`labkit.retrieve.stores.weaviate_schema`, how calls end in :mod:`labkit.retrieve.stores.weaviate_calls`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labkit.errors import IndexMismatch, IndexMissing, InputError
from labkit.retrieve.store import Rows, TokenVectors, check_k
from labkit.retrieve.stores import weaviate_schema as schema
from labkit.retrieve.stores import weaviate_search as search
from labkit.retrieve.stores.weaviate_calls import asked_by, connect, explained
from labkit.retrieve.stores.weaviate_objects import Entry, Objects, pages
from labkit.retrieve.terms import query_terms
from labkit.schema import Chunk, Hit, RequestContext
from labkit.settings import Settings

if TYPE_CHECKING:
    from weaviate import WeaviateClient


class WeaviateStore:
    """Implements :class:`labkit.retrieve.store.Store`. Safe for threads; close it, or use it as a context manager.

    Use :meth:`create` or :meth:`open`. Every method raises EndpointError when the server is gone, hangs, refuses the
    key or has too few nodes alive for the consistency asked for, and StoreError when it answers with a failure.
    """

    def __init__(self, client: WeaviateClient, name: str, dimensions: int, settings: Settings) -> None:
        from weaviate.classes.config import ConsistencyLevel

        self._client, self._name, self._dimensions = client, name, dimensions
        self._where = f"{settings.weaviate_url}/{name}"
        level = ConsistencyLevel(settings.weaviate_consistency.upper())
        self._objects = Objects(client.collections.use(name).with_consistency_level(level), self._where)

    @classmethod
    def create(cls, settings: Settings, name: str, dimensions: int) -> WeaviateStore:
        """A new, empty collection, replicated as the settings say.

        Args:
            settings: address, key, gRPC port, replicas, consistency and time limit.
            name: begins with a capital letter; letters, digits and underscores.
            dimensions: length of its vectors.

        Raises:
            ConfigError: no server is set.
            EndpointError: the server does not answer or refuses the key.
            InputError: the name is none Weaviate takes.
            StoreError: there is a collection of that name, or fewer nodes than replicas.
        """
        schema.check_collection(name)

        def made(client: WeaviateClient) -> int:
            client.collections.create(name, **schema.definition(dimensions, settings))
            return dimensions

        return cls._connected(settings, name, made)

    @classmethod
    def open(cls, settings: Settings, name: str) -> WeaviateStore:
        """An existing collection.

        Raises:
            ConfigError: no server is set.
            EndpointError: the server does not answer or refuses the key.
            IndexMissing: there is no collection of that name.
            IndexMismatch: it was not made by :meth:`create`.
        """
        schema.check_collection(name)
        where = f"{settings.weaviate_url}/{name}"

        def found(client: WeaviateClient) -> int:
            if not client.collections.exists(name):
                raise IndexMissing("The server has no such collection", where=where, todo="Build the index first.")
            dimensions = schema.described_dimensions(client.collections.use(name).config.get(simple=True).description)
            if dimensions is None:
                raise IndexMismatch("The collection was not made by labkit", where=where, todo="Use another name.")
            return dimensions

        return cls._connected(settings, name, found)

    @classmethod
    def _connected(cls, settings: Settings, name: str, prepare: Callable[[WeaviateClient], int]) -> WeaviateStore:
        client = connect(settings)
        try:
            with explained(f"{settings.weaviate_url}/{name}"):
                store = cls(client, name, prepare(client), settings)
                store._objects.shards()  # the first call over gRPC: a wrong port shows here, not in a search
        except BaseException:
            client.close()
            raise
        return store

    def close(self) -> None:
        """Close the connections; the collection stays."""
        self._client.close()

    def __enter__(self) -> WeaviateStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def drop(self) -> None:
        """Remove the collection with all it holds."""
        with self._explained():
            self._client.collections.delete(self._name)

    def upsert(
        self, chunks: Sequence[Chunk], vectors: NDArray[np.float32], tokens: Sequence[TokenVectors] | None = None
    ) -> None:
        """Add chunks, replacing those with the same ``chunk_id``, also where these were another tenant's.

        Weaviate has no transactions. If a write fails, what was added is removed and what was replaced is put back,
        then the error is raised; if that fails too, or this process dies, part of the write stays until the upsert is
        repeated. Readers may see part of a write while it runs. The check for chunks that changed tenant costs a call
        per further tenant and page.

        Raises:
            InputError: not one finite vector of the collection's length (and one list of token vectors) per chunk,
                or a chunk twice.
            StoreError: the server refused some objects; the message counts them and gives the first reasons.
            EndpointError: the server went away; the message says if anything stayed.
        """
        if not len(chunks):
            return
        self._check(chunks, vectors, tokens)
        entries: dict[str, list[Entry]] = {}
        for i, chunk in enumerate(chunks):
            given = schema.properties(chunk, None if tokens is None else tokens[i])
            entry = Entry(schema.object_id(chunk.chunk_id), given, vectors[i].tolist())
            entries.setdefault(schema.shard(chunk.tenant), []).append(entry)
        with self._explained():
            self._objects.replace(entries)

    def delete(self, doc_ids: Iterable[str]) -> int:
        """Remove every chunk of these documents; returns how many chunks went.

        Raises:
            StoreError: some could not be removed.
        """
        wanted = sorted(set(doc_ids))
        if not wanted:
            return 0
        with self._explained():
            return sum(
                self._objects.delete(shard, search.any_document(page))
                for shard in self._objects.shards()
                for page in pages(wanted)
            )

    def search_dense(self, vector: NDArray[np.float32], k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks nearest to ``vector``; the score is the cosine."""
        from weaviate.classes.query import MetadataQuery

        check_k(k)
        near = self._query_vector(vector)
        found = self._found(
            ctx,
            lambda query, where: query.near_vector(
                near_vector=near,
                target_vector=schema.VECTOR,
                limit=k,
                filters=where,
                return_metadata=MetadataQuery(distance=True),
                return_properties=schema.CHUNK_PROPERTIES,
            ),
        )
        return search.hits(found, [1.0 - each.metadata.distance for each in found], ctx)

    def search_lexical(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks that share terms with the query; the score is BM25F, terms of file name and headings boosted."""
        from weaviate.classes.query import MetadataQuery

        check_k(k)
        words = query_terms(query)
        if not words:
            return []
        found = self._found(
            ctx,
            lambda ask, where: ask.bm25(
                query=" ".join(words),
                query_properties=schema.SEARCHED,
                limit=k,
                filters=where,
                return_metadata=MetadataQuery(score=True),
                return_properties=schema.CHUNK_PROPERTIES,
            ),
        )
        return search.hits(found, [each.metadata.score for each in found], ctx)

    def search_hybrid(
        self, query: str, vector: NDArray[np.float32], k: int, ctx: RequestContext, alpha: float = 0.5
    ) -> list[Hit]:
        """Both searches fused by the server, beyond the contract: Weaviate's hybrid search by relative score.

        Each result list is scaled to 0..1 and the score is ``alpha`` times the dense one plus the rest times the
        lexical one. Weaviate tells the score each search gave a chunk, not its rank; ``why`` holds the rank of that
        score among the chunks returned.

        Args:
            query: its terms are searched; if it has none, the search is dense only.
            vector: the query's embedding.
            k: how many chunks.
            ctx: who asks.
            alpha: weight of the dense search, 0 to 1.

        Raises:
            InputError: alpha or k is out of range, or the vector has another length.
        """
        from weaviate.classes.query import HybridFusion, MetadataQuery

        check_k(k)
        if not 0.0 <= alpha <= 1.0:
            raise InputError(f"alpha is {alpha}", todo="Give a weight between 0 (words only) and 1 (vectors only).")
        words, near = query_terms(query), self._query_vector(vector)
        if not words:
            return self.search_dense(vector, k, ctx)
        found = self._found(
            ctx,
            lambda ask, where: ask.hybrid(
                query=" ".join(words),
                vector=near,
                target_vector=schema.VECTOR,
                alpha=alpha,
                fusion_type=HybridFusion.RELATIVE_SCORE,
                query_properties=schema.SEARCHED,
                limit=k,
                filters=where,
                return_metadata=MetadataQuery(score=True, explain_score=True),
                return_properties=schema.CHUNK_PROPERTIES,
            ),
        )
        ranks = search.ranks([each.metadata.explain_score or "" for each in found])
        return search.hits(found, [each.metadata.score for each in found], ctx, ranks)

    def token_vectors(self, chunk_ids: Sequence[str]) -> list[TokenVectors]:
        """The token vectors of these chunks, in their order; of length 0 where a chunk or its vectors are not there.

        Tenants are asked one after the other until all are found, for a chunk's id does not tell its tenant.
        """
        ids = [schema.object_id(chunk_id) for chunk_id in chunk_ids]
        found: dict[str, TokenVectors] = {}
        with self._explained():
            for shard in self._objects.shards() if ids else ():
                for page in pages([one for one in dict.fromkeys(ids) if one not in found]):
                    for each in self._objects.read(shard, page, schema.TOKEN_PROPERTIES):
                        found[str(each.uuid)] = schema.tokens_of(each.properties)
        none = np.zeros((0, 0), np.int8)
        return [found.get(one, none) for one in ids]

    def count(self) -> int:
        """How many chunks it holds, all tenants together."""
        with self._explained():
            return sum(self._objects.count(shard) for shard in self._objects.shards())

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, in no particular order."""
        with self._explained():
            for shard in self._objects.shards():
                for page in self._objects.walk(shard, schema.CHUNK_PROPERTIES):
                    yield from (schema.chunk_of(each.properties) for each in page)

    def rows(self) -> Iterator[Rows]:
        """Everything it holds, batch by batch; chunks written meanwhile may or may not be among it."""
        names = [*schema.CHUNK_PROPERTIES, *schema.TOKEN_PROPERTIES]
        with self._explained():
            for shard in self._objects.shards():
                for page in self._objects.walk(shard, names, vector=True):
                    yield Rows(
                        chunks=[schema.chunk_of(each.properties) for each in page],
                        vectors=np.asarray([each.vector[schema.VECTOR] for each in page], np.float32),
                        tokens=[schema.tokens_of(each.properties) for each in page],
                    )

    def _found(self, ctx: RequestContext, ask: Callable[[Any, Any], Any]) -> list[Any]:
        """What a search finds in the asker's tenant, under the asker's filter."""
        shard = schema.shard(ctx.tenant)
        if not ctx.groups:
            return []
        with self._explained(), asked_by(ctx):
            if not self._objects.has(shard):
                return []
            return list(ask(self._objects.of(shard).query, search.filter_of(ctx)).objects)

    def _query_vector(self, vector: NDArray[np.float32]) -> list[float]:
        if vector.shape != (self._dimensions,) or not np.isfinite(vector).all():
            raise InputError(
                f"The query's vector has shape {vector.shape}, or is not finite",
                where=self._where,
                todo=f"Give {self._dimensions} finite numbers.",
            )
        numbers: list[float] = vector.astype(np.float32).tolist()
        return numbers

    def _check(
        self, chunks: Sequence[Chunk], vectors: NDArray[np.float32], tokens: Sequence[TokenVectors] | None
    ) -> None:
        if vectors.shape != (len(chunks), self._dimensions) or not np.isfinite(vectors).all():
            raise InputError(
                f"{len(chunks)} chunks came with vectors of shape {vectors.shape}, or vectors that are not finite",
                where=self._where,
                todo=f"Give one finite vector of {self._dimensions} numbers per chunk.",
            )
        if len({chunk.chunk_id for chunk in chunks}) != len(chunks):
            raise InputError("The same chunk_id comes twice in one upsert", where=self._where)
        if tokens is not None and (
            len(tokens) != len(chunks) or any(each.ndim != 2 or each.dtype != np.int8 for each in tokens)
        ):
            raise InputError(
                f"{len(chunks)} chunks came with {len(tokens)} lists of token vectors, or some that are not int8 rows",
                where=self._where,
                todo="Give one int8 array (tokens, width) per chunk.",
            )

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._where)
