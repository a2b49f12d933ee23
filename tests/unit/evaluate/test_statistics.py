"""Intervals cover what they should; tests say no more than the data do."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import InputError
from labkit.evaluate.statistics import (
    difference_interval,
    holm,
    mcnemar,
    mean_interval,
    permutation_test,
    proportion_interval,
    statistic_interval,
)


def test_wilson_at_the_edges():
    assert proportion_interval(0, 0) is None
    low, high = proportion_interval(0, 20)
    assert low == 0
    assert 0.1 < high < 0.2


def test_wilson_covers_the_truth_about_95_times_in_100():
    rng = random.Random(1)
    covered = 0
    for _ in range(400):
        low, high = proportion_interval(sum(rng.random() < 0.3 for _ in range(60)), 60)
        covered += low <= 0.3 <= high
    assert 0.92 <= covered / 400 <= 0.98


def test_bootstrap_is_seeded_and_brackets_the_mean():
    values = [0.0, 120.0, 0.0, 4200.0, 15.0, 0.0, 120.0, 0.0]
    assert mean_interval(values, 3) == mean_interval(values, 3)
    low, high = mean_interval(values, 3)
    assert low < sum(values) / len(values) < high


def test_no_spread_no_interval():
    assert mean_interval([5.0, 5.0], 1) is None
    assert mean_interval([5.0], 1) is None


def test_pairs_are_compared_more_sharply_than_groups():
    rng = np.random.default_rng(1)
    before = rng.normal(0, 10, 200)
    after = before + rng.normal(0.5, 1, 200)
    low, high = difference_interval(before, after, 1)
    assert 0 < low < high < 1
    with pytest.raises(InputError, match="question_id"):
        difference_interval([1.0], [1.0, 2.0], 1)


def test_interval_of_any_statistic():
    low, high = statistic_interval([0, 1] * 50, lambda rows: sum(rows) / len(rows), 1)
    assert low == pytest.approx(0.4, abs=0.02)
    assert high == pytest.approx(0.6, abs=0.02)
    assert statistic_interval([1], lambda rows: 1.0, 1) is None
    assert statistic_interval([1, 2], lambda rows: None, 1) is None


def test_mcnemar_by_hand():
    before = [True] * 5 + [False] * 5
    assert mcnemar(before, [False] * 10, "less") == pytest.approx(0.5**5)
    assert mcnemar(before, [False] * 10) == pytest.approx(2 * 0.5**5)
    assert mcnemar(before, [False] * 10, "greater") == 1.0
    assert mcnemar(before, before) == 1.0


def test_permutation_by_hand():
    assert permutation_test([1.0, 1, 1, 1], [0.0, 0, 0, 0], 1, "less") == pytest.approx(1 / 16)
    assert permutation_test([1.0, 5], [1.0, 5], 1) == 1.0
    assert permutation_test([1.0, 5], [0.0, 5], 1, "less") == 0.5
    assert permutation_test([1.0, 5], [2.0, 5], 1, "less") == 1.0


@pytest.mark.parametrize("test", [mcnemar, lambda a, b, alternative: permutation_test(a, b, 1, alternative)])
def test_without_a_change_one_in_twenty_is_significant_at_most(test):
    rng = random.Random(2)
    alarms = 0
    for _ in range(200):
        before = [rng.random() < 0.4 for _ in range(80)]
        after = [rng.random() < 0.4 for _ in range(80)]
        alarms += test(before, after, "less") <= 0.05
    assert alarms / 200 <= 0.085  # 0.05 and two standard errors


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({}) == {}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=6))
def test_holm_never_helps_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    assert all(p_values[name] <= adjusted[name] <= 1 for name in p_values)
    ranked = sorted(p_values, key=lambda name: p_values[name])
    assert [adjusted[name] for name in ranked] == sorted(adjusted.values())
