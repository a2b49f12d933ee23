"""What a question asks of the graph, and which way it is answered: flat, along a path, by facts, or globally.

What it names, the chains of relations the chain model thinks are meant, the time it speaks of and a few words decide;
the first rule that fits does, and says why. The thresholds were chosen on dev questions of three generated worlds, the
words on phrasings written for training.
"""

from __future__ import annotations

import calendar
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import NamedTuple, Protocol

from labkit.graph.chains import Array, Chain
from labkit.graph.graph import Graph
from labkit.graph.names import Names
from labkit.graph.schema import Schema
from labkit.graph.tables import Entity
from labkit.graph.values import days
from labkit.retrieve.rewrite import asked_day
from labkit.schema import RequestContext

NAMED = 3
"""Things a question names that are looked at."""

SEVERAL = 0.4
"""Probability of chains of two and more relations from which on a path is followed."""

TALLIED = 0.6
"""Probability of the likeliest chain from which on something is counted or added up."""

DATED = 0.4
"""Probability of the likeliest chain from which on what held on a stated day is looked up."""

CHANGES = 0.2
"""Probability of chains over something that changes from which on they alone are meant as of a day."""

_EVERY = 10_000
"""More chains than begin at any kind."""

_WHOLE = re.compile(
    r"\b(?:overall|across|altogether|most|mostly|mainly|main|principal|typical|usual|usually|common|recurring|"
    r"leading|top|biggest|worst|longest|hardest|trends?|patterns?|themes?|lessons?|overview|summar\w+|summing up|"
    r"sum up|review|big picture|by and large|in general|generally|everything|kept|tended|dominated|stands? out|"
    r"weak spots?|rank)\b",
    re.IGNORECASE,
)
"""Words of who wants to know what many things have in common, or which of all stand out."""

_NUMBER_OF = re.compile(
    r"\bhow (?:many|much|often|long|frequent\w*|common|regularly)\b|\b(?:number|count\w*|times|total\w*|tally|sum\w*|"
    r"add\w*|altogether|amount|quantity|figure|occurrences|frequency|occasions|in all|once|one or)\b",
    re.IGNORECASE,
)
"""Words of who wants to know how many there are."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(rf"\b(?P<month>{'|'.join(_MONTHS)})[a-z]*\.? (?P<year>(?:19|20)\d\d)\b", re.IGNORECASE)
_YEAR = re.compile(r"(?<![\w.,/-])(?:19|20)\d\d(?![\w/-]|[.,]\d)|\b(?:this|last) year\b", re.IGNORECASE)
_LIMIT = re.compile(
    r"\b(?:(?P<since>since|from|starting)|(?P<after>after)|(?P<until>until|till|up to|by)|(?P<before>before))"
    r"\s+(?:the )?$",
    re.IGNORECASE,
)


class Way(Enum):
    """How a question can be answered."""

    FLAT = "flat"
    HOP = "hop"
    STRUCTURED = "structured"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Route:
    """The way chosen, and why, in a sentence."""

    way: Way
    why: str


class Chains(Protocol):
    """What :class:`labkit.graph.chains.ChainModel` does here."""

    def chains(self, states: Array, kind: str, n: int) -> list[Chain]:
        """The n likeliest chains from a thing of a kind, likeliest first."""


class Meant(NamedTuple):
    """A thing a question names, the steps from it to what is asked for, and how likely they are meant."""

    entity: Entity
    steps: tuple[str, ...]
    probability: float


class Span(NamedTuple):
    """The first and the last day of a time."""

    first: date
    last: date


def route(question: str, states: Array, graph: Graph, chains: Chains, ctx: RequestContext) -> Route:
    """The way for a question.

    Args:
        question: as asked.
        states: its token states, float32 (tokens, d).
        graph: says which things it names.
        chains: scores chains for it.
        ctx: who asks, as of when.
    """
    named = graph.linked(question, ctx)[:NAMED]
    text = without_names(question, graph.names)
    time = asked_day(text) or period(text, ctx.as_of)
    if not named:
        if (word := _WHOLE.search(text)) or (time and (word := _several_of(graph.schema).search(text))):
            return Route(Way.GLOBAL, f"It names no thing and speaks of many: {word[0].lower()}.")
        return Route(Way.FLAT, "It names nothing the graph knows.")
    rivals = compared(named)
    if rivals and (found := comparable(states, rivals[0].kind, graph.schema, chains)):
        return Route(Way.STRUCTURED, f"It names {len(rivals)} of kind {rivals[0].kind}, to be compared by {found[0]}.")
    best = meant(text, named, states, graph.schema, chains)
    if best is None:
        return Route(Way.FLAT, f"Nothing is recorded of a {named[0].kind}.")
    if best.steps[0] in graph.schema.tallies and best.probability >= TALLIED:
        return Route(Way.STRUCTURED, f"It asks to {best.steps[0]} ({best.probability:.2f}).")
    changing = [step for step in best.steps if (known := graph.schema.relation.get(step)) and known.changes]
    if changing and time and best.probability >= DATED:
        return Route(Way.STRUCTURED, f"It states a time, and {changing[0]} changes.")
    likely = chains.chains(states, best.entity.kind, _EVERY)
    several = sum(chain.probability for chain in likely if len(chain.steps) > 1)
    if several >= SEVERAL:
        return Route(Way.HOP, f"What it asks for is several relations away ({several:.2f}).")
    return Route(Way.FLAT, f"It asks for {best.steps[-1]} of what it names.")


def without_names(question: str, names: Names) -> str:
    """The question's own words: *First Light* asks for no smaller number, and in E-2024 is no year."""
    for name in reversed(names.find(question)):
        question = f"{question[: name.start]}…{question[name.end :]}"
    return question


