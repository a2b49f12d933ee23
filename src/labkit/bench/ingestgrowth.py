"""How ingestion grows: seconds per document and peak memory at 300, 5,000 and, when asked, 50,000 documents.

Each size is a world of its own, ingested by a fresh command with one worker; memory is that of all its processes
together. Starting up is part of it, so a small world costs more per document; a cost that grows faster than the
documents shows between the larger sizes as a ratio above 1. ``--limit N`` goes up to the largest size within N
(default 5,000), ``--limit 50000`` to the largest of all.
"""

from __future__ import annotations

import json
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from labkit.bench.process import measure
from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.evaluate.corpus import built_world

SIZES = (300, 5_000, 50_000)
DEFAULT_LIMIT = 5_000


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Build worlds of all sizes up to the limit if need be, and ingest each."""
    limit = options.limit or DEFAULT_LIMIT
    sizes = [size for size in SIZES if size <= limit] or [limit]
    rows: Rows = []
    for size in sizes:
        world = built_world(options.settings, seed=options.seed, pack_dir=options.pack, profile=str(size))
        rows.append({"size": size, **ingested(world / "documents")})
    return BenchResult(bench="ingestgrowth", profile=options.profile, seed=options.seed, figures=figures(rows)), rows


def ingested(documents: Path) -> dict[str, float]:
    """Files, wall-clock and CPU seconds, and peak megabytes of ingesting a folder."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "tables"
        command = ["labkit", "ingest", str(documents), "--out", str(out), "--workers", "1", "--quiet"]
        cost = measure([sys.executable, "-m", *command], limit_s=24 * 3600.0)
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    files = report["documents"] + report["quarantined"]
    return {"files": files, "wall_s": cost.wall_s, "cpu_s": cost.cpu_s, "peak_mb": cost.peak_bytes / 2**20}


def figures(rows: Rows) -> dict[str, Figure]:
    """Cost at each size, and how much it grows from one to the next."""
    found: dict[str, Figure] = {}
    for row in rows:
        size, files = row["size"], int(row["files"])
        found[f"cpu_s_per_document_{size}"] = _cost(row["cpu_s"] / files, "s", files)
        found[f"wall_s_per_document_{size}"] = _cost(row["wall_s"] / files, "s", files)
        found[f"peak_mb_{size}"] = _cost(row["peak_mb"], "MB", files)
    for small, large in pairwise(rows):
        name = f"{large['size']}_over_{small['size']}"
        time_ratio = (large["cpu_s"] / large["files"]) / (small["cpu_s"] / small["files"])
        found[f"time_growth_{name}"] = _cost(time_ratio, "", int(large["files"]))
        found[f"memory_growth_{name}"] = _cost(large["peak_mb"] / small["peak_mb"], "", int(large["files"]))
    return found


def _cost(value: float, unit: str, n: int) -> Figure:
    return Figure(value=value, unit=unit, n=n, direction="lower")
