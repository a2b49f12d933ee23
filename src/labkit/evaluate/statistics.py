"""Intervals for measured figures and tests of differences, from scipy.

The tests are for pairs: two systems asked the same questions. Comparing pairs removes the spread between questions,
which is much larger than what a change of the system does. Where an argument is called ``alternative``, ``less``
means that the second system is worse (its values are lower).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy import stats

from labkit.errors import InputError

Alternative = Literal["less", "greater", "two-sided"]
RESAMPLES = 2000


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
    found = stats.bootstrap(data, np.mean, n_resamples=RESAMPLES, rng=rng).confidence_interval
    return float(found.low), float(found.high)


def difference_interval(before: Sequence[float], after: Sequence[float], seed: int) -> tuple[float, float] | None:
    """A 95 % paired bootstrap interval of ``mean(after) - mean(before)``: questions are resampled, pairs stay together.

    None where :func:`mean_interval` of the differences is.

    Raises:
        InputError: the two are not of one length.
    """
    return mean_interval(_differences(before, after).tolist(), seed)


def statistic_interval(
    rows: Sequence[Any], statistic: Callable[[Sequence[Any]], float | None], seed: int, resamples: int = RESAMPLES
) -> tuple[float, float] | None:
    """A 95 % percentile bootstrap interval of any statistic of rows; None where fewer than half of resamples have one.

    For statistics such as kappa that no vectorised formula covers. Source: B. Efron and R. J. Tibshirani, *An
    Introduction to the Bootstrap* (1993), chapter 13.
    """
    if len(rows) < 2:
        return None
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(rows), (resamples, len(rows)))
    found = [value for draw in draws if (value := statistic([rows[i] for i in draw])) is not None]
    if 2 * len(found) < resamples:
        return None
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def mcnemar(before: Sequence[bool], after: Sequence[bool], alternative: Alternative = "two-sided") -> float:
    """The exact p-value of McNemar's test for paired yes/no outcomes; 1 where no pair differs.

    Only pairs that differ tell anything: without a real change, each is as likely to have turned good as bad.
    Source: Q. McNemar, *Note on the sampling error of the difference between correlated proportions or percentages*,
    Psychometrika 12 (1947), in its exact binomial form.

    Raises:
        InputError: the two are not of one length.
    """
    differences = _differences(before, after)
    better, differing = int((differences > 0).sum()), int((differences != 0).sum())
    if not differing:
        return 1.0
    return float(stats.binomtest(better, differing, 0.5, alternative=alternative).pvalue)


def permutation_test(
    before: Sequence[float], after: Sequence[float], seed: int, alternative: Alternative = "two-sided"
) -> float:
    """The p-value of the paired permutation test (random sign flips) for a difference in means; 1 where none differs.

    Source: R. A. Fisher, *The Design of Experiments* (1935); used on retrieval by M. Smucker, J. Allan and B.
    Carterette, *A comparison of statistical significance tests for information retrieval evaluation*, CIKM 2007.

    Raises:
        InputError: the two are not of one length.
    """
    differences = _differences(before, after)
    differences = differences[differences != 0]  # a zero has no sign to flip
    if len(differences) == 0:
        return 1.0
    if len(differences) == 1:  # scipy wants two: with one difference, half of the sign flips are as extreme
        positive = differences[0] > 0
        return 1.0 if alternative == "two-sided" or (alternative == "less") == positive else 0.5
    found = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=RESAMPLES - 1, alternative=alternative,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(found.pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p-values: rejecting those below alpha makes one false rejection or more with probability alpha at most.

    Source: S. Holm, *A simple sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6
    (1979).
    """
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}


def _differences(before: Sequence[float], after: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    if len(before) != len(after):
        raise InputError(f"{len(before)} values cannot be paired with {len(after)}", todo="Match them by question_id.")
    found: np.ndarray[Any, np.dtype[np.float64]] = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    return found
