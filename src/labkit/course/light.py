"""nbval over the light notebooks: a second, independent re-execution and cell-by-cell comparison.

Cells compared by presence or range carry the tag ``nbval-ignore-output``, put there when the notebook is built
(:mod:`labkit.course.output`). This module does not choose which notebooks are light.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit.course.finding import Finding

CELL_TIMEOUT_S = 300


def revalidate(notebooks: Sequence[Path], *, sanitize: Path | None = None) -> list[Finding]:
    """Re-execute committed notebooks with nbval, in this environment, and report what it finds.

    Args:
        notebooks: executed ``.ipynb`` files; each runs in its own folder.
        sanitize: nbval's file of patterns to mask before comparing.
    """
    if not notebooks:
        return []
    options = ["--nbval", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_S}"]
    if sanitize is not None and sanitize.exists():
        options.append(f"--nbval-sanitize-with={sanitize.resolve()}")
    # An empty configuration: the repository's pytest options concern its tests, not notebooks.
    quiet = ["-q", "--color=no", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(notebooks[0].parent)]
    command = [sys.executable, "-m", "pytest", *options, *quiet, *(str(path.resolve()) for path in notebooks)]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTEST_ADDOPTS": ""}
    result = subprocess.run(command, capture_output=True, text=True, env=env, check=False)  # noqa: S603
    if result.returncode == 0:
        return []
    report = result.stdout + result.stderr
    failed = re.findall(r"^FAILED (\S+?\.ipynb)::(?:ipynb::)?Cell (\d+)", report, re.MULTILINE)
    if not failed:
        return [Finding("nbval", f"could not run (exit {result.returncode}): {report.strip()[-800:]}")]
    details = report.partition("= FAILURES =")[2]
    return [
        Finding("nbval", f"{Path(path).name}, code cell {int(number) + 1}: {_detail(details, number)}")
        for path, number in failed
    ]


def _detail(details: str, number: str) -> str:
    section = re.search(rf"^Cell {number}: (.*?)(?=^Cell \d+: |^=+|\Z)", details, re.MULTILINE | re.DOTALL)
    return re.sub(r"\s+", " ", section.group(1))[:600] if section else "differs"
