"""Builds an index from ingested chunks, and refuses to open one that does not fit.

An index folder holds a store's table and ``index.json``, which names the table and states what built it: encoder,
reranker, schema and world version, chunk count, and a hash of the content, which is the index version answers are
stamped with. A build writes a new table and then replaces ``index.json`` in one step, so a build that dies leaves the
old index in place. It knows the embedded store only; :mod:`labkit.retrieve.publish` copies what was built to Weaviate.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError
from tqdm import tqdm

from labkit.errors import IndexMismatch, IndexMissing, InputError, StoreError
from labkit.llm import Embedder, TokenEmbedder
from labkit.retrieve.late import LateInteraction
from labkit.retrieve.rewrite import Vocabulary
from labkit.retrieve.store import Store, TokenVectors, search_text
from labkit.schema import SCHEMA_VERSION, Chunk, Record

LAYOUT = 2
"""Columns and indexes of the table; changes when an older table can no longer be searched."""

CHUNKS_FILE, INFO_FILE = "chunks.parquet", "index.json"
_BATCH = 512  # chunks embedded and written at a time


Made = tuple[NDArray[np.float32], TokenVectors]
"""The vector of a text, and the vectors of its tokens."""


class IndexInfo(Record):
    """What an index says about itself, in ``index.json``."""

    table: str
    encoder: str
    encoder_fingerprint: str
    late: str = ""
    """Fingerprint of the late interaction its token vectors were made for; '' where there are none."""
    dimensions: int
    chunks: int
    version: str
    world: str = ""
    schema_version: int = SCHEMA_VERSION
    layout: int = LAYOUT


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a build did.

    Attributes:
        chunks: chunks in the index.
        reused: of them, those whose vector came from the previous build.
        version: the index version.
        seconds: wall time.
    """

    chunks: int
    reused: int
    version: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Index:
    """An open index: its store, what it says about itself, the words of its corpus, and the folder it lies in."""

    store: Store
    info: IndexInfo
    vocabulary: Vocabulary
    folder: Path


def index(
    ingest_out: Path, index_dir: Path, embedder: Embedder, *, world: str = "", progress: bool = True
) -> IndexReport:
    """Embed the chunks of an ingestion and make them searchable, replacing what ``index_dir`` held.

    Vectors of unchanged texts are taken from the previous build of the same encoder.

    Args:
        ingest_out: folder that holds ``chunks.parquet``.
        index_dir: where the index goes.
        embedder: makes the vectors.
        world: version of the generated enterprise the corpus belongs to, if any.
        progress: show a bar.

    Raises:
        InputError: there are no chunks, or they have another schema version.
        StoreError: the index cannot be written.
    """
    from labkit.retrieve.stores.lancedb import LanceStore

    started = time.monotonic()
    source = _chunks_file(ingest_out)
    total = pq.read_metadata(source).num_rows
    index_dir.mkdir(parents=True, exist_ok=True)
    known = _previous_vectors(index_dir, embedder)
    table = f"chunks_{secrets.token_hex(4)}"
    store = LanceStore.create(index_dir, table, embedder.dimensions)
    make = _Encoder(embedder)
    reused = 0
    with tqdm(total=total, unit="chunk", desc="index", disable=not progress or total < _BATCH) as bar:
        for batch in _read_batches(source):
            texts = [search_text(chunk) for chunk in batch]
            fresh = sorted({text for text in texts if text not in known})
            made = dict(zip(fresh, make(fresh), strict=True))
            reused += sum(text in known for text in texts)
            rows = [known[text] if text in known else made[text] for text in texts]
            store.append(batch, np.stack([vector for vector, _ in rows]), [tokens for _, tokens in rows])
            bar.update(len(batch))
    store.optimize()
    info = seal(index_dir, table, embedder, world=world)
    return IndexReport(info.chunks, reused, info.version, time.monotonic() - started)


def open_index(index_dir: Path, embedder: Embedder, *, world: str | None = None) -> Index:
    """Open an index for searching with ``embedder``.

    Args:
        index_dir: what :func:`index` built.
        embedder: must be the encoder it was built with.
        world: if given, the world version it must belong to.

    Raises:
        IndexMissing: there is none, or its first build was never finished.
        IndexMismatch: another encoder, reranker, schema, table layout or world version built it.
        StoreError: it is damaged, or a change to it was not finished.
    """
    from labkit.retrieve.stores.lancedb import LanceStore

    info = _read_info(index_dir)
    _require_same("schema version", str(info.schema_version), str(SCHEMA_VERSION), index_dir)
    _require_same("encoder", info.encoder_fingerprint, embedder.fingerprint, index_dir)
    _require_same("reranker", info.late, late_fingerprint(embedder), index_dir)
    if world is not None:
        _require_same("world", info.world, world, index_dir)
    store = LanceStore.open(index_dir, info.table)
    found = store.count()
    if found != info.chunks:
        raise StoreError(
            f"The index holds {found} chunks where {INFO_FILE} says {info.chunks}: a change to it was not finished",
            where=index_dir.name,
            todo="Build it again with `labkit index`.",
        )
    return Index(store, info, Vocabulary.load(index_dir / _vocabulary_file(info.table)), index_dir)


