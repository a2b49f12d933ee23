"""Lexical faithfulness: are the numbers, names and words of an answer found in what it cites?

Cheap, deterministic and blind to meaning: a sentence that swaps two values of its source, or drops a *not* further
off, passes. It is what a first alarm can be built from, not what a judge or a person would say; ragas' metric called
faithfulness (:mod:`labkit.evaluate.ragas`) is another thing, in which a model takes the answer apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.retrieve.text import contains, content_words, identifiers, is_negative, names, sentences, share
from labkit.schema import Answer

MIN_SHARE = 0.75
"""Share of a claim's content words that the evidence must hold, the question's own left out."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer, and what of it the evidence lacks."""

    text: str
    supported: bool
    missing: tuple[str, ...]
    """Numbers, identifiers and stems of names or words that stand nowhere in the evidence."""


def lexical_faithfulness(question: str, answer: Answer) -> float | None:
    """The share of an answer's sentences that its citations support; None for an abstention or an empty answer."""
    if answer.abstained:
        return None
    claims = claims_of(question, answer.text, [citation.quote for citation in answer.citations])
    return sum(claim.supported for claim in claims) / len(claims) if claims else None


def claims_of(question: str, text: str, evidence: Sequence[str]) -> list[Claim]:
    """Take a text apart into sentences and check each against the evidence.

    A sentence is supported when the evidence has all its numbers, identifiers and names, most of its other words,
    and, in a sentence that shares words with it, a negation where it has one. What the question said needs no source.
    """
    known = "\n".join(evidence)
    found = content_words(known)
    asked_words, asked_exact = content_words(question), identifiers(question)
    claims = []
    for sentence in sentences(text):
        exact = {word for word in identifiers(sentence.text) - asked_exact if not contains(word, known)}
        people = names(sentence.text) - asked_words - found
        words = content_words(sentence.text) - asked_words
        held = share(words, found)
        near = [s.text for quote in evidence for s in sentences(quote) if content_words(s.text) & words]
        denied = bool(near) and is_negative(sentence.text) not in {is_negative(other) for other in near}
        supported = bool(evidence) and not exact and not people and held >= MIN_SHARE and not denied
        missing = exact | people | (words - found if held < MIN_SHARE else set())
        claims.append(Claim(sentence.text, supported, tuple(sorted(missing))))
    return claims
