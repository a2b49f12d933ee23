"""The embedded store: LanceDB, vectors and native full text in a local folder.

Access, day and filters are decided on a :class:`~labkit.retrieve.stores.snapshot.Snapshot` before ranking. Dense
search runs in memory: at a million chunks it finds more of the nearest, sooner, than LanceDB's vector index did, whose
partitions are read one by one. Full text is LanceDB's own. Queries go to the Lance dataset below the table, past the
table's own query builder. It does not know which encoder made the vectors; :mod:`labkit.retrieve.index` does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import lancedb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from labkit.errors import IndexMissing, InputError, StoreError
from labkit.retrieve.store import Rows, TokenVectors, check_k, search_terms
from labkit.retrieve.stores.fulltext import ACCESS, FULL_TEXT, best_matches, literal
from labkit.retrieve.stores.snapshot import (
    COLUMNS,
    TERMS,
    TOKEN_COUNT,
    TOKENS,
    VECTOR,
    Snapshot,
    unpacked,
)
from labkit.retrieve.terms import query_terms
from labkit.schema import Chunk, Hit, RequestContext, arrow_schema

if TYPE_CHECKING:
    from pathlib import Path

_PAGE = 4_096  # rows per write and per read of everything


class LanceStore:
    """Implements :class:`labkit.retrieve.store.Store`. Readers may search while one writer writes.

    What another process or another store object writes is seen by opening the table again.

    Use :meth:`create` or :meth:`open`.
    """

    def __init__(self, table: Any, where: str) -> None:
        self._table, self._where = table, where
        self._snapshot: Snapshot | None = None
        self._lock = threading.Lock()

    @classmethod
    def create(cls, folder: Path, name: str, dimensions: int) -> LanceStore:
        """A new, empty table."""
        schema = arrow_schema(Chunk)
        for field, kind in (
            (TERMS, pa.string()),
            (TOKENS, pa.large_binary()),
            (TOKEN_COUNT, pa.int32()),
            (VECTOR, pa.list_(pa.float32(), dimensions)),
        ):
            schema = schema.append(pa.field(field, kind))
        where = f"{folder.name}/{name}"
        with _explained(where):
            table = lancedb.connect(folder).create_table(name, schema=schema)
            _make_indexes(table)
        return cls(table, where)

    @classmethod
    def open(cls, folder: Path, name: str) -> LanceStore:
        """An existing table.

        Raises:
            IndexMissing: there is none of that name.
        """
        where = f"{folder.name}/{name}"
        if not (folder / f"{name}.lance").is_dir():
            raise IndexMissing("The index has no such table", where=where, todo="Build it with `labkit index`.")
        with _explained(where):
            return cls(lancedb.connect(folder).open_table(name), where)

    def upsert(
        self, chunks: Sequence[Chunk], vectors: NDArray[np.float32], tokens: Sequence[TokenVectors] | None = None
    ) -> None:
        """Add chunks, replacing those with the same ``chunk_id``; all or none.

        Raises:
            InputError: not one finite vector of the table's length per chunk, or a chunk twice.
            StoreError: the table cannot be written.
        """
        if not len(chunks):
            return
        rows = self._arrow(chunks, vectors, tokens)
        with self._writing():
            merge = self._table.merge_insert("chunk_id").when_matched_update_all().when_not_matched_insert_all()
            merge.execute(rows)

    def append(
        self, chunks: Sequence[Chunk], vectors: NDArray[np.float32], tokens: Sequence[TokenVectors] | None = None
    ) -> None:
        """As :meth:`upsert`, for chunks that are known to be new: nothing is looked up. What a build uses.

        Raises:
            InputError: not one finite vector of the table's length per chunk, or a chunk twice.
            StoreError: the table cannot be written.
        """
        if not len(chunks):
            return
        rows = self._arrow(chunks, vectors, tokens)
        with self._writing():
            self._table.add(rows)

    def optimize(self) -> None:
        """Join small files and index all rows. Until then new rows are searched by scanning them.

        The indexes are made anew: a full-text index of one piece is built and searched faster than one that grew.
        """
        with self._writing():
            dataset = self._table.to_lance()
            dataset.optimize.compact_files()
            dataset.cleanup_old_versions()
            self._table.checkout_latest()
            _make_indexes(self._table)

    def delete(self, doc_ids: Iterable[str]) -> int:
        """Remove every chunk of these documents; returns how many chunks went."""
        wanted = ", ".join(literal(doc_id) for doc_id in sorted(set(doc_ids)))
        if not wanted:
            return 0
        with self._writing():
            before = self._table.count_rows()
            self._table.delete(f"doc_id IN ({wanted})")
            return int(before - self._table.count_rows())

    def search_dense(self, vector: NDArray[np.float32], k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks with the highest cosine to ``vector``, both of unit length."""
        check_k(k)
        with _explained(self._where):
            now = self._now()
            mask = now.readable(ctx)
            return _hits(now, *now.nearest.search(vector, mask, k)) if mask.any() else []

    def search_lexical(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks with the highest BM25 score for the query's terms."""
        check_k(k)
        # MatchQuery takes plain words; a bare string would be parsed for operators.
        asked = query_terms(query)
        if not asked:
            return []
        with _explained(self._where):
            now = self._now()
            mask = now.readable(ctx)
            return _hits(now, *best_matches(now, " ".join(asked), mask, k, ctx)) if mask.any() else []

    def token_vectors(self, chunk_ids: Sequence[str]) -> list[TokenVectors]:
        """The token vectors of these chunks, in their order; of length 0 where there are none."""
        with _explained(self._where):
            now = self._now()
            at = now.where_is(chunk_ids)
            known = [position for position in at if position is not None]
            found = dict(zip(known, now.token_vectors(known), strict=True))
        nothing = np.zeros((0, 0), np.int8)
        return [nothing if position is None else found[position] for position in at]

    def count(self) -> int:
        """How many chunks it holds."""
        with _explained(self._where):
            return int(self._table.count_rows())

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, page by page."""
        for batch in self._batches(COLUMNS):
            for row in batch.to_pylist():
                yield Chunk(**row)

    def rows(self) -> Iterator[Rows]:
        """Everything it holds, page by page, as of the moment it was asked."""
        for batch in self._batches([*COLUMNS, VECTOR, TOKENS, TOKEN_COUNT]):
            vectors = np.asarray(batch.column(VECTOR).flatten(), np.float32).reshape(len(batch), -1)
            packed = zip(batch.column(TOKENS).to_pylist(), batch.column(TOKEN_COUNT).to_pylist(), strict=True)
            tokens = [unpacked(data, count) for data, count in packed]
            yield Rows([Chunk(**row) for row in batch.select(COLUMNS).to_pylist()], vectors, tokens)

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        with _explained(self._where):
            yield from self._table.to_lance().to_batches(columns=columns, batch_size=_PAGE)

    def _now(self) -> Snapshot:
        """The snapshot of the table as this store last left it; made anew after a write."""
        with self._lock:
            if self._snapshot is None:
                self._snapshot = Snapshot(self._table.to_lance())
            return self._snapshot

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Around a change: searches go on with the old snapshot until it is done."""
        try:
            with _explained(self._where):
                yield
        finally:  # also after a failure: part of the change may have been written
            with self._lock:
                self._snapshot = None

    def _arrow(
        self, chunks: Sequence[Chunk], vectors: NDArray[np.float32], tokens: Sequence[TokenVectors] | None
    ) -> pa.Table:
        dimensions = self._table.schema.field(VECTOR).type.list_size
        if vectors.shape != (len(chunks), dimensions) or not np.isfinite(vectors).all():
            raise InputError(
                f"{len(chunks)} chunks came with vectors of shape {vectors.shape}, or vectors that are not finite",
                where=self._where,
                todo=f"Give one finite vector of {dimensions} numbers per chunk.",
            )
        if len({chunk.chunk_id for chunk in chunks}) != len(chunks):
            raise InputError("The same chunk_id comes twice in one upsert", where=self._where)
        if tokens is not None and len(tokens) != len(chunks):
            raise InputError(f"{len(chunks)} chunks came with {len(tokens)} lists of token vectors", where=self._where)
        packed = [b"" for _ in chunks] if tokens is None else [rows.astype(np.int8).tobytes() for rows in tokens]
        counts = [0 for _ in chunks] if tokens is None else [len(rows) for rows in tokens]
        rows = pa.Table.from_pylist([chunk.model_dump() for chunk in chunks], schema=arrow_schema(Chunk))
        flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
        for name, values in (
            (TERMS, pa.array([" ".join(search_terms(chunk)) for chunk in chunks], pa.string())),
            (TOKENS, pa.array(packed, pa.large_binary())),
            (TOKEN_COUNT, pa.array(counts, pa.int32())),
            (VECTOR, pa.FixedSizeListArray.from_arrays(flat, dimensions)),
        ):
            rows = rows.append_column(self._table.schema.field(name), values)
        return rows


def _make_indexes(table: Any) -> None:
    table.create_index(TERMS, config=FULL_TEXT, replace=True)
    table.create_index("acl", config=ACCESS, replace=True)


def drop_tables(folder: Path, keep: set[str]) -> None:
    """Remove all tables of a folder but these."""
    with _explained(folder.name):
        database = lancedb.connect(folder)
        for path in sorted(folder.glob("*.lance")):
            if path.stem not in keep:
                database.drop_table(path.stem)


def _hits(now: Snapshot, at: NDArray[np.intp], scores: NDArray[np.float32]) -> list[Hit]:
    chunks = now.chunks(at.tolist())
    hits = [Hit.model_construct(chunk=c, score=float(s), why={}) for c, s in zip(chunks, scores, strict=True)]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.chunk_id))


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn what LanceDB raises about files into a StoreError; it uses several built-in types for it."""
    try:
        yield
    except (RuntimeError, OSError, ValueError) as error:
        raise StoreError(
            f"LanceDB failed: {str(error).splitlines()[0][:300]}",
            where=where,
            todo="Check the disk, then rebuild the index with `labkit index`.",
        ) from error
