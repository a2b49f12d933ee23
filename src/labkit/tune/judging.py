"""What the ``judge`` adapter learns from: statements, and whether the passages support them.

A statement is a sentence that says the same in other words, or a question with an answer. What is not supported is made
of it: another value of the relation, another subject, the opposite, or the answer to what the passages do not tell.
Values that stand in the same passages are preferred: those are the mistakes a reader makes.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from labkit.llm.tasks import SUPPORTED, UNSUPPORTED, numbered, prompt_of
from labkit.tune.context import Context, Readable
from labkit.tune.dialogue import Dialogue, Turn

_NEGATED = re.compile(r"\b(is|are|was|were|has|can|will|must|should)\b(?! not)")
_AS_QUESTION = 0.5  # of the statements with a sentence: put as question and answer all the same


_NEGATED_SHARE, _SUBJECT_SHARE = 0.2, 0.45  # of what is turned wrong, up to which: the opposite, another subject


class _Said(NamedTuple):
    """A statement, whether it is supported, how it was made, and the passages it is about."""

    text: str
    supported: bool
    kind: str
    places: tuple[int, ...] = ()


def dialogues(context: Context, rng: random.Random, most: int = 4) -> list[Dialogue]:
    """Statements over a context, ``most`` at most, half of them supported; none where nothing is stated.

    Each is judged by itself, by the passages it is about and some of the others.
    """
    facts = rng.sample(list(context.facts), len(context.facts))
    said: list[_Said] = []
    if context.asked is not None and context.asked.value:
        said.append(_own(context, rng))
    for fact in facts:
        one = _of_fact(fact, context, rng)
        said += [one] if one else []
    if context.absent:
        question, guess = rng.choice(list(context.absent))
        said += [_Said(f"{question} {guess}", False, "absent", _places(context, guess))] * bool(guess)
    rng.shuffle(said)
    return [_judging(context, one, rng) for one in _balanced(said, most)]


def _judging(context: Context, said: _Said, rng: random.Random) -> Dialogue:
    others = [place for place in range(1, len(context.passages) + 1) if place not in said.places]
    beside = rng.sample(others, rng.randint(0 if said.places else min(1, len(others)), len(others)))
    passages = [context.passages[place - 1] for place in sorted({*said.places, *beside})]
    messages = prompt_of("judge").messages(passages=numbered(passages), statement=said.text)
    reply = SUPPORTED if said.supported else UNSUPPORTED
    return Dialogue("judge", (Turn(messages[1]["content"], reply, said.kind),), context.source)


def _own(context: Context, rng: random.Random) -> _Said:
    asked = context.asked
    assert asked is not None
    if asked.wrong and asked.kind != "comparison" and rng.random() < 0.5:
        return _Said(f"{asked.text} {asked.wrong}", False, "value", asked.places + _places(context, asked.wrong))
    return _Said(f"{asked.text} {asked.value}", True, "supported", asked.places)


def _of_fact(fact: Readable, context: Context, rng: random.Random) -> _Said | None:
    """One statement of a fact, as it is or turned wrong: two of one fact would give each other away."""
    base = _statement(fact, rng)
    if base is None or rng.random() < 0.5:
        return None if base is None else _Said(base, True, "supported", fact.places)
    here = [one.value for one in context.facts if one.value in fact.rivals]
    subjects = [one.subject for one in context.facts if one.relation == fact.relation and one.subject != fact.subject]
    dice = rng.random()
    if dice < _NEGATED_SHARE and (opposite := _NEGATED.sub(r"\1 not", base, count=1)) != base and "?" not in base:
        return _Said(opposite, False, "negated", fact.places)
    if dice < _SUBJECT_SHARE and subjects and fact.subject in base:
        other = rng.choice(subjects)
        if not any(one.subject == other and one.value == fact.value for one in context.facts):
            beside = next(one.places for one in context.facts if one.subject == other)
            return _Said(_swapped(base, fact.subject, other), False, "subject", fact.places + beside)
    elif fact.rivals and fact.value in base:
        rival = rng.choice(here) if here and rng.random() < 0.6 else rng.choice(list(fact.rivals))
        return _Said(_swapped(base, fact.value, rival), False, "value", fact.places + _places(context, rival))
    return None


def _places(context: Context, value: str) -> tuple[int, ...]:
    """Where a value stands, whatever it is said of: a wrong statement must not be told by what is missing."""
    return next((one.places for one in context.facts if one.value == value), ())


def _swapped(text: str, old: str, new: str) -> str:
    """The text with a value replaced wherever it stands as a whole: the grade *D* is not in *Dyes*."""
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, text)


def _statement(fact: Readable, rng: random.Random) -> str | None:
    """The fact in words that hold its subject and value as the passages write them."""
    sentences = [one for one in fact.statements if fact.value in one and fact.subject in one]
    if sentences and not (fact.questions and rng.random() < _AS_QUESTION):
        return rng.choice(sentences)
    return f"{rng.choice(list(fact.questions))} {fact.value}" if fact.questions else None


def _balanced(said: list[_Said], most: int) -> list[_Said]:
    """At most ``most`` in the order they have, and of those supported and not half of that each (rounded up)."""
    kept: list[_Said] = []
    room = {True: -(-most // 2), False: -(-most // 2)}
    for one in said:
        if room[one.supported] and len(kept) < most:
            room[one.supported] -= 1
            kept.append(one)
    return kept
