"""The calendar of questions, and the events of two years."""

from collections import Counter
from datetime import date, datetime

import pytest

from labkit.world.chance import END, START
from labkit.world.facts import FactGraph
from labkit.world.questions import Question
from labkit.world.traffic import SHIFTS, events, traffic


@pytest.fixture(scope="module")
def asked() -> list[dict[str, str]]:
    relations = ("part.torque", "product.payload", "policy.limit", "site.city", "person.role", "lot.site")
    questions = [
        Question(f"q{n}", "train", "single_hop", f"Q{n}?", "v", relation=relation)
        for n, relation in enumerate(relations)
    ]
    late = [Question("t", "train", "time", "When?", "v"), Question("g", "train", "global", "All?", "v")]
    return list(traffic([*questions, *late], 20.0, seed=1, cell=0))


def days(rows: list[dict[str, str]]) -> Counter[date]:
    return Counter(datetime.fromisoformat(row["time"]).date() for row in rows)


def test_same_seed_same_traffic(asked: list[dict[str, str]]):
    question = [Question("q", "train", "single_hop", "Q?", "v", relation="part.torque")]
    assert list(traffic(question, 3.0, 1, 0)) == list(traffic(question, 3.0, 1, 0))
    assert list(traffic(question, 3.0, 1, 0)) != list(traffic(question, 3.0, 2, 0))


def test_it_fills_the_two_years_and_nothing_else(asked: list[dict[str, str]]):
    per_day = days(asked)
    assert min(per_day) >= START
    assert max(per_day) <= END
    assert len(per_day) > 650


def test_weekends_and_holidays_are_quiet(asked: list[dict[str, str]]):
    per_day = days(asked)
    weekday = [
        n for day, n in per_day.items() if day.weekday() < 5 and (day.month, day.day) < (12, 20) and day.month > 1
    ]
    weekend = [n for day, n in per_day.items() if day.weekday() >= 5 and day.month in range(2, 12)]
    lull = [n for day, n in per_day.items() if day.weekday() < 5 and (day.month, day.day) >= (12, 20)]
    assert sum(weekend) / len(weekend) < 0.5 * sum(weekday) / len(weekday)
    assert sum(lull) / len(lull) < 0.4 * sum(weekday) / len(weekday)


def test_shifts_change_the_mixture_on_their_days_only(asked: list[dict[str, str]]):
    for first, last, cause, kinds, _ in SHIFTS:
        inside = [r for r in asked if first.isoformat() <= r["time"][:10] <= last.isoformat()]
        outside = [r for r in asked if r["shift"] == ""]
        assert {r["shift"] for r in inside} == {cause}
        topics = {"q1": "product", "q2": "policy", "q4": "person"}

        def share(rows: list[dict[str, str]], kinds: tuple[str, ...] = kinds, topics: dict[str, str] = topics) -> float:
            return sum(topics.get(r["question_id"]) in kinds for r in rows) / len(rows)

        assert share(inside) > 1.4 * share(outside)


def test_questions_bound_to_a_day_or_to_everything_are_not_asked(asked: list[dict[str, str]]):
    assert not {"t", "g"} & {row["question_id"] for row in asked}


def test_nothing_to_ask_is_no_traffic():
    assert list(traffic([], 5.0, 1, 0)) == []


def test_events_are_dated_sorted_and_include_changes(graph: FactGraph):
    rows = list(events(graph))
    assert [r["date"] for r in rows] == sorted(r["date"] for r in rows)
    assert {"incident", "changed", "firmware"} <= {r["event"] for r in rows}
    assert all(START.isoformat() <= r["date"] <= END.isoformat() for r in rows)
