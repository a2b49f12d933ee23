"""The embedded store: LanceDB, vectors and native full text in a local folder.

Search is exact: up to some 100,000 chunks a scan takes milliseconds and misses nothing. Values reach SQL only as
quoted literals. It does not know which encoder made the vectors; :mod:`labkit.retrieve.index` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import FTS
from lancedb.query import MatchQuery
from numpy.typing import NDArray

from labkit.errors import IndexMissing, InputError, StoreError
from labkit.retrieve.store import check_k, search_text
from labkit.schema import Chunk, Hit, RequestContext, arrow_schema

if TYPE_CHECKING:
    from pathlib import Path

_VECTOR, _TEXT = "vector", "search_text"
_COLUMNS = list(Chunk.model_fields)
_PAGE = 4_096  # rows per write and per read of everything
_OPTIMIZE_FROM = 512  # new rows are searched by scanning until they are merged into the full-text index


class LanceStore:
    """Implements :class:`labkit.retrieve.store.Store`. Readers may search while one writer writes.

    Use :meth:`create` or :meth:`open`.
    """

    def __init__(self, table: Any, where: str) -> None:
        self._table, self._where = table, where

    @classmethod
    def create(cls, folder: Path, name: str, dimensions: int) -> LanceStore:
        """A new, empty table."""
        schema = arrow_schema(Chunk).append(pa.field(_TEXT, pa.string()))
        schema = schema.append(pa.field(_VECTOR, pa.list_(pa.float32(), dimensions)))
        where = f"{folder.name}/{name}"
        with _explained(where):
            table = lancedb.connect(folder).create_table(name, schema=schema)
            table.create_index(_TEXT, config=FTS())
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

    def upsert(self, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        """Add chunks, replacing those with the same ``chunk_id``; all or none.

        Raises:
            InputError: not one finite vector of the table's length per chunk, or a chunk twice.
            StoreError: the table cannot be written.
        """
        if not len(chunks):
            return
        dimensions = self._table.schema.field(_VECTOR).type.list_size
        if vectors.shape != (len(chunks), dimensions) or not np.isfinite(vectors).all():
            raise InputError(
                f"{len(chunks)} chunks came with vectors of shape {vectors.shape}, or vectors that are not finite",
                where=self._where,
                todo=f"Give one finite vector of {dimensions} numbers per chunk.",
            )
        if len({chunk.chunk_id for chunk in chunks}) != len(chunks):
            raise InputError("The same chunk_id comes twice in one upsert", where=self._where)
        rows = pa.Table.from_pylist([chunk.model_dump() for chunk in chunks], schema=arrow_schema(Chunk))
        rows = rows.append_column(_TEXT, pa.array([search_text(chunk) for chunk in chunks], pa.string()))
        flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
        rows = rows.append_column(
            self._table.schema.field(_VECTOR), pa.FixedSizeListArray.from_arrays(flat, dimensions)
        )
        with _explained(self._where):
            if self._table.count_rows() == 0:
                self._table.add(rows)
            else:
                merge = self._table.merge_insert("chunk_id").when_matched_update_all().when_not_matched_insert_all()
                merge.execute(rows)
            if len(chunks) >= _OPTIMIZE_FROM:
                self._table.optimize()

    def delete(self, doc_ids: Iterable[str]) -> int:
        """Remove every chunk of these documents; returns how many chunks went."""
        wanted = ", ".join(_literal(doc_id) for doc_id in sorted(set(doc_ids)))
        if not wanted:
            return 0
        with _explained(self._where):
            before = self._table.count_rows()
            self._table.delete(f"doc_id IN ({wanted})")
            return int(before - self._table.count_rows())

    def search_dense(self, vector: NDArray[np.float32], k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks with the highest cosine to ``vector``."""
        check_k(k)
        if not ctx.groups:
            return []
        with _explained(self._where):
            query = self._table.search(vector, vector_column_name=_VECTOR).distance_type("cosine")
            rows = query.where(_filter(ctx), prefilter=True).limit(k).select([*_COLUMNS, "_distance"]).to_list()
        return _hits(rows, [1.0 - row["_distance"] for row in rows])

    def search_lexical(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks with the highest BM25 score for the query's stemmed words."""
        check_k(k)
        if not ctx.groups:
            return []
        with _explained(self._where):
            # MatchQuery takes plain words; a bare string would be parsed for operators.
            search = self._table.search(MatchQuery(query, _TEXT), query_type="fts")
            rows = search.where(_filter(ctx), prefilter=True).limit(k).select([*_COLUMNS, "_score"]).to_list()
        return _hits(rows, [row["_score"] for row in rows])

    def count(self) -> int:
        """How many chunks it holds."""
        with _explained(self._where):
            return int(self._table.count_rows())

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, page by page."""
        for batch in self._batches(_COLUMNS):
            for row in batch.to_pylist():
                yield _chunk(row)

    def vectors(self) -> dict[str, NDArray[np.float32]]:
        """Vectors by the text they were made from, for reuse when an index is rebuilt."""
        found: dict[str, NDArray[np.float32]] = {}
        for batch in self._batches([_TEXT, _VECTOR]):
            rows = np.asarray(batch.column(_VECTOR).flatten()).reshape(len(batch), -1)
            found.update(zip(batch.column(_TEXT).to_pylist(), rows, strict=True))
        return found

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        with _explained(self._where):
            yield from self._table.search().select(columns).limit(None).to_batches(batch_size=_PAGE)


def drop_tables(folder: Path, keep: set[str]) -> None:
    """Remove all tables of a folder but these."""
    with _explained(folder.name):
        database = lancedb.connect(folder)
        for path in sorted(folder.glob("*.lance")):
            if path.stem not in keep:
                database.drop_table(path.stem)


def _filter(ctx: RequestContext) -> str:
    """The request's tenant, groups and date as SQL over a chunk's columns."""
    groups = ", ".join(_literal(group) for group in sorted(ctx.groups))
    day = f"DATE '{ctx.as_of.isoformat()}'"
    return (
        f"tenant = {_literal(ctx.tenant)} AND array_has_any(acl, make_array({groups}))"
        f" AND (valid_from IS NULL OR valid_from <= {day}) AND (valid_to IS NULL OR valid_to > {day})"
    )


def _literal(value: str) -> str:
    """A SQL string literal: the quote is the only character with a meaning inside one, and is doubled."""
    return "'" + value.replace("'", "''") + "'"


def _hits(rows: list[dict[str, Any]], scores: list[float]) -> list[Hit]:
    hits = [Hit(chunk=_chunk(row), score=float(score)) for row, score in zip(rows, scores, strict=True)]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.chunk_id))


def _chunk(row: dict[str, Any]) -> Chunk:
    return Chunk(**{name: row[name] for name in _COLUMNS})


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
