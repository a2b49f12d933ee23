"""The graph in memory: facts, who may see them, and which of them holds on a day.

A fact is what several chunks may state. A reader sees the statements of the chunks he may read, on the day he asks as
of. Of what contradicts itself, the statement that was made last counts where things change, and else what most state.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from labkit.errors import InputError
from labkit.graph.names import Named, Names
from labkit.graph.schema import Schema
from labkit.graph.tables import Entity, Extraction, Statement
from labkit.schema import Chunk, RequestContext

_EVER = date.min


@dataclass(frozen=True, slots=True)
class Fact:
    """A relation of a thing to another or to a value, and the statements that make it.

    Attributes:
        object_id: '' where the object is a value.
        value: as most of these statements write it.
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
        InputError: a statement or a mention cites a chunk, or is about an entity, that is not there.
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
        self._check(extraction)
        self.facts = _facts(extraction.statements)
        self._about: defaultdict[str, list[Fact]] = defaultdict(list)
        self._pointing: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            self._about[fact.subject_id].append(fact)
            if fact.object_id:
                self._pointing[fact.object_id].append(fact)
        self._mentions: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._named_in: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._written: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for mention in extraction.mentions:
            self._mentions[mention.entity_id][mention.chunk_id] = None
            self._named_in[mention.chunk_id][mention.entity_id] = None
            surface = self.chunks[mention.chunk_id].text[mention.start : mention.end]
            self._written[mention.entity_id, _plain(surface)].append(mention.chunk_id)
        self._surfaces = {
            (entity.kind, surface): entity.entity_id
            for entity in extraction.entities for surface in (*entity.aliases, entity.name)
        }  # fmt: skip

    @cached_property
    def names(self) -> Names:
        """Finds the entities' names in a text."""
        return Names({surface: kind for kind, surface in sorted(self._surfaces)}, self.schema)

    def linked(self, text: str, ctx: RequestContext) -> list[Entity]:
        """The entities a text names, in its order, each once.

        By those names only that stand in a chunk the request may see, or in its headings: that *Project Umbra* is
        another name of Hexham is known to those who may read so. ``name`` and ``aliases`` of what is found are not
        restricted; :meth:`name_of` is what may be shown.
        """
        found = (
            self._surfaces.get((name.kind, name.surface))
            for name in self.names.find(text, lambda name: self._may_know(name, ctx))
        )
        return [self.entities[entity_id] for entity_id in dict.fromkeys(found) if entity_id]

    def name_of(self, entity_id: str, ctx: RequestContext) -> str:
        """The name of an entity that the chunks the request may see use most, then the longest; '' where none does.

        Headings count where no text names it.
        """
        entity = self.entities[entity_id]
        for written in (self._written, self._titled):
            seen = {
                name: sum(ctx.sees(self.chunks[chunk_id]) for chunk_id in written.get((entity_id, _plain(name)), ()))
                for name in (entity.name, *entity.aliases)
            }
            if any(seen.values()):
                return max(seen, key=lambda name: (seen[name], len(name)))
        return ""

    def _may_know(self, name: Named, ctx: RequestContext) -> bool:
        key = self._surfaces.get((name.kind, name.surface), ""), _plain(name.surface)
        return any(
            ctx.sees(self.chunks[chunk_id])
            for written in (self._written, self._titled) for chunk_id in written.get(key, ())
        )  # fmt: skip

    @cached_property
    def _titled(self) -> dict[tuple[str, str], list[str]]:
        """Entity and name, as :func:`_plain` writes it → the chunks below a heading that has it."""
        found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        named: dict[str, list[Named]] = {}
        for chunk in self.chunks.values():
            for heading in chunk.heading_path:
                if heading not in named:
                    named[heading] = self.names.find(heading)
                for name in named[heading]:
                    if entity_id := self._surfaces.get((name.kind, name.surface)):
                        found[entity_id, _plain(name.surface)].append(chunk.chunk_id)
        return dict(found)

    def _check(self, extraction: Extraction) -> None:
        about = {s.subject_id for s in extraction.statements} | {m.entity_id for m in extraction.mentions}
        about |= {s.object_id for s in extraction.statements if s.object_id}
        if missing := about - self.entities.keys():
            raise InputError(
                f"The graph is about {len(missing)} entities it does not have", where=min(missing),
                todo="Build it again from the chunks that were indexed.",
            )  # fmt: skip

    def mentioning(self, entity_id: str, ctx: RequestContext) -> list[Chunk]:
        """The chunks the request may see that name an entity."""
        chunks = (self.chunks[chunk_id] for chunk_id in self._mentions.get(entity_id, ()))
        return [chunk for chunk in chunks if ctx.sees(chunk)]

    def named_in(self, chunk_id: str) -> list[Entity]:
        """The entities a chunk names, in its order, each once."""
        return [self.entities[entity_id] for entity_id in self._named_in.get(chunk_id, ())]

    def about(self, entity_id: str, ctx: RequestContext) -> list[Fact]:
        """The facts about an entity that the request may see and that hold.

        Statements the request may not see are left out of them.
        """
        return [fact for told in self.told(entity_id, ctx).values() for fact in self._held(told, ctx.as_of)]

    def holding(self, entity_id: str, relation: str, ctx: RequestContext) -> list[Fact]:
        """What the request may see of a relation and what holds: one value, or of a relation that has several all.

        Of several none ends another: each holds from the day it names, as long as a document in force states it. They
        are in the order of their values.
        """
        return self._held(self.told(entity_id, ctx).get(relation, []), ctx.as_of)

    def _held(self, told: Sequence[Fact], as_of: date) -> list[Fact]:
        known = self.schema.relation.get(told[0].relation) if told else None
        if known is None or not known.several:
            return list(told[:1])
        return sorted((fact for fact in told if _begun(fact, as_of)), key=lambda fact: fact.value.casefold())

    def told(self, entity_id: str, ctx: RequestContext) -> dict[str, list[Fact]]:
        """Relation → all values the request may see for it; what holds comes first."""
        found: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in self._visible(self._about.get(entity_id, ()), ctx):
            found[fact.relation].append(fact)
        return {
            relation: sorted(facts, key=lambda fact: self._weight(fact, ctx.as_of), reverse=True)
            for relation, facts in found.items()
        }

    def _weight(self, fact: Fact, as_of: date) -> tuple[bool, int, date, int]:
        newest = max(stated_on(statement, self.chunks) for statement in fact.statements)
        known = self.schema.relation.get(fact.relation)
        settled = known is not None and not known.changes
        return _begun(fact, as_of), len(fact.statements) if settled else 0, newest, len(fact.statements)

    def pointing_at(self, entity_id: str, ctx: RequestContext) -> list[Fact]:
        """The facts whose object an entity is, among those that the request may see and that hold."""
        facts = self._visible(self._pointing.get(entity_id, ()), ctx)
        return [
            fact for fact in facts
            if any(held.object_id == entity_id for held in self.holding(fact.subject_id, fact.relation, ctx))
        ]  # fmt: skip

    def _visible(self, facts: Sequence[Fact], ctx: RequestContext) -> list[Fact]:
        found = []
        for fact in facts:
            seen = tuple(s for s in fact.statements if ctx.sees(self.chunks[s.chunk_id]))
            if seen:
                found.append(Fact(fact.subject_id, fact.relation, fact.object_id, _wording(seen), seen))
        return found


def stated_on(statement: Statement, chunks: Mapping[str, Chunk]) -> date:
    """From when on a statement claims to be true: the day it names, or that of its document."""
    return statement.since or chunks[statement.chunk_id].valid_from or _EVER


def _begun(fact: Fact, as_of: date) -> bool:
    return any(statement.since is None or statement.since <= as_of for statement in fact.statements)


def _facts(statements: Iterable[Statement]) -> list[Fact]:
    together: defaultdict[tuple[str, str, str, object], list[Statement]] = defaultdict(list)
    for statement in statements:
        together[statement.subject_id, statement.relation, statement.object_id, statement.content].append(statement)
    return [
        Fact(subject_id, relation, object_id, _wording(of), tuple(of))
        for (subject_id, relation, object_id, _), of in together.items()
    ]


def _wording(statements: Sequence[Statement]) -> str:
    """The value as most of the statements write it, of those that do so as often the first."""
    return Counter(statement.value for statement in statements).most_common(1)[0][0]


def _plain(surface: str) -> str:
    """A name as it is compared: in whatever case and over whatever line it is written."""
    return " ".join(surface.split()).casefold()
