"""A process pool in which one task can hang or crash without costing more than itself.

Each worker serves one task at a time under a limit of time and memory. A worker that breaks either, or dies, is
replaced and its task fails. Time is the worker's own CPU time, so that a busy machine fails no task; one that waits for
something instead is given up after a few times as long. Because earlier tasks may have damaged or filled a worker, a
task that crashes or runs out of memory in a used worker is tried once more in a fresh one: its outcome does not depend
on its neighbours. Results come in the order of the tasks. Workers have no network: what a hostile file makes a library
do stays on this machine. The pool knows nothing about documents.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Literal, TypeVar

from labkit.errors import ConfigError, LabkitError

_CPU_SPENT = getattr(signal, "SIGPROF", 0)
T = TypeVar("T")
R = TypeVar("R")

_START_SECONDS = 120.0
_TASKS_PER_WORKER = 1000  # libraries leak; a fresh worker costs milliseconds
_PATIENCE = 4  # seconds by the clock per second of CPU time allowed
_AHEAD = 64  # results per worker that may wait for an earlier, slower one


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task has no result: it ran out of time, died, or needed too much memory."""

    reason: Literal["timeout", "crash", "memory"]
    message: str


def run_tasks(
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    workers: int,
    seconds: float,
    megabytes: int,
    preload: Sequence[str] = (),
) -> Iterator[tuple[T, R | Failure]]:
    """Apply ``function`` to each task in worker processes, in order.

    Args:
        function: importable by name in the workers; what it raises counts as a crash, labkit's own errors apart.
        tasks: consumed as needed.
        workers: number of processes.
        seconds: CPU time per task; by the clock, a task may last a few times as long.
        megabytes: address space a worker may add to what it started with (where the system can limit it).
        preload: modules imported once, before workers are forked (where the system can fork cleanly).

    Raises:
        ConfigError: workers cannot start.
        LabkitError: whatever of labkit's own errors the function raises: they concern all tasks.
    """
    pool = _Pool(function, workers=workers, seconds=seconds, megabytes=megabytes, preload=preload)
    try:
        yield from pool.map(tasks)
    finally:
        pool.close()


class _Worker(Generic[T]):
    """One process and the task it is busy with."""

    def __init__(self, context: Any, function: Callable[[T], Any], seconds: float, megabytes: int) -> None:
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function, seconds, megabytes), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.served = 0
        self.job: tuple[int, T] | None = None
        self.deadline = time.monotonic() + _START_SECONDS

    def give(self, job: tuple[int, T], seconds: float) -> None:
        self.job, self.deadline = job, time.monotonic() + _PATIENCE * seconds
        self.connection.send(job[1])

    def kill(self) -> int | None:
        """End the process; returns its exit code, negative for a signal."""
        self.process.kill()
        self.process.join()
        self.connection.close()
        code: int | None = self.process.exitcode
        self.process.close()
        return code


