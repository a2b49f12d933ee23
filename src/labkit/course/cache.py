"""Good executions kept in a results folder, so that an interrupted course resumes instead of starting again.

An execution is good for as long as everything it depends on is the same: its source, the parameters, labkit itself,
the committed datasets, the settings, the interpreter and every installed package. This module executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from labkit.course.source import read_notebook, write_notebook
from labkit.settings import get_settings

PACKAGE = Path(__file__).resolve().parents[1]
DERIVED = {"scoreboard.json"}
"""Files under ``datasets/`` that executions produce rather than use."""

_ELSEWHERE = {"home", "data", "chat_api_key", "embed_api_key"}
"""Settings that say where things are or open doors; no committed output may depend on them."""


def key_of(source: Path, parameters: Mapping[str, Any], root: Path) -> str:
    """Hash of everything an execution of this source depends on."""
    settings = get_settings().model_dump(mode="json", exclude=_ELSEWHERE)
    parts = [
        hashlib.sha256(source.read_bytes()).hexdigest(),
        json.dumps(parameters, sort_keys=True),
        json.dumps(settings, sort_keys=True),
        os.environ.get("ATEN_CPU_CAPABILITY", ""),
        platform.python_version(),
        _packages(),
        _tree(PACKAGE),
        _tree(root / "datasets"),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def notebook_path(results: Path, name: str) -> Path:
    """Where the execution of a notebook is kept."""
    return results / f"{name}.ipynb"


def load(results: Path, name: str, key: str) -> NotebookNode | None:
    """The kept execution, if it was good and nothing it depends on has changed since."""
    path = notebook_path(results, name)
    try:
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        same = record["key"] == key and record["status"] == "good" and record["sha256"] == _sha256(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no record, or one an interruption left half written: execute again
    return read_notebook(path) if same else None


def save(results: Path, name: str, key: str, nb: NotebookNode, facts: Mapping[str, Any]) -> None:
    """Keep a good execution and its run record (key, minutes, peak memory, parameters)."""
    path = notebook_path(results, name)
    write_notebook(nb, path)
    _write_record(path, {"name": name, "key": key, "status": "good", "sha256": _sha256(path), **facts})


def save_failure(results: Path, name: str, key: str, error: Exception) -> None:
    """Record that the execution failed, and why; it is not reused."""
    record = {"name": name, "key": key, "status": type(error).__name__, "error": str(error)}
    _write_record(notebook_path(results, name), record)


def _write_record(path: Path, record: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".json.partial")
    partial.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path.with_suffix(".json"))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tree(folder: Path) -> str:
    return _digest(
        f"{path.relative_to(folder).as_posix()} {_sha256(path)}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.name not in DERIVED
    )


@lru_cache(maxsize=1)
def _packages() -> str:
    return _digest(sorted({f"{found.name}=={found.version}" for found in distributions()}))


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
