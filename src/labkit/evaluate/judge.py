"""Judges: is an answer supported by the evidence it was made from? Words, vectors or a language model decide.

All share one interface, so that each can be held against hand grades (:mod:`labkit.evaluate.agreement`) before anybody
believes it. A judge sees no truth: an answer that repeats an outdated manual is supported, and wrong.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Protocol

from labkit.errors import EndpointError, InputError
from labkit.evaluate.agreement import Agreement, agreement
from labkit.evaluate.grades import HandGrade
from labkit.llm import Embedder, Prompt, load_prompt
from labkit.llm.local import LocalChat
from labkit.llm.tasks import SUPPORTED, UNSUPPORTED, Shown, numbered, prompt_of
from labkit.retrieve.text import contains, content_words, identifiers, is_negative, sentences, share
from labkit.schema import ChatModel, Record, RequestContext

MIN_SHARE = 0.75
MIN_SIMILARITY = 0.6
MAX_TOKENS = 40
_VERDICT = re.compile(r"\W*(?:the answer is\W*)?(yes|no)\b", re.IGNORECASE)


class Judgement(Record):
    """What a judge says; ``supported`` is None where it came to no verdict."""

    supported: bool | None
    reason: str


class Judge(Protocol):
    """Decides whether evidence supports an answer to a question."""

    def __call__(self, question: str, answer: str, evidence: Sequence[str]) -> Judgement:
        """Judge one answer by the passages it was made from."""
        ...


class LexicalJudge:
    """Supported if the evidence has every number and identifier of the answer and most words it adds to the question.

    Args:
        min_share: of the added content words that one passage must hold.
    """

    def __init__(self, min_share: float = MIN_SHARE) -> None:
        self.min_share = min_share

    def __call__(self, question: str, answer: str, evidence: Sequence[str]) -> Judgement:
        """Judge by the passage that holds most."""
        words = content_words(answer) - content_words(question) or content_words(answer)
        exact = identifiers(answer) - identifiers(question)
        held = max((share(words, content_words(passage)) for passage in evidence), default=0.0)
        missing = sorted(word for word in exact if not any(contains(word, passage) for passage in evidence))
        if missing:
            return Judgement(supported=False, reason=f"not in the evidence: {', '.join(missing)}")
        return Judgement(supported=held >= self.min_share, reason=f"{held:.0%} of the words it adds stand in a passage")


class SimilarityJudge:
    """Supported if some sentence of the evidence is near question and answer taken together, and as negative.

    Args:
        embedder: encodes sentences.
        min_similarity: cosine from which a sentence counts as near.
    """

    def __init__(self, embedder: Embedder, min_similarity: float = MIN_SIMILARITY) -> None:
        self._embedder, self.min_similarity = embedder, min_similarity

    def __call__(self, question: str, answer: str, evidence: Sequence[str]) -> Judgement:
        """Judge by the nearest sentence."""
        said = [sentence.text for passage in evidence for sentence in sentences(passage)]
        if not said:
            return Judgement(supported=False, reason="there is no evidence")
        vectors = self._embedder.encode([f"{question} {answer}", *said], RequestContext())
        scores = vectors[1:] @ vectors[0]
        nearest = int(scores.argmax())
        if is_negative(answer) != is_negative(said[nearest]):
            return Judgement(supported=False, reason="the nearest sentence says the opposite, or neither does")
        near = float(scores[nearest])
        return Judgement(supported=near >= self.min_similarity, reason=f"cosine {near:.2f} with the nearest sentence")


class ModelJudge:
    """A language model asked for "yes" or "no"; no verdict where it says neither, or its endpoint fails.

    Args:
        chat: the model.
        prompt: takes ``question``, ``answer`` and ``evidence``; default: the one that ships with labkit.
        seconds: longest wait for one verdict.
    """

    def __init__(self, chat: ChatModel, prompt: Prompt | None = None, *, seconds: float = 120.0) -> None:
        self._chat, self._prompt, self._seconds = chat, prompt or load_prompt("judge"), seconds
        self.version = f"{chat.name}, {self._prompt.version}"

    def __call__(self, question: str, answer: str, evidence: Sequence[str]) -> Judgement:
        """Ask the model."""
        messages = self._prompt.messages(question=question, answer=answer, evidence="\n\n".join(evidence))
        ctx = RequestContext(deadline=time.monotonic() + self._seconds)
        try:
            reply = self._chat.chat(messages, max_tokens=MAX_TOKENS, ctx=ctx).text.strip()
        except EndpointError as error:
            return Judgement(supported=None, reason=str(error))
        verdict = _VERDICT.match(reply)
        return Judgement(supported=verdict[1].lower() == "yes" if verdict else None, reason=reply)


class TunedJudge:
    """The ``judge`` adapter: how likely it finds *yes* rather than *no*, for a statement or an answered question.

    Args:
        chat: the adapted model, in this process.
        threshold: probability of *yes* from which something counts as supported.
    """

    def __init__(self, chat: LocalChat, threshold: float = 0.5) -> None:
        self._chat, self.threshold = chat, threshold
        self._prompt = prompt_of("judge")
        self.version = f"{chat.name}, {self._prompt.version}"

    def __call__(self, question: str, answer: str, evidence: Sequence[str]) -> Judgement:
        """Judge an answer by the passages it was made from."""
        said = [Shown("", sentence.text) for passage in evidence for sentence in sentences(passage)]  # as it learned
        likely = self.probability(f"{question} {answer}", said)
        return Judgement(supported=likely >= self.threshold, reason=f"{likely:.0%} sure that the passages say so")

    def probability(self, statement: str, passages: Sequence[Shown]) -> float:
        """How likely the passages support a statement, 0 to 1."""
        messages = self._prompt.messages(passages=numbered(passages), statement=statement)
        return self._chat.score(messages, [SUPPORTED, UNSUPPORTED], RequestContext())[0]


def undecided_rate(judgements: Sequence[Judgement]) -> float | None:
    """The share without a verdict; None for no judgements."""
    return sum(j.supported is None for j in judgements) / len(judgements) if judgements else None


def against_hand(judge: Judge, rows: Sequence[HandGrade], *, seed: int = 7) -> tuple[Agreement, list[Judgement]]:
    """Hold a judge against hand grades: ``accept`` is what the hand called right, ``reject`` the rest.

    Raises:
        InputError: there are no grades.
    """
    if not rows:
        raise InputError("There are no hand grades to compare with", todo="Grade some answers first.")
    judgements = [judge(row.question, row.answer, row.passages) for row in rows]
    hand = ["accept" if row.grade == "right" else "reject" for row in rows]
    return agreement(hand, [_label(judgement) for judgement in judgements], seed=seed), judgements


def _label(judgement: Judgement) -> str | None:
    if judgement.supported is None:
        return None
    return "accept" if judgement.supported else "reject"
