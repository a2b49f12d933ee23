"""The company of one cell: entities and dated facts drawn from a seed.

A *cell* is one part of the company, about 300 documents' worth; larger worlds are more cells, made one after another,
so memory stays that of one. Entities of the train, dev and test pools never meet in a fact. This module knows nothing
about documents.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from labkit.errors import PackError
from labkit.world.chance import END, START, day_between, split_of, stream
from labkit.world.facts import Entity, Fact, FactGraph, Pool
from labkit.world.ontology import ONTOLOGY, Relation
from labkit.world.pack import Pack
from labkit.world.values import date_surfaces, draw_number, number_surfaces

SHARES: dict[Pool, float] = {"train": 0.40, "dev": 0.15, "test": 0.45}
EVENTS = frozenset({"incident", "change", "rma", "lot", "firmware"})
"""Kinds that happen on a day rather than exist throughout."""

_POOL_OF_KIND = {
    "team": "team_names",
    "customer": "customers",
    "site": "site_names",
    "supplier": "suppliers",
    "product": "products",
    "policy": "policy_names",
}
_THEMED = {"incident.cause": 14, "change.reason": 8}
"""Causes and reasons repeat, or there would be nothing to find in them: each cell draws from this many, unevenly."""
_LETTERS = "ABCDEFGHJKLMNPRSTVWX"
_LOOKALIKES = 0.25


def build_company(pack: Pack, seed: int, cell: int = 0) -> FactGraph:
    """Draw the entities and facts of a cell.

    Raises:
        PackError: a name pool or value list the ontology needs is empty or too small for a split.
    """
    return _Builder(pack, seed, cell).build()


class _Builder:
    def __init__(self, pack: Pack, seed: int, cell: int) -> None:
        self.pack, self.seed, self.cell = pack, seed, cell
        self.graph = FactGraph()
        self.born: dict[str, date] = {}
        self._reserved = _reserved(pack)
        self._taken: set[str] = set(self._reserved)
        self._issued: dict[str, str] = {}
        self._unused: dict[tuple[str, Pool], list[str]] = {}
        self._torque_changes: dict[Pool, list[Fact]] = defaultdict(list)

    def build(self) -> FactGraph:
        for kind, spec in ONTOLOGY.kinds.items():
            rng = self.stream("entities", kind)
            for pool, count in _dealt(spec.count).items():
                for number in range(count):
                    self.entity(kind, pool, number, rng)
            for relation in ONTOLOGY.about(kind):
                self.relation(relation)
        return self.graph

    def stream(self, *names: object) -> random.Random:
        return stream(self.seed, "company", self.cell, *names)

    # Entities

    def entity(self, kind: str, pool: Pool, number: int, rng: random.Random) -> None:
        maker: Callable[[str, Pool, int, random.Random], tuple[str, tuple[str, ...], dict[str, str]]]
        maker = {"person": self.person, "part": self.part, "firmware": self.firmware}.get(kind, self.thing)
        name, aliases, details = maker(kind, pool, number, rng)
        entity_id = f"{self.cell}-{kind}-{pool}-{number}"
        self.graph.add_entity(Entity(entity_id, kind, name, pool, aliases, details))
        first = START if kind in EVENTS else START - timedelta(days=180)
        last = END - timedelta(days=20) if kind in EVENTS else START - timedelta(days=1)
        self.born[entity_id] = day_between(rng, first, last)

    def person(
        self, kind: str, pool: Pool, number: int, rng: random.Random
    ) -> tuple[str, tuple[str, ...], dict[str, str]]:
        firsts, lasts = self.names("first_names", pool), self.names("surnames", pool)
        position = self.cell * _dealt(ONTOLOGY.kinds[kind].count)[pool] + number
        first = firsts[position % len(firsts)]
        last = lasts[(position + position // len(firsts)) % len(lasts)]
        lap = position // (len(firsts) * len(lasts))
        middle = f"{_LETTERS[lap % len(_LETTERS)]}. " if lap else ""
        return f"{first} {middle}{last}", (f"{first[0]}. {last}",), {"first": first, "last": last}

    def part(
        self, kind: str, pool: Pool, number: int, rng: random.Random
    ) -> tuple[str, tuple[str, ...], dict[str, str]]:
        nouns = self.names("part_nouns", pool)
        noun = nouns[number % len(nouns)]
        initials = "".join(word[0] for word in noun.replace("-", " ").split())[:2].upper().ljust(2, "X")
        identifier = self.identifier(f"{initials}-####", rng)
        return f"{noun} {identifier}", (identifier,), {"noun": noun, "number": identifier, "id": identifier}

    def firmware(
        self, kind: str, pool: Pool, number: int, rng: random.Random
    ) -> tuple[str, tuple[str, ...], dict[str, str]]:
        version = self.identifier(ONTOLOGY.kinds[kind].id_pattern, rng)
        names = self.pack.pools.get("firmware_names") or ("TideOS",)
        return f"{rng.choice(names)} {version}", (version,), {"id": version}

    def thing(
        self, kind: str, pool: Pool, number: int, rng: random.Random
    ) -> tuple[str, tuple[str, ...], dict[str, str]]:
        pattern = ONTOLOGY.kinds[kind].id_pattern
        identifier = self.identifier(pattern, rng) if pattern else ""
        if kind not in _POOL_OF_KIND:
            return identifier, (), {"id": identifier}
        name = self.unique(_POOL_OF_KIND[kind], kind, pool, number)
        return name, ((identifier,) if identifier else ()), {"id": identifier or name}

    def unique(self, pool_name: str, kind: str, pool: Pool, number: int) -> str:
        names = self.names(pool_name, pool)
        position = self.cell * _dealt(ONTOLOGY.kinds[kind].count)[pool] + number
        lap, index = divmod(position, len(names))
        if not lap:
            return names[index]
        # Large companies name their third site of a name after its town; products are numbered.
        towns = self.pack.lists.get("cities", ()) if kind != "product" else ()
        return f"{names[index]} {towns[lap - 1] if lap <= len(towns) else lap + 1}"

    def names(self, pool_name: str, pool: Pool) -> list[str]:
        key = (pool_name, pool)
        if key not in self._unused:
            pooled = self.pack.pools.get(pool_name, ())
            names = [name for name in pooled if split_of(name) == pool and name not in self._reserved]
            if not names:
                raise PackError(
                    f"The name pool {pool_name} has no name that falls into the {pool} split",
                    where=self.pack.name,
                    todo="Add names; each is dealt to a split by its spelling.",
                )
            stream(self.seed, "names", pool_name, pool).shuffle(names)  # one order for all cells
            self._unused[key] = names
        return self._unused[key]

    def identifier(self, pattern: str, rng: random.Random) -> str:
        while True:
            raw = "".join(
                str(rng.randint(1, 9)) if c == "#" else rng.choice(_LETTERS) if c == "@" else c for c in pattern
            )
            last = self._issued.get(pattern, "")
            if last[-2:].isdigit() and rng.random() < _LOOKALIKES:
                raw = f"{last[:-2]}{last[-1]}{last[-2]}"  # E-417 and E-471
            if raw not in self._taken:
                self._taken.add(raw)
                self._issued[pattern] = raw
                return self.placed(raw)

    def placed(self, raw: str) -> str:
        """Identifiers of later cells carry the cell's number, so that each means one thing in the whole company."""
        if not self.cell:
            return raw
        head, mark, tail = raw.rpartition("-" if "-" in raw else ".")
        return f"{head}{mark}{self.cell}{tail}"

    # Facts

    def relation(self, relation: Relation) -> None:
        rng = self.stream("facts", relation.name)
        for pool in SHARES:
            dealt: set[str] = set()
            for subject in self.graph.of_kind(relation.subject, pool):
                value = self.value(relation, subject, rng, dealt)
                fact = self.fact(relation, subject, 0, self.born[subject.entity_id], value)
                if rng.random() < relation.changes:
                    self.change(relation, subject, fact, rng, dealt)
                else:
                    self.graph.add_fact(fact)

    def change(self, relation: Relation, subject: Entity, old: Fact, rng: random.Random, dealt: set[str]) -> None:
        day = day_between(rng, START + timedelta(days=200), END - timedelta(days=60))
        for _ in range(20):
            value = self.value(relation, subject, rng, dealt)
            if value[0] != old.value:
                break
        else:  # a list or pool with a single value: nothing to change to
            self.graph.add_fact(old)
            return
        self.graph.add_fact(replace(old, valid_to=day))
        new = self.graph.add_fact(self.fact(relation, subject, 1, day, value))
        if relation.name == "part.torque":
            self._torque_changes[subject.pool].append(new)

    def fact(
        self,
        relation: Relation,
        subject: Entity,
        number: int,
        began: date,
        value: tuple[str, tuple[str, ...], str | None, float | None],
    ) -> Fact:
        canonical, aliases, object_id, amount = value
        return Fact(
            fact_id=f"{subject.entity_id}.{relation.name.split('.')[1]}.{number}",
            subject_id=subject.entity_id,
            relation=relation.name,
            value=canonical,
            valid_from=began,
            object_id=object_id,
            number=amount,
            aliases=aliases,
            groups=relation.groups,
        )

    def value(
        self, relation: Relation, subject: Entity, rng: random.Random, dealt: set[str]
    ) -> tuple[str, tuple[str, ...], str | None, float | None]:
        if relation.type == "entity":
            chosen = self.object(relation, subject, rng)
            return chosen.name, chosen.aliases, chosen.entity_id, None
        if relation.type == "number":
            number = draw_number(relation, rng)
            surfaces = number_surfaces(number, relation)
            return surfaces[0], surfaces[1:], None, number
        if relation.type == "date":
            day = self.day(relation, subject, rng)
            surfaces = date_surfaces(day)
            return surfaces[0], surfaces[1:], None, float(day.toordinal())
        return self.word(relation, subject, rng, dealt), (), None, None

    def object(self, relation: Relation, subject: Entity, rng: random.Random) -> Entity:
        if relation.name == "change.part" and self._torque_changes[subject.pool]:
            fact = self._torque_changes[subject.pool].pop(0)
            self.born[subject.entity_id] = fact.valid_from
            return self.graph.entities[fact.subject_id]
        candidates = self.graph.of_kind(relation.object or "", subject.pool)
        if relation.name in {"firmware.fixes", "incident.error"}:  # an error of the same product, where it has one
            product = self.graph.history(subject.entity_id, f"{relation.subject}.product")[0].object_id
            same = [e for e in candidates if self.graph.history(e.entity_id, "error.product")[0].object_id == product]
            candidates = same or candidates
        return rng.choice(candidates)

    def day(self, relation: Relation, subject: Entity, rng: random.Random) -> date:
        began = self.born[subject.entity_id]
        if relation.name in {"incident.date", "firmware.released", "change.effective"}:
            return began
        if relation.future:
            return day_between(rng, END + timedelta(days=30), END + timedelta(days=1200))
        if relation.past:
            return day_between(rng, date(2015, 3, 1), date(2023, 6, 30))
        return day_between(rng, began - timedelta(days=700), began)

    def word(self, relation: Relation, subject: Entity, rng: random.Random, dealt: set[str]) -> str:
        words = self.pack.lists.get(relation.list)
        if not words:
            raise PackError(f"names.toml has no list {relation.list!r}", where=self.pack.name, todo="Add [lists].")
        if relation.name in _THEMED:
            themes = self.stream("themes", relation.name).sample(words, min(_THEMED[relation.name], len(words)))
            return rng.choices(themes, [1 / (rank + 1) for rank in range(len(themes))])[0]
        suitable = self.suitable(relation, subject) or words
        # Deal without repetition while the list lasts, so that answers tell entities apart.
        word = rng.choice([word for word in suitable if word not in dealt] or suitable)
        dealt.add(word)
        return word

    def suitable(self, relation: Relation, subject: Entity) -> list[str]:
        """The values whose words in ``[fits]`` occur in the subject's name or in another value of it."""
        fits = self.pack.fits.get(relation.list, {})
        if not fits:
            return []
        known = (f for r in ONTOLOGY.about(subject.kind) for f in self.graph.history(subject.entity_id, r.name))
        texts = (subject.name, *(fact.value for fact in known if fact.object_id is None))
        return [value for word, values in fits.items() if any(word in text for text in texts) for value in values]


def _reserved(pack: Pack) -> frozenset[str]:
    """Every name the stories use; nobody and nothing else is called that."""
    return frozenset(
        word
        for arc in pack.arcs
        for entity in arc.entity
        for word in (entity.id, entity.name, *entity.aliases, *entity.details.values())
    )


def _dealt(count: int) -> dict[Pool, int]:
    """How many of ``count`` entities each pool gets; at least two, so that there is always one to confuse it with."""
    dev = max(2, round(count * SHARES["dev"]))
    train = max(2, round(count * SHARES["train"]))
    return {"train": train, "dev": dev, "test": max(2, count - train - dev)}
