"""Passages with all that can be asked of them: what an adapter practises on, wherever the passages come from.

:mod:`labkit.tune.retrieved` makes them of a generated world's documents as retrieval finds them, and
:mod:`labkit.tune.made` of invented subjects. What is made of a context is the business of ``answering`` and
``judging``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.llm.tasks import Quote, Shown


@dataclass(frozen=True, slots=True)
class Readable:
    """A fact that stands in the passages.

    Attributes:
        subject: its name.
        relation: what is said of the subject.
        value: as it is written there.
        quotes: the value where it stands, by passage; any of them will do.
        questions: ways to ask for it.
        statements: ways to state it other than the passages do.
        rivals: values it could have and does not.
    """

    subject: str
    relation: str
    value: str
    quotes: tuple[Quote, ...]
    questions: Sequence[str]
    statements: Sequence[str]
    rivals: Sequence[str]

    @property
    def places(self) -> tuple[int, ...]:
        """Numbers of the passages that say so, each once."""
        return _places(self.quotes)


@dataclass(frozen=True, slots=True)
class Asked:
    """The question that passages were retrieved for.

    Attributes:
        text: the question.
        value: the right answer as the passages word it; '' where they do not answer.
        quotes: what each step finds, and where, in the order of the steps.
        kind: type of the question.
        wrong: another answer that could be given and would be wrong; '' where none is known.
    """

    text: str
    value: str
    quotes: tuple[Quote, ...]
    kind: str
    wrong: str = ""

    @property
    def places(self) -> tuple[int, ...]:
        """Numbers of the passages it rests on, each once."""
        return _places(self.quotes)


@dataclass(frozen=True, slots=True)
class Context:
    """Passages and what can be asked of them.

    Attributes:
        passages: as a model is shown them.
        facts: what stands there.
        absent: questions they do not answer, and what somebody who guesses would say (or '').
        asked: the question they were retrieved for, where there is one.
        source: the version of the world, or ``invented``.
    """

    passages: tuple[Shown, ...]
    facts: Sequence[Readable]
    absent: Sequence[tuple[str, str]]
    source: str
    asked: Asked | None = None


def _places(quotes: Sequence[Quote]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(quote.place for quote in quotes))
