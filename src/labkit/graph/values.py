"""Values as documents write them: quantities with a unit, days, and the words a field was seen to hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from labkit.graph.schema import Relation
from labkit.ingest.dates import parse_date

_NUMBER = r"\d{1,3}(?:[ ,. ]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?"
_DAY = re.compile(
    r"\b\d{4}-\d\d-\d\d\b"
    r"|\b\d{1,2}(?:st|nd|rd|th|\.)?(?: of)? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,? \d{4}\b"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}\b"
    r"|\b\d{1,2}[./]\d{1,2}[./]\d{4}\b",
    re.IGNORECASE,
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
    """Numbers with one of the relation's units before or behind them; the unit is its first way of writing."""
    return [
        Value(m.start(), m.end(), m[0], _number(m["after"] or m["before"]), relation.units[0])
        for m in _quantity(relation.units).finditer(text)
    ]


def days(text: str) -> list[Value]:
    """Days written in full."""
    found = []
    for match in _DAY.finditer(text):
        if (day := parse_date(match[0])) is not None:
            found.append(Value(match.start(), match.end(), match[0], float(day.toordinal())))
    return found


def _number(text: str) -> float:
    digits = re.sub(r"[ ,. ](?=\d{3}(?:\D|$))", "", text)
    return float(digits.replace(",", "."))


@lru_cache(maxsize=256)
def _quantity(units: tuple[str, ...]) -> re.Pattern[str]:
    either = "|".join(re.escape(unit) for unit in sorted(units, key=len, reverse=True))
    number = rf"(?<![\w.,-])(?:{_NUMBER})"
    return re.compile(
        rf"(?P<after>{number})[  -]?(?:{either})(?![\w·/])(?! per\b)|\b(?:{either})[  ]?(?P<before>{number})(?![\w-])"
    )
