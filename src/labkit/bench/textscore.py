"""How much of a document's text survived parsing: token F1 against the clean text, and letters repaired.

**Tokens** are lower-cased runs of word characters and the signs that change what a number means (%, ±, €, …);
punctuation, bullets and the bars of tables are layout. They are compared as multisets, so the order of columns is not
judged here.

**Fairness.** Both sides begin with the title, once. A table counts with each cell under its header, as ingestion
writes it; where the format has no tables (mail, plain text) the plain rows are as good. What policy redacts is taken
out of the truth, and placeholders out of the stored text: personal data that stayed costs precision, words redacted
without need cost recall.
"""

from __future__ import annotations

import re
from collections import Counter

from labkit.bench.truth import Clean
from labkit.pii import PSEUDONYM
from labkit.schema import Document

_TOKEN = re.compile(r"[^\W_]+|[%‰°±≤≥€£$]")
_WORD = re.compile(r"[^\s\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")
"""Anything between white space and ASCII punctuation: a word with its accents, a dash, a quotation mark."""
_HOLE = "\0"


def token_f1(truth: str, found: str) -> float:
    """F1 of two texts as multisets of tokens; two empty texts agree."""
    expected, got = tokens(truth), tokens(found)
    if not expected and not got:
        return 1.0
    common = (expected & got).total()
    return 2 * common / (expected.total() + got.total())


def difference(truth: str, found: str, most: int = 12) -> tuple[str, str]:
    """The most frequent tokens that are missing, and those that are too many, for a person to read."""
    expected, got = tokens(truth), tokens(found)
    missing, extra = (expected - got).most_common(most), (got - expected).most_common(most)
    return " ".join(token for token, _ in missing), " ".join(token for token, _ in extra)


def tokens(text: str) -> Counter[str]:
    """Tokens of a text and how often each occurs."""
    return Counter(_TOKEN.findall(text.lower()))


def stored_text(document: Document) -> str:
    """The stored text without placeholders, the title before it unless it begins with it."""
    text = PSEUDONYM.sub(" ", document.text)
    title = PSEUDONYM.sub(" ", document.title)
    head = " ".join(text[: 2 * len(title) + 200].split())
    return text if head.startswith(" ".join(title.split())) else f"{title}\n\n{text}"


def true_text(clean: Clean, *, expand: bool = True) -> str:
    """The clean text without what is to be redacted; tables cell by cell with headers."""
    text = clean.text
    holes = [(p.start, p.end) for p in clean.personal if p.action == "redact"]
    for start, end in holes:
        text = text[:start] + _HOLE * (end - start) + text[end:]
    if expand:
        for start, end in sorted(clean.tables, reverse=True):
            text = text[:start] + _expanded(text[start:end]) + text[end:]
    return text.replace(_HOLE, "")


def text_f1(clean: Clean, document: Document) -> float:
    """Token F1 of a stored document."""
    found = stored_text(document)
    score = token_f1(true_text(clean), found)
    if document.format in ("eml", "text") and clean.tables:
        return max(score, token_f1(true_text(clean, expand=False), found))
    return score


def _expanded(table: str) -> str:
    header, *body = (line.split(" | ") for line in table.split("\n"))
    if not body or any(len(row) != len(header) for row in body):
        return table
    return "\n".join(
        " | ".join(f"{name}: {cell}" for name, cell in zip(header, row, strict=True) if cell.strip(_HOLE))
        for row in body
    )


def repaired_characters(clean: Clean, document: Document | None) -> tuple[int, int]:
    """Characters beyond ASCII that stand in the right word, and how many there are; words are compared as multisets.

    A file that was refused has none of them right.
    """
    expected = Counter(word for word in _WORD.findall(true_text(clean)) if not word.isascii())
    found = stored_text(document) if document else ""
    got = Counter(word for word in _WORD.findall(found) if not word.isascii())
    right = expected & got
    return _weight(right), _weight(expected)


def _weight(words: Counter[str]) -> int:
    return sum(count * sum(not c.isascii() for c in word) for word, count in words.items())
