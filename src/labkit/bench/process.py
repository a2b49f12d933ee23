"""What a command costs: CPU seconds and memory of its process and everything that one starts.

Sampled with psutil, so a helper process that nobody waits for counts too; a process that lives for less than one
sample may be missed. Memory is the sum of resident sets: pages that processes share count once for each.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from labkit.errors import BenchError

INTERVAL_S = 0.02
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall-clock and CPU seconds (user and system), and the highest sum of resident sets in bytes."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def measure(command: Sequence[str | Path], *, stdin: Path | None = None, env: Mapping[str, str] | None = None,
            interval_s: float = INTERVAL_S) -> Cost:  # fmt: skip
    """Run a command to its end.

    Raises:
        BenchError: it exits with an error; the message ends with the last lines it wrote.
    """
    began = time.monotonic()
    source = stdin.open("rb") if stdin else None
    process = psutil.Popen(
        [str(part) for part in command], stdin=source or subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, env={**os.environ, **(env or {})},
    )  # fmt: skip
    try:
        cpu, peak = _watch(process, interval_s)
        _, errors = process.communicate()
    finally:
        if source:
            source.close()
    if process.returncode:
        tail = errors.decode("utf-8", "replace").strip().splitlines()[-3:]
        raise BenchError(f"The command failed with status {process.returncode}: {' / '.join(tail)}")
    return Cost(time.monotonic() - began, cpu, peak)


def _watch(process: psutil.Popen, interval_s: float) -> tuple[float, int]:
    spent: dict[tuple[int, float], float] = {}
    family: dict[int, psutil.Process] = {process.pid: process}
    peak = 0
    while process.poll() is None:
        for child in _children(family):
            family.setdefault(child.pid, child)
        resident = 0
        for pid, member in list(family.items()):
            try:
                with member.oneshot():
                    times = member.cpu_times()
                    resident += member.memory_info().rss
                    spent[pid, member.create_time()] = times.user + times.system
            except psutil.Error:
                del family[pid]
        peak = max(peak, resident)
        time.sleep(interval_s)
    return sum(spent.values()), peak


def _children(family: Mapping[int, psutil.Process]) -> list[psutil.Process]:
    found = []
    for member in list(family.values()):
        try:
            found += member.children()
        except psutil.Error:
            continue
    return found
