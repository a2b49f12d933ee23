"""Values as documents write them: quantities with a unit, days, and the words a field was seen to hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from labkit.graph.schema import Relation
from labkit.ingest.dates import parse_date

_SPACE = "[ \u00a0\u2009\u202f]"
_DASH = "[-‐-―−]"
# 1,234.5 and 1 234.5 and 1.234,5 and 1.234.567 have their thousands parted; 0.125 and 3.141 and 1234,567 do not.
_THOUSANDS = (
    rf"[1-9]\d{{0,2}}(?:(?:,\d{{3}})+(?:\.\d+)?|(?:{_SPACE}\d{{3}})+(?:[.,]\d+)?"
    r"|(?:\.\d{3})+,\d{1,2}|(?:\.\d{3}){2,})(?![\d]|[.,]\d)"
)
NUMBER = rf"(?:{_THOUSANDS}|\d+(?:[.,]\d+)?(?!\d|[.,]\d))"
"""A number as people write it, a pattern."""
_PLAIN = re.compile(NUMBER)
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = re.compile(
    r"\b\d{4}-\d\d-\d\d\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th|\.)?(?: of)? {_MONTH}\.?,? \d{{4}}\b"
    rf"|\b{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}\b"
    r"|\b\d{1,2}[./]\d{1,2}[./]\d{4}\b",
    re.IGNORECASE,
)
_SHORT = 3
"""Characters of a phrase that is found in its own case only."""
_SINCE = re.compile(
    r"\b(?:since|as of|as from|from|effective|with effect from|as agreed on|as amended on)\s+$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a text: ``text[start:end]``; ``number`` can be compared (of a day it is the ordinal)."""

    start: int
    end: int
    text: str
    number: float | None = None
    unit: str = ""


def quantities(text: str, relation: Relation) -> list[Value]:
    """Numbers with one of the relation's units before, behind or around them; the unit is its first way of writing.

    Numbers of a range (*10–15 kg*) are none.
    """
    found = []
    for match in _quantity(relation.units).finditer(text.replace("\n", " ")):
        if (value := number(next(filter(None, match.groups())))) is not None:
            found.append(Value(match.start(), match.end(), match[0], value, relation.units[0]))
    return found


def stated(text: str, relation: Relation, phrases: Sequence[str] = ()) -> list[Value]:
    """The values a sentence has for a relation.

    Args:
        text: the sentence.
        relation: says of what form they are.
        phrases: what words of no form may be, longest first; the first that is found counts.
    """
    if relation.value == "number":
        return quantities(text, relation)
    if relation.value == "day":
        return days(text)
    if written := relation.written():
        dates = days(text)
        found = (Value(*match.span(), match[0]) for match in written.finditer(text.replace("\n", " ")))
        return [
            value for value in found
            if (value.start or value.end == len(text) or " " in value.text)  # *A supplier* is no grade
            and not any(day.start < value.end and value.start < day.end for day in dates)
        ]  # fmt: skip
    lower = text.lower()
    for phrase in phrases:
        short = len(phrase) <= _SHORT  # a grade or a code: its case is part of it
        within, wanted = (text, phrase) if short else (lower, phrase.lower())
        if match := re.search(rf"(?<![\w+-]){re.escape(wanted)}(?![\w+-])", within):
            return [Value(match.start(), match.end(), text[match.start() : match.end()])]
    return []


def number(text: str) -> float | None:
    """A number that people wrote: thousands may be parted, and a decimal comma is one where no three digits follow."""
    if not _PLAIN.fullmatch(text):
        return None
    text = re.sub(_SPACE, "", text)
    if re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", text):
        return float(text.replace(",", ""))
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}", text):
        text = text.replace(".", "")
    return float(text.replace(",", "."))


def days(text: str) -> list[Value]:
    """Days written in full."""
    found = []
    for match in _DAY.finditer(text.replace("\n", " ")):
        if (day := parse_date(match[0])) is not None:
            found.append(Value(match.start(), match.end(), match[0], float(day.toordinal())))
    return found


def since(text: str) -> Value | None:
    """The day from which on a sentence says that something is so: *since 2 May 2024*, *as agreed on 3 June*."""
    return next((day for day in days(text) if _SINCE.search(text[: day.start])), None)


@lru_cache(maxsize=256)
def _quantity(units: tuple[str, ...]) -> re.Pattern[str]:
    """Matches the number in the one group that is not empty."""
    either = "|".join(re.escape(unit) for unit in sorted(units, key=len, reverse=True))
    around = "|".join(pattern for unit in units for pattern in _around(unit))
    # "10–15 kg" is no 15 kg, "BT-12 kg" no 12 kg, "EUR 500 per hour" no price, and "k EUR 250" not 250 EUR.
    behind = rf"(?<![\w.,])(?<!{_DASH})(?<!\d {_DASH} )({NUMBER})(?:{_SPACE}|-)?(?:{either})(?![\w·/])(?! per\b)"
    before = (
        rf"(?<!\w)(?<!\b[kKmM] )(?:{either}){_SPACE}?({NUMBER})"
        rf"(?![\w-]|{_SPACE}?{_DASH}{_SPACE}?\d|{_SPACE}?/|{_SPACE}per\b)"
    )
    return re.compile("|".join(filter(None, (around, behind, before))))


def _around(unit: str) -> list[str]:
    """Other ways of writing a unit of several words: *EUR 400 per hour*, *400 EUR/hour*, *net 30 days*, *EUR 710k*."""
    what, per, whole = unit.partition(" per ")
    if per:
        what, whole = re.escape(what), re.escape(whole)
        rate = rf"(?:{_SPACE}per{_SPACE}|/){whole}(?!\w)"
        return [
            rf"(?<!\w)(?<!\b[kKmM] ){what}{_SPACE}?({NUMBER}){rate}",
            rf"(?<![\w.,])(?<!{_DASH})({NUMBER}){_SPACE}?{what}{rate}",
        ]
    first, _, last = unit.partition(" ")
    if last and " " not in last:
        return [rf"(?<!\w){re.escape(last)}{_SPACE}?({NUMBER}){_SPACE}?{re.escape(first)}(?!\w)"]
    return []
