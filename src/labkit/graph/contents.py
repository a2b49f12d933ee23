"""What a field holds for a relation: a thing of the right kind, a quantity, a day, or words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from labkit.graph.fields import Field
from labkit.graph.names import Named
from labkit.graph.schema import Relation, Schema
from labkit.graph.values import Value, days, number, quantities

_NEXT = re.compile(r", (?=[A-Z])")
"""Where a list whose entries stand behind one another goes on."""


def held(relation: Relation, field: Field, name: Named | None) -> tuple[Named | None, Value | None]:
    """What a field holds for a relation: a thing of the right kind, or a value of the right form."""
    if relation.object:
        return (name, None) if name and name.kind == relation.object else (None, None)
    if relation.value == "words":
        words = _words(field)
        return None, Value(field.at, field.at + len(words), words) if words else None
    found = quantities(field.value, relation) if relation.value == "number" else days(field.value)
    if relation.value == "number" and not found and (bare := number(field.value)) is not None:
        # The unit of a form's number may stand on the form's head only.
        found = [Value(field.at, field.at + len(field.value), field.value, bare, relation.units[0])]
    return None, found[0] if found else None


def _words(field: Field) -> str:
    """The words a field holds; '' where it holds a dash."""
    words = _NEXT.split(field.value)[0].rstrip(".")
    return words if any(char.isalnum() for char in words) else ""


def phrases_of(fields: Mapping[str, Sequence[Sequence[Field]]], schema: Schema) -> dict[str, list[str]]:
    """Relation whose values are words → those its fields hold, longest first."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for lines in fields.values():
        for field in (field for line in lines for field in line):
            for name in schema.by_label.get(field.label, ()):
                if schema.relation[name].value == "words" and (phrase := _words(field)):
                    found[name].add(phrase)
    return {name: sorted(values, key=lambda value: (-len(value), value)) for name, values in found.items()}
