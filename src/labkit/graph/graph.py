"""The graph in memory: facts, who may see them, and which of them holds on a day.

A fact is what several chunks may state. A reader sees the statements of the chunks he may read, on the day he asks as
of. Of what contradicts itself, the statement that was made last counts where things change, and else what most state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from labkit.errors import InputError
from labkit.graph.names import Names
from labkit.graph.schema import Schema
from labkit.graph.tables import Entity, Extraction, Statement
from labkit.schema import Chunk, RequestContext

_MASKS = 16
_EVER = date.min


@dataclass(frozen=True, slots=True)
class Fact:
    """A relation of a thing to another or to a value, and the statements that make it.

    Attributes:
        object_id: '' where the object is a value.
        value: as most statements write it.
    """

    subject_id: str
    relation: str
    object_id: str
    value: str
    statements: tuple[Statement, ...]


class Graph:
    """Entities and facts of an extraction.

    Args:
        extraction: the tables.
        chunks: those it was made of.
        schema: the data dictionary names are found by.

    Raises:
        InputError: a statement cites a chunk that is not there.
    """

    def __init__(self, extraction: Extraction, chunks: Iterable[Chunk], schema: Schema) -> None:
        self.extractor = extraction.extractor
        self.schema = schema
        self.entities: dict[str, Entity] = {entity.entity_id: entity for entity in extraction.entities}
        self.chunks: dict[str, Chunk] = {chunk.chunk_id: chunk for chunk in chunks}
        cited = {s.chunk_id for s in extraction.statements} | {m.chunk_id for m in extraction.mentions}
        missing = cited - self.chunks.keys()
        if missing:
            raise InputError(
                f"The graph cites {len(missing)} chunks that are not in the index", where=min(missing),
                todo="Build it again from the chunks that were indexed.",
            )  # fmt: skip
        self.facts = _facts(extraction.statements)
        self._about: defaultdict[str, list[Fact]] = defaultdict(list)
        self._pointing: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            self._about[fact.subject_id].append(fact)
            if fact.object_id:
                self._pointing[fact.object_id].append(fact)
        self._mentions: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._named_in: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for mention in extraction.mentions:
            self._mentions[mention.entity_id][mention.chunk_id] = None
            self._named_in[mention.chunk_id][mention.entity_id] = None
        self._surfaces = {
            (entity.kind, surface): entity.entity_id
            for entity in extraction.entities for surface in (*entity.aliases, entity.name)
        }  # fmt: skip

    @cached_property
    def names(self) -> Names:
        """Finds the entities' names in a text."""
        return Names({surface: kind for kind, surface in sorted(self._surfaces)}, self.schema)

    def linked(self, text: str) -> list[Entity]:
        """The entities a text names, in its order, each once."""
        found = (self._surfaces.get((name.kind, name.surface)) for name in self.names.find(text))
        return [self.entities[entity_id] for entity_id in dict.fromkeys(found) if entity_id]

    def mentioning(self, entity_id: str, ctx: RequestContext) -> list[Chunk]:
        """The chunks the request may see that name an entity."""
        chunks = (self.chunks[chunk_id] for chunk_id in self._mentions.get(entity_id, ()))
        return [chunk for chunk in chunks if ctx.sees(chunk)]

    def named_in(self, chunk_id: str) -> list[Entity]:
        """The entities a chunk names, in its order, each once."""
        return [self.entities[entity_id] for entity_id in self._named_in.get(chunk_id, ())]

    def about(self, entity_id: str, ctx: RequestContext) -> list[Fact]:
        """The facts about an entity that the request may see and that hold, one value for each relation.

        Statements the request may not see are left out of them.
        """
        return [facts[0] for facts in self.told(entity_id, ctx).values()]

    def told(self, entity_id: str, ctx: RequestContext) -> dict[str, list[Fact]]:
        """Relation → all values the request may see for it; what holds comes first."""
        found: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in self._visible(self._about.get(entity_id, ()), ctx):
            found[fact.relation].append(fact)
        return {relation: sorted(facts, key=self._weight, reverse=True) for relation, facts in found.items()}

    def _weight(self, fact: Fact) -> tuple[int, date, int]:
        newest = max(stated_on(statement, self.chunks) for statement in fact.statements)
        known = self.schema.relation.get(fact.relation)
        settled = known is not None and not known.changes
        return len(fact.statements) if settled else 0, newest, len(fact.statements)

    def pointing_at(self, entity_id: str, ctx: RequestContext) -> list[Fact]:
        """The facts whose object an entity is, among those that the request may see and that hold."""
        facts = self._visible(self._pointing.get(entity_id, ()), ctx)
        return [fact for fact in facts if self.told(fact.subject_id, ctx)[fact.relation][0].object_id == entity_id]

    def _visible(self, facts: Sequence[Fact], ctx: RequestContext) -> list[Fact]:
        found = []
        for fact in facts:
            seen = tuple(s for s in fact.statements if ctx.sees(self.chunks[s.chunk_id]))
            if seen:
                found.append(Fact(fact.subject_id, fact.relation, fact.object_id, fact.value, seen))
        return found


def stated_on(statement: Statement, chunks: Mapping[str, Chunk]) -> date:
    """From when on a statement claims to be true: the day it names, or that of its document."""
    return statement.since or chunks[statement.chunk_id].valid_from or _EVER


def _facts(statements: Iterable[Statement]) -> list[Fact]:
    together: defaultdict[tuple[str, str, str, object], list[Statement]] = defaultdict(list)
    for statement in statements:
        value = statement.object_id or (
            statement.number if statement.number is not None else statement.value.casefold()
        )
        together[statement.subject_id, statement.relation, statement.object_id, value].append(statement)
    return [
        Fact(subject_id, relation, object_id, max((s.value for s in of), key=[s.value for s in of].count), tuple(of))
        for (subject_id, relation, object_id, _), of in together.items()
    ]
