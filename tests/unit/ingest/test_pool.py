"""The pool: order, hangs, crashes, memory, and workers that cannot start."""

import textwrap
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from labkit.errors import ConfigError
from labkit.ingest.pool import Failure, run_tasks

PLANTED = """
    import ctypes, os, time

    served = 0

    def work(task):
        global served
        served += 1
        if task == "hang":
            time.sleep(600)
        if task == "crash":
            os.kill(os.getpid(), 9)
        if task == "raise":
            raise ValueError("a bug")
        if task == "fill":
            return len(bytearray(4 * 2**30))
        if task == "fragile" and served > 1:
            os._exit(3)
        return f"did {task}"

    class Unstartable:
        def __reduce__(self):
            return __import__, ("no_such_module",)
        def __call__(self, task):
            return task
"""


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    (tmp_path / "planted_work.py").write_text(textwrap.dedent(PLANTED))
    monkeypatch.syspath_prepend(tmp_path)
    return import_module("planted_work").work  # type: ignore[no-any-return]


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_tasks_cost_only_themselves(planted: Callable[[str], str], workers: int) -> None:
    tasks = ["a", "hang", "b", "crash", "c", "raise", "fill", "d", "fragile"]
    began = time.monotonic()
    results = list(run_tasks(planted, tasks, workers=workers, seconds=1.5, megabytes=300))
    assert [task for task, _ in results] == tasks
    outcome = {task: result.reason if isinstance(result, Failure) else result for task, result in results}
    assert outcome == {
        "a": "did a", "hang": "timeout", "b": "did b", "crash": "crash", "c": "did c", "raise": "crash",
        "fill": "memory", "d": "did d", "fragile": "did fragile",
    }  # fmt: skip
    assert time.monotonic() - began < 60


def test_order_is_kept_and_tasks_are_taken_as_needed(planted: Callable[[str], str]) -> None:
    taken: list[int] = []

    def source() -> object:
        for number in range(1000):
            taken.append(number)
            yield str(number)

    results = run_tasks(planted, source(), workers=2, seconds=5, megabytes=300)  # type: ignore[arg-type]
    assert next(results) == ("0", "did 0")
    assert len(taken) < 400
    assert [task for task, _ in results] == [str(number) for number in range(1, 1000)]


def test_workers_that_cannot_start_are_an_error_not_a_quarantined_corpus(planted: object) -> None:
    unstartable = import_module("planted_work").Unstartable()
    with pytest.raises(ConfigError, match="did not start"):
        list(run_tasks(unstartable, ["a"], workers=1, seconds=1, megabytes=300))


def test_no_tasks(planted: Callable[[str], str]) -> None:
    assert list(run_tasks(planted, [], workers=1, seconds=1, megabytes=300)) == []


def _ask_the_network(address: tuple[str, int]) -> str:
    import socket

    try:
        socket.create_connection(address, timeout=2).close()
    except PermissionError as error:
        return f"refused: {error}"
    except OSError as error:
        return f"failed: {error}"
    return "connected"


def test_workers_have_no_network() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()[:2]
        assert _ask_the_network(address) == "connected", "the test's own server can be reached from here"
        [(_, answer)] = run_tasks(_ask_the_network, [address], workers=1, seconds=10, megabytes=200)
    assert isinstance(answer, str)
    assert answer.startswith("refused: No network while reading documents")


def _misconfigured(task: int) -> int:
    raise ConfigError("The model is not there", where="nowhere", todo="Install it.")


def test_an_error_that_concerns_all_tasks_stops_the_run() -> None:
    with pytest.raises(ConfigError, match="The model is not there"):
        list(run_tasks(_misconfigured, range(5), workers=1, seconds=10, megabytes=200))


def _spin(task: int) -> int:
    while True:
        pass


def test_time_is_the_workers_own() -> None:
    [(_, result)] = run_tasks(_spin, [1], workers=1, seconds=0.5, megabytes=200)
    assert result == Failure("timeout", "Not read within 0.5 s")