def compared(named: Sequence[Entity]) -> list[Entity]:
    """The things of the first kind of which there are two or more; none where all kinds differ."""
    kinds = Counter(entity.kind for entity in named)
    kind = next((kind for kind, n in kinds.items() if n > 1), None)
    return [entity for entity in named if entity.kind == kind]


def comparable(states: Array, kind: str, schema: Schema, chains: Chains) -> tuple[str, float] | None:
    """The likeliest relation of a kind with numbers or days as its values, and its share among those."""
    found = [
        (chain.steps[0], chain.probability)
        for chain in chains.chains(states, kind, _EVERY)
        if len(chain.steps) == 1
        and (relation := schema.relation.get(chain.steps[0]))
        and relation.value in {"number", "day"}
    ]
    total = sum(probability for _, probability in found)
    return (found[0][0], found[0][1] / total) if total > 0 else None


def meant(
    text: str, named: Sequence[Entity], states: Array, schema: Schema, chains: Chains, *, as_of: bool = False
) -> Meant | None:
    """The likeliest chain of all that begin at one of the things; of equals that of the first thing.

    Things are counted only where the question has a word for it: *who holds the shares in Calder & Voss* has none.
    Who asks what held on a day asks for something that changes.

    Args:
        text: the question without its names.
        named: the things it names.
        states: its token states.
        schema: says which steps count.
        chains: scores them.
        as_of: whether it asks what held on a day; then the probability is the share among what may change.
    """
    may_count = _NUMBER_OF.search(text) is not None
    best = []
    for entity in named:
        likely: Sequence[Chain] = chains.chains(states, entity.kind, _EVERY)
        if as_of:
            likely = _changing(likely, schema)
        for chain in likely:
            if may_count or not (chain.steps[0] in schema.tallies and chain.steps[0].startswith("count ")):
                best.append(Meant(entity, *chain))
                break
    return max(best, key=lambda one: one.probability, default=None)


def _changing(likely: Sequence[Chain], schema: Schema) -> Sequence[Chain]:
    """The chains over something that changes, and those that count, with their share; all where hardly any is meant."""
    left = [
        chain for chain in likely
        if any(step in schema.tallies or schema.relation[step].changes for step in chain.steps)
    ]  # fmt: skip
    total = sum(chain.probability for chain in left)
    return [Chain(chain.steps, chain.probability / total) for chain in left] if total >= CHANGES else likely


def period(text: str, today: date) -> Span | None:
    """The time a question speaks of: a day, a month or a year, from one to another, since or before one.

    Args:
        text: the question without its names.
        today: what *this year* means.
    """
    found: list[tuple[int, int, date, date]] = []
    for value in days(text):
        day = date.fromordinal(round(value.number or 1))
        found.append((value.start, value.end, day, day))
    for match in _MONTH.finditer(text):
        if not any(start <= match.start("year") < end for start, end, _, _ in found):
            year, month = int(match["year"]), _MONTHS.index(match["month"].lower()) + 1
            length = calendar.monthrange(year, month)[1]
            found.append((*match.span(), date(year, month, 1), date(year, month, length)))
    for match in _YEAR.finditer(text):
        if not any(start <= match.start() < end for start, end, _, _ in found):
            year = int(match[0]) if match[0].isdigit() else today.year - match[0].lower().startswith("last")
            found.append((*match.span(), date(year, 1, 1), date(year, 12, 31)))
    if not found:
        return None
    start, _, first, last = min(found)
    if len(found) > 1:
        return Span(min(one[2] for one in found), max(one[3] for one in found))
    limit = _LIMIT.search(text[:start])
    if limit is None:
        return Span(first, last)
    next_to = timedelta(days=1)
    return {
        "since": Span(first, date.max), "after": Span(last + next_to, date.max),
        "until": Span(date.min, last), "before": Span(date.min, first - next_to),
    }[limit.lastgroup or ""]  # fmt: skip


def _several_of(schema: Schema) -> re.Pattern[str]:
    """The kinds of the data dictionary in the plural."""
    kinds = {*schema.kind, *(label.lower() for kind in schema.kind.values() for label in kind.labels)}
    return re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, kinds), key=len, reverse=True))})s\b", re.IGNORECASE)
