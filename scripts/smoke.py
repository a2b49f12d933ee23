"""Import what an environment is for, in fresh processes: a clean resolve proves little.

    python scripts/smoke.py lab        run by the environment's own Python

Each group of requirements/environments.toml is one process. An import passes if it raises nothing and prints nothing;
the first that fails is named with its traceback. Only the standard library is used, so any environment can run it.
"""

# ruff: noqa: S603, T201 (a command: it runs fixed programs and prints)

from __future__ import annotations

import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 300

# Names go through a pipe of their own, so whatever a library prints is noise and nothing else.
CHILD = """
import importlib, os, sys
for name in sys.argv[2:]:
    os.write(int(sys.argv[1]), (name + "\\n").encode())
    importlib.import_module(name)
"""

# Without these some libraries call home, draw bars, or ask a terminal while they are imported.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "RAGAS_DO_NOT_TRACK": "true",
    "PHOENIX_TELEMETRY_ENABLED": "false",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "WANDB_ERROR_REPORTING": "false",
}

# Lines that are known and harmless. Anything else a library says on import is a finding.
NOISE = (
    "Failed to load CPU gemm_4bit_forward from kernels-community",  # bitsandbytes: an optional kernel from a hub
)


def main() -> None:
    """Smoke one environment, or name the one to smoke."""
    table = tomllib.loads((ROOT / "requirements" / "environments.toml").read_text(encoding="utf-8"))
    if len(sys.argv) != 2 or sys.argv[1] not in table:
        sys.exit(f"usage: smoke.py {'|'.join(table)}")
    spec = table[sys.argv[1]]
    failed = 0
    for group in spec["imports"]:
        started = time.monotonic()
        problem = imports(group, preload=spec.get("preload", ""), noisy=spec.get("noisy", False))
        failed += bool(problem)
        took = time.monotonic() - started
        print(f"{took:6.1f} s  {'FAILED' if problem else 'ok':<7}{' '.join(group)}", flush=True)
        if problem:
            print(problem, flush=True)
    sys.exit(1 if failed else 0)


def imports(modules: list[str], *, preload: str = "", noisy: bool = False) -> str:
    """Import the modules in one fresh process; "" if all is well, else which one failed and what it said."""
    environment = {**os.environ, **QUIET}
    if preload:
        environment["LD_PRELOAD"] = str(Path(sys.prefix) / preload)
    read, write = os.pipe()
    command = [sys.executable, "-I", "-W", "ignore", "-c", CHILD, str(write), *modules]
    try:
        done = subprocess.run(
            command, env=environment, pass_fds=[write], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        said = "\n".join(line for line in done.stdout.splitlines() if line.strip() and not line.startswith(NOISE))
        status = done.returncode
    except subprocess.TimeoutExpired:
        said, status = f"no end after {TIMEOUT_S} s", -1
    finally:
        os.close(write)
    with os.fdopen(read) as pipe:
        reached = pipe.read().split()
    if status == 0 and (noisy or not said):
        return ""
    last = reached[-1] if reached else "nothing"
    return f"{last}: {'printed' if status == 0 else f'exit status {status}'}\n{said}"


if __name__ == "__main__":
    main()
