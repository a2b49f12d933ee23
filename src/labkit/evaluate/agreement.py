"""How far a judge agrees with a person beyond what chance would bring: Cohen's kappa, its interval, where they differ.

A judge nobody compared with people is an opinion. What the judge left undecided counts as a disagreement, shown under
:data:`UNDECIDED`, so that a judge cannot look better by refusing the hard ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from labkit.errors import InputError
from labkit.evaluate.statistics import statistic_interval
from labkit.schema import Record

UNDECIDED = "(undecided)"


class LabelAgreement(Record):
    """One label: how often the person and the judge gave it, and how often both did."""

    label: str
    hand: int
    judge: int
    both: int

    @property
    def precision(self) -> float | None:
        """Of what the judge called so, the share the person did; None where the judge never did."""
        return self.both / self.judge if self.judge else None

    @property
    def recall(self) -> float | None:
        """Of what the person called so, the share the judge did; None where the person never did."""
        return self.both / self.hand if self.hand else None


class Agreement(Record):
    """A judge beside a person, over the same answers."""

    n: int
    undecided: int
    agree: float
    """Share of answers both gave the same label."""
    kappa: float | None
    """1: always agree; 0: as often as by chance; None where chance alone would always agree (one label only)."""
    ci95: tuple[float, float] | None
    """Of kappa, by resampling answers."""
    labels: tuple[LabelAgreement, ...]
    table: dict[str, dict[str, int]]
    """Person's label → judge's label → answers."""


def agreement(hand: Sequence[str], judge: Sequence[str | None], *, seed: int = 7) -> Agreement:
    """Compare labels pairwise.

    Args:
        hand: the person's labels.
        judge: the judge's for the same answers; None where it gave none.
        seed: of the interval.

    Raises:
        InputError: there are no labels, or not one of each per answer.
    """
    if len(hand) != len(judge) or not hand:
        raise InputError(
            f"{len(hand)} labels by hand cannot be compared with {len(judge)} of the judge", todo="Pair them by answer."
        )
    pairs = [(person, label or UNDECIDED) for person, label in zip(hand, judge, strict=True)]
    counted = Counter(pairs)
    by_hand, by_judge = Counter(person for person, _ in pairs), Counter(label for _, label in pairs)
    labels = sorted(by_hand | by_judge, key=lambda label: (label == UNDECIDED, label))
    return Agreement(
        n=len(pairs),
        undecided=by_judge[UNDECIDED],
        agree=sum(person == label for person, label in pairs) / len(pairs),
        kappa=kappa(pairs),
        ci95=statistic_interval(pairs, kappa, seed),
        labels=tuple(
            LabelAgreement(label=label, hand=by_hand[label], judge=by_judge[label], both=counted[label, label])
            for label in labels
        ),
        table={person: {label: counted[person, label] for label in labels} for person in labels if by_hand[person]},
    )


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of pairs of labels; None where chance would always agree.

    Source: J. Cohen, *A coefficient of agreement for nominal scales*, Educational and Psychological Measurement 20
    (1960).
    """
    n = len(pairs)
    left, right = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(left[label] * right[label] for label in left) / n**2
    if by_chance == 1:
        return None
    return (sum(a == b for a, b in pairs) / n - by_chance) / (1 - by_chance)
