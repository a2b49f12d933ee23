"""Intervals for measured figures, from scipy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def proportion_interval(successes: int, n: int) -> tuple[float, float] | None:
    """Wilson's 95 % interval for a share of ``n``; None for n = 0.

    Source: E. B. Wilson, *Probable inference, the law of succession, and statistical inference*, JASA 22 (1927).
    """
    if n == 0:
        return None
    interval = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float], seed: int) -> tuple[float, float] | None:
    """A 95 % bootstrap interval (BCa, 2,000 resamples) for the mean; None for fewer than two or all equal values.

    Source: B. Efron, *Better bootstrap confidence intervals*, JASA 82 (1987).
    """
    if len(values) < 2 or len(set(values)) == 1:
        return None
    rng = np.random.default_rng(seed)
    data = (np.asarray(values, dtype=float),)
    found = stats.bootstrap(data, np.mean, n_resamples=2000, rng=rng).confidence_interval
    return float(found.low), float(found.high)
