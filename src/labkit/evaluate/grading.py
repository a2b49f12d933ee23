"""Grading one answer against one question: value, citation, abstention, money.

A value counts as right when one of its accepted wordings stands in the first :data:`MAX_WORDS` words of the answer,
so that quoting half a document is not an answer. This module does not judge style, tone or completeness.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from labkit.schema import Answer
from labkit.world.questions import Question

MAX_WORDS = 60
LOOKUP_COST = 15.0
"""EUR a person spends looking up what the system abstained from although it could have known."""
_TOKEN = re.compile(r"((?<!\w)[A-Z][+-]?(?![\w'’]|[-·]\w))|\d+(?:[.,:]\d+)*|[^\W\d_]+")
_ARTICLE = re.compile(r"(?:^|[.!?]\s)A (?=[a-z])")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")


@dataclass(frozen=True, slots=True)
class Grade:
    """What became of one question."""

    question_id: str
    type: str
    answerable: bool
    abstained: bool
    value_correct: bool
    citation_correct: bool
    money_lost: float
    """EUR: the cost of a wrong answer, or of looking up what should have been answered."""
    seconds: float

    @property
    def right(self) -> bool:
        """Answered rightly, or abstained where that was right."""
        return self.value_correct if self.answerable else self.abstained


def grade(question: Question, answer: Answer, gold_paths: Collection[str], seconds: float) -> Grade:
    """Grade an answer; ``gold_paths`` are the source paths of files that state the question's facts."""
    answerable = bool(question.value)
    value = answerable and not answer.abstained and value_correct(question, answer.text)
    right = value if answerable else answer.abstained
    if right:
        lost = 0.0
    elif answer.abstained:
        lost = LOOKUP_COST
    else:
        lost = question.cost_if_wrong
    return Grade(
        question_id=question.question_id,
        type=question.type,
        answerable=answerable,
        abstained=answer.abstained,
        value_correct=value,
        citation_correct=value and citation_correct(question, answer, gold_paths),
        money_lost=lost,
        seconds=seconds,
    )


def value_correct(question: Question, text: str) -> bool:
    """Whether the text gives the question's value in an accepted wording; of a list of themes, at least two thirds."""
    said = tokens(text)[:MAX_WORDS]
    if question.type == "global":
        themes = question.value.split("; ")
        return sum(contains(said, tokens(theme)) for theme in themes) * 3 >= 2 * len(themes)
    return any(contains(said, tokens(surface)) for surface in (question.value, *question.aliases))


def citation_correct(question: Question, answer: Answer, gold_paths: Collection[str]) -> bool:
    """Whether a citation points into a file that states the fact and quotes the value.

    Comparisons, counts and sums are computed from several documents, so their citations need not hold the value.
    """
    computed = question.type in {"comparison", "aggregation", "global"}
    cited = [citation for citation in answer.citations if citation.source_path in gold_paths]
    return any(computed or value_correct(question, citation.quote) for citation in cited)


def tokens(text: str) -> list[str]:
    """Words and numbers, folded: ``1,850.50 €`` and ``1850.50`` share a token.

    A capital that stands alone (the grade ``A``, ``B+``) keeps its case and sign, so that no article passes for one.
    """
    plain = _THOUSANDS.sub("", unicodedata.normalize("NFKC", text))
    plain = _ARTICLE.sub(lambda match: match[0].lower(), plain)
    return [match[0] if match[1] else match[0].casefold() for match in _TOKEN.finditer(plain)]


def contains(said: list[str], wanted: list[str]) -> bool:
    """Whether ``wanted`` stands in ``said`` as a run of whole tokens."""
    length = len(wanted)
    return bool(wanted) and any(said[i : i + length] == wanted for i in range(len(said) - length + 1))
