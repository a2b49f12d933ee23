"""nbval over the light notebooks: a second, independent re-execution and cell-by-cell comparison.

What :mod:`labkit.course.compare` masks is masked for nbval too; cells compared by presence or range carry the tag
``nbval-ignore-output``, put there when the notebook is built (:mod:`labkit.course.output`). This module does not
choose which notebooks are light.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit.course.compare import TIMES
from labkit.course.finding import Finding
from labkit.course.output import ADDRESS, places

CELL_TIMEOUT_S = 300


def revalidate(notebooks: Sequence[Path], root: Path) -> list[Finding]:
    """Re-execute committed notebooks with nbval, in this environment, and report what it finds.

    Args:
        notebooks: executed ``.ipynb`` files; each runs in its own folder.
        root: of the repository, whose path is masked.
    """
    if not notebooks:
        return []
    with tempfile.TemporaryDirectory() as folder:
        masks = Path(folder) / "masks.cfg"
        masks.write_text(_masks(root), encoding="utf-8")
        result = _nbval(notebooks, masks)
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


def _nbval(notebooks: Sequence[Path], masks: Path) -> subprocess.CompletedProcess[str]:
    options = ["--nbval", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_S}"]
    options.append(f"--nbval-sanitize-with={masks}")
    # An empty configuration: the repository's pytest options concern its tests, not notebooks.
    options += ["-q", "--color=no", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={notebooks[0].parent}"]
    # Progress bars go to stderr, and committed notebooks hold none.
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTEST_ADDOPTS": "", "TQDM_DISABLE": "1"}
    command = [sys.executable, "-m", "pytest", *options, *(str(path.resolve()) for path in notebooks)]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)  # noqa: S603


def _masks(root: Path) -> str:
    pairs = [(re.escape(path), word) for path, word in places(root).items()]
    pairs += [(ADDRESS.pattern, "0x…"), (TIMES.pattern, "<time>")]
    return "\n".join(f"[{i}]\nregex: {pattern}\nreplace: {word}\n" for i, (pattern, word) in enumerate(pairs))


def _detail(details: str, number: str) -> str:
    section = re.search(rf"^Cell {number}: (.*?)(?=^Cell \d+: |^=+|\Z)", details, re.MULTILINE | re.DOTALL)
    return re.sub(r"\s+", " ", section.group(1))[:600] if section else "differs"
