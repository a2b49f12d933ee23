"""What graphrag is given for one audience: passages as documents, and our graph in its tables.

graphrag addresses entities by their title and has one relationship for two entities, so statements are gathered here:
each edge quotes the sentences that state it. Everything comes from passages the audience may read, names included: an
alias that only another group's documents use is not shown, and an entity whose name the audience cannot read anywhere
is left out, with a number.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from labkit.errors import InputError
from labkit.graph.graphrag.project import Audience
from labkit.graph.tables import Extraction, Statement
from labkit.schema import Chunk

QUOTES = 6
"""Sentences an entity or edge quotes at most; the others still count in its weight."""

QUOTE_CHARS = 300
"""Longest quotation."""

BULLET = "• "
"""Opens each quotation in a description, so that they can be told apart again."""

_SPACE = re.compile(r"\s+")
# What separates cells and quotations in graphrag's prompts cannot stand within one.
_MARKS = str.maketrans({"|": "/", "•": "·"})

Row = dict[str, Any]


@dataclass(slots=True)
class Given:
    """Input of one project.

    Attributes:
        documents: one per chunk: ``id`` (the chunk's), ``title`` (its source path), ``text``.
        entities: rows with ``title, type, description, text_unit_ids, frequency``; text units are named after chunks.
        relationships: rows with ``source, target, description, text_unit_ids, weight``.
        problems: what was left out and why, counted.
    """

    documents: list[Row]
    entities: list[Row] = field(default_factory=list)
    relationships: list[Row] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)

    def jsonl(self) -> str:
        """The documents, one JSON object a line, ASCII: graphrag splits lines at every Unicode line separator."""
        return "".join(json.dumps(row, sort_keys=True) + "\n" for row in self.documents)

    def graph(self) -> str:
        """Entities and relationships as JSON."""
        rows = {"entities": self.entities, "relationships": self.relationships}
        return json.dumps(rows, sort_keys=True, indent=1) + "\n"


def documents(chunks: Sequence[Chunk], audience: Audience) -> Given:
    """The passages alone; graphrag makes the graph itself (profile ``llm``).

    Raises:
        InputError: the audience may read none.
    """
    read = audience.chunks(chunks)
    if not read:
        raise InputError(
            f"There is nothing that {audience} may read",
            where=f"{len(chunks)} chunks",
            todo="Check tenant, group and day.",
        )
    full = [chunk for chunk in read if chunk.text.strip()]
    empty = Counter({"chunk without text": len(read) - len(full)} if len(read) > len(full) else {})
    rows = [{"id": chunk.chunk_id, "title": chunk.source_path, "text": chunk.text} for chunk in full]
    return Given(rows, problems=empty)


def given(extraction: Extraction, chunks: Sequence[Chunk], audience: Audience) -> Given:
    """Passages and graph of one audience.

    Raises:
        InputError: the audience may read no passage, or none that relates two entities.
    """
    result = documents(chunks, audience)
    read = audience.chunks(chunks)
    place = {chunk.chunk_id: i for i, chunk in enumerate(read)}
    text = {chunk.chunk_id: chunk for chunk in read}
    statements = _stated(extraction, place, text, result.problems)
    titles = _titles(extraction, statements, read, result.problems)
    about: dict[str, list[Statement]] = defaultdict(list)
    edges: dict[tuple[str, str], list[Statement]] = defaultdict(list)
    for statement in statements:
        subject, target = titles.get(statement.subject_id), titles.get(statement.object_id)
        if subject is None or (statement.object_id and target is None):
            result.problems["statement about an entity that has no readable name"] += 1
        elif target is None:
            about[subject].append(statement)
        elif target == subject:
            result.problems["statement that relates an entity to itself"] += 1
            about[subject].append(statement)
        else:
            edges[min(subject, target), max(subject, target)].append(statement)
    if not edges:
        raise InputError(
            f"Nothing that {audience} may read relates two entities, so there are no communities",
            where=f"{len(read)} chunks, {len(statements)} statements",
            todo="Extract from more documents, or use plain retrieval.",
        )
    result.entities = _entities(extraction, titles, about, edges, place, text)
    result.relationships = [
        {
            "source": titles[found[0].subject_id],
            "target": titles[found[0].object_id],
            "description": _quoted(found, text),
            "text_unit_ids": list(dict.fromkeys(statement.chunk_id for statement in found)),
            "weight": float(len(found)),
        }
        for _, found in sorted(edges.items())
    ]
    return result


def _stated(
    extraction: Extraction, place: dict[str, int], text: dict[str, Chunk], problems: Counter[str]
) -> list[Statement]:
    """The statements of readable chunks, in the order of the text."""
    found = []
    for statement in extraction.statements:
        if statement.chunk_id not in place:
            continue
        if not 0 <= statement.start < statement.end <= len(text[statement.chunk_id].text):
            problems["statement that points outside its chunk"] += 1
            continue
        found.append(statement)
    return sorted(found, key=lambda s: (place[s.chunk_id], s.start, s.end, s.relation, s.subject_id, s.object_id))


def _titles(
    extraction: Extraction, statements: Sequence[Statement], read: Sequence[Chunk], problems: Counter[str]
) -> dict[str, str]:
    """A title for each entity that the audience can read of, no two alike: graphrag would merge them."""
    text = {chunk.chunk_id: chunk for chunk in read}
    parts: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in read:
        parts[chunk.doc_id].append(chunk)

    @cache
    def visible(doc_id: str) -> str:
        pieces = [piece for chunk in parts[doc_id] for piece in (chunk.source_path, *chunk.heading_path, chunk.text)]
        return _plain("\n".join(pieces))

    surfaces: dict[str, Counter[str]] = defaultdict(Counter)
    where: dict[str, set[str]] = defaultdict(set)
    for mention in extraction.mentions:
        if mention.chunk_id in text:
            surfaces[mention.entity_id][text[mention.chunk_id].text[mention.start : mention.end].strip()] += 1
            where[mention.entity_id].add(text[mention.chunk_id].doc_id)
    for statement in statements:
        for entity_id in filter(None, (statement.subject_id, statement.object_id)):
            where[entity_id].add(text[statement.chunk_id].doc_id)
    titles: dict[str, str] = {}
    taken: set[str] = set()
    for entity in sorted(extraction.entities, key=lambda entity: entity.entity_id):
        if entity.entity_id not in where:
            continue
        pages = [visible(doc_id) for doc_id in sorted(where[entity.entity_id])]
        named = [name for name in (entity.name, *entity.aliases) if any(_stands_in(name, page) for page in pages)]
        written = [name for name, _ in sorted(surfaces[entity.entity_id].items(), key=lambda pair: (-pair[1], pair[0]))]
        names = [_clean(name) for name in (*named, *written) if name.strip()]
        if not names:
            problems["entity that has no readable name"] += 1
            continue
        title = names[0]
        if title in taken and entity.kind:
            title = f"{names[0]} ({entity.kind})"
        number = 2
        while title in taken:
            title, number = f"{names[0]} ({number})", number + 1
        taken.add(title)
        titles[entity.entity_id] = title
    return titles


def _entities(
    extraction: Extraction, titles: dict[str, str], about: dict[str, list[Statement]],
    edges: dict[tuple[str, str], list[Statement]], place: dict[str, int], text: dict[str, Chunk],
) -> list[Row]:  # fmt: skip
    seen: dict[str, set[str]] = defaultdict(set)
    for mention in extraction.mentions:
        if mention.chunk_id in place and mention.entity_id in titles:
            seen[titles[mention.entity_id]].add(mention.chunk_id)
    for title, found in about.items():
        seen[title].update(statement.chunk_id for statement in found)
    for pair, found in edges.items():
        for title in pair:
            seen[title].update(statement.chunk_id for statement in found)
    kinds = {titles[entity.entity_id]: entity.kind for entity in extraction.entities if entity.entity_id in titles}
    return [
        {
            "title": title,
            "type": kinds[title],
            "description": _described(title, kinds[title], about[title], text),
            "text_unit_ids": sorted(chunk_ids, key=place.__getitem__),
            "frequency": len(chunk_ids),
        }
        for title, chunk_ids in sorted(seen.items())
    ]


def _described(title: str, kind: str, found: Sequence[Statement], text: dict[str, Chunk]) -> str:
    named = f"{title}, {kind}." if kind else f"{title}."
    return f"{named} {_quoted(found, text)}".strip()


def _quoted(found: Sequence[Statement], text: dict[str, Chunk]) -> str:
    """What these statements say, what most of them say first: sentences for relations, values as they are written.

    A value stands without its sentence, so that what recurs can be seen to recur.
    """
    quotes: Counter[str] = Counter()
    for statement in found:
        sentence = text[statement.chunk_id].text[statement.start : statement.end]
        said = _clean(sentence if statement.object_id else statement.value)[:QUOTE_CHARS].strip(" /-*#")
        quotes[f"{statement.relation.rpartition('.')[2].replace('_', ' ')}: {said}"] += 1
    return " ".join(BULLET + quote for quote, _ in quotes.most_common(QUOTES))


def _stands_in(name: str, page: str) -> bool:
    plain = _plain(name)
    return bool(plain) and re.search(rf"(?<!\w){re.escape(plain)}(?!\w)", page) is not None


def _clean(text: str) -> str:
    return _SPACE.sub(" ", text).strip().translate(_MARKS)


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()
