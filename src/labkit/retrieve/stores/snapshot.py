"""What the embedded store keeps in memory of one version of its table: who may read each chunk, and when it holds.

Deciding in memory which chunks qualify costs microseconds where a database would scan columns. One snapshot belongs
to one version of the table, so a search sees the table before or after a write, never in between. Up to
:data:`RESIDENT_UP_TO` chunks it holds their columns and vectors too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from labkit.retrieve.stores.nearest import Nearest
from labkit.schema import Chunk, Filters, RequestContext

if TYPE_CHECKING:
    from labkit.retrieve.store import TokenVectors

RESIDENT_UP_TO = 200_000
"""Chunks up to which vectors and columns stay in memory, some 2.5 kB each. Larger tables are read from disk, hit by
hit, and their vectors are searched by the database's index."""

KEPT = 20_000
"""Chunks, and lists of token vectors, kept ready once they were read."""

META = ["tenant", "acl", "valid_from", "valid_to", "doc_class", "lang"]
COLUMNS = list(Chunk.model_fields)
VECTOR, TERMS, TOKENS, TOKEN_COUNT = "vector", "terms", "token_vectors", "token_count"
_EVER = np.iinfo(np.int32).max


class Snapshot:
    """One version of a table.

    Args:
        dataset: the Lance dataset, at a version that does not move.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.count: int = dataset.count_rows()
        resident = self.count <= RESIDENT_UP_TO
        columns = [*META, *([VECTOR] if resident else [])]
        table = dataset.scanner(columns=columns, with_row_id=True).to_table()
        self.row_ids: NDArray[np.int64] = table["_rowid"].to_numpy().astype(np.int64)
        self._by_row_id = np.argsort(self.row_ids, kind="stable")
        self._sorted_ids = self.row_ids[self._by_row_id]
        self._access, self._readers = _codes(
            zip(table["tenant"].to_pylist(), map(tuple, table["acl"].to_pylist()), strict=True)
        )
        self._class, self._classes = _codes(table["doc_class"].to_pylist())
        self._lang, self._langs = _codes(table["lang"].to_pylist())
        self._from, self._to = _days(table["valid_from"], -_EVER), _days(table["valid_to"], _EVER)
        self.nearest = Nearest(_matrix(table[VECTOR])) if resident and self.count else None
        # Contiguous, so that taking rows costs no search for their batch.
        self._columns = dataset.to_table(columns=COLUMNS).combine_chunks() if resident else None
        self._at: dict[str, int] | None = None  # made when first needed
        self._chunks: dict[int, Chunk] = {}
        self._tokens: dict[int, TokenVectors] = {}

    def readable(self, ctx: RequestContext) -> NDArray[np.bool_]:
        """For every row, whether the request may see it: tenant, groups, day and filters."""
        allowed = np.array([ctx.may_read(acl, tenant) for tenant, acl in self._readers] or [False])
        day = ctx.as_of.toordinal()
        mask = allowed[self._access] & (self._from <= day) & (day < self._to)
        return mask & self._narrowed(ctx.filters) if ctx.filters != Filters() else mask

    def _narrowed(self, filters: Filters) -> NDArray[np.bool_]:
        mask = np.ones(self.count, bool)
        for wanted, codes, names in (
            (filters.doc_classes, self._class, self._classes),
            (filters.languages, self._lang, self._langs),
        ):
            if wanted:
                mask &= np.array([name in wanted for name in names] or [False])[codes]
        if filters.since is not None:
            mask &= self._from >= filters.since.toordinal()
        if filters.until is not None:
            mask &= (self._from > -_EVER) & (self._from <= filters.until.toordinal())
        return mask

    def positions(self, row_ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where rows stand in this snapshot's arrays."""
        return self._by_row_id[np.searchsorted(self._sorted_ids, row_ids)]

    def where_is(self, chunk_ids: Sequence[str]) -> list[int | None]:
        """The positions of chunks, None for those that are not there."""
        if self._at is None:
            table = self._columns or self.dataset.to_table(columns=["chunk_id"])
            ids = table["chunk_id"].to_pylist()
            self._at = {chunk_id: at for at, chunk_id in enumerate(ids)}
        return [self._at.get(chunk_id) for chunk_id in chunk_ids]

    def chunks(self, positions: Sequence[int]) -> list[Chunk]:
        """The chunks at these positions; those read before come from memory."""
        missing = [at for at in positions if at not in self._chunks]
        new = dict(zip(missing, (Chunk(**row) for row in self._read(missing, COLUMNS)), strict=True)) if missing else {}
        chunks = [new[at] if at in new else self._chunks[at] for at in positions]
        _remember(self._chunks, new)
        return chunks

    def token_vectors(self, positions: Sequence[int]) -> list[TokenVectors]:
        """The token vectors of the chunks at these positions."""
        missing = [at for at in positions if at not in self._tokens]
        rows = self._read(missing, [TOKENS, TOKEN_COUNT]) if missing else []
        new = {at: unpacked(row[TOKENS], row[TOKEN_COUNT]) for at, row in zip(missing, rows, strict=True)}
        vectors = [new[at] if at in new else self._tokens[at] for at in positions]
        _remember(self._tokens, new)
        return vectors

    def _read(self, positions: Sequence[int], columns: list[str]) -> list[dict[str, Any]]:
        if columns is COLUMNS and self._columns is not None:
            found = self._columns.take(pa.array(positions, pa.int64()))
        else:
            found = self.dataset.take(list(positions), columns=columns)
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows


def unpacked(data: bytes | None, count: int | None) -> TokenVectors:
    """Token vectors (count, width) from a row's bytes."""
    if not data or not count:
        return np.zeros((0, 0), np.int8)
    return np.frombuffer(data, np.int8).reshape(count, -1)


def _remember(kept: dict[int, Any], new: dict[int, Any]) -> None:
    if len(kept) + len(new) > KEPT:
        kept.clear()  # rare, and simpler to reason about than an order of use
    kept.update(new)


def _codes(values: Iterable[Any]) -> tuple[NDArray[np.int32], list[Any]]:
    """Each value's number in the list of distinct ones, and that list."""
    known: dict[Any, int] = {}
    codes = np.fromiter((known.setdefault(value, len(known)) for value in values), np.int32)
    return codes, list(known)


def _days(column: pa.ChunkedArray, absent: int) -> NDArray[np.int32]:
    """Days as ordinals; what has no day gets ``absent``."""
    epoch = date(1970, 1, 1).toordinal()
    days = column.cast(pa.int32())
    known = days.fill_null(0).to_numpy().astype(np.int32) + epoch
    return np.where(column.is_null().to_numpy(), np.int32(absent), known)


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    flat = column.combine_chunks()
    flat = flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat
    return np.asarray(flat.flatten(), np.float32).reshape(len(flat), -1)
