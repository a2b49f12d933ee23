"""Fields of forms and rows of tables, as ingestion leaves them: ``Label: value | Label (subject): value``.

A field ends at a bar, at the end of its line, or where the next known label begins: PDF puts several on a line. Only
labels of the data dictionary are fields; any other text with a colon is prose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from labkit.graph.schema import Schema

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
    number = start = 0
    for line in text.split("\n"):
        number += bool(line.strip())
        if row := _fields(line, start, schema):
            found.append((number, row))
        start += len(line) + 1
    about_itself = {at + near for at, row in found if any(f.label in heads for f in row) for near in (-1, 0, 1)}
    return [row for at, row in found if at not in about_itself]


def _fields(line: str, offset: int, schema: Schema) -> list[Field]:
    heads = list(_pattern(schema.labels).finditer(line)) if schema.labels and ": " in line else []
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


@lru_cache(maxsize=8)
def _pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    # A label opens a line (behind the keys that lead to it, where JSON was flattened: "fields.Site: ") or a cell, or
    # stands behind any word: "City: York Country: Norway". So "the Site: Hexham" in prose is a field too.
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
