"""Recall of redaction: what still stands in the stored tables although it should have gone.

An identifier is gone when no telling part of it is left: neither the first half of its digits nor the last six, not
the mailbox, not the street and number. A mention of a name is gone when none of its words stands more often than the
document may say it. A name that the same document also keeps (staff) is not judged.

A first or last name alone that a member of staff shares, in a document that nowhere gives the full name, could be
anybody's: no reader can tell whom it means, and replacing all such words would take hundreds of colleagues with them.
These mentions are counted apart; ``person_name_recall_all`` includes them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit.bench.result import Figure, share
from labkit.bench.textscore import stored_text
from labkit.bench.truth import Case, Personal
from labkit.pii import PSEUDONYM

_NUMBERS = frozenset({"phone", "mobile", "iban", "card", "national_id"})
_TAIL = 6
_NAME = re.compile(r"[^\W\d_]{2,}")


@dataclass(slots=True)
class Leaks:
    """What of one document's personal data was to go, and what of it still stands."""

    identifiers: int = 0
    kept_identifiers: list[str] = field(default_factory=list)
    names: int = 0
    """Mentions of people that can be told from staff."""
    kept_names: list[str] = field(default_factory=list)
    unattributable: int = 0
    kept_unattributable: list[str] = field(default_factory=list)


def staff_words(cases: Sequence[Case]) -> frozenset[str]:
    """First and last names of everybody whose full name may stay somewhere."""
    spans = (span for case in cases if case.clean is not None for span in case.clean.personal)
    names = {span.text for span in spans if (span.label, span.action) == ("person", "keep") and " " in span.text}
    return frozenset(word for name in names for word in name.split())


def leaks(case: Case, staff: frozenset[str]) -> Leaks:
    """Look for everything that was to go in the stored text, title, headings and chunks of a document.

    Args:
        case: a readable file that became a document.
        staff: of :func:`staff_words`.
    """
    assert case.clean is not None
    found = Leaks()
    stored = _everything_stored(case)
    rest = _without_redacted(case)
    for span in case.clean.personal:
        if span.action != "redact":
            continue
        if span.label != "person":
            found.identifiers += 1
            if _stands(span, stored, rest):
                found.kept_identifiers.append(span.text)
    kept = {span.text for span in case.clean.personal if span.label == "person" and span.action == "keep"}
    mentions = [
        span.text
        for span in case.clean.personal
        if (span.label, span.action) == ("person", "redact") and span.text not in kept
    ]
    named = {word for mention in mentions if " " in mention for word in mention.split()}

    def anybodys(mention: str) -> bool:
        return " " not in mention and mention in staff and mention not in named

    standing = _standing_names(mentions, stored, rest)
    found.unattributable = sum(map(anybodys, mentions))
    found.names = len(mentions) - found.unattributable
    found.kept_unattributable = list(filter(anybodys, standing))
    found.kept_names = [mention for mention in standing if not anybodys(mention)]
    return found


def recall_figures(found: Sequence[Leaks]) -> dict[str, Figure]:
    """Shares of identifiers and of mentions of names that are gone."""
    identifiers, names = sum(leak.identifiers for leak in found), sum(leak.names for leak in found)
    kept = sum(len(leak.kept_identifiers) for leak in found), sum(len(leak.kept_names) for leak in found)
    shared = sum(leak.unattributable for leak in found)
    standing = kept[1] + sum(len(leak.kept_unattributable) for leak in found)
    return {
        "pii_recall": share(identifiers - kept[0], identifiers),
        "person_name_recall": share(names - kept[1], names),
        "person_name_recall_all": share(names + shared - standing, names + shared),
    }


def _everything_stored(case: Case) -> str:
    """Title and text once, and whatever chunks say beyond that."""
    assert case.document is not None
    text = stored_text(case.document)
    parts = {PSEUDONYM.sub(" ", part) for chunk in case.chunks for part in (chunk.text, *chunk.heading_path)}
    return "\n".join((text, *sorted(part for part in parts if part not in text)))


def _without_redacted(case: Case) -> str:
    """The clean text with a gap wherever something is to be redacted."""
    assert case.clean is not None
    text = case.clean.text
    for span in case.clean.personal:
        if span.action == "redact":
            text = text[: span.start] + "\n" * (span.end - span.start) + text[span.end :]
    return text


def _stands(span: Personal, stored: str, rest: str) -> bool:
    """Whether the identifier, or a telling part of it, can be read, and is not said there rightfully."""
    if span.label in _NUMBERS:
        digits = _compact(span.text)
        parts = [digits[: len(digits) // 2 + 1], digits[-_TAIL:]]
        return any(part in _compact(stored) and part not in _compact(rest) for part in parts)
    part = {"email": span.text.split("@")[0], "address": span.text.split(",")[0]}.get(span.label, span.text)
    words = r"\s+".join(map(re.escape, part.split()))
    pattern = re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)
    return bool(pattern.search(stored)) and not pattern.search(rest)


def _compact(text: str) -> str:
    return re.sub(r"[\s().\-/]", "", text)


def _standing_names(mentions: Sequence[str], stored: str, rest: str) -> list[str]:
    """Mentions of which any part still stands more often than it may."""
    excess = Counter(_NAME.findall(stored))
    excess.subtract(Counter(_NAME.findall(rest)))
    standing = []
    for mention in sorted(mentions, key=len, reverse=True):
        parts = [part for part in _NAME.findall(mention) if excess[part] > 0]
        if parts:
            standing.append(mention)
            excess.subtract(parts)
    return standing
