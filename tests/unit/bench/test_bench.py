"""The benchmark interface: one format, fair samples, clear errors."""

import json
from datetime import date

import pytest

from labkit.bench import BENCHES, BenchResult, Figure, Options, run
from labkit.bench.answer import figures, sample
from labkit.errors import BenchError
from labkit.evaluate.grading import Grade
from labkit.settings import Settings
from labkit.world.questions import Question


def questions(**counts):
    return [
        Question(f"{kind}-{n:03d}", "test", kind, "?", "v", as_of=date(2025, 12, 31))
        for kind, count in counts.items()
        for n in range(count)
    ]


def graded(right, *, answerable=True, abstained=False, kind="single_hop", lost=0.0):
    value = right and answerable
    return Grade("q", kind, answerable, abstained, value, value, lost, 0.5)


def test_sample_is_even_over_types_and_seeded():
    pool = questions(single_hop=100, time=5, multi_hop=40)
    chosen = sample(pool, 35, seed=3)
    kinds = [q.type for q in chosen]
    assert kinds.count("time") == 5
    assert abs(kinds.count("single_hop") - kinds.count("multi_hop")) <= 1
    assert chosen == sample(pool, 35, seed=3)
    assert chosen != sample(pool, 35, seed=4)


def test_sample_gives_all_there_is():
    assert len(sample(questions(single_hop=3), 50, seed=1)) == 3


def test_figures_add_up():
    grades = [
        graded(True), graded(False, lost=120.0), graded(True, answerable=False, abstained=True, kind="unanswerable"),
        graded(False, abstained=True, lost=15.0),
    ]  # fmt: skip
    found = figures(grades, seed=1)
    assert found["answers_right"].value == 0.5
    assert found["value_correct"].value == pytest.approx(1 / 3)
    assert found["abstention_precision"].value == 0.5
    assert found["abstention_recall"].value == 1.0
    assert found["money_lost_per_100"].value == pytest.approx(135 * 25)
    assert found["right_unanswerable"].value == 1.0


def test_a_share_of_nothing_is_skipped_not_zero():
    found = figures([graded(True)], seed=1)
    assert found["abstention_recall"].value is None
    assert found["abstention_recall"].status.startswith("skipped")


def test_result_round_trips_and_names_the_machine(tmp_path):
    result = BenchResult(bench="answer", profile="ci", seed=7, figures={"x": Figure(value=0.5, n=2, ci95=(0.1, 0.9))})
    result.write(tmp_path / "r.json")
    row = json.loads((tmp_path / "r.json").read_text())
    assert row["schema"] == 1
    assert row["figures"]["x"]["ci95"] == [0.1, 0.9]
    assert row["machine"]["cores"] >= 1
    assert BenchResult.model_validate(row) == result


def test_an_unknown_benchmark_lists_the_known_ones():
    with pytest.raises(BenchError, match="answer"):
        run("speed", Options(Settings(), "ci", 7))


def test_every_listed_benchmark_has_its_module():
    from importlib import import_module

    assert all(callable(import_module(f"labkit.bench.{name}").run) for name in BENCHES)
