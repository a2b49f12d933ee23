"""Dates: reading them as people write them, and from when to when a document says it holds.

Only what the document states counts, in this order: an explicit statement of validity near its top, a date field it
carries (front matter, RST field, mail header, HTML meta, core properties), a dated line near its top, and last the date
its file format was given at creation. Nothing is inferred from file times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta

_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan", "feb", "mar mär mrz", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov", "dec dez"), 1
    )
    for name in names.split()
}
_DAY = r"(\d{1,2})(?:st|nd|rd|th|\.)?"
_MONTH = r"(jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zäé]*\.?"
_FORMS = (
    ("ymd", re.compile(r"\b(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")),
    ("dMy", re.compile(rf"\b{_DAY}(?: of)?[\s-]+{_MONTH},?[\s-]+(\d{{4}})\b", re.I)),
    ("Mdy", re.compile(rf"\b{_MONTH}\s+{_DAY},?\s+(\d{{4}})\b", re.I)),
    ("dmy", re.compile(r"\b(\d{1,2})[./-](\d{1,2})[./-](\d{4})\b")),
    ("My", re.compile(rf"(?<!\d )(?<!\d\. )\b{_MONTH}\s+(\d{{4}})\b", re.I)),
)
_HEAD = 3000
"""Characters at the top of a document that are searched for statements."""
_STATE = r"(?:is|are|was|be|becomes?|shall be|will be|:)?\s*"
_FROM = re.compile(
    rf"\b(?:effective|valid|in force|applicable|applies)\s*(?:date|from|as of|since|on|starting)?\s*{_STATE}"
    rf"(?:from|as of|on|since|starting)?\s*:?\s*[\*_|]*\s*(?=\S)|\b(?:gültig ab|gültig vom|valable du)\s*:?\s*",
    re.I,
)
# What ends must be the document: "expires" opens a line or follows "this …", and so does "withdrawn". A notice that
# withdraws another document holds on.
_UNTIL = re.compile(
    r"(?:\b(?:valid\s+(?:until|through|thru|till|to)|effective\s+(?:until|through)|in force until|gültig bis)"
    r"|(?:^\W*|\bthis (?:\w+ ){1,2})expir(?:es|y|ation)(?: date)?(?: on)?)\s*[:|*_]*\s*",
    re.I | re.M,
)
_ENDED = re.compile(
    r"\bthis (?:\w+ ){1,4}(?:superseded|withdrawn|obsolete|replaced|repealed)\s+"
    r"(?:on|as of|from|since|effective)\s*:?\s*",
    re.I,
)
_DATED = re.compile(
    r"^\W*(?:date|dated|created|issued|issue date|date of issue|published|last updated|updated|revised|revision date|"
    r"datum|stand)\s*[:|]\s*",
    re.I | re.M,
)
_RANGE = re.compile(r"\s*(?:to|until|through|till|bis|–|—|-)\s*", re.I)
_FROM_FIELDS = ("valid_from", "valid-from", "valid from", "effective", "effective_date", "effective-date",
                "effective date", "effective from", "effective_from", "in force from")  # fmt: skip
_TO_FIELDS = ("valid_to", "valid-to", "valid until", "valid_until", "expires", "expiry", "expiration date", "valid to")
_DATE_FIELDS = ("date", "issued", "issue date", "date of issue", "published", "created", "last updated", "updated",
                "revised", "revision date", "modified")  # fmt: skip
_FILE_FIELDS = ("creationdate", "moddate")
_CORE_PROPERTIES = ("created", "modified")


def parse_date(text: str) -> date | None:
    """The first date written in ``text``; day before month unless that is impossible.

    A month without a day means its first day. Impossible dates (31 April) are not dates.
    """
    found = [(match.start(), order, form, match) for order, (form, pattern) in enumerate(_FORMS)
             if (match := pattern.search(text))]  # fmt: skip
    for _, _, form, match in sorted(found, key=lambda item: item[:2]):
        if (value := _build(form, match.groups())) is not None:
            return value
    return None


def validity(
    text: str, metadata: Mapping[str, str], *, weak: frozenset[str] = frozenset()
) -> tuple[date | None, date | None]:
    """From which day a document holds, and the first day on which it no longer does.

    Args:
        text: the document's text; only its top is read.
        metadata: fields the file states about itself, lower-case names.
        weak: fields that count only where the text states nothing, because a program filled them in.
    """
    # Long runs of white space would make the patterns below slow.
    head = re.sub(r"[ \t\xa0]+", " ", re.sub(r"\s*\n\s*", "\n", text[: 2 * _HEAD]))[:_HEAD]
    stated = {name: value for name, value in metadata.items() if name not in weak}
    start, end = _stated_range(head)
    start = _field(stated, _FROM_FIELDS) or start or _field(stated, _DATE_FIELDS) or _dated_line(head)
    start = start or _field(metadata, (*_DATE_FIELDS, *_FILE_FIELDS))
    last = _field(stated, _TO_FIELDS) or _after(head, _UNTIL)
    end = last + timedelta(days=1) if last and last < date.max else end
    end = end or _after(head, _ENDED)
    if start and end and end <= start:  # contradictory: believe the beginning
        end = None
    return start, end


def _build(form: str, parts: tuple[str, ...]) -> date | None:
    numbers = [_MONTHS.get(part[:3].lower(), 0) if not part.isdigit() else int(part) for part in parts]
    by_letter = dict(zip(form.lower(), numbers, strict=True))
    year, month, day = by_letter["y"], by_letter["m"], by_letter.get("d", 1)
    if form == "dmy" and month > 12:
        month, day = day, month
    try:
        return date(year, month, day) if 1900 <= year <= 2200 else None
    except ValueError:
        return None


def _field(metadata: Mapping[str, str], names: tuple[str, ...]) -> date | None:
    return next((value for name in names if (value := parse_date(metadata.get(name, "")))), None)


def _leading(text: str) -> tuple[date | None, int]:
    """A date that ``text`` begins with, and where it ends."""
    for form, pattern in _FORMS:
        # A weekday may stand before it.
        match = re.compile(r"(?:\w+day,?\s+|the\s+)?" + pattern.pattern, pattern.flags).match(text)
        if match and (value := _build(form, match.groups())):
            return value, match.end()
    return None, 0


def _after(head: str, statement: re.Pattern[str]) -> date | None:
    for match in statement.finditer(head):
        if value := _leading(head[match.end() : match.end() + 60])[0]:
            return value
    return None


def _stated_range(head: str) -> tuple[date | None, date | None]:
    """``effective from A`` and, where it goes on with ``to B``, the day after B."""
    for match in _FROM.finditer(head):
        rest = head[match.end() : match.end() + 100]
        start, length = _leading(rest)
        if start is None:
            continue
        if joint := _RANGE.match(rest[length:]):
            last = _leading(rest[length + joint.end() :])[0]
            if last and last >= start:
                return start, last + timedelta(days=1)
        return start, None
    return None, None


def _dated_line(head: str) -> date | None:
    return _after(head, _DATED)
