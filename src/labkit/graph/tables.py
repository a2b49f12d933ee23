"""The tables every graph construction fills: entities, where they are mentioned, and what chunks state about them.

A statement is what one chunk says; a fact that three documents state makes three statements. So each has one source to
cite, and is seen by exactly those who may read that source, on the days it is in force. Offsets point into the text of
the chunk. This module knows nothing about how the tables are filled or searched.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from labkit.errors import StoreError
from labkit.schema import Chunk, Record, arrow_schema


class Entity(Record):
    """Something the documents are about."""

    entity_id: str = Field(description="stable across reruns: made of kind and name")
    kind: str = Field("", description="what it is (product, person …), '' when unknown")
    name: str
    aliases: tuple[str, ...] = Field((), description="its other names in the documents")


class Mention(Record):
    """A name of an entity in a chunk."""

    entity_id: str
    chunk_id: str
    start: int = Field(description="in the text of the chunk")
    end: int


class Statement(Record):
    """What one chunk says of an entity: a relation to another, or a value."""

    subject_id: str
    relation: str = Field(description="a name of the schema, or a description in words where there is no schema")
    object_id: str = Field("", description="the other entity; '' where the object is a value")
    value: str = Field(description="the value, or the name of the object, as it is written")
    number: float | None = Field(None, description="of a value that can be compared: a quantity, or a day as ordinal")
    unit: str = ""
    since: date | None = Field(None, description="from when on it is true, where the chunk says so")
    chunk_id: str
    start: int = Field(description="the sentence or line that says it, in the text of the chunk")
    end: int

    @property
    def content(self) -> str | float:
        """What it says of the subject, however it is worded: the object, the number, or the words."""
        if self.object_id or self.number is None:
            return self.object_id or self.value.casefold()
        return self.number


@dataclass(slots=True)
class Extraction:
    """What a construction found.

    Attributes:
        extractor: its name: ``rules``, ``local`` or ``llm``.
        problems: what could not be used and why, counted; nothing is dropped without a number here.
    """

    extractor: str
    entities: list[Entity] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)


class Extractor(Protocol):
    """Makes a graph of chunks."""

    name: str

    def extract(self, chunks: Sequence[Chunk]) -> Extraction:
        """The entities of the chunks and what the chunks state about them."""


_Row = TypeVar("_Row", bound=Record)
_FILES: dict[type[Record], str] = {
    Entity: "entities.parquet", Mention: "mentions.parquet", Statement: "statements.parquet",
}  # fmt: skip


def save(extraction: Extraction, folder: Path) -> None:
    """Write the tables as Parquet, in the order they have."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, Entity, extraction.entities, extraction)
    _write(folder, Mention, extraction.mentions, extraction)
    _write(folder, Statement, extraction.statements, extraction)


def load(folder: Path) -> Extraction:
    """Read what :func:`save` wrote.

    Raises:
        StoreError: a table is missing or damaged.
    """
    made, entities = _read(folder, Entity)
    return Extraction(made.extractor, entities, _read(folder, Mention)[1], _read(folder, Statement)[1], made.problems)


def _write(folder: Path, kind: type[Record], rows: Iterable[Record], extraction: Extraction) -> None:
    about = {"extractor": extraction.extractor, "problems": json.dumps(extraction.problems, sort_keys=True)}
    schema = arrow_schema(kind).with_metadata(about)
    table = pa.Table.from_pylist([row.model_dump() for row in rows], schema=schema)
    pq.write_table(table, folder / _FILES[kind], compression="zstd")


def _read(folder: Path, kind: type[_Row]) -> tuple[Extraction, list[_Row]]:
    """The rows of a table, and the extraction it is of without any."""
    path = folder / _FILES[kind]
    try:
        table = pq.read_table(path)
        about = {name.decode(): value.decode() for name, value in (table.schema.metadata or {}).items()}
        made = Extraction(about["extractor"], problems=Counter(json.loads(about.get("problems", "{}"))))
        return made, [kind.model_validate(row) for row in table.to_pylist()]
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        todo = "Build the graph again and save it."
        raise StoreError(f"A table of the graph cannot be read ({error})", where=path.name, todo=todo) from error
