"""Asking one cell of the company, type by type.

Facts of the test pool are asked only with test families. A question is asked only of what its gold documents state and
its asker may read; what no document states makes the unanswerable ones. This module knows nothing about how documents
are written.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from labkit.world.chance import END, START, day_between, stream
from labkit.world.company import SHARES
from labkit.world.entries import Kind
from labkit.world.facts import Entity, Fact, FactGraph, Pool
from labkit.world.grammar import fill
from labkit.world.ontology import ONTOLOGY, Relation
from labkit.world.pack import Pack
from labkit.world.questions import DEFAULT_COST, STAFF, Ledger, Question, Type
from labkit.world.values import date_surfaces

_COST = {
    "part.torque": 4200.0, "product.payload": 3600.0, "error.action": 2900.0, "part.interval": 1800.0,
    "contract.penalty": 5200.0, "contract.response_time": 3900.0, "contract.ends": 2600.0, "lot.site": 3100.0,
    "part.supplier": 900.0, "incident.cause": 1500.0, "firmware.fixes": 1200.0, "policy.limit": 250.0,
}  # fmt: skip
"""What a wrong answer costs the company, in EUR; anything else costs DEFAULT_COST."""
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_MARGIN = timedelta(days=3)
"""A question about a past day keeps this far from the day the answer changed."""
_TAIL = 2
"""Words that may follow a long noun phrase in a question before it becomes a riddle."""
_ARTICLE = "\x02"
_BARE = re.compile(r"(^|[,:;(–—]\s*|\b(?:the|this|that|our|an?)\s+)\x02", re.IGNORECASE)


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
            first, last = max(stated, START, old.valid_from + _MARGIN), old.valid_to - _MARGIN
            if first > last:
                continue
            day = day_between(rng, first, last)
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
                text = self._say(form, rng, a=self._subject(one), b=self._subject(other), always=True)
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
                yield from self._counted(pool, rng, key, facts, {kind: _named(entity)}, len(facts), len(facts))

    def _incidents_at_sites(self, pool: Pool, rng: random.Random) -> Iterator[Question]:
        for site in self.graph.of_kind("site", pool):
            for year in (2024, 2025):
                here = [f for f in self.graph.pointing_at(site.entity_id, "incident.site") if f.valid_from.year == year]
                dates = [d for f in here for d in self.graph.history(f.subject_id, "incident.date")]
                names = {"site": _named(site), "year": str(year)}
                counted = [*here, *dates]
                yield from self._counted(pool, rng, "count.incidents_at_site", counted, names, len(here), len(here))
                minutes = [d for f in here for d in self.graph.history(f.subject_id, "incident.downtime")]
                total = round(sum(d.number or 0 for d in minutes))
                counted = [*here, *minutes, *dates]
                yield from self._counted(pool, rng, "sum.downtime_at_site", counted, names, len(here), total)

    def _counted(
        self,
        pool: Pool,
        rng: random.Random,
        key: str,
        facts: list[Fact],
        names: dict[str, str],
        things: int,
        amount: int,
    ) -> Iterator[Question]:
        form = self._form(rng, key, "question", pool)
        if form is None or things < 2 or not all(self.ledger.readable(f.fact_id, STAFF, END) for f in facts):
            return
        word = (_WORDS[amount],) if amount < len(_WORDS) else ()
        answer = (str(amount), (*word, f"{amount} minutes") if key.startswith("sum") else word)
        text = self._say(form, rng, always=False, **names)
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
                    text = self._say(form, rng, subject=_named(entity))
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
        return _named(self.graph.entities[fact.subject_id])

    def _twin(self, entity: Entity) -> Entity | None:
        digits = sorted(entity.details.get("id", ""))
        for other in self.graph.of_kind(entity.kind, entity.pool):
            if other is not entity and sorted(other.details.get("id", "")) == digits:
                return other
        return None

    def _nobody(self, relation: str, pool: Pool, rng: random.Random) -> str:
        known = self.graph.of_kind(ONTOLOGY.relations[relation].subject, pool)
        taken = {e.details.get("id") for e in self.graph.entities.values()}
        model = rng.choice(known)
        own = model.details["id"]
        kept = len(own) - len(str(self.cell)) if self.cell else len(own)  # the cell's own digits say whose it is
        while True:
            drawn = "".join(str(rng.randint(1, 9)) if c.isdigit() else c for c in own[:kept]) + own[kept:]
            if drawn not in taken:
                return _named(model).replace(own, drawn)

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
        """The question of a chain, in phrases that end with what they are about, so that they can be nested."""
        phrase = self._subject(chain[0])
        for depth, fact in enumerate(chain[:-1]):
            form = self._short(rng, fact.relation, "noun_phrase", pool, shortest=True, tail=0 if depth else _TAIL)
            if form is None:
                return None
            phrase = self._settled(fill(form, rng, {"subject": phrase}))
        form = self._short(rng, chain[-1].relation, "question", pool, shortest=len(chain) > 2, tail=_TAIL)
        return self._say(form, rng, subject=phrase) if form else None

    def _short(
        self, rng: random.Random, relation: str, kind: Kind, pool: Pool, *, shortest: bool, tail: int
    ) -> str | None:
        """A form with at most ``tail`` words after its subject, or as few as there are."""
        forms = self._forms(relation, kind, pool)
        tails = {form: len(re.findall(r"\w+", form.rpartition("{subject}")[2])) for form in forms}
        most = min([tail, *tails.values()]) if shortest else tail
        short = [form for form in forms if tails[form] <= most]
        return rng.choice(short) if short else None

    def _forms(self, relation: str, kind: Kind, pool: Pool) -> list[str]:
        return [form for family in self.pack.family(relation, kind, pool) for form in family.forms]

    def _form(self, rng: random.Random, relation: str, kind: Kind, pool: Pool) -> str | None:
        forms = self._forms(relation, kind, pool)
        return rng.choice(forms) if forms else None

    def _say(self, form: str, rng: random.Random, *, always: bool = False, **values: str) -> str:
        text = self._settled(fill(form, rng, values), always=always).strip()
        return text[:1].upper() + text[1:]

    def _settled(self, text: str, *, always: bool = False) -> str:
        """Names that take an article get one, except where a form has its own or begins like a note."""
        return (text if always else _BARE.sub(r"\1", text)).replace(_ARTICLE, "the ")

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


def _named(entity: Entity) -> str:
    """A name as a question uses it; products and parts take an article."""
    return f"{_ARTICLE}{entity.name}" if entity.kind in {"product", "part"} else entity.name
