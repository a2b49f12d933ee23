"""A process that has graphrag loaded: builds indexes and answers searches for this one.

graphrag reads two environment variables when Python starts, takes seconds and hundreds of megabytes to import, logs to
the console, and runs its own event loop, which a notebook already has. None of that touches the caller: he talks to
:mod:`labkit.graph.graphrag.service` in JSON lines, one request at a time, and what libraries print goes to a log in the
project's folder. The worker ends when its caller does, and is ended when a request runs out of time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from labkit import errors
from labkit.errors import ConfigError, DeadlineExceeded, EndpointError, LabkitError, StoreError
from labkit.schema import RequestContext
from labkit.settings import Settings

ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # or litellm fetches a price list when it is imported
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",  # graphrag puts sets into its prompts, and its cache goes by the prompt
    "PYTHONIOENCODING": "utf-8",
    "MALLOC_ARENA_MAX": "2",  # with glibc the next one takes some 200 MB off the encoder's peak
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "4",  # PyTorch keeps what it compiled for each length of text; few are enough
}

KEY_VARIABLE = "LABKIT_GRAPHRAG_KEY"
"""Environment variable of the worker that ``settings.json`` names instead of the key of the endpoint."""

_POLL_S = 0.1
_END_S = 5.0

Progress = Callable[[str, int, int], object]
"""Told what is being done, how many steps are done and how many there are."""


class Worker:
    """The caller's end. Starts the process at the first request; use it as a context manager or close it.

    Args:
        settings: models, endpoints and home folder of everything it does.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self._replies: queue.Queue[str | None] = queue.Queue()
        self._one = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Of the process, if it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def request(
        self, what: str, arguments: dict[str, Any], *, log: Path, timeout_s: float, ctx: RequestContext | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Have something done and wait for it.

        Args:
            what: ``build`` or ``search``.
            arguments: of the request, as JSON.
            log: file that takes what the libraries print.
            timeout_s: seconds, the start of the process included, after which it is ended.
            ctx: its deadline and cancellation end the process, too.
            progress: told how far a build is.

        Raises:
            DeadlineExceeded, Cancelled: it took too long, or the caller left.
            StoreError: the worker died or met a bug; the log says more.
            LabkitError: whatever the work itself raised.
        """
        until = time.monotonic() + timeout_s
        line = json.dumps({"what": what, "log": str(log), "arguments": arguments})
        while not self._one.acquire(timeout=_POLL_S):  # another thread's request is being done
            _check(until, ctx, what)
        try:
            process = self._running()
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # then the reply is that it died
                process.stdin.write(line + "\n")
                process.stdin.flush()
            reply = self._reply(until, ctx, log, what)
            while "progress" in reply:
                if progress:
                    progress(*reply["progress"])
                reply = self._reply(until, ctx, log, what)
        except BaseException:
            self._kill()  # what it still has to say must not be taken for the reply to the next request
            raise
        finally:
            self._one.release()
        if "error" in reply:
            raise _error(reply["error"])
        result: dict[str, Any] = reply["result"]
        return result

    def close(self) -> None:
        """End the process, if it runs."""
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        self._kill()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _running(self) -> subprocess.Popen[str]:
        if self._process and self._process.poll() is None:
            return self._process
        self._kill()  # one that died on its own since
        if importlib.util.find_spec("graphrag") is None:
            raise ConfigError("graphrag is not installed", todo="Install the lab environment (requirements/lab.txt).")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "labkit.graph.graphrag.service"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **ENVIRONMENT, KEY_VARIABLE: self._settings.chat_api_key},
        )
        self._replies = queue.Queue()
        assert self._process.stdin is not None
        self._reader = threading.Thread(target=_pass_on, args=(self._process, self._replies), daemon=True)
        self._reader.start()
        self._process.stdin.write(self._settings.model_dump_json() + "\n")
        self._process.stdin.flush()
        return self._process

    def _reply(self, until: float, ctx: RequestContext | None, log: Path, what: str) -> dict[str, Any]:
        while True:
            _check(until, ctx, what)
            try:
                line = self._replies.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if line is None:
                said = _last_line(self._process)
                self._kill()
                where = f"{log.parent.parent.name}/{log.parent.name}/{log.name}"
                todo = "A new build goes on from the cache; the log says what happened."
                raise StoreError(f"The graphrag worker died during a {what}{said}", where=where, todo=todo)
            reply: dict[str, Any] = json.loads(line)
            return reply

    def _kill(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait(_END_S)
        self._reader.join(_END_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):  # what could not be sent any more
                if pipe:
                    pipe.close()
        self._process = None


def _check(until: float, ctx: RequestContext | None, what: str) -> None:
    if ctx is not None:
        ctx.check()
    if time.monotonic() > until:
        raise DeadlineExceeded(f"The graphrag {what} took too long and was ended", todo="Allow it more time.")


def _pass_on(process: subprocess.Popen[str], replies: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        replies.put(line)
    replies.put(None)


def _last_line(process: subprocess.Popen[str] | None) -> str:
    """What a process said before its output went to a log."""
    lines = process.stderr.read().strip().splitlines() if process and process.stderr else []
    return f" ({lines[-1]})" if lines else ""


def _error(found: dict[str, str]) -> LabkitError:
    kind = getattr(errors, found["kind"], StoreError)
    error: LabkitError = kind(found["what"], where=found["where"], todo=found["todo"])
    return error


def failure(what: str, *reasons: BaseException | None) -> LabkitError:
    """An exception of graphrag as one of ours, with its reasons; those of clients are an endpoint's failure."""
    given = [reason for reason in reasons if reason is not None]
    said = "; ".join(dict.fromkeys(f"{type(reason).__name__}: {reason}".splitlines()[0][:300] for reason in given))
    if any(type(reason).__module__.partition(".")[0] in ("litellm", "openai") for reason in given):
        return EndpointError(f"{what} ({said})", todo="Check the endpoint, its key and the model's name.")
    return StoreError(f"{what} ({said})", todo="The log in the project's folder says more; a build can be resumed.")
