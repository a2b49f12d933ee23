"""What can be known about the company: kinds of entity and relations, read from ``ontology.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

ValueType = Literal["entity", "list", "number", "date"]


@dataclass(frozen=True, slots=True)
class KindSpec:
    """How many entities of a kind a cell of the company has, and how their identifiers look (# digit, @ letter)."""

    count: int
    id_pattern: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """One thing that can be known about a kind of entity."""

    name: str
    subject: str
    type: ValueType
    label: str
    object: str | None = None
    list: str = ""
    low: float = 0.0
    high: float = 0.0
    step: float = 1.0
    unit: str = ""
    prefix: str = ""
    future: bool = False
    past: bool = False
    changes: float = 0.0
    groups: tuple[str, ...] = ("staff",)


@dataclass(frozen=True, slots=True)
class Ontology:
    """All kinds and relations."""

    kinds: dict[str, KindSpec]
    relations: dict[str, Relation]

    def about(self, kind: str) -> list[Relation]:
        """The relations a kind of entity has, in file order."""
        return [relation for relation in self.relations.values() if relation.subject == kind]


def _relation(name: str, data: dict[str, Any]) -> Relation:
    value = data.get("value", {})
    common: dict[str, Any] = {
        "name": name,
        "subject": data["subject"],
        "label": data["label"],
        "changes": data.get("changes", 0.0),
        "groups": tuple(data.get("groups", ("staff",))),
    }
    if "object" in data:
        return Relation(type="entity", object=data["object"], **common)
    if "list" in value:
        return Relation(type="list", list=value["list"], **common)
    if "number" in value:
        low, high = value["number"]
        step, unit, prefix = value.get("step", 1), value.get("unit", ""), value.get("prefix", "")
        return Relation(type="number", low=low, high=high, step=step, unit=unit, prefix=prefix, **common)
    return Relation(type="date", future=value.get("future", False), past=value.get("past", False), **common)


def _load() -> Ontology:
    data = tomllib.loads((files("labkit.world") / "ontology.toml").read_text(encoding="utf-8"))
    return Ontology(
        kinds={name: KindSpec(spec["count"], spec.get("id", "")) for name, spec in data["kinds"].items()},
        relations={name: _relation(name, spec) for name, spec in data["relation"].items()},
    )


ONTOLOGY = _load()
