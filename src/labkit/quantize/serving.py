"""Asks the engines that quantized folders are made for: does it load there, what does it answer, how fast.

Reading a folder by reference (:mod:`labkit.quantize.loading`) says what its weights are worth; whether a server takes
it is another question, and only the server answers it. Each engine runs in a process and, where it must, an
environment of its own. How to run one for many users is not known here.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit.errors import ConfigError, InputError
from labkit.quantize import job
from labkit.quantize.checkpoint import read_record


@dataclass(frozen=True, slots=True)
class Engine:
    """Where an engine runs and what it reads.

    Attributes:
        environment: of ``requirements/environments.toml``; ``""`` for the lab's.
        script: module in ``jobs``.
        reads: methods whose folders it loads; ``bf16`` is the source.
        package: without which the lab cannot run it.
        variables: of its process; ``{environment}`` becomes the environment's folder.
    """

    environment: str
    script: str
    reads: tuple[str, ...]
    package: str = ""
    variables: dict[str, str] = field(default_factory=dict)


_VLLM = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
_VLLM_CPU = _VLLM | {
    "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_NUM_OF_RESERVED_CPU": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "LD_PRELOAD": "{environment}/lib/libiomp5.so",
}  # fmt: skip
ENGINES: dict[str, Engine] = {
    "vllm-cpu": Engine("serve-cpu", "vllm_answers", ("bf16", "gptq", "w8a8"), variables=_VLLM_CPU),
    "vllm-cuda": Engine("serve-cuda", "vllm_answers", ("bf16", "gptq", "awq", "w8a8"), variables=_VLLM),
    "gptqmodel": Engine("quantize", "gptqmodel_answers", ("gptq", "nearest", "awq")),
    "auto-gptq": Engine("legacy", "auto_gptq_answers", ("gptq", "nearest")),
    "openvino": Engine("", "openvino_answers", ("gguf",), package="openvino_genai"),
}
"""bitsandbytes and torchao folders are loaded by transformers: :func:`labkit.quantize.load` is their engine."""


@dataclass(frozen=True, slots=True)
class Served:
    """What an engine did with a folder.

    Attributes:
        engine: its name in :data:`ENGINES`.
        version: its own.
        device: ``cpu`` or a GPU.
        texts: answers, one for each prompt; empty where it read the folder and could not run it.
        ready_s: seconds until it could answer.
        tokens_per_s: new tokens a second, one answer at a time; None where it did not run.
        note: what else it said, e.g. why it stopped.
    """

    engine: str
    version: str
    device: str
    texts: tuple[str, ...]
    ready_s: float
    tokens_per_s: float | None
    note: str = ""


def answers(
    engine: str, folder: Path, prompts: Sequence[str], *, log: Path, tokens: int = 32, timeout_s: float = 900.0
) -> Served:
    """Load a folder in an engine and have prompts answered, greedily and one at a time.

    Args:
        engine: a name of :data:`ENGINES`.
        folder: what a method made, or a bf16 checkpoint.
        prompts: as the model reads them, chat template applied.
        log: takes what the engine prints.
        tokens: new tokens at most for each prompt.
        timeout_s: seconds after which the engine is ended, its start included.

    Raises:
        InputError: there is no such engine, or it does not read what the method makes.
        ConfigError: its environment or package is not installed.
        ModelError: it could not load the folder or died; the log says more.
        DeadlineExceeded: it took longer.
    """
    spec = ENGINES.get(engine)
    if spec is None:
        raise InputError(f"There is no engine {engine!r}", todo=f"There are: {', '.join(ENGINES)}.")
    record = read_record(folder)
    method = record.method if record else "bf16"
    if method not in spec.reads:
        raise InputError(f"{engine} does not read what {method} makes", where=folder.name,
                         todo=f"It reads {', '.join(spec.reads)}.")  # fmt: skip
    if spec.package and importlib.util.find_spec(spec.package) is None:
        raise ConfigError(f"{spec.package.replace('_', '-')} is not installed", todo="Install the lab environment.")
    python = job.python_of(spec.environment) if spec.environment else Path(sys.executable)
    variables = {name: value.format(environment=python.parents[1]) for name, value in spec.variables.items()}
    request = {"folder": str(folder.resolve()), "prompts": list(prompts), "tokens": tokens}
    found = job.run(python, spec.script, request, log=log, timeout_s=timeout_s, variables=variables)
    return Served(engine, found["version"], found["device"], tuple(found["texts"]), found["ready_s"],
                  found["tokens_per_s"], found.get("note", ""))  # fmt: skip


def engines_for(method: str) -> list[str]:
    """Names of the engines that read what a method makes."""
    return [name for name, engine in ENGINES.items() if method in engine.reads]
