"""The talk with a script in another process: progress, results, errors, deaths, and who outlives whom."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from labkit.errors import ConfigError, DeadlineExceeded, InputError, ModelError
from labkit.quantize import awq, gptq, job, serving

SCRIPTS = {
    "adds": "def do(request, tell):\n    print('noise')\n    tell(1, 2)\n    return {'sum': sum(request['numbers'])}",
    "fails": "def do(request, tell):\n    raise ValueError('no such layer')",
    "dies": "import os, sys\ndef do(request, tell):\n    print('out of memory', flush=True)\n    os._exit(9)",
    "sleeps": "import os, time\ndef do(request, tell):\n    tell(os.getpid(), 0)\n    time.sleep(60)",
}


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    folder = tmp_path / "jobs"
    folder.mkdir()
    shutil.copy(Path(job.__file__).with_name("jobs") / "entry.py", folder)
    for name, text in SCRIPTS.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.setattr(job, "_ENTRY", folder / "entry.py")
    return folder


def ask(tmp_path, script, timeout_s=30.0, **request):
    told = []
    result = job.run(Path(sys.executable), script, request, log=tmp_path / "log", timeout_s=timeout_s,
                     progress=lambda *at: told.append(at))  # fmt: skip
    return result, told


def test_a_result_comes_back_and_noise_goes_to_the_log(scripts, tmp_path):
    assert ask(tmp_path, "adds", numbers=[1, 2]) == ({"sum": 3}, [(1, 2)])
    assert "noise" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("script", "words"), [("fails", "no such layer"), ("dies", "out of memory"),
                                               ("absent", "absent")])  # fmt: skip
def test_a_job_that_fails_or_dies_says_why(scripts, tmp_path, script, words):
    with pytest.raises(ModelError, match=words):
        ask(tmp_path, script)


def test_a_job_that_takes_too_long_is_ended(scripts, tmp_path):
    told = []
    with pytest.raises(DeadlineExceeded):
        job.run(Path(sys.executable), "sleeps", {}, log=tmp_path / "log", timeout_s=3.0,
                progress=lambda pid, _: told.append(pid))  # fmt: skip
    assert told
    assert not psutil.pid_exists(told[0])


def test_a_job_ends_with_who_started_it(scripts, tmp_path):
    program = f"""
import sys
from pathlib import Path
from labkit.quantize import job
job._ENTRY = Path({str(scripts / "entry.py")!r})
job.run(Path(sys.executable), "sleeps", {{}}, log=Path({str(tmp_path / "log")!r}), timeout_s=60.0,
        progress=lambda pid, _: print(pid, flush=True))
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
        until = time.monotonic() + 10
        while psutil.pid_exists(child) and time.monotonic() < until:
            time.sleep(0.05)
        assert not psutil.pid_exists(child)
    finally:
        parent.kill()
        parent.stdout.close()


def test_an_environment_that_is_not_built_is_named():
    with pytest.raises(ConfigError, match="make env-nowhere"):
        job.python_of("nowhere")


@pytest.mark.parametrize("method", [gptq, awq])
def test_a_group_that_does_not_divide_costs_no_minute(tiny, tmp_path, texts, method, monkeypatch):
    monkeypatch.setattr(job, "run", lambda *_, **__: pytest.fail("the job was started"))
    with pytest.raises(InputError, match="do not divide"):
        method(tiny, tmp_path / "out", texts, group=64)
    monkeypatch.setattr(job, "python_of", lambda name: Path(sys.executable))
    with pytest.raises(InputError, match="no text"):
        method(tiny, tmp_path / "out", ["w1 w2"], group=32)


def test_what_was_read_is_recorded_and_a_failed_job_leaves_no_folder(tiny, tmp_path, texts, monkeypatch):
    monkeypatch.setattr(job, "python_of", lambda name: Path(sys.executable))
    asked = []

    def run(python, script, request, **_):
        asked.append(request)
        if len(asked) == 2:
            raise ModelError("out of memory")
        return {"gptqmodel": "7.6.0"}

    monkeypatch.setattr(job, "run", run)
    record = gptq(tiny, tmp_path / "out", texts, group=32)
    assert record.details["calibration_tokens"] == 6 * 60
    assert asked[0]["calibration"][0][:3] == [0, 3, 6]
    with pytest.raises(ModelError):
        gptq(tiny, tmp_path / "second", texts, group=32)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_engine_is_asked_only_for_what_it_reads(tiny, tmp_path):
    with pytest.raises(InputError, match="no engine"):
        serving.answers("llama.cpp", tiny, ["w1"], log=tmp_path / "log")
    with pytest.raises(InputError, match="does not read"):
        serving.answers("gptqmodel", tiny, ["w1"], log=tmp_path / "log")
    assert serving.engines_for("w8a8") == ["vllm-cpu", "vllm-cuda"]
    assert serving.engines_for("nf4") == []
