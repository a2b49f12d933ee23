"""The caller's end of the worker, against processes that die, hang, or answer: real ones, without graphrag."""

import sys
import threading
import time

import psutil
import pytest

from labkit.errors import Cancelled, DeadlineExceeded, ModelError, StoreError
from labkit.graph.graphrag import worker as module
from labkit.graph.graphrag.worker import Worker
from labkit.schema import RequestContext
from labkit.settings import Settings


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Has the worker be a shell script; gives the function that writes it."""
    path = tmp_path / "python"

    def be(*lines):
        path.write_text("\n".join(["#!/bin/sh", "read settings", *lines]) + "\n")
        path.chmod(0o755)

    monkeypatch.setattr(sys, "executable", str(path))
    return be


@pytest.fixture
def worker(tmp_path):
    with Worker(Settings(home=tmp_path)) as made:
        yield made


def ask(worker, tmp_path, **changes):
    log = tmp_path / "project" / "logs" / "worker.log"
    return worker.request("search", {"a": 1}, **{"log": log, "timeout_s": 20.0, **changes})


def test_a_result_comes_back_after_progress_and_the_process_stays(script, worker, tmp_path):
    reply = '{"progress": ["step", 1, 2]}\\n{"result": {"text": "x"}}\\n'
    script("while read request; do", f"  printf '{reply}'", "done")
    told = []
    assert ask(worker, tmp_path, progress=lambda *step: told.append(step)) == {"text": "x"}
    assert told == [("step", 1, 2)]
    pid = worker.pid
    ask(worker, tmp_path)
    assert worker.pid == pid
    worker.close()
    assert worker.pid is None
    assert not psutil.pid_exists(pid)


def test_an_error_comes_back_as_the_error_it_was(script, worker, tmp_path):
    error = '{"error": {"kind": "ModelError", "what": "No model", "where": "there", "todo": "Get one."}}'
    script("read request", f"echo '{error}'", "read more")
    with pytest.raises(ModelError, match=r"No model at there\. Get one\."):
        ask(worker, tmp_path)


def test_a_worker_that_dies_is_an_error_with_its_last_words_and_is_replaced(script, worker, tmp_path):
    script("read request", "echo 'no such module' >&2", "exit 3")
    with pytest.raises(StoreError, match=r"died during a search \(no such module\) at project/logs/worker\.log"):
        ask(worker, tmp_path)
    script("read request", """echo '{"result": {}}'""", "read more")
    assert ask(worker, tmp_path) == {}


def test_a_worker_that_hangs_is_ended_at_the_limit_the_deadline_or_on_cancellation(script, worker, tmp_path):
    script("read request", "exec sleep 60")
    with pytest.raises(DeadlineExceeded):
        ask(worker, tmp_path, timeout_s=0.3)
    assert worker.pid is None
    with pytest.raises(DeadlineExceeded):
        ask(worker, tmp_path, ctx=RequestContext(deadline=time.monotonic() + 0.3))
    ctx = RequestContext()
    threading.Timer(0.3, ctx.cancel.set).start()
    with pytest.raises(Cancelled):
        ask(worker, tmp_path, ctx=ctx)
    assert worker.pid is None


def test_the_key_goes_by_the_environment_and_the_settings_by_the_pipe(script, tmp_path):
    script('printf \'{"result": {"settings": %s, "key": "%s", "args": "%s"}}\\n\' "$settings" "$'
           + module.KEY_VARIABLE + '" "$*"', "read more")  # fmt: skip
    with Worker(Settings(home=tmp_path, chat_api_key="geheim")) as worker:
        found = ask(worker, tmp_path)
    assert found["settings"]["home"] == str(tmp_path)
    assert (found["key"], found["args"]) == ("geheim", "-m labkit.graph.graphrag.service")


def test_what_breaks_off_here_does_not_leave_its_reply_to_the_next_request(script, worker, tmp_path):
    replies = ['{"progress": ["step", 1, 2]}', '{"result": {"for": "board"}}', '{"result": {"for": "staff"}}']
    script("read request", f"printf '{replies[0]}\\n{replies[1]}\\n'", "read request", f"echo '{replies[2]}'", "read x")

    def broken(*step):
        raise ValueError("a bar that breaks")

    with pytest.raises(ValueError, match="a bar that breaks"):
        ask(worker, tmp_path, progress=broken)
    assert worker.pid is None
    script("read request", f"echo '{replies[2]}'", "read more")
    assert ask(worker, tmp_path) == {"for": "staff"}


def test_who_waits_for_anothers_request_keeps_his_own_limits(script, worker, tmp_path):
    script("read request", "exec sleep 60")
    busy = RequestContext()
    ended = []

    def occupy():
        with pytest.raises(Cancelled) as found:
            ask(worker, tmp_path, ctx=busy)
        ended.append(found)

    other = threading.Thread(target=occupy)
    other.start()
    while worker.pid is None:
        time.sleep(0.01)
    with pytest.raises(DeadlineExceeded):
        ask(worker, tmp_path, timeout_s=0.3)
    assert worker.pid is not None  # the other's request goes on
    busy.cancel.set()
    other.join()
    assert ended
