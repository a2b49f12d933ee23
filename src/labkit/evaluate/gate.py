"""The regression gate: says no to a candidate only for a drop that is statistically real.

Two files of per-question rows are matched by ``question_id`` and compared question by question. Yes/no figures take
McNemar's exact test, amounts a paired permutation test, both one-sided: an improvement never stops a release. Several
figures are watched at once, so the false alarms allowed are shared out beforehand: most of it to the first figure,
which a drop is expected to show in, the rest among the others by Holm's procedure. The sum bounds the probability of
any false alarm (Bonferroni), however the figures hang together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from pydantic import computed_field

from labkit.errors import InputError
from labkit.evaluate.statistics import difference_interval, holm, mcnemar, permutation_test
from labkit.schema import Record

Rows = Sequence[Mapping[str, Any]]
Direction = Literal["higher", "lower"]

DIRECTIONS: dict[str, Direction] = {
    "right": "higher",
    "citation_correct": "higher",
    "money_lost": "lower",
    "recall_at_10": "higher",
    "all_gold_at_10": "higher",
    "mrr_at_10": "higher",
    "ndcg_at_10": "higher",
}
"""What is watched unless figures are named, as far as the rows have it, and which way is better; first the one that
matters most. Seconds are left out: the clock of a busy machine is no regression."""
PRIMARY_ALPHA, OTHERS_ALPHA = 0.035, 0.005
"""One-sided. Their sum, four per cent, leaves room below the five that are promised."""
MIN_PAIRS = 50
"""With fewer, even a drop of ten points would mostly pass."""
MIN_MATCHED = 0.8
"""Share of the longer file's questions that must be in both: a system must not be judged on the easy ones alone."""
_CAUGHT = 1.6449  # standard normal quantile of .95


class Change(Record):
    """What became of one figure between baseline and candidate."""

    figure: str
    direction: Direction
    baseline: float
    candidate: float
    change: float
    ci95: tuple[float, float] | None
    test: Literal["McNemar, exact", "paired permutation"]
    p_value: float
    """One-sided, adjusted for the figures that share the level."""
    level: float
    """The drop is real if ``p_value`` is not above it."""
    detectable: float | None
    """The drop that would be caught 95 times in 100 (normal approximation); None where no question differs."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def dropped(self) -> bool:
        """Whether the candidate is worse beyond chance."""
        return self.p_value <= self.level


class GateReport(Record):
    """The verdict and what it rests on."""

    world_version: str
    baseline: int
    candidate: int
    matched: int
    changes: tuple[Change, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        """Whether no figure dropped."""
        return not any(change.dropped for change in self.changes)

    def table(self) -> str:
        """For people: one line per figure, the verdict last."""
        width = max(len(change.figure) for change in self.changes)
        lines = [
            f"{self.matched} questions in both ({self.baseline} in the baseline, {self.candidate} in the candidate)"
        ]
        for c in self.changes:
            interval = f"  [{c.ci95[0]:+.4g}, {c.ci95[1]:+.4g}]" if c.ci95 else ""
            lines.append(
                f"  {c.figure:<{width}}  {c.baseline:.4g} → {c.candidate:.4g}  {c.change:+.4g}{interval}"
                f"  p={c.p_value:.2g}, level {c.level:g}  {'DROPPED' if c.dropped else 'ok'}"
            )
        first = self.changes[0]
        if self.passed and first.detectable is not None:
            lines.append(f"passed: a drop of {first.detectable:.3g} in {first.figure} would mostly have been caught")
        else:
            lines.append("passed" if self.passed else "failed: the drop is larger than chance explains")
        return "\n".join(lines)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows that ``labkit bench NAME --rows FILE`` wrote.

    Raises:
        InputError: there is no such file, a line is no JSON object, or there are none.
    """
    if not path.is_file():
        raise InputError("There is no such file of rows", where=str(path), todo="Write one: labkit bench answer --rows")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"The line is not JSON ({error})", where=f"{path}:{number}") from error
        if not isinstance(row, dict):
            raise InputError("The line is not a JSON object", where=f"{path}:{number}", todo="One object per question.")
        rows.append(row)
    if not rows:
        raise InputError("The file of rows is empty", where=str(path))
    return rows


def of_system(rows: Sequence[dict[str, Any]], system: str | None) -> list[dict[str, Any]]:
    """The rows of one system; ``labkit bench retrieve`` writes several into a file.

    Raises:
        InputError: there is none of that name, or several and none was named.
    """
    names = sorted({str(row.get("system", "")) for row in rows})
    if system is None and len(names) > 1:
        raise InputError("The rows are of several systems", todo=f"Name one with --system: {', '.join(names)}.")
    if system is not None and system not in names:
        raise InputError(f"There are no rows of the system {system!r}", todo=f"There are: {', '.join(names)}.")
    return [row for row in rows if system is None or str(row.get("system", "")) == system]


def run_fields(rows: Rows) -> tuple[str, int, str]:
    """Profile, seed and split that rows were measured with, to measure a candidate the same way.

    Raises:
        InputError: the rows do not say, or not all of them say the same.
    """
    found = {(row.get("profile"), row.get("seed"), row.get("split")) for row in rows}
    profile, seed, split = next(iter(found))
    if len(found) > 1 or not (isinstance(profile, str) and isinstance(seed, int) and isinstance(split, str)):
        raise InputError(
            "The baseline does not say which profile, seed and split it was measured with",
            todo="Give --candidate, or measure the baseline again with labkit bench answer --rows.",
        )
    return profile, seed, split


