"""The simulation that judges the gate: noise, planted drops, and that neither is mistaken for the other."""

import random

import pytest

from labkit.bench.gate import SEEDS, Outcomes, quoted, run, simulate
from labkit.bench.registry import Options
from labkit.errors import BenchError
from labkit.evaluate.grading import Grade
from labkit.pipeline.select import Passage
from labkit.retrieve.text import sentences
from labkit.schema import Chunk
from labkit.settings import Settings


def outcomes(*rights, cost=120.0):
    grades = tuple(
        Grade("q", "single_hop", True, False, right, right, 0.0 if right else cost, 0.0)
        for right in rights
    )  # fmt: skip
    return Outcomes(grades, cost)


SURE = {"single_hop": [outcomes(*[True] * SEEDS), outcomes(*[False] * SEEDS)]}
NOISY = {"single_hop": [outcomes(*[n % 2 == 0 for n in range(SEEDS)]), outcomes(*[False] * SEEDS)]}
TYPES = ["single_hop"] * 600


def stopped(*args, **more):
    return sum(row["stopped"] for row in simulate(*args, **more))


def test_a_system_without_noise_raises_no_alarm_and_hides_no_drop():
    assert stopped(SURE, TYPES, 0.0, 10, 1) == 0
    assert stopped(SURE, TYPES, 0.05, 10, 1) == 10


def test_noise_alone_is_seldom_stopped_and_a_large_drop_always():
    found = simulate(NOISY, TYPES, 0.0, 40, 1)
    assert any(row["change"] != 0 for row in found)
    assert sum(row["stopped"] for row in found) <= 6
    assert stopped(NOISY, TYPES, 0.2, 10, 1) == 10


def test_unrelated_candidates_differ_more():
    def spread(**more):
        return sum(abs(row["change"]) for row in simulate(SURE, TYPES, 0.0, 20, 1, **more))

    assert spread(independent=True) > spread() == 0


def test_more_cannot_be_spoilt_than_is_right():
    with pytest.raises(BenchError, match="Only 0 answers"):
        simulate({"single_hop": [outcomes(*[False] * SEEDS)]}, TYPES, 0.05, 1, 1)


def test_quotes_vary_with_the_seed_and_follow_closeness():
    text = "The cat sleeps on a mat. The dog guards a gate."
    chunk = Chunk(chunk_id="c", doc_id="d", source_path="p", ordinal=0, text=text, start=0, end=len(text), tokens=9,
                  content_hash="")  # fmt: skip
    passage = Passage(chunk, tuple(sentences(text)), (0.5, 0.4), 0.5)
    said = [quoted("Who waits?", [passage], random.Random(seed)).text for seed in range(60)]
    assert 30 < said.count("The cat sleeps on a mat.") < 60


def test_a_system_cannot_be_given():
    class System:
        def ask(self, question, ctx):
            raise AssertionError

    with pytest.raises(BenchError, match="--system"):
        run(Options(Settings(), "ci", 7, system=System()))
