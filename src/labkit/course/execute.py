"""One execution of a notebook: papermill over this very interpreter, watched for time and memory.

The kernel is always the interpreter that runs labkit, never whatever ``python3`` kernelspec a machine has registered,
and it works in the notebook's folder, offline. This module does not judge what comes out.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill
import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from labkit.course.source import PARAMETERS_TAG, declared_parameters, headline, tags
from labkit.errors import CourseError, KernelDied, NotebookFailed, NotebookTimeout

START_TIMEOUT_S = 120
SOURCE_LINES = 6
TRACEBACK_LINES = 30
SAMPLE_S = 0.2
KILL_WAIT_S = 5.0
ENGINE = "labkit"
KERNEL_LOG_LEVEL = "--IPKernelApp.log_level=40"
"""Errors only: at start-up the kernel warns that it listens on loopback without encryption."""


@dataclass(frozen=True, slots=True)
class Execution:
    """An executed notebook, as the kernel left it, and what it took.

    Args:
        notebook: with outputs, not yet normalised.
        minutes: wall time of all cells and the kernel's start.
        peak_mb: largest resident memory of the kernel and its children together, in MiB, sampled; pages shared
            between processes count once per process.
    """

    notebook: NotebookNode
    minutes: float
    peak_mb: float


def execute(
    nb: NotebookNode,
    *,
    name: str,
    folder: Path,
    output: Path,
    parameters: Mapping[str, Any],
    timeout_minutes: float,
) -> Execution:
    """Run every cell of a notebook, once, in order.

    A parameter that equals its declared default is not injected, so the canonical execution has no extra cell.

    Args:
        nb: the unexecuted notebook; left as it is.
        name: how progress and errors call it.
        folder: working directory of the kernel.
        output: where papermill keeps the notebook while it runs, for a look at a failure or an interruption.
        parameters: values for names declared in its ``parameters`` cell.
        timeout_minutes: wall time after which it is stopped.

    Raises:
        CourseError: a parameter is not declared by the notebook.
        NotebookFailed: a cell raised; :class:`KernelDied` and :class:`NotebookTimeout` are its kinds.
    """
    declared = declared_parameters(nb)
    if unknown := sorted(set(parameters) - set(declared)):
        todo = "Assign a default to each in the cell tagged `parameters`."
        raise CourseError(f"The notebook does not declare {', '.join(unknown)}", where=name, todo=todo)
    changed = {key: value for key, value in parameters.items() if value != declared[key]}
    output.parent.mkdir(parents=True, exist_ok=True)
    watch = Watch(name, nb, timeout_minutes * 60, injected=bool(changed))
    logging.getLogger("papermill").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as profile, _known_noise():
        try:
            executed = papermill.execute_notebook(
                deepcopy(nb),
                str(output),
                parameters=changed,
                engine_name=ENGINE,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                start_timeout=START_TIMEOUT_S,
                watch=watch,
                folder=folder,
                # A user's own IPython start-up files must not change what a notebook prints.
                env={
                    **os.environ,
                    "HF_HUB_OFFLINE": "1",
                    "IPYTHONDIR": profile,
                    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
                },
            )
        except PapermillExecutionError as error:
            raise watch.failed(error) from None
        except (DeadKernelError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "ernel" not in str(error):
                raise
            raise watch.stopped() from error
    return Execution(executed, watch.seconds / 60, watch.peak_bytes / 2**20)


class OwnInterpreter(AsyncKernelManager):
    """Starts the interpreter labkit itself runs in, instead of looking a kernelspec up."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel of this environment."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", KERNEL_LOG_LEVEL]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


