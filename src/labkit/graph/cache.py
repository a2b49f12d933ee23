"""The graph of an index, kept beside it: built once for what is indexed, by this code and this data dictionary.

Opening a kept graph takes a fraction of a second, building one some seconds for ten thousand passages. It is rules'
graph; other constructions are graphrag's business. The whole of it lies in memory, with every passage.
"""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

from filelock import FileLock

import labkit.graph
from labkit.errors import StoreError
from labkit.graph.graph import Graph
from labkit.graph.rules import RulesExtractor
from labkit.graph.schema import Schema
from labkit.graph.tables import Extraction, load, save
from labkit.ingest.fingerprint import sources_fingerprint
from labkit.retrieve.index import Index
from labkit.schema import Chunk

_PREFIX = "graph-"
_READS_WITH = ("retrieve/text.py", "retrieve/terms.py", "ingest/dates.py", "pii")
"""Sources of other rooms that decide what rules find."""


def open_graph(index: Index) -> Graph:
    """The graph of an index's chunks by the data dictionary that ships; built and kept if it is not there yet.

    Raises:
        StoreError: it must be built and cannot be written beside the index.
    """
    schema = Schema.load()
    chunks = sorted(index.store.chunks(), key=lambda chunk: chunk.chunk_id)
    folder = index.folder / f"{_PREFIX}{index.info.version}-{_made_by()}"
    extraction = _kept(folder)
    if extraction is None:
        try:
            extraction = _build(folder, chunks, schema)
        except OSError as error:
            raise StoreError(
                f"The graph cannot be written ({error.strerror})", where=f"{index.folder.name}/{folder.name}",
                todo="Build it where the folder can be written, with `labkit index`, and copy the whole folder.",
            ) from error  # fmt: skip
    return Graph(extraction, chunks, schema)


def _kept(folder: Path) -> Extraction | None:
    try:
        return load(folder)
    except StoreError:  # missing or damaged: it can be built again from the chunks
        return None


def _build(folder: Path, chunks: list[Chunk], schema: Schema) -> Extraction:
    """Extract, save and put in place; those of other versions are removed. Others who want it wait."""
    with FileLock(folder.parent / f"{_PREFIX}lock"):
        if (made_meanwhile := _kept(folder)) is not None:
            return made_meanwhile
        extraction = RulesExtractor(schema).extract(chunks)
        for old in (*folder.parent.glob(f"{_PREFIX}*-*"), *folder.parent.glob(f".{_PREFIX}*")):
            shutil.rmtree(old, ignore_errors=True)
        begun = folder.with_name(f".{folder.name}")
        save(extraction, begun)
        begun.rename(folder)
        return extraction


@lru_cache(maxsize=1)
def _made_by() -> str:
    """Which code and dictionary make a graph: a hash over the sources of this room and of what it reads with."""
    room = Path(labkit.graph.__file__).parent
    own = sorted(room.glob("*.py"))
    return sources_fingerprint(*own, room / "schema.toml", *(room.parent / name for name in _READS_WITH))
