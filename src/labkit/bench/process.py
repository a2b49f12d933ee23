"""What a command costs: CPU seconds and memory of its process and everything that one starts.

Sampled with psutil, so a helper process that nobody waits for counts too; a process that lives for less than one
sample may be missed. Memory is the sum of resident sets: pages that processes share count once for each.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
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
            one_core: bool = False, limit_s: float = 3600.0) -> Cost:  # fmt: skip
    """Run a command to its end; with ``one_core`` no two of its threads run at once, where the system can see to it.

    Raises:
        BenchError: it exits with an error (the message ends with the last lines it wrote), or runs out of time, in
            which case it and all it started are killed.
    """
    with tempfile.TemporaryFile() as errors, open(stdin or os.devnull, "rb") as source:  # noqa: PTH123
        began = time.monotonic()
        process = psutil.Popen(
            [str(part) for part in command], stdin=source, stdout=subprocess.DEVNULL, stderr=errors,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        watch = _Watch(process)
        try:
            if one_core and hasattr(process, "cpu_affinity"):  # Linux and Windows
                process.cpu_affinity(process.cpu_affinity()[-1:])
            while process.poll() is None:
                if time.monotonic() > began + limit_s:
                    raise BenchError(f"The command did not end within {limit_s:.0f} s", where=str(command[0]))
                watch.sample()
                time.sleep(INTERVAL_S)
        finally:
            watch.kill()
        wall = time.monotonic() - began
        if process.returncode:
            errors.seek(0)
            tail = errors.read().decode("utf-8", "replace").strip().splitlines()[-3:]
            raise BenchError(f"The command failed with status {process.returncode}: {' / '.join(tail)}")
    return Cost(wall, sum(watch.spent.values()), watch.peak)


class _Watch:
    """Everything one process has started, as far as it was seen."""

    def __init__(self, process: psutil.Process) -> None:
        self.family: dict[int, psutil.Process] = {process.pid: process}
        self.spent: dict[tuple[int, float], float] = {}
        self.peak = 0

    def sample(self) -> None:
        """Look at every member, and for new ones."""
        resident = 0
        for pid, member in list(self.family.items()):
            try:
                for child in member.children():
                    self.family.setdefault(child.pid, child)
                with member.oneshot():
                    times = member.cpu_times()
                    resident += member.memory_info().rss
                    self.spent[pid, member.create_time()] = times.user + times.system
            except psutil.Error:
                del self.family[pid]
        self.peak = max(self.peak, resident)

    def kill(self) -> None:
        """End what is left of the family."""
        for member in self.family.values():
            with contextlib.suppress(psutil.Error):
                member.kill()
        psutil.wait_procs(list(self.family.values()), timeout=5)