def figures_named(names: Sequence[str]) -> dict[str, Direction]:
    """Figures written as NAME, NAME:higher or NAME:lower; without a direction, as in :data:`DIRECTIONS`, else higher.

    Raises:
        InputError: a direction is neither.
    """
    found: dict[str, Direction] = {}
    for written in names:
        name, _, way = written.partition(":")
        if way not in ("", "higher", "lower"):
            raise InputError(f"{way!r} is no direction", where=f"figure {written}", todo="Write NAME or NAME:lower.")
        found[name] = "lower" if way == "lower" else "higher" if way else DIRECTIONS.get(name, "higher")
    return found


def compare(
    baseline: Rows, candidate: Rows, figures: Mapping[str, Direction] | None = None, *, seed: int = 7,
    intervals: bool = True,
) -> GateReport:  # fmt: skip
    """Test whether the candidate is worse.

    Args:
        baseline: one row per question.
        candidate: likewise; questions that only one of the two has are left out.
        figures: name → which way is better, the most important first; default: those of :data:`DIRECTIONS` that the
            baseline has.
        seed: of the resampling.
        intervals: leave out to save time where only the verdict counts.

    Raises:
        InputError: the two do not belong together (another world, too few common questions) or cannot be compared (a
            question twice, a figure missing or not a number).
    """
    before, after = _by_question(baseline, "baseline"), _by_question(candidate, "candidate")
    world = _world(baseline, candidate)
    common = sorted(before.keys() & after.keys())
    longer = max(len(before), len(after))
    if len(common) < MIN_PAIRS or len(common) < MIN_MATCHED * longer:
        raise InputError(
            f"Only {len(common)} of {longer} questions are in both files",
            todo=f"At least {MIN_PAIRS} and {MIN_MATCHED:.0%} must be: ask both systems the same questions.",
        )
    watched = figures or {name: way for name, way in DIRECTIONS.items() if name in baseline[0]}
    if not watched:
        raise InputError(
            "The rows hold none of the figures that are watched", todo=f"Name one, or write {', '.join(DIRECTIONS)}."
        )
    values = {name: (_column(before, common, name), _column(after, common, name)) for name in watched}
    raw = {name: _p_value(*values[name], way, seed) for name, way in watched.items()}
    primary, *others = watched
    p_values = {primary: raw[primary], **holm({name: raw[name] for name in others})}
    changes = []
    for name, way in watched.items():
        old, new = values[name]
        low, high = sum(old) / len(old), sum(new) / len(new)
        level = PRIMARY_ALPHA if name == primary else OTHERS_ALPHA
        changes.append(
            Change(
                figure=name, direction=way, baseline=low, candidate=high, change=high - low,
                ci95=difference_interval(old, new, seed) if intervals else None,
                test="McNemar, exact" if _is_binary(old, new) else "paired permutation",
                p_value=p_values[name], level=level, detectable=_detectable(old, new, level, len(others) or 1),
            )
        )  # fmt: skip
    return GateReport(
        world_version=world, baseline=len(before), candidate=len(after), matched=len(common), changes=tuple(changes)
    )


def _by_question(rows: Rows, which: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for number, row in enumerate(rows, 1):
        question_id = row.get("question_id")
        if not isinstance(question_id, str):
            raise InputError("The row has no question_id", where=f"{which}, row {number}")
        if question_id in found:
            raise InputError(f"The question {question_id!r} has two rows", where=which, todo="Keep one run per file.")
        found[question_id] = row
    return found


def _world(baseline: Rows, candidate: Rows) -> str:
    versions = {str(row.get("world_version", "")) for row in chain(baseline, candidate)}
    if len(versions) > 1:
        raise InputError(
            f"The rows come from different worlds: {', '.join(sorted(v or '(none stated)' for v in versions))}",
            todo="Measure both on the same world.",
        )
    return versions.pop() if versions else ""


def _column(rows: Mapping[str, Mapping[str, Any]], common: Sequence[str], name: str) -> list[float]:
    column = []
    for question_id in common:
        value = rows[question_id].get(name)
        if not isinstance(value, bool | int | float) or not math.isfinite(value):
            raise InputError(f"{name} is {value!r}, not a number", where=f"question {question_id}")
        column.append(float(value))
    return column


def _is_binary(old: Sequence[float], new: Sequence[float]) -> bool:
    return {*old, *new} <= {0.0, 1.0}


def _p_value(old: Sequence[float], new: Sequence[float], way: Direction, seed: int) -> float:
    worse: Literal["less", "greater"] = "less" if way == "higher" else "greater"
    if _is_binary(old, new):
        return mcnemar([value > 0 for value in old], [value > 0 for value in new], worse)
    return permutation_test(old, new, seed, worse)


def _detectable(old: Sequence[float], new: Sequence[float], level: float, shared: int) -> float | None:
    """Smallest drop that the test would catch 95 times in 100 at the spread of these pairs."""
    spread = float(np.std(np.subtract(new, old)))
    if spread == 0:
        return None
    share = level if level == PRIMARY_ALPHA else level / shared
    return (NormalDist().inv_cdf(1 - share) + _CAUGHT) * spread / math.sqrt(len(old))
