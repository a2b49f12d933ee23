"""What the embedded store keeps in memory of one version of its table: vectors, columns, and who may read what when.

Deciding in memory which chunks qualify costs microseconds where a database would scan columns, and a hit needs no
reading from disk. One snapshot belongs to one version of the table, so a search sees the table before or after a
write, never in between. A million chunks take some 3 GB and seconds to read; where that is too much, an index belongs
on a server. Token vectors, which are larger, are read from disk as needed; those of :data:`KEPT` chunks are kept.
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

KEPT = 20_000
"""Chunks, and lists of token vectors, kept ready once they were read."""

READY = 10_000
"""Chunks up to which a table's are all made by the first search after opening or writing: that takes a fraction of a
second, and each search would otherwise pay for its own."""

MASKS = 16
"""Answers to who may read what that are kept: people in the same groups share one, and so do the paths of a search."""

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
        self.nearest = Nearest(_vectors(dataset, self.count))
        # Contiguous, so that taking rows costs no search for their batch.
        table = dataset.scanner(columns=COLUMNS, with_row_id=True).to_table().combine_chunks()
        self.row_ids: NDArray[np.int64] = table["_rowid"].to_numpy().astype(np.int64)
        self._by_row_id = np.argsort(self.row_ids, kind="stable")
        self._sorted_ids = self.row_ids[self._by_row_id]
        self._columns = table.select(COLUMNS)
        self._access, self._readers = _codes(
            zip(table["tenant"].to_pylist(), map(tuple, table["acl"].to_pylist()), strict=True)
        )
        self._class, self._classes = _codes(table["doc_class"].to_pylist())
        self._lang, self._langs = _codes(table["lang"].to_pylist())
        self._from, self._to = _days(table["valid_from"], -_EVER), _days(table["valid_to"], _EVER)
        self._masks: dict[object, NDArray[np.bool_]] = {}
        self._at: dict[str, int] | None = None  # made when first needed
        self._chunks: dict[int, Chunk] = {}
        self._tokens: dict[int, TokenVectors] = {}
        if self.count <= READY:
            self.chunks(range(self.count))

    def readable(self, ctx: RequestContext) -> NDArray[np.bool_]:
        """For every row, whether the request may see it: tenant, groups, day and filters. Not to be changed."""
        key = (ctx.tenant, ctx.groups, ctx.as_of, ctx.filters)  # all that may decide; the reader's name does not
        mask = self._masks.get(key)
        if mask is None:
            allowed = np.array([ctx.may_read(acl, tenant) for tenant, acl in self._readers] or [False])
            day = ctx.as_of.toordinal()
            mask = allowed[self._access] & (self._from <= day) & (day < self._to)
            if ctx.filters != Filters():
                mask &= self._narrowed(ctx.filters)
            mask.flags.writeable = False
            self._masks = _remembering(self._masks, {key: mask}, MASKS)
        return mask

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
            self._at = {chunk_id: at for at, chunk_id in enumerate(self._columns["chunk_id"].to_pylist())}
        return [self._at.get(chunk_id) for chunk_id in chunk_ids]

    def chunks(self, positions: Sequence[int]) -> list[Chunk]:
        """The chunks at these positions; those made before come from memory."""
        known = self._chunks
        missing = [at for at in positions if at not in known]
        rows = self._columns.take(pa.array(missing, pa.int64())).to_pylist() if missing else []
        new = {at: Chunk.model_validate(row) for at, row in zip(missing, rows, strict=True)}
        chunks = [new[at] if at in new else known[at] for at in positions]
        self._chunks = _remembering(known, new, KEPT)
        return chunks

    def token_vectors(self, positions: Sequence[int]) -> list[TokenVectors]:
        """The token vectors of the chunks at these positions."""
        known = self._tokens
        missing = [at for at in positions if at not in known]
        rows = self.dataset.take(missing, columns=[TOKENS, TOKEN_COUNT]).to_pylist() if missing else []
        new = {at: unpacked(row[TOKENS], row[TOKEN_COUNT]) for at, row in zip(missing, rows, strict=True)}
        vectors = [new[at] if at in new else known[at] for at in positions]
        self._tokens = _remembering(known, new, KEPT)
        return vectors


def _vectors(dataset: Any, count: int) -> NDArray[np.float32]:
    """All vectors (count, dimensions), in the order of the rows."""
    vectors = np.empty((count, dataset.schema.field(VECTOR).type.list_size), np.float32)
    done = 0
    for batch in dataset.to_batches(columns=[VECTOR]):  # never a second copy of them all
        vectors[done : done + len(batch)] = batch.column(VECTOR).flatten().to_numpy().reshape(len(batch), -1)
        done += len(batch)
    return vectors


def unpacked(data: bytes | None, count: int | None) -> TokenVectors:
    """Token vectors (count, width) from a row's bytes."""
    if not data or not count:
        return np.zeros((0, 0), np.int8)
    return np.frombuffer(data, np.int8).reshape(count, -1)


def _remembering(kept: dict[Any, Any], new: dict[Any, Any], most: int) -> dict[Any, Any]:
    """What to keep from now on. One that is full is left as it is to the threads that are reading it."""
    if len(kept) + len(new) > most:
        return dict(new)  # rare, and simpler to reason about than an order of use
    kept.update(new)
    return kept


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
