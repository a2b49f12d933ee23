"""Questions with gold answers and gold evidence, asked of one cell of the company.

Facts of the test pool are asked only with test families. A question is asked only of what its gold documents state and
its asker may read; what no document states makes the unanswerable ones. This module knows nothing about how documents
are written.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from labkit.world.chance import END, START, day_between, stream
from labkit.world.company import SHARES
from labkit.world.facts import Entity, Fact, FactGraph, Pool
from labkit.world.grammar import fill
from labkit.world.ontology import ONTOLOGY, Relation
from labkit.world.entries import Kind
from labkit.world.pack import Pack
from labkit.world.values import date_surfaces

Type = Literal[
    "single_hop", "multi_hop", "comparison", "aggregation", "time", "global", "unanswerable", "adversarial", "forbidden"
]
STAFF = ("staff",)
_COST = {
    "part.torque": 4200.0, "product.payload": 3600.0, "error.action": 2900.0, "part.interval": 1800.0,
    "contract.penalty": 5200.0, "contract.response_time": 3900.0, "contract.ends": 2600.0, "lot.site": 3100.0,
    "part.supplier": 900.0, "incident.cause": 1500.0, "firmware.fixes": 1200.0, "policy.limit": 250.0,
}  # fmt: skip
"""What a wrong answer costs the company, in EUR; anything else costs DEFAULT_COST."""
DEFAULT_COST = 120.0
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document states a fact: ``text[start:end]`` of its clean text."""

    doc_id: str
    start: int
    end: int
    day: date
    groups: tuple[str, ...]


@dataclass(slots=True)
class Ledger:
    """Which documents of a cell state which facts."""

    sources: defaultdict[str, list[Source]] = field(default_factory=lambda: defaultdict(list))

    def readable(self, fact_id: str, groups: tuple[str, ...], day: date) -> list[Source]:
        """Statements of a fact that the groups may read and that had been written by ``day``."""
        return [s for s in self.sources.get(fact_id, ()) if s.day <= day and not set(groups).isdisjoint(s.groups)]


@dataclass(frozen=True, slots=True)
class Question:
    """A question and all that is needed to grade an answer to it."""

    question_id: str
    split: str
    type: Type
    text: str
    value: str
    """The right answer; '' where the right answer is to abstain."""
    aliases: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    evidence: tuple[tuple[str, int, int], ...] = ()
    """(doc_id, start, end) into the clean text of the gold documents."""
    hops: int = 1
    relation: str = ""
    asker: str = "you"
    groups: tuple[str, ...] = STAFF
    as_of: date = END
    cost_if_wrong: float = DEFAULT_COST
    hero: bool = False
    arc: str = ""
    note: str = ""
    """Why it is unanswerable or adversarial."""

    def row(self) -> dict[str, Any]:
        """As one JSON object."""
        return {**asdict(self), "as_of": self.as_of.isoformat()}


