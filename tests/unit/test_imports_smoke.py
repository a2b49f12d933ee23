"""Every library the course names imports, in a fresh process, without printing: a clean resolve proves little."""

from __future__ import annotations

import os
import runpy
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = tomllib.loads((ROOT / "requirements" / "environments.toml").read_text(encoding="utf-8"))
imports = runpy.run_path(str(ROOT / "scripts" / "smoke.py"))["imports"]


BUILT = Path(sys.prefix) / "labkit-environment"
PASSED = Path(sys.prefix) / "labkit-imports"
"""What this environment was built from, and what it was built from when its imports last passed: one that has
not been built again since need not import three gigabytes of libraries at every run."""


@pytest.mark.slow
def test_every_library_of_the_lab_imports_quietly() -> None:
    groups = TABLE["lab"]["imports"]
    assert sum(map(len, groups)) > 40
    state = BUILT.read_text(encoding="utf-8") + str(groups) if BUILT.exists() else ""
    if state and PASSED.exists() and PASSED.read_text(encoding="utf-8") == state:
        return
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        problems = [problem for problem in pool.map(imports, groups) if problem]
    assert not problems, "\n\n".join(problems)
    if state:
        PASSED.write_text(state, encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise ValueError('broken on purpose')", "ValueError: broken on purpose"),
        ("print('a greeting')", "printed\na greeting"),
        ("import os; os._exit(3)", "exit status 3"),
    ],
)
def test_a_bad_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, problem: str) -> None:
    folder = tmp_path / "planted_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(source, encoding="utf-8")
    # The child is isolated from the caller's paths, so it is told where the planted package lies.
    reach = f"import sys; sys.path.append({str(tmp_path)!r})\n"
    monkeypatch.setitem(imports.__globals__, "CHILD", reach + imports.__globals__["CHILD"])
    found = imports(["json", "planted_package"])
    assert found.startswith("planted_package: ")
    assert problem in found


def test_known_noise_is_not_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; print('Failed to load CPU gemm_4bit_forward from kernels-community: no')"
    monkeypatch.setitem(imports.__globals__, "CHILD", code)
    assert imports(["json"]) == ""
    monkeypatch.setitem(imports.__globals__, "CHILD", code + "; print('news')")
    assert "news" in imports(["json"])
