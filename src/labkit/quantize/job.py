"""Runs a script of this room in another environment of the repository: one JSON request in, progress and a result out.

Some libraries cannot live beside the lab's. Their scripts import nothing of labkit, talk in JSON lines, send what
their library prints to a log, and end when their standard input closes, so nothing outlives the caller. What a request
means is known by the script and by who sends it; nothing here does.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import labkit
from labkit.errors import ConfigError, DeadlineExceeded, ModelError

Progress = Callable[[int, int], object]
"""Told how many steps are done and how many there are."""

_ENTRY = Path(__file__).with_name("jobs") / "entry.py"
_STRANGERS = ("PYTHONPATH", "VIRTUAL_ENV")  # they would lead another Python to the lab's packages
_STAMP = "labkit-environment"  # written last by scripts/environment.py
_END_S = 10.0


def python_of(environment: str) -> Path:
    """The Python of an environment of ``requirements/environments.toml``.

    Raises:
        ConfigError: it was not built, or its build did not end.
    """
    folder = Path(labkit.__file__).resolve().parents[2] / ".venvs" / environment
    if not (folder / _STAMP).is_file():
        raise ConfigError(f"The environment {environment} is not built", where=f".venvs/{environment}",
                          todo=f"Build it with `make env-{environment}`.")  # fmt: skip
    return folder / "bin" / "python"


def run(
    python: Path, script: str, request: dict[str, Any], *, log: Path, timeout_s: float,
    progress: Progress | None = None, variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Have a script do one thing.

    Args:
        python: from :func:`python_of`.
        script: name of a module in ``jobs``.
        request: sent as JSON, with the path of the log added.
        log: what the libraries print is appended here.
        timeout_s: seconds after which the process is killed.
        progress: told how far it is.
        variables: of its environment, over those of this process.

    Returns:
        What the script sent as its result.

    Raises:
        DeadlineExceeded: it took longer.
        ModelError: it failed or died; the message has its last words.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(  # noqa: S603  (our own script, no shell)
        [python, _ENTRY, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env={key: value for key, value in os.environ.items() if key not in _STRANGERS} | dict(variables or {}),
    )  # fmt: skip
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(timeout_s, end)
    timer.start()
    try:
        return _converse(process, request | {"log": str(log)}, progress, late, log)
    finally:
        timer.cancel()
        process.kill()
        process.wait(_END_S)
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):  # what could not be sent any more
                if pipe:
                    pipe.close()


def _converse(
    process: subprocess.Popen[str], request: dict[str, Any], progress: Progress | None, late: threading.Event, log: Path
) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()  # and left open: its end is the script's signal to end
    except BrokenPipeError:
        pass  # it died before it read a line; what it said is told below
    for line in process.stdout:
        reply = json.loads(line)
        if "result" in reply:
            result: dict[str, Any] = reply["result"]
            return result
        if "error" in reply:
            raise ModelError(f"The job failed: {reply['error']}", where=log.name, todo="The log says more.")
        if progress:
            progress(*reply["progress"])
    if late.is_set():
        raise DeadlineExceeded("The job took too long and was ended", where=log.name, todo="Allow it more time.")
    raise ModelError(f"The job died{_last_words(process, log)}", where=log.name, todo="The log says more.")


def _last_words(process: subprocess.Popen[str], log: Path) -> str:
    process.wait(_END_S)
    said = process.stderr.read() if process.stderr else ""
    if not said.strip() and log.is_file():
        said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    lines = said.strip().splitlines()
    return f" ({lines[-1][:300]})" if lines else ""