class _Pool(Generic[T, R]):
    def __init__(
        self, function: Callable[[T], R], *, workers: int, seconds: float, megabytes: int, preload: Sequence[str]
    ) -> None:
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        self.context: Any = multiprocessing.get_context(method)
        if method == "forkserver":
            self.context.set_forkserver_preload(list(preload))
        self.function, self.seconds, self.megabytes = function, seconds, megabytes
        self.size = workers
        self.workers: list[_Worker[T]] = []
        self.again: deque[tuple[int, T]] = deque()
        self.done: dict[int, tuple[T, R | Failure]] = {}

    def map(self, tasks: Iterable[T]) -> Iterator[tuple[T, R | Failure]]:
        source = iter(tasks)
        given = emitted = 0
        exhausted = False
        while True:
            while emitted in self.done:
                yield self.done.pop(emitted)
                emitted += 1
            if exhausted and emitted == given:
                return
            while len(self.workers) < self.size:
                self.workers.append(self._start())
            for worker in [worker for worker in self.workers if worker.ready and worker.job is None]:
                if self.again:
                    if worker.served == 0:
                        worker.give(self.again.popleft(), self.seconds)
                    else:
                        self._replace(worker)
                elif not exhausted and given - emitted < _AHEAD * self.size:
                    try:
                        worker.give((given, next(source)), self.seconds)
                        given += 1
                    except StopIteration:
                        exhausted = True
            if not (exhausted and emitted == given) and emitted not in self.done:
                self._listen()

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.workers = []

    def _start(self) -> _Worker[T]:
        return _Worker(self.context, self.function, self.seconds, self.megabytes)

    def _replace(self, worker: _Worker[T]) -> int | None:
        self.workers.remove(worker)
        return worker.kill()

    def _listen(self) -> None:
        """Wait until a worker reports, dies or overruns, and deal with it."""
        busy = [worker for worker in self.workers if worker.job is not None or not worker.ready]
        pause = max(0.0, min(worker.deadline for worker in busy) - time.monotonic()) if busy else 0.0
        reporting = set(wait([worker.connection for worker in busy], pause)) if busy else set()
        for worker in busy:
            if worker.connection in reporting:
                self._receive(worker)
            elif time.monotonic() > worker.deadline:
                if worker.job is None:
                    raise _no_start(f"no sign of life in {_START_SECONDS:.0f} s")
                self._settle(worker, self._timeout())
                self._replace(worker)

    def _receive(self, worker: _Worker[T]) -> None:
        try:
            report = worker.connection.recv()
        except (EOFError, OSError):
            report = None
        if not worker.ready:
            if report != "ready":
                raise _no_start(f"exit code {self._replace(worker)}")
            worker.ready = True
        elif isinstance(report, LabkitError):
            raise report
        elif report is None or isinstance(report, Failure):
            fresh = worker.served == 0
            code = self._replace(worker)
            if code == -_CPU_SPENT:
                self._settle(worker, self._timeout())
            elif not fresh and worker.job is not None:
                self.again.append(worker.job)
            else:
                self._settle(worker, report or Failure("crash", f"The parser's process died (exit code {code})"))
        else:
            self._settle(worker, report[0])
            worker.served += 1
            if worker.served >= _TASKS_PER_WORKER:
                self._replace(worker)

    def _timeout(self) -> Failure:
        return Failure("timeout", f"Not read within {self.seconds:g} s")

    def _settle(self, worker: _Worker[T], result: R | Failure) -> None:
        assert worker.job is not None
        number, task = worker.job
        self.done[number] = (task, result)
        worker.job = None


def _no_start(how: str) -> ConfigError:
    return ConfigError(
        f"A worker process did not start ({how})",
        where="labkit.ingest",
        todo='In a script, call it under `if __name__ == "__main__":`; else see the traceback above.',
    )


def _serve(connection: Connection, function: Callable[[Any], Any], seconds: float, megabytes: int) -> None:
    """A worker's life: take a task, send its result, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _limit(megabytes)
    _cut_off()
    connection.send("ready")
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, seconds)  # ends this process by SIGPROF
            # Should the parent be killed, a hung task does not outlive it for long.
            signal.alarm(int(_PATIENCE * seconds) + 5)
        try:
            result = function(task)
        except MemoryError:
            connection.send(Failure("memory", f"Needed more than {megabytes} MB to read"))
            return
        except LabkitError as error:  # not this task's fault: a model or setting that no task can do without
            connection.send(error)
            return
        except Exception as error:  # a bug, or content nobody foresaw: this task's failure, named
            result = Failure("crash", f"The reader failed ({type(error).__name__}: {error})"[:300])
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
        connection.send((result,))


def _limit(megabytes: int) -> None:
    """Cap the address space at what is in use now plus the allowance; leave no core files."""
    if not sys.platform.startswith("linux"):
        return  # elsewhere the time limit alone holds
    import resource

    with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123  (a kernel file)
        pages = int(stream.read().split()[0])
    limit = pages * resource.getpagesize() + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


_NETWORK = frozenset(
    {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname"}
)
_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000


def _cut_off() -> None:
    """Leave the network: no socket for Python code, and for native code a namespace of its own where Linux allows it.

    Root without the right to make one keeps its network for native code: a user namespace would grant it, and take
    the right to read other users' files.
    """
    sys.addaudithook(_refuse_network)
    if sys.platform.startswith("linux"):
        import ctypes

        own = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
        ctypes.CDLL(None).unshare(own)  # refused in some containers: then the hook alone holds


def _refuse_network(event: str, args: tuple[Any, ...]) -> None:
    if event in _NETWORK:
        raise PermissionError(f"No network while reading documents ({event})")
