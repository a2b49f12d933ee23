"""Kappa by hand and beside scikit-learn's; the undecided are counted against the judge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from labkit.errors import InputError
from labkit.evaluate.agreement import UNDECIDED, agreement, kappa

HAND = ["yes"] * 25 + ["no"] * 25
JUDGE = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15


def test_the_textbook_example():
    found = agreement(HAND, JUDGE)
    assert found.agree == 0.7
    assert found.kappa == pytest.approx(0.4)
    assert found.ci95[0] < 0.4 < found.ci95[1]
    assert found.table == {"no": {"no": 15, "yes": 10}, "yes": {"no": 5, "yes": 20}}
    yes = {label.label: label for label in found.labels}["yes"]
    assert (yes.precision, yes.recall) == (pytest.approx(2 / 3), 0.8)


def test_a_judge_that_always_says_the_same_is_worth_nothing():
    assert agreement(HAND, ["yes"] * 50).kappa == 0
    assert agreement(HAND, HAND).kappa == 1
    assert agreement(["yes"], ["yes"]).kappa is None


def test_what_is_left_undecided_counts_as_disagreement():
    found = agreement(["yes", "yes", "no", "no"], ["yes", None, "no", None])
    assert (found.undecided, found.agree) == (2, 0.5)
    assert found.labels[-1].label == UNDECIDED
    assert found.labels[-1].recall is None
    assert found.table["no"] == {"no": 1, "yes": 0, UNDECIDED: 1}


def test_labels_must_pair_up():
    for hand, judge in ([], []), (["a"], []):
        with pytest.raises(InputError, match="cannot be compared"):
            agreement(hand, judge)


labels = st.sampled_from("abc")


@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=30))
def test_scikit_learn_agrees(pairs):
    ours = kappa(pairs)
    if ours is not None:
        left, right = zip(*pairs, strict=True)
        assert ours == pytest.approx(float(cohen_kappa_score(left, right)))
