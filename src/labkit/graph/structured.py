"""Answers by looking up and reckoning: comparisons, counts, sums, and what held on a day, without a language model.

*Which came later, INC-2031 or INC-8830?* takes two facts and a comparison of their numbers. The chain model says which
relation is asked for; the graph gives the facts the asker may see on the day he asks as of; the passages that state
them are the citations. Where the graph lacks a fact it would have to reckon with, nothing is answered but the reason:
a sum with a part missing is a wrong sum.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import Literal, NamedTuple

from labkit.graph.chains import Array
from labkit.graph.graph import Fact, Graph
from labkit.graph.route import NAMED, Chains, Meant, comparable, compared, meant, period, without_names
from labkit.graph.schema import Relation, Schema
from labkit.graph.tables import Entity
from labkit.graph.values import days
from labkit.retrieve.rewrite import asked_day
from labkit.schema import RequestContext

SURE = 0.4
"""Probability of the likeliest chain below which it is left open what is asked for."""

_FINER = re.compile(
    r"\bq[1-4]\b|\b(?:quarter|half|week|(?:this|last|past|previous) (?:month|days|months|years))\b", re.IGNORECASE
)
_LESS = (
    "less shorter shortest smaller smallest earlier earliest first before lighter lightest cheaper cheapest fewer "
    "fewest lower lowest least sooner soonest older oldest weaker weakest narrower precede precedes prior"
)
_MORE = (
    "more most longer longest larger largest greater greatest bigger biggest higher highest later latest last after "
    "newer newest younger youngest heavier heaviest stronger dearer recent"
)
_FAST, _SLOW = "faster fastest quicker quickest", "slower slowest"
_DIRECTION = re.compile(rf"\b(?:{'|'.join(f'{_LESS} {_MORE} {_FAST} {_SLOW}'.split())})\b", re.IGNORECASE)
_OFTEN = re.compile(r"\b(?:often|oftener|frequently|frequent)\b", re.IGNORECASE)
_BEGUN = re.compile(r"\b(?:order|start|plan|book)(?:ed)?\W+(?:the )?(?:earlier|sooner|first|before)\b", re.IGNORECASE)
_LASTED = re.compile(
    r"\b(?:has|have) been\b.*\b(?:longer|longest|shorter|shortest|less time|more time)\b", re.IGNORECASE
)
_DURATION = re.compile(r"(?<!per )\b(?:seconds?|minutes?|hours?|days?|weeks?|months?)\b")
_EITHER = re.compile(r"\b(?:or|than|versus|vs|between)\b", re.IGNORECASE)
_HOW_LONG = re.compile(r"\bhow (?:long|much)\b", re.IGNORECASE)

Shape = Literal["comparison", "count", "sum", "value"]


@dataclass(frozen=True, slots=True)
class Computed:
    """An answer, or why there is none.

    Attributes:
        shape: what kind of question it was taken for.
        value: the answer; '' where there is none.
        why: what it was reckoned from, to be read (*INC-1: 12 minutes, INC-2: 34 minutes*), or what was missing.
        number: the answer as a number, of a day the ordinal; None where it is a name or words.
        facts: those used, with the statements the asker may see.
        chunk_ids: passages that state them, each once: one passage of every fact first.
        relation: what was looked up.
        probability: that this is what the question asks for, by the chain model.
    """

    shape: Shape
    value: str
    why: str
    number: float | None = None
    facts: tuple[Fact, ...] = ()
    chunk_ids: tuple[str, ...] = ()
    relation: str = ""
    probability: float = 0.0


class _Asked(NamedTuple):
    """A question: its own words without names, its token states, what it names, who asks."""

    text: str
    states: Array
    named: Sequence[Entity]
    ctx: RequestContext


class Structured:
    """Answers questions by the facts of a graph.

    Args:
        graph: the facts.
        chains: scores chains for a question.
    """

    def __init__(self, graph: Graph, chains: Chains) -> None:
        self._graph, self._chains = graph, chains
        self._schema = graph.schema

    def answer(self, question: str, states: Array, ctx: RequestContext) -> Computed:
        """What the facts give for a question.

        Args:
            question: as asked.
            states: its token states, float32 (tokens, d).
            ctx: who asks; only facts stated where the asker may read, and in force on the day, are used.

        Raises:
            RequestError: the asker left, or time ran out.
        """
        ctx.check()
        text = without_names(question, self._graph.names)
        asked = _Asked(text, states, self._graph.linked(question, ctx)[:NAMED], ctx)
        if rivals := compared(asked.named):
            return self._compared(asked, rivals)
        if _DIRECTION.search(text) and _EITHER.search(text):
            return Computed("comparison", "", "Of what is to be compared, the graph knows one thing at most.")
        dated = bool(asked_day(text) or days(text))
        best = meant(text, asked.named, states, self._schema, self._chains, as_of=dated)
        if best is None:
            return Computed("value", "", "The question names nothing the graph knows.")
        if best.probability < SURE:
            return Computed("value", "", "What is asked is not clear.", probability=best.probability)
        if best.steps[0] in self._schema.tallies:
            return self._tallied(asked, best)
        return self._followed(asked, best)

    def _compared(self, asked: _Asked, rivals: Sequence[Entity]) -> Computed:
        kind = rivals[0].kind
        found = comparable(asked.states, kind, self._schema, self._chains)
        if found is None or found[1] < SURE:
            return Computed("comparison", "", f"By what each {kind} is to be compared is not clear.")
        name, probability = found
        nothing = Computed("comparison", "", "", relation=name, probability=probability)
        ctx = self._as_of(asked, name)
        facts, missing = self._numbers([entity.entity_id for entity in rivals], name, ctx)
        if missing:
            return replace(nothing, why=self._not_recorded(name, missing, ctx))
        numbers = {entity_id: _number(fact) for entity_id, fact in facts.items()}
        choose = min if asks_for_less(asked.text, self._schema.relation[name]) else max
        best = choose(numbers, key=numbers.__getitem__)
        why = ", ".join(f"{self._called(entity_id, ctx)}: {_value(fact)}" for entity_id, fact in facts.items())
        if list(numbers.values()).count(numbers[best]) > 1:
            return replace(nothing, why=f"They are equal ({why}).")
        return _answered(nothing, self._called(best, ctx), None, facts.values(), why)

    def _tallied(self, asked: _Asked, best: Meant) -> Computed:
        step = tally(asked.text, best.steps[0], self._schema)
        shape: Shape = "sum" if step.startswith("sum ") else "count"
        by, counted = self._schema.tallies[step], step.split(" ", 1)[1]
        kind = self._schema.relation[by].subject
        nothing = Computed(shape, "", "", relation=counted, probability=best.probability)
        as_of = asked_day(asked.text)
        if _FINER.search(asked.text) and as_of is None:
            return replace(nothing, why="Times are told apart by days, months and years only.")
        ctx = _earlier(asked.ctx, as_of)
        pointing = self._graph.pointing_at(best.entity.entity_id, ctx)
        things = {fact.subject_id: [fact] for fact in pointing if fact.relation == by}
        for other in asked.named:
            if other.entity_id != best.entity.entity_id:
                names = self._schema.between.get((kind, other.kind), [])
                if not names:
                    return replace(nothing, why=f"Nothing says how a {kind} and a {other.kind} belong together.")
                also = {f.subject_id: f for f in self._graph.pointing_at(other.entity_id, ctx) if f.relation in names}
                things = {thing: [*facts, also[thing]] for thing, facts in things.items() if thing in also}
        if as_of is None and (span := period(asked.text, ctx.as_of)):
            name = next((n for n, r in self._schema.relation.items() if (r.subject, r.value) == (kind, "day")), "")
            if not name:
                return replace(nothing, why=f"No day is recorded of a {kind}.")
            dated, missing = self._numbers(things, name, ctx)
            if missing:
                return replace(nothing, why=self._not_recorded(name, missing, ctx))
            within = [
                thing for thing, day in dated.items() if span.first.toordinal() <= _number(day) <= span.last.toordinal()
            ]
            things = {thing: [*things[thing], dated[thing]] for thing in within}
        if not things:
            return replace(nothing, why=f"No such {kind} is recorded.")
        if shape == "count":
            why = ", ".join(self._called(thing, ctx) for thing in things)
            return _answered(nothing, str(len(things)), len(things), chain.from_iterable(things.values()), why)
        parts, missing = self._numbers(things, counted, ctx)
        if missing:
            return replace(nothing, why=self._not_recorded(counted, missing, ctx))
        total = sum(_number(part) for part in parts.values())
        why = ", ".join(f"{self._called(thing, ctx)}: {_value(part)}" for thing, part in parts.items())
        facts = [fact for thing in things for fact in (*things[thing], parts[thing])]
        return _answered(nothing, f"{_plain(total)} {self._schema.relation[counted].units[0]}", total, facts, why)

    def _followed(self, asked: _Asked, best: Meant) -> Computed:
        """What the chain leads to; where a relation has several, all that any of them leads to."""
        here, used, why = [best.entity.entity_id], list[Fact](), list[str]()
        held: list[Fact] = []
        for name in best.steps:
            nothing = Computed("value", "", "", relation=name, probability=best.probability)
            ctx = self._as_of(asked, name)
            held = []
            for thing in here:
                told = self._graph.holding(thing, name, ctx)
                if not told:
                    return replace(nothing, why=self._not_recorded(name, thing, ctx))
                held += told
                why.append(f"{self._label(name)} of {self._called(thing, ctx)}: {_list(told)}")
            used += held
            here = list(dict.fromkeys(fact.object_id for fact in held))
        number = held[0].statements[0].number if len(held) == 1 else None
        return _answered(nothing, _list(held), number, used, "; ".join(why))

    def _numbers(self, things: Iterable[str], relation: str, ctx: RequestContext) -> tuple[dict[str, Fact], str]:
        """Thing → what holds of it, a number or a day; and the first thing of which none is known, or ''."""
        found: dict[str, Fact] = {}
        for thing in things:
            told = self._graph.told(thing, ctx).get(relation)
            if not told or told[0].statements[0].number is None:
                return found, thing
            found[thing] = told[0]
        return found, ""

    def _as_of(self, asked: _Asked, relation: str) -> RequestContext:
        """The context for what changes: as of the day the question states, where that is before the asker's own.

        The asker's day is what he may know, and no question asks past it. What never changes is true on every day, so
        a later document may tell it. Of a time longer than a day its last day counts.
        """
        if not self._schema.relation[relation].changes:
            return asked.ctx
        time = period(asked.text, asked.ctx.as_of)
        return _earlier(asked.ctx, asked_day(asked.text) or (time.last if time else None))

    def _not_recorded(self, relation: str, thing: str, ctx: RequestContext) -> str:
        return f"{self._label(relation)} of {self._called(thing, ctx)} is not recorded."

    def _label(self, relation: str) -> str:
        return self._schema.relation[relation].labels[0]

    def _called(self, thing: str, ctx: RequestContext) -> str:
        """A name of a thing that stands in a passage the asker may see."""
        return self._graph.name_of(thing, ctx) or f"one {self._graph.entities[thing].kind}"


def tally(text: str, step: str, schema: Schema) -> str:
    """The step that counts or adds up: *how long* asks for a sum, where there is one over the same things."""
    by = schema.tallies[step]
    sums = [other for other in schema.tallies if other.startswith("sum ") and schema.tallies[other] == by]
    return sums[0] if sums and _HOW_LONG.search(text) else step


def asks_for_less(text: str, relation: Relation) -> bool:
    """Whether a comparison asks for the smaller number, the earlier day; its first word of comparison decides.

    What takes longer is slower, comes less often, and has to be begun earlier; what has been so for longer began
    earlier.
    """
    match = _DIRECTION.search(text)
    word = match[0].lower() if match else ""
    day = relation.value == "day"
    lasts = not day and any(_DURATION.search(unit) for unit in relation.units)
    turned = _LASTED.search(text) if day else lasts and (_OFTEN.search(text) or _BEGUN.search(text))
    less = word in _LESS.split() or word in (_FAST if lasts or day else _SLOW).split()
    return less != bool(turned)


def _earlier(ctx: RequestContext, day: date | None) -> RequestContext:
    return replace(ctx, as_of=day) if day is not None and day < ctx.as_of else ctx


def _answered(nothing: Computed, value: str, number: float | None, facts: Iterable[Fact], why: str) -> Computed:
    used = tuple(facts)
    first = [fact.statements[0].chunk_id for fact in used]
    cited = dict.fromkeys([*first, *(statement.chunk_id for fact in used for statement in fact.statements)])
    return replace(nothing, value=value, why=why, number=number, facts=used, chunk_ids=tuple(cited))


def _number(fact: Fact) -> float:
    number = fact.statements[0].number
    assert number is not None  # _numbers leaves others out
    return number


def _value(fact: Fact) -> str:
    """As most of the statements the asker may see write it, of those that do it as often the first."""
    return Counter(statement.value for statement in fact.statements).most_common(1)[0][0]


def _list(facts: Iterable[Fact]) -> str:
    """Their values, each once."""
    return ", ".join(dict.fromkeys(map(_value, facts)))


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:.2f}".rstrip("0")
