"""The typed, dated fact graph: what is true at Tidewater, before anyone wrote it down.

This module knows nothing about wording or files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from labkit.errors import WorldError

Pool = Literal["core", "train", "dev", "test"]
"""Who may use an entity: ``core`` belongs to the story; the others never meet in one document or question."""


@dataclass(frozen=True, slots=True)
class Entity:
    """Something facts are about.

    ``name`` is how prose calls it ("belt tensioner BT-4471"); ``aliases`` are other names in use.
    ``details`` are parts of the name that slots can ask for (``noun``, ``number``, ``first``, ``last`` …).
    """

    entity_id: str
    kind: str
    name: str
    pool: Pool
    aliases: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Fact:
    """``subject relation value``, true from ``valid_from`` (inclusive) to ``valid_to`` (exclusive; None: still true).

    ``value`` is the canonical wording, ``aliases`` the others that count as right. ``object_id`` is set where the value
    is an entity. ``groups`` are the groups allowed to know it.
    """

    fact_id: str
    subject_id: str
    relation: str
    value: str
    valid_from: date
    valid_to: date | None = None
    object_id: str | None = None
    number: float | None = None
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ("staff",)
    arc: str | None = None

    def holds(self, day: date) -> bool:
        """Whether it is true on that day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def surfaces(self) -> tuple[str, ...]:
        """Every accepted wording of the value, canonical first."""
        return (self.value, *self.aliases)


class FactGraph:
    """Entities and facts of one part of the company, indexed by subject and relation."""

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}
        self.facts: dict[str, Fact] = {}
        self._by_subject: defaultdict[tuple[str, str], list[Fact]] = defaultdict(list)
        self._by_object: defaultdict[tuple[str, str], list[Fact]] = defaultdict(list)

    def add_entity(self, entity: Entity) -> Entity:
        """Add one; ids are unique.

        Raises:
            WorldError: the id is taken.
        """
        if entity.entity_id in self.entities:
            raise WorldError(f"Two entities are called {entity.entity_id!r}", todo="Give each its own id.")
        self.entities[entity.entity_id] = entity
        return entity

    def add_fact(self, fact: Fact) -> Fact:
        """Add one about a known subject (and object).

        Raises:
            WorldError: the id is taken, or subject or object is unknown.
        """
        if fact.fact_id in self.facts:
            raise WorldError(f"Two facts are called {fact.fact_id!r}", todo="Give each its own id.")
        for entity_id in (fact.subject_id, fact.object_id):
            if entity_id is not None and entity_id not in self.entities:
                raise WorldError(f"Fact {fact.fact_id!r} names the unknown entity {entity_id!r}")
        self.facts[fact.fact_id] = fact
        self._by_subject[fact.subject_id, fact.relation].append(fact)
        if fact.object_id is not None:
            self._by_object[fact.object_id, fact.relation].append(fact)
        return fact

    def of_kind(self, kind: str, pool: Pool | None = None) -> list[Entity]:
        """Entities of a kind (of a pool), in the order they were added."""
        return [e for e in self.entities.values() if e.kind == kind and pool in (None, e.pool)]

    def history(self, subject_id: str, relation: str) -> list[Fact]:
        """All values a relation had, oldest first."""
        return sorted(self._by_subject.get((subject_id, relation), ()), key=lambda fact: fact.valid_from)

    def at(self, subject_id: str, relation: str, day: date) -> Fact | None:
        """The value on a day, None where there is none."""
        return next((fact for fact in self.history(subject_id, relation) if fact.holds(day)), None)

    def pointing_at(self, object_id: str, relation: str) -> list[Fact]:
        """Facts whose object this entity is, in the order they were added."""
        return list(self._by_object.get((object_id, relation), ()))

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts.values())

    def update(self, entities: Iterable[Entity], facts: Iterable[Fact]) -> None:
        """Add many of both, entities first."""
        for entity in entities:
            self.add_entity(entity)
        for fact in facts:
            self.add_fact(fact)
