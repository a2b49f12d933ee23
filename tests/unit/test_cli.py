"""The command line: thin, and clear about what was wrong."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from labkit.cli import app
from labkit.errors import InputError, PackError

runner = CliRunner()


def test_lists_benchmarks():
    found = runner.invoke(app, ["bench", "list"])
    assert found.exit_code == 0
    assert "answer" in found.stdout


def test_a_bad_day_is_an_input_error():
    with pytest.raises(InputError, match="YYYY-MM-DD"):
        runner.invoke(app, ["ask", "Who?", "--as-of", "yesterday"], catch_exceptions=False)


def test_a_bad_pack_names_its_file(tmp_path):
    (tmp_path / "pack.toml").write_text("format = 9\nname = 'x'\ndescription = ''\n")
    with pytest.raises(PackError, match=r"format 9 is not 1 at .*pack\.toml"):
        runner.invoke(app, ["world", "check-pack", str(tmp_path)], catch_exceptions=False)


def test_errors_become_one_line_and_status_2(tmp_path):
    command = [sys.executable, "-m", "labkit", "world", "build", "--profile", "tiny", "--out", str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert found.returncode == 2
    assert found.stderr == "labkit: 'tiny' is no size of a world. Use ci, full or a number from 20 to 1000000.\n"
    assert "Traceback" not in found.stderr


def test_importing_the_command_line_loads_nothing_heavy():
    heavy = "('torch', 'transformers', 'lancedb', 'reportlab')"
    code = f"import sys, labkit.cli; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert found.stdout.strip() == "[]"


def test_every_lint_command_runs_its_tool():
    from labkit.cli import LINT

    said = [subprocess.run([sys.executable, *c, "--help"], capture_output=True, text=True, timeout=120) for c in LINT]
    assert [
        name in found.stdout.lower() for name, found in zip(("ruff", "ruff", "mypy", "contract"), said, strict=True)
    ] == [True] * 4
