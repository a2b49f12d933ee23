"""Which documents exist: every fact stated somewhere its readers may look, on a day it was true.

The planner walks one cell pool by pool and hands out plans until each fact has a home and the number of documents is
reached; facts that found none by then stay unwritten and unasked. A small share of facts is withheld on purpose: true,
but written down nowhere. This module knows nothing about wording.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from fnmatch import fnmatchcase

from labkit.world.chance import END, START, day_between, stream, weighted
from labkit.world.company import EVENTS, SHARES
from labkit.world.compose import Plan
from labkit.world.entries import DocumentClass
from labkit.world.facts import Entity, Fact, FactGraph, Pool
from labkit.world.ontology import ONTOLOGY
from labkit.world.pack import Pack

WITHHELD = 0.04
"""Share of the facts that may be withheld. Names are never: the scenes of documents give neighbours away in passing;
nor are the days of events, which their documents are dated by."""
_DATED = frozenset({"incident.date", "firmware.released", "change.effective"})
_LONGEST_LIFE = timedelta(days=150)
_FACTS = (3, 11)
_ROWS = 14
_STRANGERS = 6
_MAX_OVERRUN = 1.6


@dataclass(slots=True)
class Coverage:
    """Which facts have been given a document, and which never will be."""

    stated: set[str] = field(default_factory=set)
    withheld: set[str] = field(default_factory=set)


class Planner:
    """Plans the documents of one cell."""

    def __init__(self, pack: Pack, graph: FactGraph, seed: int, cell: int, documents: int) -> None:
        self.graph, self.seed, self.cell, self.documents = graph, seed, cell, documents
        self.classes = [document for _, document in sorted(pack.classes.items())]
        self.relations = {
            document.name: frozenset(r for r in ONTOLOGY.relations if any(fnmatchcase(r, p) for p in document.states))
            for document in self.classes
        }
        self.coverage = Coverage()
        rng = stream(seed, "withheld", cell)
        self.coverage.withheld = {
            fact.fact_id
            for fact in graph
            if rng.random() < WITHHELD and fact.object_id is None and fact.relation not in _DATED
        }

    def plans(self) -> Iterator[Plan]:
        """Plans in the order documents are written; ``coverage`` is complete when they are exhausted."""
        number = 0
        for pool, share in SHARES.items():
            rng = stream(self.seed, "plans", self.cell, pool)
            quota = max(1, round(self.documents * share))
            for plan in self._pool(pool, quota, rng):
                number += 1
                yield Plan(
                    f"{self.cell}-d{number:04d}", plan.document, plan.about, plan.day, plan.facts, rng.getrandbits(32)
                )

    def _pool(self, pool: Pool, quota: int, rng: random.Random) -> Iterator[Plan]:
        homeless = {
            fact.fact_id: fact
            for fact in self.graph
            if self.graph.entities[fact.subject_id].pool == pool and fact.fact_id not in self.coverage.withheld
        }
        fruitless = 0
        written = 0
        while (written < quota or homeless) and written < quota * _MAX_OVERRUN and fruitless < 200:
            document = weighted(rng, self.classes, [self._appeal(d, homeless, written, quota) for d in self.classes])
            plan = self._plan(document, pool, homeless, rng)
            if plan is None:
                fruitless += 1
                continue
            fruitless = 0
            written += 1
            for fact in plan.facts:
                if _covers(document, fact):
                    homeless.pop(fact.fact_id, None)
                    self.coverage.stated.add(fact.fact_id)
            yield plan

    def _appeal(self, document: DocumentClass, homeless: dict[str, Fact], written: int, quota: int) -> float:
        if written < quota * 0.6:
            return document.weight
        # Towards the end, prefer classes that can still house somebody.
        waiting = sum(f.relation in self.relations[document.name] and _covers(document, f) for f in homeless.values())
        return document.weight * (0.02 + min(waiting, _FACTS[1]))

    def _plan(self, document: DocumentClass, pool: Pool, homeless: dict[str, Fact], rng: random.Random) -> Plan | None:
        candidates = self.graph.of_kind(document.about, pool)
        if not candidates:
            return None
        waiting = {fact.subject_id for fact in homeless.values() if fact.relation in self.relations[document.name]}
        needy_ones = [entity for entity in candidates if entity.entity_id in waiting]
        tries = rng.sample(needy_ones, min(4, len(needy_ones))) + rng.sample(candidates, min(2, len(candidates)))
        facts_of = {entity.entity_id: self._statable(document, entity, waiting, rng) for entity in tries}

        def need(entity: Entity) -> int:
            return sum(f.fact_id in homeless and _covers(document, f) for f in facts_of[entity.entity_id])

        about = max(tries, key=need)
        statable = facts_of[about.entity_id]
        if not statable:
            return None
        needy = [f for f in statable if f.fact_id in homeless and _covers(document, f)]
        anchor = rng.choice(needy or statable)
        day = self._day(document, about, anchor, rng)
        true = [f for f in statable if f.holds(day)]
        first = [f for f in true if f.fact_id in homeless]
        # Old news is worth repeating about the subject itself, above all where there is no other about it.
        own = [f for f in true if f.subject_id == about.entity_id]
        odds = 0.35 if any(f.fact_id in homeless for f in own) else 0.8
        again = [f for f in own if f.fact_id not in homeless and rng.random() < odds]
        chosen = first[: self._limit(document)] + again
        if len(chosen) < _FACTS[0]:
            spare = [f for f in true if f not in chosen]
            chosen += rng.sample(spare, min(len(spare), _FACTS[0] - len(chosen)))
        if not chosen:
            return None
        if _is_sheet(document):
            chosen += _completing(chosen, true)
        chosen.sort(key=lambda fact: (fact.subject_id != about.entity_id, fact.subject_id))
        return Plan("", document, about, day, tuple(chosen), 0)

    def _limit(self, document: DocumentClass) -> int:
        return _ROWS * 3 if _is_sheet(document) else _FACTS[1]

    def _statable(self, document: DocumentClass, about: Entity, waiting: set[str], rng: random.Random) -> list[Fact]:
        """Facts the class may state: of the entity, then of its neighbours, then (in a sheet) of others of its kind."""
        found: list[Fact] = []
        allowed = self.relations[document.name]
        near = self._neighbours(about)
        if _is_sheet(document):
            others = [e for e in self.graph.of_kind(about.kind, about.pool) if e is not about]
            near = [*rng.sample(others, min(len(others), _ROWS - 1)), *near]
        reached = {about.kind, *(entity.kind for entity in near)}
        for kind in sorted({ONTOLOGY.relations[name].subject for name in allowed} - reached):
            strangers = self.graph.of_kind(kind, about.pool)
            rng.shuffle(strangers)
            strangers.sort(key=lambda entity: entity.entity_id not in waiting)
            near += strangers[:_STRANGERS]
        for entity in [about, *near]:
            for relation in ONTOLOGY.about(entity.kind):
                if relation.name in allowed:
                    found += self.graph.history(entity.entity_id, relation.name)
        return [f for f in found if f.fact_id not in self.coverage.withheld and _may_state(document, f)]

    def _neighbours(self, about: Entity) -> list[Entity]:
        ids: dict[str, None] = {}
        for relation in ONTOLOGY.about(about.kind):
            for fact in self.graph.history(about.entity_id, relation.name):
                if fact.object_id is not None:
                    ids[fact.object_id] = None
        for relation in ONTOLOGY.relations.values():
            if relation.object == about.kind:
                for fact in self.graph.pointing_at(about.entity_id, relation.name):
                    ids[fact.subject_id] = None
        return [self.graph.entities[entity_id] for entity_id in ids if entity_id != about.entity_id]

    def _day(self, document: DocumentClass, about: Entity, anchor: Fact, rng: random.Random) -> date:
        own = [f.valid_from for r in ONTOLOGY.about(about.kind) for f in self.graph.history(about.entity_id, r.name)]
        first = max(START, anchor.valid_from, min(own, default=START))
        last = END if anchor.valid_to is None else anchor.valid_to - timedelta(days=1)
        if about.entity_id == anchor.subject_id and about.kind in EVENTS:
            last = min(last, first + timedelta(days=document.lag_days))  # people write about an event while it is fresh
        return day_between(rng, first, min(last, END, first + _LONGEST_LIFE) if anchor.valid_to else min(last, END))


def _is_sheet(document: DocumentClass) -> bool:
    return any(item == "rows" for layout in document.layout for item in layout.items())


def _completing(chosen: list[Fact], true: list[Fact]) -> list[Fact]:
    """What else fills the table that the chosen facts would make: its rows are their subjects, its columns theirs."""
    rows, columns = {fact.subject_id for fact in chosen}, {fact.relation for fact in chosen}
    return [f for f in true if f.subject_id in rows and f.relation in columns and f not in chosen]


def _may_state(document: DocumentClass, fact: Fact) -> bool:
    return "staff" in fact.groups or ("staff" not in document.groups and bool(set(document.groups) & set(fact.groups)))


def _covers(document: DocumentClass, fact: Fact) -> bool:
    """Whether everybody who may know the fact may also read the document."""
    return set(fact.groups) <= set(document.groups) or ("staff" not in fact.groups and _may_state(document, fact))
