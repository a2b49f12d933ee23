"""The tables ingestion leaves behind: written in a stream, complete or not at all.

``documents.parquet``, ``chunks.parquet`` and ``quarantine.parquet`` follow :func:`labkit.schema.arrow_schema`. Rows
come in the order they are given; equal rows make equal bytes. ``report.json`` is written last and taken away first: a
folder that has one holds tables of one run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow.parquet as pq

from labkit.errors import StoreError
from labkit.schema import Chunk, Document, Quarantined, Record, arrow_schema

if TYPE_CHECKING:
    from types import TracebackType

import pyarrow as pa

TABLES: dict[type[Record], str] = {
    Document: "documents.parquet",
    Chunk: "chunks.parquet",
    Quarantined: "quarantine.parquet",
}
REPORT = "report.json"
_ROWS_PER_GROUP = {Document: 500, Chunk: 5000, Quarantined: 5000}
_Row = TypeVar("_Row", bound=Record)


class TableWriter:
    """Writes the three tables under temporary names; leaving the block without error puts them in place."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.hashes: dict[str, str] = {}
        self._pending: dict[type[Record], list[Record]] = {kind: [] for kind in TABLES}
        self._writers: dict[type[Record], pq.ParquetWriter] = {}

    def __enter__(self) -> TableWriter:
        for kind, name in TABLES.items():
            self._writers[kind] = pq.ParquetWriter(_partial(self.out / name), arrow_schema(kind), compression="zstd")
        return self

    def add(self, row: Record) -> None:
        """Append a row to the table of its kind."""
        pending = self._pending[type(row)]
        pending.append(row)
        if len(pending) >= _ROWS_PER_GROUP[type(row)]:
            self._flush(type(row))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for table, writer in self._writers.items():
            if error is None:
                self._flush(table)
            writer.close()
        for name in TABLES.values():
            if error is not None:
                _partial(self.out / name).unlink(missing_ok=True)
            else:
                with _partial(self.out / name).open("rb") as stream:
                    self.hashes[name] = hashlib.file_digest(stream, "sha256").hexdigest()
        if error is None:
            (self.out / REPORT).unlink(missing_ok=True)
            for name in TABLES.values():
                _partial(self.out / name).replace(self.out / name)

    def _flush(self, kind: type[Record]) -> None:
        rows = self._pending[kind]
        if rows:
            table = pa.Table.from_pylist([row.model_dump() for row in rows], schema=arrow_schema(kind))
            self._writers[kind].write_table(table, row_group_size=len(rows))
            rows.clear()


def write_report(out: Path, text: str) -> None:
    """Write the report, which says that the tables beside it are whole."""
    _partial(out / REPORT).write_text(text, encoding="utf-8")
    _partial(out / REPORT).replace(out / REPORT)


def read_documents(out: Path) -> Iterator[Document]:
    """The documents of an ingested folder, by source path.

    Raises:
        StoreError: there is no complete ingestion in ``out``.
    """
    return _read(out, Document)


def read_chunks(out: Path) -> Iterator[Chunk]:
    """The chunks of an ingested folder, by source path and ordinal.

    Raises:
        StoreError: there is no complete ingestion in ``out``.
    """
    return _read(out, Chunk)


def read_quarantine(out: Path) -> Iterator[Quarantined]:
    """The files of an ingested folder that could not become documents, by source path.

    Raises:
        StoreError: there is no complete ingestion in ``out``.
    """
    return _read(out, Quarantined)


def _read(out: Path, kind: type[_Row]) -> Iterator[_Row]:
    path = out / TABLES[kind]
    if not path.is_file() or not (out / REPORT).is_file():
        raise StoreError(
            "Nothing was ingested here", where=str(path), todo="Run `labkit ingest` into this folder first."
        )
    return _rows(path, kind)


def _rows(path: Path, kind: type[_Row]) -> Iterator[_Row]:
    with pq.ParquetFile(path) as table:
        for batch in table.iter_batches(batch_size=1000):
            for row in batch.to_pylist():
                yield kind.model_validate(row)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")
