"""Ways to break a graph on purpose: the third part of the fault library.

A fault builds the graph otherwise than it should be, from the same passages and by the same rules; nothing is patched,
so whatever answers from a graph can be given a broken one. Each decides whether a question shows it, by the statements
that the broken and the whole system answer from and never by wording. Who asks, and what is shown of it, is the
business of :mod:`labkit.course.recall`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from labkit.course.faults import LAST_RUN, Fault
from labkit.graph.fields import rows
from labkit.graph.graph import Fact, Graph, stated_on
from labkit.graph.hop import Path
from labkit.graph.rules import RulesExtractor
from labkit.graph.schema import Relation, Schema
from labkit.graph.structured import Computed
from labkit.graph.tables import Entity, Extraction
from labkit.schema import Chunk, Hit, RequestContext

RELATION = "lot.site"
"""What a recall asks for first."""

GONE = frozenset({"Shipped to", "To"})
"""The labels of it that the spoilt data dictionary lacks."""

Key = tuple[str, int, int, str, str]
"""Where a statement stands and what it says, whatever the things in it are taken for."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a system that answers from a graph told somebody.

    Attributes:
        graph: what it answered from.
        ctx: who asked.
        named: the things it took the question to name.
        paths: likeliest first.
        computed: the structured answer.
        hits: best first.
    """

    graph: Graph
    ctx: RequestContext
    named: tuple[Entity, ...]
    paths: tuple[Path, ...]
    computed: Computed
    hits: tuple[Hit, ...]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What the answer rests on: the facts reckoned with, else those of the likeliest path if the graph has all."""
        if self.computed.value:
            return self.computed.facts
        path = self.paths[0] if self.paths else None
        if path is None or not all(step.known for step in path.steps):
            return ()
        return tuple(facts[0] for facts in told_along(path, self.graph, self.ctx))


@dataclass(frozen=True, slots=True)
class GraphFault(Fault):
    """A fault of a graph.

    Attributes:
        build: makes the broken graph of the passages and the whole data dictionary.
        shows: whether what the broken and the whole system told proves it, in this order.
    """

    build: Callable[[Sequence[Chunk], Schema], Graph]
    shows: Callable[[Told, Told], bool]


def told_along(path: Path, graph: Graph, ctx: RequestContext) -> Iterator[list[Fact]]:
    """For each step of a path all that the graph tells there, what holds first; nothing where search was asked."""
    here = path.start.entity_id
    for step in path.steps:
        yield graph.told(here, ctx)[step.relation] if step.known else []
        here = step.object_id


def keys(facts: Iterable[Fact]) -> set[Key]:
    """The statements of facts, comparable between graphs."""
    return {(s.chunk_id, s.start, s.end, s.relation, s.value) for fact in facts for s in fact.statements}


# How a graph is built, rightly and otherwise


def with_relations(schema: Schema, relations: Mapping[str, Relation]) -> Schema:
    """The data dictionary with other relations."""
    # Not model_copy, which would keep what was cached of the old ones.
    return Schema(**{name: getattr(schema, name) for name in Schema.model_fields} | {"relation": dict(relations)})


def whole(chunks: Sequence[Chunk], schema: Schema) -> Graph:
    """The graph as it should be."""
    return Graph(RulesExtractor(schema).extract(chunks), chunks, schema)


def label_missing(chunks: Sequence[Chunk], schema: Schema) -> Graph:
    """By a data dictionary without the labels :data:`GONE` of :data:`RELATION`."""
    relation = schema.relation[RELATION]
    left = tuple(label for label in relation.labels if label not in GONE)
    spoilt = relation.model_copy(update={"labels": left})
    return whole(chunks, with_relations(schema, {**schema.relation, RELATION: spoilt}))


def merged(chunks: Sequence[Chunk], schema: Schema) -> Graph:
    """Numbers of one kind are resolved by their digits alone: C-22 is F-22."""
    found = RulesExtractor(schema).extract(chunks)
    groups: defaultdict[tuple[str, str], list[Entity]] = defaultdict(list)
    for entity in found.entities:
        digits = "" if " " in entity.name else re.sub(r"\D", "", entity.name)
        groups[entity.kind, digits or entity.name].append(entity)
    first = {entity.entity_id: of[0].entity_id for of in groups.values() for entity in of}
    entities = []
    for one, *others in groups.values():
        names = (name for entity in others for name in (entity.name, *entity.aliases))
        entities.append(one.model_copy(update={"aliases": (*one.aliases, *names)}))
    mentions = [m.model_copy(update={"entity_id": first[m.entity_id]}) for m in found.mentions]
    statements = [
        s.model_copy(update={"subject_id": first[s.subject_id], "object_id": first.get(s.object_id, "")})
        for s in found.statements
    ]
    return Graph(Extraction(found.extractor, entities, mentions, statements), chunks, schema)


def stale(chunks: Sequence[Chunk], schema: Schema) -> Graph:
    """Of what had come into force by :data:`labkit.course.faults.LAST_RUN`."""
    return whole([c for c in chunks if c.valid_from is None or c.valid_from <= LAST_RUN], schema)


def newest_wins_off(chunks: Sequence[Chunk], schema: Schema) -> Graph:
    """Read rightly, and asked by a data dictionary in which nothing changes."""
    settled = {name: r.model_copy(update={"changes": False}) for name, r in schema.relation.items()}
    return Graph(RulesExtractor(schema).extract(chunks), chunks, with_relations(schema, settled))


def readers_lost(chunks: Sequence[Chunk], schema: Schema) -> Graph:
    """Of copies of the passages that every group may read."""
    everyone = tuple(sorted({group for chunk in chunks for group in chunk.acl}))
    return whole([chunk.model_copy(update={"acl": everyone}) for chunk in chunks], schema)


