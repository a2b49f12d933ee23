"""``notebooks/expected.toml``: the honest range of every headline figure, and which notebooks are light.

::

    ["00_demo_that_breaks"]
    light = true                 # nbval re-executes it
    timeout_minutes = 6          # default 10
    recall_at_5 = { min = 0.35, max = 0.55, why = "CPU kernels round differently" }
    questions = { exact = 60, why = "fixed by the seed" }
    scoreboard_answers_right = { min = 0.1, max = 0.4, why = "…" }

A key that holds a table is a figure; every figure needs an entry with a reason, and every entry a figure. Of a
scoreboard row the fields that are not timings count as figures (``scoreboard_…``). Ranges are those of the default
profile and seed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labkit.course.figures import Figure, figures_of
from labkit.course.finding import Finding
from labkit.course.scoreboard import row_figures
from labkit.errors import ConfigError

DEFAULT_TIMEOUT_MINUTES = 10.0


class Range(BaseModel):
    """Where a figure may lie: exactly one value, or from min to max inclusive, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    exact: float | None = None
    min: float | None = None
    max: float | None = None
    unit: str = ""
    why: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_kind(self) -> Range:
        bounds = (self.min, self.max)
        if self.exact is not None:
            if bounds != (None, None):
                raise ValueError("give either exact, or min and max")
        elif self.min is None or self.max is None:
            raise ValueError("give exact, or both min and max")
        elif self.min > self.max:
            raise ValueError("min is above max")
        return self

    def __contains__(self, value: float) -> bool:
        if self.exact is not None:
            return value == self.exact
        assert self.min is not None
        assert self.max is not None
        return self.min <= value <= self.max

    def __str__(self) -> str:
        return f"exactly {self.exact:g}" if self.exact is not None else f"{self.min:g} to {self.max:g}"


class Expectation(BaseModel):
    """What is expected of one notebook."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    light: bool = False
    timeout_minutes: float = Field(DEFAULT_TIMEOUT_MINUTES, gt=0)
    figures: dict[str, Range] = Field(default_factory=dict)


def load_expected(path: Path) -> dict[str, Expectation]:
    """Read ``expected.toml``; a missing file expects nothing.

    Raises:
        ConfigError: it is not TOML, or an entry is malformed.
    """
    if not path.exists():
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"Not valid TOML ({error})", where=path.name) from error
    return {name: _expectation(table, f"{path.name} [{name}]") for name, table in tables.items()}


def _expectation(table: Any, where: str) -> Expectation:
    if not isinstance(table, dict):
        raise ConfigError("Every top-level entry is a notebook's table", where=where)
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    figures = {key: value for key, value in table.items() if isinstance(value, dict)}
    try:
        return Expectation(**plain, figures=figures)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        todo = "Write it as in the docstring of labkit.course.expected."
        raise ConfigError(f"{place}: {first['msg']}", where=where, todo=todo) from error


def all_figures(nb: NotebookNode) -> list[tuple[int, Figure]]:
    """Recorded figures and those of the scoreboard row."""
    return [*figures_of(nb), *row_figures(nb)]


def check_figures(nb: NotebookNode, ranges: Mapping[str, Range]) -> list[Finding]:
    """Every figure is expected, inside its range, in its unit and recorded once; every expected one is recorded."""
    found: list[Finding] = []
    seen: set[str] = set()
    for cell, figure in all_figures(nb):
        expected = ranges.get(figure.name)
        if figure.name in seen:
            found.append(Finding("figures", f"{figure.name} is recorded twice", cell))
        elif expected is None:
            found.append(Finding("figures", f"{figure.name} = {figure.value:g} has no entry in expected.toml", cell))
        elif figure.value not in expected:
            message = f"{figure.name} = {figure.value:g} is not {expected} ({expected.why})"
            found.append(Finding("figures", message, cell))
        elif figure.unit != expected.unit:
            message = f"{figure.name} is in {figure.unit!r}, expected.toml says {expected.unit!r}"
            found.append(Finding("figures", message, cell))
        seen.add(figure.name)
    missing = [name for name in ranges if name not in seen]
    return found + [Finding("figures", f"{name} is in expected.toml but was not recorded") for name in missing]
