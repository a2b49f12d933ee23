"""Building environments: what the site configured is handed on, and a finished environment is left alone."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "environment.py"))
SPEC = {
    "folder": ".venv", "what": "a test", "from": ["lab.in"], "python": ["3.11", "3.12"],
    "systems": [sys.platform], "torch": True,
}  # fmt: skip


def without_site(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")) or name == "SSL_CERT_FILE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def test_what_pip_is_configured_with_is_handed_to_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_site(monkeypatch)
    assert "UV_FIND_LINKS" not in SCRIPT["_site"](sys.executable)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nfind-links = wheels more\nextra-index-url =\n  file:///a\n  file:///b\nindex-url = file:///main\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    site = SCRIPT["_site"](sys.executable)
    assert site["UV_FIND_LINKS"] == "wheels,more"
    assert site["UV_INDEX"] == "file:///a file:///b"
    assert site["UV_DEFAULT_INDEX"] == "file:///main"
    monkeypatch.setenv("PIP_FIND_LINKS", "stronger")
    assert SCRIPT["_site"](sys.executable)["UV_FIND_LINKS"] == "stronger"
    monkeypatch.setenv("UV_FIND_LINKS", "mine")
    assert SCRIPT["_site"](sys.executable)["UV_FIND_LINKS"] == "mine"


def test_a_finished_environment_is_left_alone_until_its_lock_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirements = tmp_path / "requirements"
    requirements.mkdir()
    for name in ("lab", "torch-cuda"):
        (requirements / f"{name}.txt").write_text("numpy==2\n", encoding="utf-8")
    scope: dict[str, Any] = SCRIPT["build"].__globals__
    built: list[Path] = []
    monkeypatch.setitem(scope, "REQUIREMENTS", requirements)
    monkeypatch.setitem(scope, "_create", lambda folder: folder.mkdir(exist_ok=True))
    monkeypatch.setitem(scope, "install", lambda name, spec, python: built.append(Path(python)))
    folder = tmp_path / "environment"

    SCRIPT["build"]("lab", SPEC, folder)
    SCRIPT["build"]("lab", SPEC, folder)
    assert len(built) == 1
    (requirements / "lab.txt").write_text("numpy==3\n", encoding="utf-8")
    SCRIPT["build"]("lab", SPEC, folder)
    assert len(built) == 2
    monkeypatch.setenv("LABKIT_TORCH", "cuda")
    SCRIPT["build"]("lab", SPEC, folder)
    assert len(built) == 3

    # Interrupted in the middle: no stamp, so the next run builds again.
    def interrupted(name: str, spec: object, python: str) -> None:
        raise KeyboardInterrupt

    (requirements / "lab.txt").write_text("numpy==4\n", encoding="utf-8")
    monkeypatch.setitem(scope, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        SCRIPT["build"]("lab", SPEC, folder)
    assert not (folder / "labkit-environment").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"python": ["2.7"]}, "locked for Python 2.7"),
        ({"systems": ["plan9"]}, "exists for plan9"),
        ({"machine": "abacus"}, "on abacus"),
    ],
)
def test_a_machine_that_does_not_fit_is_told_so(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        SCRIPT["_check_machine"]("lab", {**SPEC, **change})


def test_an_excerpt_of_a_lock_keeps_its_hashes(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("# header\na==1 \\\n    --hash=sha256:aa\nab==2 \\\n    --hash=sha256:bb\n", encoding="utf-8")
    text = SCRIPT["_excerpt"](lock, ["ab"], tmp_path).read_text(encoding="utf-8")
    assert text.strip() == "ab==2 \\\n    --hash=sha256:bb"


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "-C", str(ROOT), *arguments], env={**environment, **variables}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


def test_make_lists_every_target_with_what_it_does() -> None:
    listed = make().stdout
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]
    for target in {*phony, "env-%"} - {"need-python"}:
        assert f"make {target} " in listed, target


def test_make_without_a_python_that_fits_says_what_to_install() -> None:
    found = make("env-phoenix", "PYTHON=no-python")
    assert found.returncode != 0
    assert "3.11 or 3.12" in found.stderr


def test_make_ask_without_a_question_says_how() -> None:
    # -o: the environment counts as built
    found = make("ask", "-o", ".venv/labkit-environment", "Q=")
    assert found.returncode != 0
    assert "make ask Q=" in found.stderr


def test_make_env_has_nothing_to_do_when_the_stamp_is_newer_than_the_lock(tmp_path: Path) -> None:
    stamp = tmp_path / "labkit-environment"
    stamp.write_text("", encoding="utf-8")
    later = time.time() + 1_000
    os.utime(stamp, (later, later))
    assert "environment.py" not in make("-n", "env", f"LAB={stamp}").stdout
    os.utime(stamp, (0, 0))
    assert "environment.py" in make("-n", "env", f"LAB={stamp}").stdout