# What shows it


def _label_missing(broken: Told, whole: Told) -> bool:
    """A fact the graph lacks stands in a found passage it did read, in a field whose label it does not know."""
    found = _found(broken)
    for fact in _lost(broken, whole):
        known, left = (told.graph.schema.relation[fact.relation].labels for told in (whole, broken))
        gone = {label.lower() for label in known if label not in left}
        for s in fact.statements:
            if s.chunk_id in found and s.chunk_id in broken.graph.chunks:
                fields = rows(broken.graph.chunks[s.chunk_id].text, whole.graph.schema)
                if any(field.start == s.start and field.label in gone for row in fields for field in row):
                    return True
    return False


def _merged(broken: Told, whole: Told) -> bool:
    """The answer rests on what a passage that the asker may read states of a thing the question does not name."""
    asked, really = _ids(broken), _ids(whole)
    about, real = _subjects(whole.graph), whole.graph.chunks
    for fact in broken.facts:
        seen = [key for key in keys([fact]) if whole.ctx.sees(real[key[0]])]
        subjects = {subject for key in seen for subject in about.get(key, ())}
        if fact.subject_id in asked and subjects and subjects.isdisjoint(really):
            return True
    return False


def _stale(broken: Told, whole: Told) -> bool:
    """A fact the graph lacks stands in found passages, all of which it never read."""
    cited = [{s.chunk_id for s in fact.statements} for fact in _lost(broken, whole)]
    return any(ids.isdisjoint(broken.graph.chunks) and ids & _found(broken) for ids in cited)


def _newest_wins_off(broken: Told, whole: Told) -> bool:
    """Both graphs have both values of one thing, and the broken one prefers that which was stated earlier."""
    has, about = _subjects(broken.graph).keys(), _subjects(whole.graph)
    held = keys(whole.facts)
    for new in whole.facts:
        for old in (fact for fact in broken.facts if held.isdisjoint(keys([fact]))):
            same = (new.subject_id, new.relation) == (old.subject_id, old.relation)
            of_it = all(new.subject_id in about.get(key, ()) for key in keys([old]))
            if same and of_it and keys([new]) <= has and _last(old, whole) < _last(new, whole):
                return True
    return False


def _readers_lost(broken: Told, whole: Told) -> bool:
    """The answer rests on a fact that no passage states which the asker may read."""
    return any(
        not any(whole.ctx.may_read(c.acl, c.tenant) for c in (whole.graph.chunks[s.chunk_id] for s in fact.statements))
        for fact in broken.facts
    )


def _ids(told: Told) -> set[str]:
    return {entity.entity_id for entity in told.named}


def _found(told: Told) -> set[str]:
    return {hit.chunk.chunk_id for hit in told.hits}


def _last(fact: Fact, told: Told) -> date:
    return max(stated_on(s, told.graph.chunks) for s in fact.statements)


def _subjects(graph: Graph) -> dict[Key, set[str]]:
    """Statement → what it is about in a graph."""
    found: defaultdict[Key, set[str]] = defaultdict(set)
    for fact in graph.facts:
        for key in keys([fact]):
            found[key].add(fact.subject_id)
    return dict(found)


def _lost(broken: Told, whole: Told) -> list[Fact]:
    """What the whole answer rests on and the broken graph has no statement of, about anything."""
    has = _subjects(broken.graph).keys()
    return [fact for fact in whole.facts if has.isdisjoint(keys([fact]))]


GRAPH_FAULTS: tuple[GraphFault, ...] = (
    GraphFault(
        code="label_missing",
        cause="The data dictionary lacks labels that documents use, so fields with them are not read.",
        proof="a question whose fact stands in a field of a found passage that the graph was built from, and that it"
        " does not know",
        hints=(
            "Some steps of the paths were found by search. Read the passages they should have come from.",
            "What is missing: whole documents, or one kind of fact out of documents of any age?",
        ),
        build=label_missing,
        shows=_label_missing,
    ),
    GraphFault(
        code="merged",
        cause="Resolution compares numbers by their digits alone, so that things with different letters become one.",
        proof="a question about one thing that is answered with what a passage states of another",
        hints=(
            "Compare what you asked about with what the answer is about.",
            "Open the file that an answer cites, and look for the number you asked for.",
        ),
        build=merged,
        shows=_merged,
    ),
    GraphFault(
        code="stale_graph",
        cause="The graph was built three months ago; the index has been fed since, and the graph was not built again.",
        proof="a question whose fact only documents of the last three months state, which search finds and the graph"
        " does not know",
        hints=(
            "Some steps of the paths were found by search. Read the passages they should have come from.",
            "Read the dates of what a known step cites, and of what the graph does not know.",
        ),
        build=stale,
        shows=_stale,
    ),
    GraphFault(
        code="newest_wins_off",
        cause="The graph is asked as if nothing ever changed: what most documents state counts, not the last.",
        proof="a question answered with what held earlier, while the graph has the later statement too",
        hints=(
            "For some steps the graph tells more than one value. Which of them does it put first?",
            "Ask for something that people or teams take over from each other, and read the dates of the values.",
        ),
        build=newest_wins_off,
        shows=_newest_wins_off,
    ),
    GraphFault(
        code="readers_lost",
        cause="The graph's copy of the passages has lost who may read them, so it tells everybody everything.",
        proof="a question answered from a passage that is not for staff",
        hints=(
            "You ask as staff. Not all that stands in the folder of documents is for you.",
            "Search and graph do not find the same files. For whom are those that only the graph cites?",
        ),
        build=readers_lost,
        shows=_readers_lost,
    ),
)
"""What can be wrong in the third drill."""
