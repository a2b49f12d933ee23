"""Passages chosen for what they answer together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labkit.retrieve.coverage import CHOSEN, KEPT, MARGIN, covering
from labkit.retrieve.late import Matches


def matches(best):
    best = np.array(best, np.float32)
    return Matches(np.full(len(best), 1 / len(best), np.float32), best, np.zeros(best.shape[1], np.float32))


def test_what_the_first_left_unanswered_comes_before_more_of_the_same():
    # Two words; the first three passages answer the first word, the fourth the second.
    scores = np.array([1.0, 0.9, 0.8, 0.5], np.float32)
    order, worth = covering(scores, matches([[0.9, 0.9, 0.9, 0.1], [0.1, 0.1, 0.1, 0.8]]))
    assert order == [0, 1, 3, 2]
    assert worth == sorted(worth, reverse=True)


def test_a_slightly_better_match_is_no_answer():
    scores = np.array([1.0, 0.9, 0.8, 0.5], np.float32)
    order, _ = covering(scores, matches([[0.9, 0.9, 0.9, 0.1], [0.1, 0.1, 0.1, 0.1 + MARGIN]]))
    assert order == [0, 1, 2, 3]


@given(st.integers(0, 60), st.data())
def test_every_passage_once_the_best_first_and_scores_fall(n, data):
    unit = st.floats(-1, 1, width=32)
    scores = data.draw(arrays(np.float32, n, elements=unit))
    order, worth = covering(scores, matches(data.draw(arrays(np.float32, (3, n), elements=unit))))
    assert sorted(order) == list(range(n))
    assert worth == sorted(worth, reverse=True)
    assert [float(scores[i]) for i in order[:KEPT]] == sorted(scores.tolist(), reverse=True)[:KEPT]
    rest = [float(scores[i]) for i in order[CHOSEN:]]
    assert rest == sorted(rest, reverse=True)
