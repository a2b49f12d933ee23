"""The terms of a text for lexical search: stemmed words, and identifiers kept whole.

``E-417`` and ``E-471`` share no term of weight, ``E417`` and ``e–417`` are the same identifier, *restarting* matches
*restart*. Every store indexes and searches these terms as they are, so all rank by the same words. Stemming is
Snowball's English (Porter 1980, 2001); other languages keep their words nearly whole. Chinese and Japanese have no
spaces: their characters count in pairs.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache

FUNCTION_WORDS = frozenset(
    """a about above after again all also am an and any are as at be because been before being below between both but by
    can could did do does doing down during each few for from further get gets give given had has have having he her
    here hers him his how i if in into is it its itself just know let like many may me might more most much must my no
    nor not now of off on once one only or other our out over own please same say says shall she should so some such
    tell than that the their them then there these they this those through to too two under until up use used uses
    using very was we were what when where whether which while who whom whose why will with would you your""".split()  # noqa: SIM905 (a list of 140 quoted words reads worse)
)

# Letters and digits joined by single marks, with a digit in it: E-417, 3.2.1, PN-20-118, INC/2024/7.
_TERM = re.compile(r"[^\W_]+(?:[-_./:][^\W_]+)*")
_PART = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+")
_ENCLITIC = re.compile(r"(?<=\w)['’](?:s|t|re|ll|ve|d|m)\b", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_IDEOGRAPHS = re.compile(r"[぀-ヿ㐀-䶿一-鿿가-힯]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

_local = threading.local()


def terms(text: str) -> list[str]:
    """The terms of a text, in order, repetitions included. None contains a space."""
    found: list[str] = []
    plain = _ENCLITIC.sub(" ", _THOUSANDS.sub("", unicodedata.normalize("NFKC", text).translate(_DASHES)))
    for match in _TERM.finditer(plain):
        found += _of(match[0])
    return found


def query_terms(question: str) -> list[str]:
    """The terms a question is searched by: each once, function words left out where anything else remains."""
    found = list(dict.fromkeys(terms(question)))
    return [term for term in found if term not in _STOP_TERMS] or found


@lru_cache(maxsize=65_536)
def _of(word: str) -> tuple[str, ...]:
    if _IDEOGRAPHS.search(word):
        return tuple(piece for run in _IDEOGRAPHS.split(word) if run for piece in _of(run)) + tuple(
            run[i : i + 2] for run in _IDEOGRAPHS.findall(word) for i in range(max(1, len(run) - 1))
        )
    parts = [part.casefold() for part in _PART.findall(word)]
    if any(char.isdigit() for char in word):
        parts = [part.lstrip("0") or "0" if part.isdigit() else part for part in parts]  # E-007 is E-7
        whole = "".join(parts)
        # A letter alone says nothing; a number alone is how people abbreviate an identifier.
        return tuple(dict.fromkeys((whole, *(part for part in parts if part[0].isdigit() or len(part) > 1))))
    pieces = tuple(_stem(part) for part in parts)
    camel = tuple(_stem(part.casefold()) for part in _CAMEL.split(word)) if _CAMEL.search(word) else ()
    return pieces + camel


def _stem(word: str) -> str:
    try:
        stemmer = _local.stemmer
    except AttributeError:
        from Stemmer import Stemmer

        stemmer = _local.stemmer = Stemmer("english")  # not to be shared between threads
    stemmed: str = stemmer.stemWord(word)
    return stemmed


_STOP_TERMS = frozenset(_stem(word) for word in FUNCTION_WORDS) | FUNCTION_WORDS
