"""Fields of forms and rows of tables, as ingestion leaves them: ``Label: value | Label (subject): value``.

A field ends at a bar, at the end of its line, or where the next known label begins: PDF puts several on a line. Only
labels of the data dictionary are fields; any other text with a colon is prose. A table that somebody set with tabs or
spaces has a line of labels above its rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from labkit.graph.schema import Schema

_GAP = re.compile(r"\t+ *| {2,}")
_LONG = 12
"""Characters of a label from which on it cannot be anything else for a space inside it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        label: in lower case.
        about: what it is about, where the label says so in brackets; else ''.
        value: without space around it.
        at: where the value stands in the text.
        start: where the field begins.
        end: where it ends.
    """

    label: str
    about: str
    value: str
    at: int
    start: int
    end: int


def rows(text: str, schema: Schema) -> list[list[Field]]:
    """The fields of a text, line by line; lines without any are left out, and so is a document's own head."""
    heads = {label.lower() for label in schema.head}
    found: list[tuple[int, list[Field]]] = []
    columns: list[tuple[int, str]] = []
    number = start = 0
    for line in text.split("\n"):
        number += bool(line.strip())
        cells = list(_cells(line))
        if (columns and (row := _row(columns, cells, line, start))) or (row := _fields(line, start, schema)):
            found.append((number, row))
        elif columns and line.strip() and found and found[-1][0] == number - 1:
            last = found[-1][1].pop()  # the last cell goes on below
            found[-1][1].append(
                replace(
                    last, value=" ".join(text[last.at : start + len(line)].split("\n")).rstrip(), end=start + len(line)
                )
            )
        if not line.strip():
            columns = []
        elif len(cells) > 1 and all(label.lower() in _lower(schema.labels) for _, label in cells):
            columns = cells
        start += len(line) + 1
    about_itself = {at + near for at, row in found if any(f.label in heads for f in row) for near in (-1, 0, 1)}
    return [row for at, row in found if at not in about_itself]


def _cells(line: str) -> Iterator[tuple[int, str]]:
    """Where the cells of a line begin that tabs or several spaces part, and what they hold."""
    at = 0
    for gap in [*_GAP.finditer(line), None]:
        end = gap.start() if gap else len(line)
        if cell := line[at:end].strip():
            yield at + line[at:end].index(cell), cell
        at = gap.end() if gap else end


def _row(columns: Sequence[tuple[int, str]], cells: Sequence[tuple[int, str]], line: str, offset: int) -> list[Field]:
    """The fields of a line below the labels of a table; none if it has another number of cells."""
    if len(cells) != len(columns):
        return []
    ends = [at for at, _ in cells[1:]] + [len(line)]
    return [
        Field(label.lower(), "", cell, offset + at, offset + at, offset + end)
        for (_, label), (at, cell), end in zip(columns, cells, ends, strict=True)
        if any(char.isalnum() for char in cell)
    ]


def _fields(line: str, offset: int, schema: Schema) -> list[Field]:
    heads = _heads(line, schema)
    fields = []
    ends = [head.start() for head in heads[1:]] + [len(line)]
    for head, end in zip(heads, ends if heads else [], strict=True):
        bar = line.find(" |", head.end() - 1, end)  # the space behind an empty field's colon may be that of the bar
        end = end if bar < 0 else bar
        value = line[head.end() : end]
        at = head.end() + len(value) - len(value.lstrip())
        value = value.strip().rstrip(",;")
        if value:
            about = (head["about"] or "").strip()
            label = _whole(schema.labels).get(_closed(head["label"]), head["label"].lower())
            fields.append(Field(label, about, value, offset + at, offset + head.start(), offset + end))
    return fields


def _heads(line: str, schema: Schema) -> list[re.Match[str]]:
    """The labels in a line; not those that end a phrase, as in *the review date of the Badge Policy: 2 May 2026*."""
    found: list[re.Match[str]] = []
    for head in _pattern(schema.labels).finditer(line) if schema.labels and ": " in line else ():
        before = line[: head.start()].rstrip()
        if found or head.start() != len(before) + 1 or before[-1] in ".:!?;|":
            found.append(head)
    return found


@lru_cache(maxsize=8)
def _lower(labels: tuple[str, ...]) -> frozenset[str]:
    return frozenset(label.lower() for label in labels)


@lru_cache(maxsize=8)
def _pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    # A label opens a line (behind the keys that lead to it, where JSON was flattened: "fields.Site: ") or a cell, or
    # stands behind any word: "City: York Country: Norway".
    either = "|".join(_spaced(label) for label in labels)
    return re.compile(rf"(?:^\W*(?:\w+\.)*|(?<=\| )|(?<=\S ))(?P<label>{either})(?: \((?P<about>[^()\n]{{1,80}})\))?: ")


def _spaced(label: str) -> str:
    """A label's pattern; PDF may set a space inside one that is long (*Replaceme nt interval*)."""
    letters = [re.escape(char) for char in label if char != " "]
    return " ?".join(letters) if len(label) >= _LONG else re.escape(label)


@lru_cache(maxsize=8)
def _whole(labels: tuple[str, ...]) -> dict[str, str]:
    """Label without its spaces → label, both in lower case."""
    return {_closed(label): label.lower() for label in labels if len(label) >= _LONG}


def _closed(label: str) -> str:
    return label.replace(" ", "").lower()
