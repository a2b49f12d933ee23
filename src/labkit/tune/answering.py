"""What the ``answer`` adapter learns from: questions, and the words that answer them, or that there are none."""

from __future__ import annotations

import random
from collections.abc import Iterator

from labkit.llm.tasks import ABSTENTION, answered, numbered, prompt_of
from labkit.tune.context import Context
from labkit.tune.dialogue import Dialogue, Turn

_ABSENT = 0.35  # of the further questions


def dialogues(context: Context, rng: random.Random, most: int = 1) -> list[Dialogue]:
    """Questions over a context, ``most`` at most: its own first, then others about what stands there and what does not.

    Each is asked by itself: a passage is read for one question.
    """
    asked: list[Turn] = []
    if context.asked is not None:
        own = context.asked
        asked.append(Turn(own.text, answered(own.value, own.quotes) if own.value else ABSTENTION, own.kind))
    return [_asking(context, turn) for turn in [*asked, *_others(context, rng, most - len(asked))]]


def _others(context: Context, rng: random.Random, most: int) -> Iterator[Turn]:
    facts = [fact for fact in context.facts if fact.questions]
    absent = list(context.absent)
    rng.shuffle(facts)
    for _ in range(most):
        if absent and (not facts or rng.random() < _ABSENT):
            yield Turn(absent.pop()[0], ABSTENTION, "absent")
        elif facts:
            fact = facts.pop()
            yield Turn(rng.choice(list(fact.questions)), answered(fact.quotes[0].words, fact.quotes[:1]), "fact")


def _asking(context: Context, turn: Turn) -> Dialogue:
    messages = prompt_of("answer").messages(passages=numbered(context.passages), question=turn.user)
    return Dialogue("answer", (turn._replace(user=messages[1]["content"]),), context.source)
