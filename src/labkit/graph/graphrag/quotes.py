"""What stands in the data of graphrag's prompts: tables of reports, entities, relationships and passages, as quotes.

The tables are meant for a model and not for a parser: rows are joined by ``|`` while passages hold line breaks and any
mark. So a row begins where a line begins with a number, and only graphrag's own headings begin a table.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from labkit.graph.graphrag.given import BULLET
from labkit.retrieve.text import sentences

DASH = " – "
"""Between what a quotation is about and what it says."""

NOTE = re.compile(r"\s*\[(?:Data|written by): [^\]]*\]")
"""A reference or label in a text."""

_WORDS = 4  # a passage's line of fewer words is a heading
# Only graphrag's own headings: mails hold lines like -----Original Message-----.
_TABLE = re.compile(r"^-{4,5}(Reports|Entities|Relationships|Claims|claims|Sources)-{5}$", re.MULTILINE)
_ROW = re.compile(r"^(\d+)\|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of the data, what it is about where that is not in it, and the record it stands in."""

    text: str
    table: str = ""
    record: str = ""
    about: str = ""

    @property
    def whole(self) -> str:
        """What it says, of what."""
        return f"{self.about}{DASH}{self.text}" if self.about else self.text

    def __str__(self) -> str:
        return f"{self.whole} [Data: {self.table} ({self.record})]" if self.record else self.whole


def quotes_of(context: str) -> list[Quote]:
    """Every sentence of the data tables, with its record; of entities and relationships what their description quotes.

    Basic search sends its table of sources without a heading, as CSV.
    """
    found: list[Quote] = []
    found_tables = tables(context)
    if not found_tables:
        for row in csv.DictReader(io.StringIO(context.strip()), delimiter="|", escapechar="\\"):
            found += _passage_quotes(row["text"] or "", row["id"])
    for table, text in found_tables:
        if table == "Reports":
            found += [quote for row in piped(text) for quote in report_quotes(row["content"] or "", row["id"])]
        elif table == "Sources":
            found += [quote for record, body in _rows(text) for quote in _passage_quotes(body, record)]
        else:
            found += [
                Quote(quote, table, record, about) for record, body in _rows(text) for about, quote in _said(body)
            ]
    return found


def tables(context: str) -> list[tuple[str, str]]:
    """The tables of a prompt by name."""
    pieces = _TABLE.split(context)
    return list(zip(pieces[1::2], pieces[2::2], strict=True))


def piped(text: str) -> list[dict[str, str]]:
    """Rows of a table that graphrag wrote as CSV with bars."""
    return list(csv.DictReader(io.StringIO(text.strip()), delimiter="|"))


def report_quotes(content: str, record: str) -> list[Quote]:
    """What a report quotes, each under the heading it stands under; a report's title says nothing of its own."""
    found, about = [], ""
    for line in content.splitlines():
        text = _line(NOTE.sub("", line))
        if text.startswith("#"):
            about = text.removeprefix("## ") if text.startswith("## ") else ""
        elif text:
            found.append(Quote(text, "Reports", record, about))
    return found


def unbullet(description: str) -> list[str]:
    """The quotations of a description; for an entity what precedes them comes first."""
    return [piece.strip() for piece in description.split(BULLET.strip()) if piece.strip()]


def _rows(text: str) -> list[tuple[str, str]]:
    """Rows ``id|…`` of a table whose texts may hold line breaks: a row ends where the next begins."""
    pieces = _ROW.split(text)
    return list(zip(pieces[1::2], pieces[2::2], strict=True))


def _passage_quotes(text: str, record: str) -> list[Quote]:
    lines = [_line(sentence.text) for sentence in sentences(text)]
    return [Quote(line, "Sources", record) for line in lines if len(line.split()) >= _WORDS]


def _said(body: str) -> list[tuple[str, str]]:
    """What the description in a row ``name|description|figures`` quotes, and of what; without quotations, all of it."""
    if BULLET.strip() not in body:
        return [("", _line(max(body.split("|"), key=len)))]
    head, *quotes = unbullet(body)
    named = [part.strip().rstrip(".") for part in head.split("|") if part.strip()]
    about = named[-1] if len(named) != 2 or named[0] in named[1] else " and ".join(named)
    return [(about, quote.partition("|")[0].strip()) for quote in quotes]


def _line(text: str) -> str:
    return " ".join(text.split())
