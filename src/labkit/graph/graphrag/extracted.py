"""What graphrag's own extraction found, in our tables: the construction ``llm`` beside ``rules``.

graphrag keeps a title for an entity, and for two entities one relationship with a description that a model wrote over
all passages at once. Here every passage makes a statement of its own, which quotes the sentence that names both. The
description goes with it only where it was written over that one passage: else it may tell what the reader of this
passage may not read in another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.errors import InputError, StoreError
from labkit.graph.graphrag.communities import LLM
from labkit.graph.graphrag.project import Project
from labkit.graph.tables import Entity, Extraction, Mention, Statement
from labkit.retrieve.text import sentences
from labkit.schema import Chunk

RELATED = "related to"
"""The relation of two things where graphrag's description was written over several passages."""

_TABLES = ("entities", "relationships")


def extracted(project: Project, chunks: Sequence[Chunk]) -> Extraction:
    """The entities and relationships of a finished project.

    Args:
        project: built without a graph of ours, so that graphrag extracted one.
        chunks: those it was built of, at least.

    Returns:
        The extraction; ``problems`` counts what a model named that does not stand in the passage it gives for it.

    Raises:
        InputError: the project was built of a graph of ours.
        IndexMissing: the project was never built.
        StoreError: a table of it is damaged, or cites a passage that is not among ``chunks``.
    """
    built = project.read()
    if built.extractor != LLM:
        raise InputError(f"The graph of extractor {built.extractor!r} is not graphrag's", where=project.name)
    tables = {name: _rows(project, name) for name in _TABLES}
    known = {chunk.chunk_id: chunk for chunk in chunks}
    found = Extraction(built.extractor)
    named: dict[str, Entity] = {}
    for row in tables["entities"]:
        kind, title = str(row["type"] or "").casefold(), str(row["title"])
        places = {unit: _place(title, known[unit].text) for unit in _units(row, known, project)}
        written = next((known[unit].text[at[0] : at[1]] for unit, at in places.items() if at), title)
        name = " ".join(written.split())  # a line may have ended within it
        named[title] = Entity(entity_id=f"{kind}:{title.casefold()}", kind=kind, name=name)
        for unit, at in places.items():
            if at:
                found.mentions.append(Mention(entity_id=named[title].entity_id, chunk_id=unit, start=at[0], end=at[1]))
            else:
                found.problems["entity that does not stand in its passage"] += 1
    for row in tables["relationships"]:
        source, target = str(row["source"]), str(row["target"])
        if source not in named or target not in named:
            found.problems["relationship of an entity that was not extracted"] += 1
            continue
        units = _units(row, known, project)
        for unit in units:
            start, end = _sentence(source, target, known[unit].text)
            found.statements.append(
                Statement(
                    subject_id=named[source].entity_id, object_id=named[target].entity_id, value=named[target].name,
                    relation=str(row["description"]) if len(units) == 1 else RELATED,
                    chunk_id=unit, start=start, end=end,
                )
            )  # fmt: skip
    found.entities = list(named.values())
    return found


def _rows(project: Project, name: str) -> list[Mapping[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[Mapping[str, Any]] = pq.read_table(project.output / f"{name}.parquet").to_pylist()
        return rows
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"A table of the graphrag index cannot be read ({error})", where=f"{project.name}/{name}.parquet",
            todo="Build it again with labkit.graph.graphrag.communities.build.",
        ) from error  # fmt: skip


def _units(row: Mapping[str, Any], known: Mapping[str, Chunk], project: Project) -> list[str]:
    units = list(dict.fromkeys(row["text_unit_ids"]))
    if missing := [unit for unit in units if unit not in known]:
        raise StoreError(
            f"The graphrag index cites {len(missing)} passages that are not given",
            where=f"{project.name}: {missing[0]}", todo="Give the chunks it was built of.",
        )  # fmt: skip
    return units


def _place(title: str, text: str) -> tuple[int, int] | None:
    """Where a title stands in a text, in whatever case and over whatever line."""
    words = r"\s+".join(map(re.escape, title.split()))
    match = re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE) if words else None
    return match.span() if match else None


def _sentence(source: str, target: str, text: str) -> tuple[int, int]:
    """The first sentence that names both, else the first that names one of them, else the whole text."""
    best, shown = 0, (0, len(text))
    for sentence in sentences(text):
        named = sum(_place(title, sentence.text) is not None for title in (source, target))
        if named > best:
            best, shown = named, (sentence.start, sentence.end)
    return shown
