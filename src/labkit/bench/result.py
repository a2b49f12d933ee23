"""The one result format of all benchmarks: figures with unit, count, interval, direction, and where they come from."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel, ConfigDict, Field

from labkit.evaluate.statistics import proportion_interval

SCHEMA = 1


class Figure(BaseModel):
    """One measured figure."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    value: float | None
    unit: str = ""
    n: int | None = Field(None, description="how many measurements it summarises")
    ci95: tuple[float, float] | None = None
    direction: Literal["higher", "lower", "none"] = "none"
    status: str = Field("measured", description="measured, skipped: why, or failed: why")
    peer: str = Field("", description="what a ratio compares with")


class BenchResult(BaseModel):
    """What ``labkit bench NAME --json FILE`` writes."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    schema_: int = Field(SCHEMA, alias="schema")
    bench: str
    profile: str
    seed: int
    pack: str = ""
    split: str = ""
    commit: str = Field(default_factory=lambda: commit())
    world_version: str = ""
    data_sha256: str = ""
    model_sha256: str = ""
    machine: dict[str, Any] = Field(default_factory=lambda: machine())
    figures: dict[str, Figure] = {}

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.model_dump(mode="json", by_alias=True), indent=1) + "\n", encoding="utf-8")

    def table(self) -> str:
        """For people: one line per figure."""
        lines = [f"{self.bench}  profile={self.profile} seed={self.seed} {self.world_version}".rstrip()]
        width = max((len(name) for name in self.figures), default=0)
        for name, figure in self.figures.items():
            value = figure.status if figure.value is None else f"{figure.value:.4g} {figure.unit}".rstrip()
            interval = f"  [{figure.ci95[0]:.3g}, {figure.ci95[1]:.3g}]" if figure.ci95 else ""
            count = f"  n={figure.n}" if figure.n is not None else ""
            lines.append(f"  {name:<{width}}  {value}{interval}{count}")
        return "\n".join(lines)


def share(hits: int, n: int) -> Figure:
    """A share that had better be high, with Wilson's interval; skipped where there is nothing to count."""
    if n == 0:
        return Figure(value=None, n=0, direction="higher", status="skipped: nothing to count")
    return Figure(value=hits / n, n=n, ci95=proportion_interval(hits, n), direction="higher")


def commit() -> str:
    """The commit of the checkout labkit runs from, '' outside one; ``+`` marks uncommitted changes."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],  # noqa: S607
            cwd=here, capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()


def machine() -> dict[str, Any]:
    """What the figures were measured on: enough to compare, nothing that identifies."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": platform.system(),
        "arch": platform.machine(),
        "python": platform.python_version(),
        "cores": cores,
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
    }