def seal(index_dir: Path, table: str, embedder: Embedder, *, world: str = "") -> IndexInfo:
    """Record what a table holds now; the last step of every change to an index. Older tables are removed."""
    from labkit.retrieve.stores.lancedb import LanceStore, drop_tables

    store = LanceStore.open(index_dir, table)
    late = late_fingerprint(embedder)
    count, version = content_version(store.chunks(), embedder.fingerprint + late)
    info = IndexInfo(
        table=table,
        encoder=embedder.name,
        encoder_fingerprint=embedder.fingerprint,
        late=late,
        dimensions=embedder.dimensions,
        chunks=count,
        version=version,
        world=world,
    )
    Vocabulary.of(store.chunks()).save(index_dir / _vocabulary_file(table))
    previous = _table_name(index_dir)
    scratch = index_dir / f".{INFO_FILE}.{secrets.token_hex(4)}"
    scratch.write_text(info.model_dump_json(indent=2) + "\n", encoding="utf-8")
    scratch.replace(index_dir / INFO_FILE)
    # Whoever has the previous table open may still be searching it; the next build removes it.
    drop_tables(index_dir, keep={table, previous})
    for file in index_dir.glob(_vocabulary_file("*")):
        if file.name not in {_vocabulary_file(table), _vocabulary_file(previous)}:
            file.unlink()
    return info


def content_version(chunks: Iterable[Chunk], fingerprint: str) -> tuple[int, str]:
    """How many chunks, and the short hash of all they say and are found by, in any order, with the encoder."""
    said = (f"{chunk.model_dump_json()}\0{search_text(chunk)}" for chunk in chunks)
    digests = sorted(hashlib.sha256(text.encode()).digest() for text in said)
    return len(digests), hashlib.sha256(fingerprint.encode() + b"".join(digests)).hexdigest()[:12]


def read_chunks(ingest_out: Path) -> list[Chunk]:
    """The chunks of an ingestion.

    Raises:
        InputError: there are none, or they have another schema version.
    """
    return [chunk for batch in _read_batches(_chunks_file(ingest_out)) for chunk in batch]


def _chunks_file(ingest_out: Path) -> Path:
    source = ingest_out / CHUNKS_FILE
    if not source.is_file():
        raise InputError(f"There is no {CHUNKS_FILE}", where=ingest_out.name, todo="Run `labkit ingest` first.")
    return source


def _read_batches(source: Path) -> Iterator[list[Chunk]]:
    for batch in pq.ParquetFile(source).iter_batches(batch_size=_BATCH):
        try:
            chunks = [Chunk.model_validate(row) for row in batch.to_pylist()]
        except ValidationError as error:
            raise InputError(
                f"A row is not a chunk: {error.errors()[0]['msg']} ({error.errors()[0]['loc']})",
                where=source.name,
                todo="Run `labkit ingest` again with this version of labkit.",
            ) from error
        for chunk in chunks:
            if chunk.schema_version != SCHEMA_VERSION:
                raise InputError(
                    f"Chunks have schema version {chunk.schema_version}, this labkit has {SCHEMA_VERSION}",
                    where=source.name,
                    todo="Run `labkit ingest` again.",
                )
        yield chunks


class _Encoder:
    """Texts to pairs of a vector and token vectors; without the latter where the encoder shows no tokens."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._late = LateInteraction.shipped() if late_fingerprint(embedder) else None

    def __call__(self, texts: list[str]) -> list[Made]:
        if self._late is None or not isinstance(self._embedder, TokenEmbedder):
            return [(vector, np.zeros((0, 0), np.int8)) for vector in self._embedder.encode(texts)] if texts else []
        return [(one.vector, self._late.token_vectors(one.states)) for one in self._embedder.encode_tokens(texts)]


def late_fingerprint(embedder: Embedder) -> str:
    """Which late interaction goes with an encoder: the shipped one with the encoder it was trained on, else none."""
    late = LateInteraction.shipped()
    fits = isinstance(embedder, TokenEmbedder) and late.encoder == embedder.name
    return late.fingerprint if fits else ""


def _previous_vectors(index_dir: Path, embedder: Embedder) -> dict[str, Made]:
    """What the index that stands here holds for each text, if the same encoder made it."""
    from labkit.retrieve.stores.lancedb import LanceStore

    try:
        info = _read_info(index_dir)
        if (info.encoder_fingerprint, info.late) != (embedder.fingerprint, late_fingerprint(embedder)):
            return {}
        return {
            search_text(chunk): (vector, tokens)
            for rows in LanceStore.open(index_dir, info.table).rows()
            for chunk, vector, tokens in zip(rows.chunks, rows.vectors, rows.tokens, strict=True)
        }
    except StoreError:  # missing or damaged: reuse is an economy, the build makes everything anew
        return {}


def _read_info(index_dir: Path) -> IndexInfo:
    file = index_dir / INFO_FILE
    if not file.is_file():
        unfinished = index_dir.is_dir() and any(index_dir.glob("*.lance"))
        raise IndexMissing(
            "The index was never finished: its build died" if unfinished else "There is no index",
            where=index_dir.name,
            todo="Build it with `labkit index`.",
        )
    try:
        stated = json.loads(file.read_text(encoding="utf-8"))
        # Checked before the fields are: another schema may well have other fields.
        if isinstance(stated, dict):
            version = stated.get("schema_version", SCHEMA_VERSION)
            _require_same("schema version", str(version), str(SCHEMA_VERSION), index_dir)
            _require_same("table layout", str(stated.get("layout", 1)), str(LAYOUT), index_dir)
        return IndexInfo.model_validate(stated)
    except ValueError as error:  # broken JSON and failed validation both are
        raise StoreError(
            f"{INFO_FILE} is damaged", where=index_dir.name, todo="Build the index again with `labkit index`."
        ) from error


def _vocabulary_file(table: str) -> str:
    return f"{table}.words.parquet"


def _table_name(index_dir: Path) -> str:
    try:
        return _read_info(index_dir).table
    except StoreError:
        return ""


def _require_same(what: str, built: str, wanted: str, index_dir: Path) -> None:
    if built != wanted:
        raise IndexMismatch(
            f"The index was built with {what} {built or '(none)'}, this is {wanted}",
            where=index_dir.name,
            todo="Build it again with `labkit index`, or use what it was built with.",
        )
