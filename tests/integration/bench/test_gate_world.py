"""The rows that the gate is judged on are real answers to real questions, and differ by seed."""

import pytest

from labkit.bench.answer import sample
from labkit.bench.gate import SEEDS, real_outcomes, simulate
from labkit.evaluate.corpus import prepare_world, read_questions
from labkit.llm import embedder
from labkit.settings import get_settings


@pytest.mark.slow
def test_outcomes_come_from_the_world():
    settings = get_settings()
    encoder = embedder(settings)
    corpus = prepare_world(settings, encoder, seed=7, progress=False)
    asked = sample(read_questions(corpus.world, "test"), 18, 1)
    found = real_outcomes(asked, corpus, encoder, 7)
    outcomes = [outcome for group in found.values() for outcome in group]
    assert len(outcomes) == 18
    assert all(len(outcome.grades) == SEEDS and outcome.cost_if_wrong > 0 for outcome in outcomes)
    assert {g.question_id for outcome in outcomes for g in outcome.grades} == {q.question_id for q in asked}
    assert any(g.abstained for outcome in outcomes for g in outcome.grades)
    assert any(not g.abstained for outcome in outcomes for g in outcome.grades)
    rows = simulate(found, [kind for kind in found for _ in range(20)], 0.0, 2, 1)
    assert [row["pair"] for row in rows] == [0, 1]
