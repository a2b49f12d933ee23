"""Lab 04 beyond its registered answers: more ways to be nearly right, its data, and the gap it fills."""

import inspect
import re

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from labkit.course.checks import lab04
from labkit.course.mysystem import SIGNATURES


def unit_as_prefix(text: str, number: str, units: list[str]) -> bool:
    """18 Nmm begins like 18 Nm."""
    pattern = "|".join(re.escape(unit) for unit in units)
    return set(re.findall(rf"(?<![\d.])(\d+(?:\.\d+)?)\s?(?:{pattern})", text, re.IGNORECASE)) == {number}


def spelling_matters(text: str, number: str, units: list[str]) -> bool:
    return any(re.search(rf"(?<![\w.]){re.escape(number)} ?{re.escape(unit)}(?!\w)", text) for unit in units)


def perfect_by_convention(one: list[str], other: list[str], scale: list[str]) -> float | None:
    """Two graders with a single grade between them have shown nothing."""
    found = lab04._weighted(one, other, scale, 2)
    return 1.0 if found is None else found


def of_medians(before: list[float], after: list[float]) -> bool:
    return bool(np.median(after) > 1.02 * np.median(before))


def never(before: list[float], after: list[float]) -> bool:
    return False


def pairs_of_words(questions: list[str], pages: list[str]) -> list[str]:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}

    return [text for text in questions if any(len(runs(text) & runs(page)) > 0.5 * len(runs(text)) for page in pages)]


def always_refuses(question: str, answer: str, evidence: str) -> bool:
    return False


def quotes_only(question: str, answer: str, evidence: str) -> bool:
    return answer in evidence


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (lab04.q1, unit_as_prefix),
        (lab04.q1, spelling_matters),
        (lab04.q2, perfect_by_convention),
        (lab04.q3, of_medians),
        (lab04.q3, never),
        (lab04.q4, pairs_of_words),
        (lab04.q5, always_refuses),
        (lab04.q5, quotes_only),
    ],
)
def test_nearly_right_is_not_yet(asked, answer):
    verdict = asked(answer)
    assert verdict.state == "not yet"
    assert asked.hint in str(verdict)


@pytest.mark.parametrize("other", [lab04.NEAR, lab04.FAR])
def test_the_weighted_kappa_is_the_librarys(other):
    theirs = cohen_kappa_score(lab04.ONE, other, labels=lab04.SCALE, weights="quadratic")
    assert lab04._quadratic(lab04.ONE, other, lab04.SCALE) == pytest.approx(theirs)


def test_the_held_back_labels_are_balanced_and_not_repeated():
    accepted = sum(row[3] for row in lab04.HELD_BACK)
    assert 0.4 <= accepted / len(lab04.HELD_BACK) <= 0.6
    assert len({row[:3] for row in lab04.HELD_BACK}) == len(lab04.HELD_BACK)


def test_a_judge_of_words_is_far_from_the_solution():
    def kappa(judge):
        said = [judge(*row[:3]) for row in lab04.HELD_BACK]
        return cohen_kappa_score([row[3] for row in lab04.HELD_BACK], said)

    assert kappa(lab04._overlap) < lab04.MIN_KAPPA - 0.2 < lab04.MIN_KAPPA + 0.2 < kappa(lab04._by_the_sentence)


def test_the_judge_fits_the_learners_system():
    assert tuple(inspect.signature(lab04._by_the_sentence).parameters) == SIGNATURES["judge"]
