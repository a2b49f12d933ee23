"""Our per-question values average to what ranx computes."""

import random

import pytest

from labkit.errors import InputError
from labkit.evaluate.ranking import means, peer_means, ranking_rows


@pytest.mark.slow
def test_ranx_agrees():
    rng = random.Random(5)
    ids = [f"d{n}" for n in range(40)]
    gold = {f"q{n}": rng.sample(ids, rng.randint(1, 4)) for n in range(60)}
    runs = {question_id: rng.sample(ids, rng.randint(0, 30)) for question_id in gold if question_id != "q7"}
    ours = means(ranking_rows(runs, gold))
    theirs = peer_means(runs, gold)
    assert len(theirs) == 6
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, abs=1e-6)
    with pytest.raises(InputError, match="gold"):
        peer_means({}, {"q": []})
