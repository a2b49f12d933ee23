"""Chooses passages that answer a question together, not each for itself.

A question that needs several passages asks for something no single one says. Ranked one by one, passages that all
match the same words come first; here each further passage also counts for the words that those before it left
unanswered (maximal marginal relevance: Carbonell and Goldstein 1998, over the tokens of late interaction). The first
:data:`KEPT` places stay as they are, for the many questions that need one passage.
"""

from __future__ import annotations

import numpy as np

from labkit.retrieve.late import Array, Matches

KEPT, CHOSEN = 2, 10
"""Places that go to the best passages, and places filled in all; further down the scores decide again."""

GAIN, MARGIN = 12.0, 0.2
"""What a better match of an unanswered word counts, and how much better it must be, on the scale of a cosine, to count.
Chosen on dev questions of three generated worlds, which it costs next to nothing; MuSiQue's figures had been seen."""


def covering(scores: Array, matches: Matches) -> tuple[list[int], list[float]]:
    """Passages in the order chosen, and scores that fall in that order.

    Args:
        scores: float32 (passages,), of each passage for itself.
        matches: how the passages match the question's tokens.

    Returns:
        All positions of passages, and for each place a score not above the one before.
    """
    left = np.argsort(-scores, kind="stable").tolist()
    order, left = left[:KEPT], left[KEPT:]
    worth = [float(scores[i]) for i in order]
    covered = matches.best[:, order].max(axis=1, initial=-1.0)
    while left and len(order) < CHOSEN:
        better = np.maximum(matches.best[:, left] - covered[:, None] - MARGIN, 0.0)
        now = scores[left] + GAIN * (matches.weights @ better)
        at = int(np.argmax(now))
        worth.append(min(worth[-1], float(now[at])))
        order.append(left.pop(at))
        covered = np.maximum(covered, matches.best[:, order[-1]])
    for i in left:
        worth.append(min(worth[-1], float(scores[i])))
    return order + left, worth
