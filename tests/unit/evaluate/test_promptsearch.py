"""A race finds what is clearly better, keeps to its budget, and a gain is told on test only."""

import random
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import InputError
from labkit.evaluate.promptsearch import Example, bootstrapped, candidates, gain_on_test, race
from labkit.world.questions import Question

TOLD = {"plain": "Answer.", "brief": "Answer in one sentence.", "careful": "Answer from the documents only."}
EXAMPLES = [Example(f"Question {n}?", "Some {passage}.\n# user", f"Answer {n}.") for n in range(3)]


def questions(n, split="dev"):
    return [Question(f"{split}-{i}", split, "single_hop", "?", "v", as_of=date(2025, 1, 1)) for i in range(n)]


class Chance:
    """Answers rightly with a probability per candidate, the same for the same question."""

    def __init__(self, **shares):
        self.shares, self.asked = shares, []

    def __call__(self, candidate, asked):
        self.asked += [(candidate.name, question.question_id) for question in asked]
        share = self.shares[candidate.prompt.name.rsplit("_", 1)[0]]
        return [random.Random(f"{candidate.name}{q.question_id}").random() < share for q in asked]


def test_all_combinations_with_hashed_versions():
    found = candidates(TOLD, [1, 3], EXAMPLES, shots=[0, 2])
    assert len(found) == 12 == len({candidate.name for candidate in found})
    messages = found[1].prompt.messages(passages="P {x}", question="Q")
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "Answer 1." in messages[1]["content"]
    assert "Answer 2." not in messages[1]["content"]
    assert "P {x}" in messages[1]["content"]


@pytest.mark.parametrize("wrong", [({}, [1], [0]), (TOLD, [], [0]), (TOLD, [1], []), (TOLD, [1], [4])])
def test_nothing_to_combine(wrong):
    told, passages, shots = wrong
    with pytest.raises(InputError):
        candidates(told, passages, EXAMPLES, shots)


def test_examples_come_from_right_answers():
    answered = [(example, number != 1) for number, example in enumerate(EXAMPLES)]
    assert set(bootstrapped(answered, 2, 1)) == {EXAMPLES[0], EXAMPLES[2]}
    with pytest.raises(InputError, match="Only 2"):
        bootstrapped(answered, 3, 1)


def test_the_best_wins_and_is_asked_most():
    entrants = candidates(TOLD, [1, 3], [])
    score = Chance(plain=0.3, brief=0.9, careful=0.2)
    winner, standings = race(entrants, questions(200), score, budget=300, seed=1)
    assert winner.prompt.name == "brief_0"
    assert standings[0].candidate == winner.name
    assert standings[0].asked == max(standing.asked for standing in standings)
    assert len(score.asked) <= 300
    assert len(set(score.asked)) == len(score.asked)  # nothing is asked twice


def test_the_baseline_wins_ties():
    winner, _ = race(candidates(TOLD, [3], []), questions(50), lambda c, q: [True] * len(q), budget=60, seed=1)
    assert winner.prompt.name == "plain_0"


@given(st.integers(1, 9), st.integers(1, 30), st.integers(0, 400))
def test_budget_and_questions_are_never_exceeded(entrants, dev, budget):
    runners = candidates({f"p{n}": "x" for n in range(entrants)}, [3], [])
    score = Chance(**{f"p{n}": 0.5 for n in range(entrants)})
    try:
        _, standings = race(runners, questions(dev), score, budget=budget, seed=1)
    except InputError:
        assert budget < 4 * entrants
        return
    assert len(score.asked) <= budget
    assert all(standing.right <= standing.asked <= dev for standing in standings)
    assert len(standings) == entrants


def test_a_gain_is_told_with_its_doubt():
    plain, brief, _ = candidates(TOLD, [3], [])
    score = Chance(plain=0.3, brief=0.6, careful=0.3)
    gain = gain_on_test(plain, brief, questions(50), questions(200, "test"), score, seed=1)
    assert gain.real
    assert gain.ci95[0] > 0
    assert gain.gain == pytest.approx(gain.winner_right - gain.baseline_right)
    none = gain_on_test(plain, plain, [], questions(200, "test"), score, seed=1)
    assert (none.gain, none.ci95, none.real) == (0, None, False)


def test_dev_questions_prove_nothing():
    plain, *_ = candidates(TOLD, [3], [])
    for test in (questions(5), []):
        with pytest.raises(InputError, match="test questions"):
            gain_on_test(plain, plain, questions(5), test, Chance(plain=1), seed=1)