class CourseEngine(NBClientEngine):  # type: ignore[misc]
    """papermill's engine with our own kernel, environment and watch."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, watch: Watch, folder: Path, env: dict[str, str], **options: Any
    ) -> None:
        """Called by papermill with its bookkeeping object."""
        client = PapermillNotebookClient(
            nb_man,
            kernel_manager_class=OwnInterpreter,
            kernel_name=kernel_name,
            startup_timeout=options["start_timeout"],
            timeout=None,
            record_timing=False,
            on_cell_start=watch.cell_started,
        )
        with watch.over(client):
            client.execute(cwd=str(folder), env=env)


papermill_engines.register(ENGINE, CourseEngine)


class Watch:
    """Shows progress, samples memory and stops the kernel when time is up, from a thread of its own."""

    def __init__(self, name: str, nb: NotebookNode, limit_s: float, *, injected: bool) -> None:
        self.name, self.nb, self.limit_s = name, nb, limit_s
        self.seconds = 0.0
        self.peak_bytes = 0
        self.cell = 0  # number in the source, 0 before the first
        self._injected = injected
        self.expired = False
        self._seen: set[psutil.Process] = set()
        self._done = threading.Event()

    def cell_started(self, cell: NotebookNode, cell_index: int) -> None:
        """nbclient's hook: a cell begins."""
        self.cell = self._number(cell_index)
        self._bar.n = cell_index
        self._bar.set_postfix_str(headline(cell)[:40], refresh=False)

    @contextmanager
    def over(self, client: PapermillNotebookClient) -> Iterator[None]:
        """Watch the kernel of this client until the block ends; no process it started outlives the block."""
        started = time.monotonic()
        steady = not sys.stderr.isatty()  # a log file wants a line now and then, not an animation
        self._bar = tqdm(total=len(self.nb.cells), desc=self.name, unit="cell", mininterval=15 if steady else 0.5)
        thread = threading.Thread(target=self._sample, args=(client, started), daemon=True)
        thread.start()
        try:
            yield
            self._bar.n = len(self.nb.cells)
        finally:
            self._done.set()
            thread.join()
            self.seconds = time.monotonic() - started
            self._bar.set_postfix_str("", refresh=False)
            self._bar.close()
            self._kill()

    def stopped(self) -> NotebookFailed:
        """The error that says why the kernel is gone."""
        place = f"{self.name}, cell {self.cell}"
        what = f"while it ran: {headline(self.nb.cells[self.cell - 1])}" if self.cell else "before its first cell"
        if self.expired:
            return NotebookTimeout(
                f"The notebook was stopped after {self.limit_s / 60:g} minutes {what}",
                where=place,
                todo="Make the cell cheaper, or raise timeout_minutes of this notebook in expected.toml.",
            )
        peak = f"{self.peak_bytes / 2**20:.0f} MB"
        todo = f"It used up to {peak}; a kernel that dies without a traceback was mostly killed for memory."
        return KernelDied(f"The kernel died {what}", where=place, todo=todo)

    def failed(self, error: PapermillExecutionError) -> NotebookFailed:
        """The error that shows the cell which raised: where it is, how it begins, and its traceback."""
        source = "\n".join("    " + line for line in error.source.splitlines()[:SOURCE_LINES])
        lines = _plain("\n".join(error.traceback)).splitlines()[-TRACEBACK_LINES:]
        trace = "\n".join("    " + line for line in lines)
        return NotebookFailed(
            f"A cell raised {error.ename}: {_plain(error.evalue)}",
            where=f"{self.name}, cell {self._number(error.cell_index)} (In [{error.exec_count}])",
            todo=f"It begins\n{source}\n  and ended with\n{trace}",
        )

    def _number(self, index: int) -> int:
        """The 1-based number in the source of a cell papermill runs; it may have injected one of its own."""
        before = [PARAMETERS_TAG in tags(cell) for cell in self.nb.cells[:index]]
        return index + 1 - (self._injected and any(before))

    def _sample(self, client: PapermillNotebookClient, started: float) -> None:
        while not self._done.wait(SAMPLE_S):
            self.peak_bytes = max(self.peak_bytes, self._resident(client))
            self._bar.update(0)
            if time.monotonic() - started > self.limit_s and not self.expired:
                self.expired = True
                self._kill()

    def _resident(self, client: PapermillNotebookClient) -> int:
        pid = getattr(getattr(client.km, "provisioner", None), "pid", None)
        total = 0
        try:
            if pid:
                kernel = psutil.Process(pid)
                self._seen.update([kernel, *kernel.children(recursive=True)])
        except psutil.NoSuchProcess:
            pass  # it has just ended; what it started is still counted
        for process in self._seen:
            try:
                total += process.memory_info().rss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return total

    def _kill(self) -> None:
        for process in self._seen:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(list(self._seen), timeout=KILL_WAIT_S)


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@contextmanager
def _known_noise() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Passed unknown parameter.*")
        warnings.filterwarnings(
            "ignore", category=DeprecationWarning, module=r"(papermill|nbclient|jupyter_client|zmq).*"
        )
        yield
