"""The scoreboard: one row per chapter about the same system, collected from executed notebooks.

A notebook publishes its row with :func:`scoreboard_row`; the committed executions give ``datasets/scoreboard.json``
and the table in ``README.md``; the target row stands in ``notebooks/scoreboard.toml``; the learner's own row (*you*)
comes from a benchmark result and is printed, never committed. This module computes no figure.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.course.figures import Figure, payloads, publish, rounded
from labkit.course.finding import Finding
from labkit.errors import ConfigError, InputError

if TYPE_CHECKING:
    from nbformat import NotebookNode

MIME = "application/vnd.labkit.scoreboard+json"
BEGIN, END = "<!-- scoreboard:begin -->", "<!-- scoreboard:end -->"
GUARDED = ("answers_right", "citations_right", "money_lost")
"""Fields that count as figures; p99 and the cost derived from it are timings, which decide nothing."""
BENCH_FIGURES = {
    "answers_right": "answers_right",
    "citations_right": "citation_correct",
    "money_lost": "money_lost_per_100",
    "p99_s": "p99_s",
}
"""Field of a row → the figure of ``labkit bench answer`` it is; the benchmark does not price a question."""
HEADERS = (
    "chapter",
    "system",
    "answers right",
    "citations right",
    "money lost per 100",
    "p99",
    "cost per 1,000",
    "what got worse",
)


class Row(BaseModel):
    """What one chapter's system achieves. Shares are 0 to 1, money is EUR lost per 100 questions."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    chapter: str
    system: str
    answers_right: float = Field(ge=0, le=1)
    answers_right_ci: tuple[float, float] | None = None
    n: int | None = Field(None, gt=0)
    citations_right: float | None = Field(None, ge=0, le=1)
    money_lost: float | None = Field(None, ge=0)
    p99_s: float | None = Field(None, ge=0)
    cost_per_1000: float | None = Field(None, ge=0)
    got_worse: str = ""


def scoreboard_row(
    *,
    chapter: str,
    system: str,
    answers_right: SupportsFloat,
    answers_right_ci: tuple[SupportsFloat, SupportsFloat],
    n: int,
    citations_right: SupportsFloat,
    money_lost: SupportsFloat,
    p99_s: SupportsFloat,
    cost_per_1000: SupportsFloat,
    got_worse: str,
) -> None:
    """Publish this chapter's row: one per notebook.

    Args:
        chapter: e.g. ``00``.
        system: what it is, in a few words.
        answers_right: share of questions answered right, 0 to 1.
        answers_right_ci: its 95 % interval.
        n: number of questions.
        citations_right: share of answers whose citation holds the evidence, 0 to 1.
        money_lost: to wrong answers, in EUR per 100 questions.
        p99_s: 99th percentile of seconds per question.
        cost_per_1000: of a thousand questions, in EUR.
        got_worse: one line of what this change made worse.

    Raises:
        InputError: a value is out of its range, or ``got_worse`` is not one line.
    """
    if not got_worse.strip() or "\n" in got_worse:
        raise InputError("got_worse is one line: every change makes something worse", where=f"row of {chapter}")
    numbers = {
        "answers_right": answers_right,
        "citations_right": citations_right,
        "money_lost": money_lost,
        "p99_s": p99_s,
        "cost_per_1000": cost_per_1000,
    }
    values: dict[str, Any] = {key: rounded(value, where=f"row of {chapter}, {key}") for key, value in numbers.items()}
    low, high = (rounded(bound, where=f"row of {chapter}, interval") for bound in answers_right_ci)
    row = _row({**values, "chapter": chapter, "system": system, "answers_right_ci": (low, high), "n": int(n),
                "got_worse": got_worse}, where=f"row of {chapter}")  # fmt: skip
    publish({"text/plain": plain_table([row]), MIME: row.model_dump(mode="json")})


def rows_of(nb: NotebookNode) -> list[tuple[int, Row]]:
    """The rows a notebook published, each with its 1-based cell number."""
    return [(cell, _row(payload, where=f"cell {cell}")) for cell, payload in payloads(nb, MIME)]


def row_figures(nb: NotebookNode) -> list[tuple[int, Figure]]:
    """The guarded fields of a notebook's row as figures named ``scoreboard_<field>``."""
    return [
        (cell, Figure(f"scoreboard_{field}", value))
        for cell, row in rows_of(nb)
        for field in GUARDED
        if (value := getattr(row, field)) is not None
    ]


