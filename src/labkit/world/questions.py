"""What a question is, what an answer to it is graded by, and where documents state the facts it asks for.

This module knows nothing about how questions are thought up (``asker``, ``wide``, ``arcs``).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Literal

from labkit.world.chance import END

Type = Literal[
    "single_hop", "multi_hop", "comparison", "aggregation", "time", "global", "unanswerable", "adversarial", "forbidden"
]
STAFF = ("staff",)
DEFAULT_COST = 120.0
"""EUR a wrong answer costs unless it is about something dearer."""


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
