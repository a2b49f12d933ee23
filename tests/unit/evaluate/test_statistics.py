"""Intervals cover what they should."""

import random

from labkit.evaluate.statistics import mean_interval, proportion_interval


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
