"""kill -9 at any moment, then the same command again: the same tables as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labkit.ingest import ingest
from labkit.world.build import build_world

pytestmark = pytest.mark.slow
KILLS = 20


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = tmp_path_factory.mktemp("interruption") / "world"
    build_world("40", 5, world, progress=False)
    return world / "documents"


def command(documents: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "labkit", "ingest", str(documents), "--out", str(out), "--quiet"]


def test_twenty_kills_change_nothing(documents: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    subprocess.run(command(documents, tmp_path / "first"), check=True, capture_output=True)
    whole = time.monotonic() - began
    reference = ingest(documents, tmp_path / "reference", progress=False).tables
    rng = random.Random(20)
    killed = attempt = 0
    while killed < KILLS:
        assert attempt < 4 * KILLS, "the command ends before it can be killed"
        # Every second attempt goes on where the last was killed; the others start with nothing.
        out = tmp_path / f"out-{attempt // 2}"
        began = time.monotonic()
        process = subprocess.Popen(
            command(documents, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(rng.uniform(0.05, 0.95) * whole)
            whole = time.monotonic() - began  # it was faster than the first
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)  # its workers must notice by themselves
            process.wait()
            killed += 1
        if attempt % 2:
            assert ingest(documents, out, progress=False).tables == reference
            assert not list(out.glob(".*.partial")), "what the killed run left is gone"
        attempt += 1
