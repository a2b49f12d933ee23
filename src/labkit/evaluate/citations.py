"""Are the right documents cited, and is silence kept where it should be: precision and recall of both.

Knows paths only; whether a cited passage says what the answer says is :mod:`labkit.evaluate.faithfulness`'s question.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from labkit.evaluate.grading import Grade


@dataclass(frozen=True, slots=True)
class CitationScore:
    """One answer's citations, or the means over answers; None where there was nothing to count."""

    precision: float | None
    """Share of cited files that state a fact the question needs."""
    recall: float | None
    """Share of needed facts that some cited file states."""


@dataclass(frozen=True, slots=True)
class AbstentionScore:
    """Silence as a prediction of *unanswerable*; shares 0 to 1, None where there was nothing to count."""

    precision: float | None
    recall: float | None
    f1: float | None
    answered: float | None
    """Share of questions that got an answer at all."""


def citation_score(cited: Iterable[str], needs: Sequence[Collection[str]]) -> CitationScore:
    """Score one answer.

    Args:
        cited: source paths, repetitions count once.
        needs: per fact the question needs, the paths of files that state it.
    """
    paths = set(cited)
    gold = {path for need in needs for path in need}
    return CitationScore(
        precision=len(paths & gold) / len(paths) if paths else None,
        recall=sum(not paths.isdisjoint(need) for need in needs) / len(needs) if needs else None,
    )


def mean_citation_score(scores: Sequence[CitationScore]) -> CitationScore:
    """The means over answers; an answer that cites nothing has no precision and counts in recall alone."""
    return CitationScore(
        precision=_mean([score.precision for score in scores if score.precision is not None]),
        recall=_mean([score.recall for score in scores if score.recall is not None]),
    )


def abstention_score(grades: Sequence[Grade]) -> AbstentionScore:
    """Precision: share of abstentions that were right. Recall: share of unanswerable questions left unanswered."""
    silent = [g for g in grades if g.abstained]
    hopeless = [g for g in grades if not g.answerable]
    both = sum(g.abstained for g in hopeless)
    precision = both / len(silent) if silent else None
    recall = both / len(hopeless) if hopeless else None
    counted = len(silent) + len(hopeless)
    return AbstentionScore(
        precision=precision,
        recall=recall,
        f1=2 * both / counted if counted else None,
        answered=_mean([float(not g.abstained) for g in grades]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
