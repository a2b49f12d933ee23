"""Conversations the ``answer`` adapter learns from: what to quote, the answer, or that there is none."""

from __future__ import annotations

import random

from labkit.llm.tasks import ABSTENTION, answered, numbered, prompt_of
from labkit.tune.context import Context
from labkit.tune.dialogue import Dialogue, Turn

TURNS = 4
"""Questions of a conversation, at most."""

_ABSENT = 0.35  # of the further questions


def dialogue(context: Context, rng: random.Random, turns: int = TURNS) -> Dialogue | None:
    """A conversation over a context: its own question first, then others about what stands there and what does not.

    None where nothing can be asked.
    """
    asked: list[Turn] = []
    if context.asked is not None:
        own = context.asked
        asked.append(Turn(own.text, answered(own.value, own.quotes) if own.value else ABSTENTION, own.kind))
    facts = [fact for fact in context.facts if fact.questions]
    absent = list(context.absent)
    rng.shuffle(facts)
    while len(asked) < turns and (facts or absent):
        if absent and (not facts or rng.random() < _ABSENT):
            asked.append(Turn(absent.pop()[0], ABSTENTION, "absent"))
        else:
            fact = facts.pop()
            reply = answered(fact.value, fact.quotes[:1])
            asked.append(Turn(rng.choice(list(fact.questions)), reply, "fact"))
    if not asked:
        return None
    if context.asked is None:
        rng.shuffle(asked)
    opening = prompt_of("answer").messages(passages=numbered(context.passages), question=asked[0].user)[1]["content"]
    further = (turn._replace(user=f"Question: {turn.user}") for turn in asked[1:])
    return Dialogue("answer", (asked[0]._replace(user=opening), *further), context.source)
