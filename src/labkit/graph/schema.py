"""The data dictionary a rules graph is built by: kinds of things, and what is recorded about them.

``schema.toml`` beside this module is that of the course's enterprise; another enterprise writes its own. It says what a
record holds and what its fields are called, as a data owner knows it, not how anybody words it in prose.
"""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from labkit.errors import ConfigError

SHIPPED = Path(__file__).with_name("schema.toml")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(_Entry):
    """A kind of thing.

    Attributes:
        labels: what a field that names one is called.
        number: its numbering scheme, a regular expression; '' where there is none.
    """

    labels: tuple[str, ...] = ()
    number: str = ""

    def scheme(self) -> re.Pattern[str] | None:
        """Finds numbers of the numbering scheme that stand as a whole; None where there is no scheme.

        Raises:
            re.error: the scheme is no pattern that can stand inside another.
        """
        return re.compile(rf"(?<![\w-])(?:{self.number})(?![\w-]|\.\d)") if self.number else None


class Relation(_Entry):
    """Something recorded about things of a kind.

    Attributes:
        subject: the kind.
        object: the kind of the thing it names; '' where it is a value.
        value: what a value looks like.
        units: how a number's unit is written.
        form: what words look like, a regular expression, where they follow one (a grade: *A+* to *D-*); else ''.
        labels: what its field is called.
        changes: whether it may change in the course of time; then what was stated last holds, else what most state.
        several: whether it may hold of several at once (a lot lies at several sites); then all that is stated holds.
    """

    subject: str
    changes: bool = False
    several: bool = False
    object: str = ""
    value: Literal["", "number", "day", "words"] = ""
    units: tuple[str, ...] = ()
    form: str = ""
    labels: tuple[str, ...] = ()

    def written(self) -> re.Pattern[str] | None:
        """Finds words of its form that stand as a whole; None where they have none.

        Raises:
            re.error: the form is no pattern that can stand inside another.
        """
        return re.compile(rf"(?<![\w+:.,-])(?:{self.form})(?![\w+-]|[.:]\w)") if self.form else None

    @model_validator(mode="after")
    def _either(self) -> Relation:
        if bool(self.object) == bool(self.value) or (self.value == "number") != bool(self.units):
            raise ValueError("a relation has either an object or a value, and a number has units")
        if self.several and self.value in {"number", "day"}:
            raise ValueError("several numbers or days are no answer: of several there are things or words")
        if self.form and self.value != "words":
            raise ValueError("only words have a form")
        if not all(unit.strip() for unit in self.units):
            raise ValueError("a unit is not empty")
        return self


class Schema(_Entry):
    """Kinds and relations by name.

    Attributes:
        head: labels of what documents say about themselves.
        count: relations by which things that point at one are counted.
        sum: quantity that is added up over such things → the relation by which they point.
    """

    head: tuple[str, ...] = ()
    count: tuple[str, ...] = ()
    sum: dict[str, str] = {}
    kind: dict[str, Kind]
    relation: dict[str, Relation]

    @classmethod
    def load(cls, file: Path = SHIPPED) -> Schema:
        """Read a data dictionary.

        Raises:
            ConfigError: the file cannot be read, or an entry is wrong; the message names it.
        """
        try:
            read: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
            schema = cls.model_validate(read)
        except ValidationError as error:
            first = error.errors()[0]
            where = f"{file.name}, {'.'.join(map(str, first['loc']))}"
            raise ConfigError(f"The data dictionary is wrong: {first['msg']}", where=where) from error
        except (OSError, ValueError) as error:
            raise ConfigError(f"The data dictionary cannot be read ({error})", where=file.name) from error
        for name, relation in schema.relation.items():
            for kind in filter(None, (relation.subject, relation.object)):
                if kind not in schema.kind:
                    raise ConfigError(f"Relation {name!r} names the unknown kind {kind!r}", where=file.name)
            try:
                relation.written()
            except re.error as error:
                raise ConfigError(f"The form of relation {name!r} is no pattern ({error})", where=file.name) from error
        for name in (*schema.count, *schema.sum, *schema.sum.values()):
            if name not in schema.relation:
                raise ConfigError(f"What is counted names the unknown relation {name!r}", where=file.name)
        for name in schema.sum:
            if schema.relation[name].value != "number":
                raise ConfigError(f"What is added up is no number: {name!r}", where=file.name)
        for name, entry in schema.kind.items():
            try:
                entry.scheme()
            except re.error as error:
                raise ConfigError(f"The number of kind {name!r} is no pattern ({error})", where=file.name) from error
        return schema

    @cached_property
    def by_label(self) -> dict[str, list[str]]:
        """Label in lower case → relations whose field is called so."""
        found: dict[str, list[str]] = {}
        for name, relation in self.relation.items():
            for label in relation.labels:
                found.setdefault(label.lower(), []).append(name)
        return found

    @cached_property
    def kind_of_label(self) -> dict[str, str]:
        """Label in lower case → the kind its values are of, where that is certain."""
        kinds: dict[str, set[str]] = {}
        for name, kind in self.kind.items():
            for label in kind.labels:
                kinds.setdefault(label.lower(), set()).add(name)
        for label, names in self.by_label.items():
            kinds.setdefault(label, set()).update(self.relation[name].object for name in names)
        return {label: next(iter(found)) for label, found in kinds.items() if len(found) == 1 and found != {""}}

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels, longest first."""
        every = {label for kind in self.kind.values() for label in kind.labels}
        every |= set(self.head) | {label for relation in self.relation.values() for label in relation.labels}
        return tuple(sorted(every, key=lambda label: (-len(label), label)))

    @cached_property
    def tallies(self) -> dict[str, str]:
        """``count R`` and ``sum R``, the steps of a chain that count or add up → the relation that points."""
        return {f"count {name}": name for name in self.count} | {f"sum {name}": by for name, by in self.sum.items()}

    @cached_property
    def between(self) -> dict[tuple[str, str], list[str]]:
        """(kind of the subject, kind of the object) → relations."""
        found: dict[tuple[str, str], list[str]] = {}
        for name, relation in self.relation.items():
            if relation.object:
                found.setdefault((relation.subject, relation.object), []).append(name)
        return found
