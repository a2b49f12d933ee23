"""Decides from question and passages whether there is anything to answer from.

The model is not asked: small ones never say that they do not know. The rule is plain and can be argued with: the
passages must be about what is asked (similarity), speak of it in its words (coverage), and name every identifier and
proper name in the question, for a passage about E-471 says nothing about E-417.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.pipeline.select import Passage
from labkit.retrieve.text import contains, content_words, identifiers, names, share

MIN_SIMILARITY = 0.45
"""Cosine (MiniLM) between the question and its nearest sentence below which nothing is answered."""

MIN_COVERAGE = 0.5
"""Share of the question's content words that must occur in the passages taken together."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to answer, why not, and how strong the evidence is.

    Attributes:
        answerable: go on to the model.
        reason: the first condition that failed, or '': ``nothing_found``, ``similarity``, ``identifier``, ``name``,
            ``coverage``.
        similarity: cosine of the nearest sentence.
        coverage: share of the question's content words found.
    """

    answerable: bool
    reason: str = ""
    similarity: float = 0.0
    coverage: float = 0.0


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """The conditions, with their thresholds; calibrated on public runbooks and PEPs."""

    min_similarity: float = MIN_SIMILARITY
    min_coverage: float = MIN_COVERAGE

    def __call__(self, question: str, passages: Sequence[Passage]) -> Verdict:
        """Judge whether ``passages`` can hold the answer to ``question``."""
        if not passages:
            return Verdict(False, "nothing_found")
        similarity = max(passage.similarity for passage in passages)
        known = "\n".join(passage.context for passage in passages)
        coverage = share(content_words(question), content_words(known))
        reason = ""
        if similarity < self.min_similarity:
            reason = "similarity"
        elif not all(contains(identifier, known) for identifier in identifiers(question)):
            reason = "identifier"
        elif not names(question) <= content_words(known):
            reason = "name"
        elif coverage < self.min_coverage:
            reason = "coverage"
        return Verdict(not reason, reason, similarity, coverage)
