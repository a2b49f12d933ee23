"""What a command costs, its children included."""

import sys

import psutil
import pytest

from labkit.bench.process import measure
from labkit.errors import BenchError

CHILD = "import time\nwhile time.process_time() < 0.6: pass\nheap = bytearray(80_000_000)\ntime.sleep(1)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_children_are_charged():
    cost = measure([sys.executable, "-c", PARENT])
    assert cost.cpu_s > 0.5
    assert cost.peak_bytes > 80_000_000
    assert cost.wall_s > 1.0


def test_input_and_environment_reach_the_command(tmp_path):
    (tmp_path / "in.txt").write_text("hello", encoding="utf-8")
    program = f"import os, sys; open({str(tmp_path / 'out.txt')!r}, 'w').write(sys.stdin.read() + os.environ['WHO'])"
    measure([sys.executable, "-c", program], stdin=tmp_path / "in.txt", env={"WHO": " you"})
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "hello you"


def test_a_failure_is_told_with_its_last_words():
    with pytest.raises(BenchError, match="no such luck"):
        measure(
            [
                sys.executable,
                "-c",
                "print('x' * 200_000, file=__import__('sys').stderr); raise SystemExit('no such luck')",
            ]
        )


def test_a_command_that_does_not_end_is_killed_with_its_children(tmp_path):
    note = tmp_path / "pid"
    child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(BenchError, match="did not end"):
        measure([sys.executable, "-c", parent], limit_s=3)
    pid = int(note.read_text(encoding="utf-8"))
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
