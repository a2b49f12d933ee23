"""Two years of dated events and of the questions people would have asked the system.

Traffic follows the calendar: office hours, weekends, a lull over the holidays. In the second year its mixture shifts on
days the truth records: a new product line is asked about, then a policy change makes a topic hot. Monitors are judged
on whether they notice those days and no others.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from labkit.world.chance import END, START, stream
from labkit.world.company import EVENTS
from labkit.world.facts import FactGraph
from labkit.world.questions import Question

SHIFTS: tuple[tuple[date, date, str, tuple[str, ...], float], ...] = (
    (date(2025, 4, 7), date(2025, 6, 30), "new product line", ("product", "firmware"), 4.0),
    (date(2025, 9, 1), date(2025, 10, 15), "policy change", ("policy", "person"), 5.0),
)
"""(first day, last day, cause, kinds of question, how many times as often they are asked)."""
LULL = ((12, 20), (1, 3))
"""The holidays, from (month, day) to (month, day): less traffic, the same mixture."""
_KINDS_OF_USER = (("night support", 0.3), ("field technician", 0.3), ("account manager", 0.2), ("engineer", 0.2))


def events(graph: FactGraph) -> Iterator[dict[str, Any]]:
    """Everything that happened on a day, in order: incidents, changes, releases, returns, shipments, new values."""
    rows = []
    for fact in graph:
        subject = graph.entities[fact.subject_id]
        if subject.kind in EVENTS and fact is graph.history(fact.subject_id, fact.relation)[0]:
            rows.append((fact.valid_from, subject.kind, subject.entity_id, fact.relation, fact.value))
        elif fact.valid_from > START and len(graph.history(fact.subject_id, fact.relation)) > 1:
            rows.append((fact.valid_from, "changed", subject.entity_id, fact.relation, fact.value))
    for day, kind, entity_id, relation, value in sorted(rows):
        yield {"date": day.isoformat(), "event": kind, "entity_id": entity_id, "relation": relation, "value": value}


def traffic(questions: Sequence[Question], per_day: float, seed: int, cell: int) -> Iterator[dict[str, Any]]:
    """Queries over the two years, about ``per_day`` on a working day; asked only once their evidence could exist."""
    rng = stream(seed, "traffic", cell)
    askable = [q for q in questions if q.type not in {"time", "global"}]
    if not askable:
        return
    kinds = [q.relation.split(".")[1 if q.relation.startswith("absent.") else 0] for q in askable]
    for day in (START + timedelta(days=n) for n in range((END - START).days + 1)):
        shift = next((s for s in SHIFTS if s[0] <= day <= s[1]), None)
        weights = [shift[4] if shift and kind in shift[3] else 1.0 for kind in kinds]
        for question in rng.choices(askable, weights, k=_volume(day, per_day, rng)):
            yield {
                "time": _moment(day, rng).isoformat(),
                "user": rng.choices([u for u, _ in _KINDS_OF_USER], [w for _, w in _KINDS_OF_USER])[0],
                "groups": list(question.groups),
                "question_id": question.question_id,
                "text": question.text,
                "shift": shift[2] if shift else "",
            }


def _volume(day: date, per_day: float, rng: random.Random) -> int:
    expected = per_day * (0.25 if day.weekday() >= 5 else 1.0)
    if (day.month, day.day) >= LULL[0] or (day.month, day.day) <= LULL[1]:
        expected *= 0.2
    whole, part = divmod(expected * rng.uniform(0.7, 1.3), 1)
    return int(whole) + (rng.random() < part)


def _moment(day: date, rng: random.Random) -> datetime:
    hour = rng.choices(range(24), [1] * 6 + [4] * 12 + [2] * 6)[0]
    return datetime.combine(day, time(hour, rng.randint(0, 59), rng.randint(0, 59)))
