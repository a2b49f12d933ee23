"""The import contract holds, and a planted violation breaks it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(src: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    env = {**os.environ, "PYTHONPATH": str(src), "COLUMNS": "200"}
    command += ["--config", str(ROOT / "pyproject.toml")]
    return subprocess.run(command, env=env, cwd=src, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("packs", "__pycache__"))
    return tmp_path / "src"


def test_the_contract_holds(copy):
    found = lint(copy)
    assert found.returncode == 0, found.stdout
    assert "2 kept, 0 broken" in found.stdout


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("ingest/sniff.py", "import labkit.world.facts", "labkit.ingest.sniff"),
        ("schema.py", "import labkit.pipeline", "labkit.schema"),
        ("retrieve/fuse.py", "import labkit.evaluate.grading", "labkit.retrieve.fuse"),
    ],
)
def test_a_planted_import_breaks_it(copy, file, line, told):
    path = copy / "labkit" / file
    path.write_text(
        path.read_text().replace("from __future__ import annotations", f"from __future__ import annotations\n{line}")
    )
    found = lint(copy)
    assert found.returncode == 1
    assert told in found.stdout


def test_a_new_room_must_be_placed(copy):
    (copy / "labkit" / "attic").mkdir()
    (copy / "labkit" / "attic" / "__init__.py").write_text("")
    found = lint(copy)
    assert found.returncode == 1
    assert "attic" in found.stdout