def target_row(path: Path) -> list[Row]:
    """The contract's target from the table ``[target]`` of ``scoreboard.toml``; none when there is no such file.

    Raises:
        ConfigError: the file is malformed.
    """
    if not path.exists():
        return []
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))["target"]
        return [Row.model_validate({"chapter": "target", **table})]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValidationError) as error:
        raise ConfigError(f"The target row is malformed ({error})", where=path.name) from error


def you_row(path: Path) -> list[Row]:
    """The learner's row from a ``labkit bench answer --json`` file; none when there is no such file.

    Raises:
        InputError: it is not the result of that benchmark.
    """
    if not path.exists():
        return []
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
        values = {field: figures[name]["value"] for field, name in BENCH_FIGURES.items()}
        interval, n = (figures["answers_right"].get(key) for key in ("ci95", "n"))
        return [Row(chapter="you", system="labs/my_system.py", answers_right_ci=interval, n=n, **values)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        todo = "Make it with `labkit bench answer --system labs/my_system.py --json FILE`."
        raise InputError(f"Not a result of the answer benchmark ({error})", where=path.name, todo=todo) from error


def markdown_table(rows: Sequence[Row]) -> str:
    """The table as GitHub Markdown."""
    lines = [HEADERS, ("---", "---") + ("---:",) * 5 + ("---",), *map(_cells, rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def plain_table(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    lines = [HEADERS, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADERS))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def as_json(rows: Iterable[Row]) -> str:
    """The rows as they are committed in ``datasets/scoreboard.json``."""
    return json.dumps([row.model_dump(mode="json") for row in rows], indent=1, ensure_ascii=False) + "\n"


def write_scoreboard(root: Path, rows: Sequence[Row]) -> None:
    """Bring ``datasets/scoreboard.json`` and the table in ``README.md`` up to date.

    Raises:
        ConfigError: README.md has no pair of scoreboard markers.
    """
    readme = root / "README.md"
    readme.write_text(_filled(readme.read_text(encoding="utf-8"), rows), encoding="utf-8")
    data = root / "datasets" / "scoreboard.json"
    data.parent.mkdir(exist_ok=True)
    data.write_text(as_json(rows), encoding="utf-8")


def check_scoreboard(root: Path, rows: Sequence[Row]) -> list[Finding]:
    """Whether the committed scoreboard is what the executed notebooks say."""
    if not rows:
        return []
    todo = "run `labkit course --update`"
    found = []
    data, readme = root / "datasets" / "scoreboard.json", root / "README.md"
    if not data.exists() or data.read_text(encoding="utf-8") != as_json(rows):
        found.append(Finding("scoreboard", f"datasets/scoreboard.json is out of date: {todo}"))
    try:
        text = readme.read_text(encoding="utf-8")
        if _filled(text, rows) != text:
            found.append(Finding("scoreboard", f"the table in README.md is out of date: {todo}"))
    except (ConfigError, FileNotFoundError) as error:
        found.append(Finding("scoreboard", str(error)))
    return found


def _filled(text: str, rows: Sequence[Row]) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ConfigError(f"There is no pair of lines {BEGIN} and {END}", where="README.md", todo="Add them.")
    return f"{before}{BEGIN}\n\n{markdown_table(rows)}\n\n{END}{after}"


def _row(values: dict[str, Any], where: str) -> Row:
    try:
        return Row.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{first['loc'][0] if first['loc'] else 'row'}: {first['msg']}", where=where) from error


def _cells(row: Row) -> tuple[str, ...]:
    right = f"{row.answers_right:.0%}"
    if row.answers_right_ci:
        right += f" ({row.answers_right_ci[0]:.0%} to {row.answers_right_ci[1]:.0%})"
    if row.n:
        right += f" of {row.n:,}"
    return (
        row.chapter,
        row.system,
        right,
        _or_dash(row.citations_right, "{:.0%}"),
        _or_dash(row.money_lost, "€{:,.0f}"),
        _or_dash(row.p99_s, "{:.1f} s"),
        _or_dash(row.cost_per_1000, "€{:,.2f}"),
        row.got_worse or "–",
    )


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)
