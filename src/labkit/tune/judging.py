"""What the ``judge`` adapter learns from: statements, and whether the passages support them.

A statement is a sentence that says the same in other words, or a question with an answer. What is not supported is made
of it: another value of the relation, another subject, the opposite, or the answer to what the passages do not tell.
Values that stand in the same passages are preferred: those are the mistakes a reader makes.
"""

from __future__ import annotations

import random
import re

from labkit.llm.tasks import SUPPORTED, UNSUPPORTED, numbered, prompt_of
from labkit.tune.context import Context, Readable
from labkit.tune.dialogue import Dialogue, Turn

_NEGATED = re.compile(r"\b(is|are|was|were|has|can|will|must|should)\b(?! not)")
_AS_QUESTION = 0.5  # of the statements with a sentence: put as question and answer all the same


def dialogues(context: Context, rng: random.Random, most: int = 4) -> list[Dialogue]:
    """Statements over a context, ``most`` at most, half of them supported; none where nothing is stated.

    Each is judged by itself: the passages are read for one statement.
    """
    facts = rng.sample(list(context.facts), len(context.facts))
    said: list[Turn] = []
    if context.asked is not None and context.asked.value:
        said.append(_own(context, rng))
    for fact in facts:
        turn = _turn(fact, context, rng)
        said += [turn] if turn else []
    if context.absent:
        question, guess = rng.choice(list(context.absent))
        said += [Turn(f"{question} {guess}", UNSUPPORTED, "absent")] * bool(guess)
    rng.shuffle(said)
    return [_judging(context, turn) for turn in _balanced(said, most)]


def _judging(context: Context, turn: Turn) -> Dialogue:
    messages = prompt_of("judge").messages(passages=numbered(context.passages), statement=turn.user)
    return Dialogue("judge", (turn._replace(user=messages[1]["content"]),), context.source)


def _own(context: Context, rng: random.Random) -> Turn:
    asked = context.asked
    assert asked is not None
    if asked.wrong and asked.kind != "comparison" and rng.random() < 0.5:
        return Turn(f"{asked.text} {asked.wrong}", UNSUPPORTED, "value")
    return Turn(f"{asked.text} {asked.value}", SUPPORTED, "supported")


def _turn(fact: Readable, context: Context, rng: random.Random) -> Turn | None:
    """One statement of a fact, as it is or turned wrong: two of one fact would give each other away."""
    base = _statement(fact, rng)
    if base is None or rng.random() < 0.5:
        return None if base is None else Turn(base, SUPPORTED, "supported")
    here = [one.value for one in context.facts if one.value in fact.rivals]
    subjects = [one.subject for one in context.facts if one.relation == fact.relation and one.subject != fact.subject]
    dice = rng.random()
    if dice < 0.12 and (opposite := _NEGATED.sub(r"\1 not", base, count=1)) != base and "?" not in base:
        return Turn(opposite, UNSUPPORTED, "negated")
    if dice < 0.4 and subjects and fact.subject in base:
        other = rng.choice(subjects)
        if not any(one.subject == other and one.value == fact.value for one in context.facts):
            return Turn(_swapped(base, fact.subject, other), UNSUPPORTED, "subject")
    elif fact.rivals and fact.value in base:
        rival = rng.choice(here) if here and rng.random() < 0.6 else rng.choice(list(fact.rivals))
        return Turn(_swapped(base, fact.value, rival), UNSUPPORTED, "value")
    return None


def _swapped(text: str, old: str, new: str) -> str:
    """The text with a value replaced wherever it stands as a whole: the grade *D* is not in *Dyes*."""
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, text)


def _statement(fact: Readable, rng: random.Random) -> str | None:
    """The fact in words that hold its subject and value as the passages write them."""
    sentences = [one for one in fact.statements if fact.value in one and fact.subject in one]
    if sentences and not (fact.questions and rng.random() < _AS_QUESTION):
        return rng.choice(sentences)
    return f"{rng.choice(list(fact.questions))} {fact.value}" if fact.questions else None


def _balanced(said: list[Turn], turns: int) -> list[Turn]:
    """As many supported as unsupported statements, in the order they have, at most ``turns``."""
    kept: list[Turn] = []
    room = {SUPPORTED: turns // 2, UNSUPPORTED: turns // 2}
    for turn in said:
        if room[turn.reply]:
            room[turn.reply] -= 1
            kept.append(turn)
    return kept
