"""Rewrites a question before it is searched, without a language model.

Three things people do that search does not forgive: they misspell (*calibraton*), they write identifiers their own way
(*E 417*, *inc3347*), and they ask two things at once. Words are compared with the corpus' own vocabulary, so nothing
is corrected into a word the documents do not use, and identifiers are never corrected: E-417 is not a misspelt E-471.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from labkit.errors import StoreError
from labkit.retrieve.store import search_text
from labkit.retrieve.terms import FUNCTION_WORDS, terms
from labkit.schema import Chunk

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SPACED = re.compile(r"\b([^\W\d_]{1,6})[ -]?(\d{1,6})\b")
_NEXT_QUESTION = re.compile(
    r"\?\s+(?:(?:and|also|then|plus)\b[, ]*)?(?=\S)"
    r"|,?\s+and (?=(?:who|what|when|where|which|why|how)\b)|;\s+(?=(?:who|what|when|where|which|why|how)\b)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\?|^(?:(?:about|at|by|for|from|in|of|on|since|to|under|until|with)\s+)?(?:who|whom|whose|what|which|why|how)\b"
    r"|^(?:(?:when|where)\s+)?(?:is|are|was|were|do|does|did|has|have|had|can|could|may|must|should|will|would)\b"
    r"|^(?:please|tell|name|show|list|give|find|describe|explain|compare|summari[sz]e)\b",
    re.IGNORECASE,
)
_SHORTEST = 5  # letters a word must have to be corrected: short words have too many neighbours
_MOST_PARTS = 4
_LETTERS = "abcdefghijklmnopqrstuvwxyzäöüåéèßñçøæ"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
_DAY = re.compile(
    r"\b(?:as of|as at)\s+(?:the\s+)?"
    rf"(?:(?P<iso>\d{{4}}-\d\d-\d\d)|(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?{_MONTH},?\s+(?P<year>\d{{4}}))\b",
    re.IGNORECASE,
)
_MONTH_ASKED = re.compile(rf"\b(?:as of|as at)\s+{_MONTH},?\s+(?P<year>\d{{4}})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What is searched instead of a question.

    Attributes:
        parts: the questions in it, corrected; at least one.
        corrections: word as asked → as searched.
    """

    parts: tuple[str, ...]
    corrections: Mapping[str, str]


class Vocabulary:
    """The words of a corpus, and in how many chunks each stands."""

    def __init__(self, words: Mapping[str, int]) -> None:
        self._words = words

    @classmethod
    def of(cls, chunks: Iterable[Chunk]) -> Vocabulary:
        """Counted from chunks."""
        counted: Counter[str] = Counter()
        for chunk in chunks:
            text = search_text(chunk)
            counted.update({word.casefold() for word in _WORD.findall(text)} | set(terms(text)))
        return cls(counted)

    @classmethod
    def load(cls, file: Path) -> Vocabulary:
        """Read what :meth:`save` wrote.

        Raises:
            StoreError: the file is missing or damaged.
        """
        try:
            table = pq.read_table(file)
            return cls(dict(zip(table["word"].to_pylist(), table["chunks"].to_pylist(), strict=True)))
        except (OSError, KeyError, pa.ArrowException) as error:
            todo = "Build the index again with `labkit index`."
            raise StoreError(f"The vocabulary cannot be read ({error})", where=file.name, todo=todo) from error

    def save(self, file: Path) -> None:
        """Write as Parquet."""
        words = sorted(self._words)
        pq.write_table(pa.table({"word": words, "chunks": [self._words[word] for word in words]}), file)

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def nearest(self, word: str) -> str | None:
        """The commonest word one edit away, or None (Norvig 2007, *How to write a spelling corrector*)."""
        known = {candidate for candidate in _edits(word) if candidate in self._words}
        return min(known, key=lambda candidate: (-self._words[candidate], candidate)) if known else None


class Rewriter:
    """Corrects and splits questions by the vocabulary of one corpus.

    Args:
        vocabulary: the corpus' words.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def __call__(self, question: str) -> Rewritten:
        """What to search for ``question``."""
        corrections: dict[str, str] = {}
        text = _WORD.sub(lambda match: self._spelt(match[0], corrections), question)
        text = _SPACED.sub(lambda match: self._joined(match, corrections), text)
        return Rewritten(split(text), corrections)

    def _spelt(self, word: str, corrections: dict[str, str]) -> str:
        folded = word.casefold()
        if len(folded) < _SHORTEST or folded in FUNCTION_WORDS or folded in self._vocabulary:
            return word
        if any(term in self._vocabulary for term in terms(word)):
            return word  # another form of a word the corpus has
        nearest = self._vocabulary.nearest(folded)
        if nearest is None:
            return word
        corrections[word] = nearest
        return nearest

    def _joined(self, match: re.Match[str], corrections: dict[str, str]) -> str:
        """``E 417`` as ``E-417``, if the corpus knows that identifier and the letters are no word of the sentence."""
        letters, number = match[1], match[2]
        whole = f"{letters.casefold()}{number.lstrip('0') or '0'}"
        if match[0] == f"{letters}-{number}" or letters.casefold() in FUNCTION_WORDS or whole not in self._vocabulary:
            return match[0]
        corrections[match[0]] = f"{letters}-{number}"
        return f"{letters}-{number}"


def split(question: str) -> tuple[str, ...]:
    """The questions in a text, at most four.

    What asks nothing (*I have E-417 on the panel; what is it?*) stays with the question it leads to, and what cannot
    stand alone with the one before.
    """
    parts: list[str] = []
    start = 0
    for match in [*_NEXT_QUESTION.finditer(question), None]:
        end = match.start() + 1 if match and match[0].startswith("?") else match.start() if match else len(question)
        piece = question[start:end].strip(" ,;")
        asks = _ASKS.search(piece) is not None
        if match is not None and not asks:
            continue
        if asks and len(piece.split()) >= 3 and len(parts) < _MOST_PARTS:
            parts.append(piece)
        elif piece and parts:
            parts[-1] = f"{parts[-1]} {piece}"
        elif piece and match is not None:
            continue  # too short to stand alone: it opens the next one
        elif piece:
            parts.append(piece)
        start = match.end() if match else end
    return tuple(parts) or (question,)


def asked_day(question: str) -> date | None:
    """The day *as of* which a question asks, if it says so; of ``as of March 2025`` the last.

    A day a question only mentions (*what happened on 5 January*, *since 2023*) does not move the day it is asked for:
    what tells of it was written later.
    """
    if match := _DAY.search(question):
        if match["iso"]:
            return _date(*map(int, match["iso"].split("-")))
        return _date(int(match["year"]), _MONTHS.index(match["month"].casefold()) + 1, int(match["day"]))
    if match := _MONTH_ASKED.search(question):
        year, month = int(match["year"]), _MONTHS.index(match["month"].casefold()) + 1
        following = _date(year + month // 12, month % 12 + 1, 1)
        return date.fromordinal(following.toordinal() - 1) if following else None
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:  # 31 February: a slip, not a day
        return None


def _edits(word: str) -> Iterator[str]:
    """Every string one deletion, transposition, replacement or insertion away."""
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in _LETTERS)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in _LETTERS)