class Asker:
    """Asks questions of one cell."""

    def __init__(self, pack: Pack, graph: FactGraph, ledger: Ledger, withheld: set[str], seed: int, cell: int) -> None:
        self.pack, self.graph, self.ledger, self.seed, self.cell = pack, graph, ledger, seed, cell
        self.withheld = withheld
        self._number: Counter[str] = Counter()

    def questions(self) -> Iterator[Question]:
        """All questions, split by split and type by type."""
        makers: tuple[Callable[[Pool, random.Random], Iterator[Question]], ...] = (
            self._single, self._forbidden, self._time, self._multi, self._comparison, self._aggregation,
            self._unanswerable, self._adversarial,
        )  # fmt: skip
        for pool in SHARES:
            for maker in makers:
                yield from maker(pool, stream(self.seed, "questions", self.cell, pool, maker.__name__))

    # One question type each

    def _single(self, pool: Pool, rng: random.Random) -> Iterator[Question]:
        for fact in self._current(pool):
            groups = STAFF if "staff" in fact.groups else fact.groups
            forms = self._forms(fact.relation, "question", pool)
            for form in rng.sample(forms, min(len(forms), 2 if pool == "test" and rng.random() < 0.5 else 1)):
                text = self._say(form, rng, subject=self._subject(fact))
                yield from self._ask("single_hop", pool, text, fact, [fact], groups=groups)

    def _forbidden(self, pool: Pool, rng: random.Random) -> Iterator[Question]:
        for fact in self._current(pool):
            if "staff" in fact.groups or rng.random() > 0.4:
                continue
            form = self._form(rng, fact.relation, "question", pool)
            if form and not self.ledger.readable(fact.fact_id, STAFF, END):
                text = self._say(form, rng, subject=self._subject(fact))
                yield self._make("forbidden", pool, text, value="", relation=fact.relation, note="outside the groups")

    def _time(self, pool: Pool, rng: random.Random) -> Iterator[Question]:
        for old in self.graph:
            if old.valid_to is None or self._pool(old) != pool or old.fact_id in self.withheld:
                continue
            form = self._form(rng, old.relation, "as_of", pool)
            if form is None:
                continue
            stated = min((s.day for s in self.ledger.sources.get(old.fact_id, ())), default=END)
            last = old.valid_to - timedelta(days=1)
            if stated > last:
                continue
            day = day_between(rng, max(stated, START, old.valid_from), last)
            text = self._say(form, rng, subject=self._subject(old), date=date_surfaces(day)[0])
            groups = STAFF if "staff" in old.groups else old.groups
            yield from self._ask("time", pool, text, old, [old], groups=groups, as_of=day)

    def _multi(self, pool: Pool, rng: random.Random) -> Iterator[Question]:
        starts = [f for f in self._current(pool) if f.object_id and "staff" in f.groups]
        seen: set[tuple[str, ...]] = set()
        for hops, wanted in ((2, 0.45), (3, 0.3), (4, 0.15)):
            quota = round(len(starts) * wanted)
            for _ in range(quota * 6):
                if quota == 0:
                    break
                chain = self._chain(rng, rng.choice(starts), hops) if starts else None
                key = tuple(f.fact_id for f in chain) if chain else ()
                if not chain or key in seen:
                    continue
                seen.add(key)
                text = self._chained(rng, chain, pool)
                if text:
                    quota -= 1
                    yield from self._ask("multi_hop", pool, text, chain[-1], chain)

    def _comparison(self, pool: Pool, rng: random.Random) -> Iterator[Question]:
        for relation in ONTOLOGY.relations.values():
            if relation.type not in {"number", "date"} or "staff" not in relation.groups:
                continue
            facts = [f for f in self._current(pool) if f.relation == relation.name]
            for _ in range(min(8, len(facts) // 2)):
                form = self._form(rng, relation.name, "compare", pool)
                one, other = rng.sample(facts, 2)
                if form is None or one.number is None or other.number is None or one.number == other.number:
                    continue
                text = self._say(form, rng, a=self._subject(one), b=self._subject(other))
                winner = self.graph.entities[(one if one.number > other.number else other).subject_id]
                yield from self._ask("comparison", pool, text, one, [one, other], answer=(winner.name, winner.aliases))

    def _aggregation(self, pool: Pool, rng: random.Random) -> Iterator[Question]:
        yield from self._incidents_at_sites(pool, rng)
        for relation, kind, key in (
            ("part.supplier", "supplier", "count.parts_from_supplier"),
            ("site.customer", "customer", "count.sites_of_customer"),
            ("incident.error", "error", "count.incidents_with_error"),
        ):
            for entity in self.graph.of_kind(kind, pool):
                facts = [f for f in self.graph.pointing_at(entity.entity_id, relation) if f.holds(END)]
                yield from self._counted(pool, rng, key, facts, {kind: entity.name}, len(facts))

    def _incidents_at_sites(self, pool: Pool, rng: random.Random) -> Iterator[Question]:
        for site in self.graph.of_kind("site", pool):
            for year in (2024, 2025):
                here = [f for f in self.graph.pointing_at(site.entity_id, "incident.site") if f.valid_from.year == year]
                dates = [d for f in here for d in self.graph.history(f.subject_id, "incident.date")]
                names = {"site": site.name, "year": str(year)}
                yield from self._counted(pool, rng, "count.incidents_at_site", [*here, *dates], names, len(here))
                minutes = [d for f in here for d in self.graph.history(f.subject_id, "incident.downtime")]
                total = round(sum(d.number or 0 for d in minutes))
                yield from self._counted(pool, rng, "sum.downtime_at_site", [*here, *minutes, *dates], names, total)

    def _counted(
        self, pool: Pool, rng: random.Random, key: str, facts: list[Fact], names: dict[str, str], amount: int
    ) -> Iterator[Question]:
        form = self._form(rng, key, "question", pool)
        if form is None or len(facts) < 2 or not all(self.ledger.readable(f.fact_id, STAFF, END) for f in facts):
            return
        word = (_WORDS[amount],) if amount < len(_WORDS) else ()
        answer = (str(amount), (*word, f"{amount} minutes") if key.startswith("sum") else word)
        text = self._say(form, rng, **names)
        yield from self._ask("aggregation", pool, text, facts[0], facts, answer=answer, hops=len(facts))

    def _unanswerable(self, pool: Pool, rng: random.Random) -> Iterator[Question]:
        for fact in self.graph:
            if fact.fact_id in self.withheld and self._pool(fact) == pool and fact.valid_to is None:
                current = self.graph.at(fact.subject_id, fact.relation, END)
                form = self._form(rng, fact.relation, "question", pool)
                if form and current is fact and not self.graph.history(fact.subject_id, fact.relation)[:-1]:
                    text = self._say(form, rng, subject=self._subject(fact))
                    yield self._make("unanswerable", pool, text, value="", relation=fact.relation, note="withheld")
        for key in sorted({f.relation for f in self.pack.families if f.relation.startswith("absent.")}):
            subjects = self.graph.of_kind(key.split(".")[1], pool)
            for entity in rng.sample(subjects, min(2, len(subjects))):
                form = self._form(rng, key, "question", pool)
                if form:
                    text = self._say(form, rng, subject=entity.name)
                    yield self._make("unanswerable", pool, text, value="", relation=key, note="never recorded")
        for relation in ("incident.downtime", "rma.disposition", "error.meaning", "part.torque"):
            form = self._form(rng, relation, "question", pool)
            if form:
                text = self._say(form, rng, subject=self._nobody(relation, pool, rng))
                yield self._make("unanswerable", pool, text, value="", relation=relation, note="no such thing")

    def _adversarial(self, pool: Pool, rng: random.Random) -> Iterator[Question]:
        for fact in self._current(pool):
            form = self._form(rng, fact.relation, "premise", pool)
            rivals = [f for f in self._current(pool) if f.relation == fact.relation and f.value != fact.value]
            if form and rivals and "staff" in fact.groups and rng.random() < 0.5:
                text = self._say(form, rng, subject=self._subject(fact), wrong=rng.choice(rivals).value)
                yield from self._ask("adversarial", pool, text, fact, [fact], note="false premise")
        for fact in self._current(pool):
            twin = self._twin(self.graph.entities[fact.subject_id])
            if twin and "staff" in fact.groups and fact.relation in {"error.meaning", "error.action", "part.torque"}:
                form = self._form(rng, fact.relation, "question", pool)
                if form:
                    text = self._say(form, rng, subject=self._subject(fact))
                    yield from self._ask("adversarial", pool, text, fact, [fact], note=f"easily read as {twin.name}")

    # Helpers

    def _current(self, pool: Pool) -> Iterator[Fact]:
        for fact in self.graph:
            groups = STAFF if "staff" in fact.groups else fact.groups
            if self._pool(fact) == pool and fact.holds(END) and self.ledger.readable(fact.fact_id, groups, END):
                yield fact

    def _pool(self, fact: Fact) -> Pool:
        return self.graph.entities[fact.subject_id].pool

    def _subject(self, fact: Fact) -> str:
        return self.graph.entities[fact.subject_id].name

    def _twin(self, entity: Entity) -> Entity | None:
        digits = sorted(entity.details.get("id", ""))
        for other in self.graph.of_kind(entity.kind):
            if other is not entity and sorted(other.details.get("id", "")) == digits:
                return other
        return None

    def _nobody(self, relation: str, pool: Pool, rng: random.Random) -> str:
        known = self.graph.of_kind(ONTOLOGY.relations[relation].subject, pool)
        taken = {e.details.get("id") for e in self.graph.entities.values()}
        model = rng.choice(known)
        while True:
            identifier = "".join(str(rng.randint(0, 9)) if c.isdigit() else c for c in model.details["id"])
            if identifier not in taken:
                return model.name.replace(model.details["id"], identifier)

    def _chain(self, rng: random.Random, first: Fact, hops: int) -> list[Fact] | None:
        chain = [first]
        while len(chain) < hops:
            here = chain[-1].object_id
            if here is None:
                return None
            last = len(chain) == hops - 1
            kind = self.graph.entities[here].kind
            onward: list[Relation] = [r for r in ONTOLOGY.about(kind) if "staff" in r.groups and (last or r.object)]
            steps = [f for r in onward for f in [self.graph.at(here, r.name, END)] if f is not None]
            steps = [f for f in steps if self.ledger.readable(f.fact_id, STAFF, END)]
            if not steps:
                return None
            chain.append(rng.choice(steps))
        visited = [chain[0].subject_id, *(f.object_id for f in chain if f.object_id)]
        return chain if len(set(visited)) == len(visited) else None

    def _chained(self, rng: random.Random, chain: list[Fact], pool: Pool) -> str | None:
        phrase = self._subject(chain[0])
        for fact in chain[:-1]:
            form = self._form(rng, fact.relation, "noun_phrase", pool)
            if form is None:
                return None
            phrase = fill(form, rng, {"subject": phrase})
        form = self._form(rng, chain[-1].relation, "question", pool)
        return self._say(form, rng, subject=phrase) if form else None

    def _forms(self, relation: str, kind: Kind, pool: Pool) -> list[str]:
        return [form for family in self.pack.family(relation, kind, pool) for form in family.forms]

    def _form(self, rng: random.Random, relation: str, kind: Kind, pool: Pool) -> str | None:
        forms = self._forms(relation, kind, pool)
        return rng.choice(forms) if forms else None

    def _say(self, form: str, rng: random.Random, **values: str) -> str:
        text = fill(form, rng, values).strip()
        return text[:1].upper() + text[1:]

    def _ask(
        self,
        type_: Type,
        pool: Pool,
        text: str,
        fact: Fact,
        facts: list[Fact],
        *,
        groups: tuple[str, ...] = STAFF,
        as_of: date = END,
        answer: tuple[str, tuple[str, ...]] | None = None,
        hops: int | None = None,
        note: str = "",
    ) -> Iterator[Question]:
        """A question, if each of its facts can be read in some document."""
        sources = [self.ledger.readable(f.fact_id, groups, as_of) for f in facts]
        if all(sources):
            value, aliases = answer or (fact.value, fact.aliases)
            evidence = tuple((s.doc_id, s.start, s.end) for found in sources for s in found)
            yield self._make(
                type_,
                pool,
                text,
                value=value,
                aliases=aliases,
                facts=tuple(f.fact_id for f in facts),
                documents=tuple(sorted({doc_id for doc_id, _, _ in evidence})),
                evidence=evidence,
                hops=hops or len(facts),
                relation=fact.relation,
                groups=groups,
                as_of=as_of,
                note=note,
            )

    def _make(self, type_: Type, pool: Pool, text: str, *, value: str, relation: str, **more: Any) -> Question:
        self._number[pool] += 1
        return Question(
            question_id=f"{pool}-{self.cell}-{self._number[pool]:05d}",
            split=pool,
            type=type_,
            text=text,
            value=value,
            relation=relation,
            cost_if_wrong=_COST.get(relation, DEFAULT_COST),
            **more,
        )
