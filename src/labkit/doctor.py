"""What this machine can run, what is missing, and the command that gets it.

Looks at the machine, the environments beside the checkout, the packaged models and the settings; starts nothing,
installs nothing, and asks no network. It does not know how anything is used: what a chapter needs is the table
``CAPABILITIES``.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import psutil

from labkit.models import file_sha256
from labkit.settings import Settings, get_settings

_GIB = 1024**3
_STAMP = "labkit-environment"  # written last by scripts/environment.py

CAPABILITIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("00-05  demo, data, retrieval, evaluation, graphs", ("python", "libraries", "models", "memory 2", "disk 1")),
    ("03     Weaviate instead of the embedded store", ("libraries", "setting weaviate_url")),
    ("06     QLoRA on a CPU", ("libraries", "models", "memory 4", "disk 2")),
    ("06     QLoRA of a model of 1B and more", ("libraries", "gpu")),
    ("07     INT8, NF4, GGUF", ("libraries", "models", "memory 4", "disk 2")),
    ("07     GPTQ and AWQ", ("environment quantize", "memory 6", "disk 3")),
    ("07     auto-gptq", ("environment legacy", "gpu")),
    ("08     distillation, speculation", ("libraries", "models", "memory 4", "disk 2")),
    ("09     vLLM on a GPU", ("environment serve-cuda", "gpu")),
    ("09     vLLM on a CPU", ("environment serve-cpu", "avx2", "memory 8")),
    ("10     traces in Phoenix", ("environment phoenix", "memory 3")),
    ("11-14  monitoring, security, agents", ("libraries", "models", "memory 2")),
    ("any    a larger model over HTTP", ("setting chat_url",)),
    ("any    the public evaluation sets", ("setting data",)),
    ("any    pages that are only pictures (OCR)", ("tool tesseract",)),
    ("cap.   alert rules", ("tool promtool", "tool prometheus")),
    ("cap.   the page in a real browser", ("tool chromium",)),
)
"""What the course does, and what each part needs, as words of ``_missing``."""

# A few that stand for the rest: the lab environment is installed as a whole.
_LIBRARIES = (
    "bitsandbytes", "graphrag", "jupyterlab", "lancedb", "llama_index", "papermill", "peft", "phoenix", "ragas",
    "torch", "transformers", "trl", "wandb", "weaviate",
)  # fmt: skip
_TOOLS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "chrome"),
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "tesseract": ("tesseract",),
}
_SETTING_FIXES = {
    "chat_url": "set LABKIT_CHAT_URL to an OpenAI-compatible endpoint, ending in /v1",
    "data": "set LABKIT_DATA to the folder that holds them",
    "weaviate_url": "set LABKIT_WEAVIATE_URL to a running server",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to work with, as a process here may use it (cgroup and affinity limits count)."""

    python: str
    system: str
    cores: float
    memory_gib: float
    disk_free_gib: float
    cpu_features: tuple[str, ...]
    gpus: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing the course does: ready if nothing is missing, else what is missing → how to get it."""

    name: str
    missing: Mapping[str, str]

    @property
    def ready(self) -> bool:
        """Whether this machine can run it now."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found."""

    machine: Machine
    environments: Mapping[str, str]
    libraries: Mapping[str, bool]
    models: Mapping[str, str]
    settings: Mapping[str, str]
    tools: Mapping[str, str]
    capabilities: tuple[Capability, ...]

    def as_dict(self) -> dict[str, object]:
        """The report as JSON-ready data."""
        data = asdict(self)
        data["capabilities"] = [{"name": each.name, "ready": each.ready, "missing": dict(each.missing)}
                                for each in self.capabilities]  # fmt: skip
        return data

    def table(self) -> str:
        """The report as aligned text; the last part says what to do."""
        machine = self.machine
        absent = [name for name, found in self.libraries.items() if not found]
        rows = [
            ("python", machine.python),
            ("system", machine.system),
            ("cores", f"{machine.cores:g}"),
            ("memory", f"{machine.memory_gib:.1f} GiB"),
            ("disk free", f"{machine.disk_free_gib:.0f} GiB"),
            ("cpu", " ".join(machine.cpu_features) or "no feature that matters here"),
            ("gpu", "; ".join(machine.gpus) or "none"),
            ("libraries", f"missing: {' '.join(absent)}" if absent else "all of the lab environment"),
            *((f"env {name}", state) for name, state in self.environments.items()),
            *((f"model {name}", state) for name, state in self.models.items()),
            *((f"{name}", value) for name, value in self.settings.items()),
            *((f"tool {name}", path) for name, path in self.tools.items()),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {value}" for name, value in rows]
        lines.append("")
        for each in self.capabilities:
            lines.append(f"{'ready' if each.ready else 'not yet':<9}{each.name}")
            lines += [f"{'':16}{what}: {fix}" for what, fix in each.missing.items()]
        return "\n".join(lines)


def examine(settings: Settings | None = None, root: Path | None = None) -> Report:
    """Look at everything once.

    Args:
        settings: where to look (default: this process's).
        root: the checkout, for the environments beside it (default: found upwards from here).

    Raises:
        ConfigError: the settings are malformed.
    """
    settings = settings or get_settings()
    root = root or _checkout()
    report = Report(
        machine=_machine(settings),
        environments=_environments(root),
        libraries={name: find_spec(name) is not None for name in _LIBRARIES},
        models=_models(),
        settings=_settings(settings),
        tools={name: next(filter(None, map(shutil.which, names)), "") or "absent" for name, names in _TOOLS.items()},
        capabilities=(),
    )
    capabilities = tuple(
        Capability(name, dict(filter(None, (_missing(need, report) for need in needs)))) for name, needs in CAPABILITIES
    )
    return Report(**{**{field: getattr(report, field) for field in report.__slots__}, "capabilities": capabilities})


def _missing(need: str, report: Report) -> tuple[str, str] | None:
    """None if the need is met, else what is missing and how to get it."""
    word, _, detail = need.partition(" ")
    return _NEEDS[word](detail, report)


def _need_python(_: str, report: Report) -> tuple[str, str] | None:
    fits = (3, 11) <= sys.version_info[:2] <= (3, 12)
    return None if fits else (f"Python {report.machine.python}", "install 3.11 or 3.12, then `make env`")


def _need_libraries(_: str, report: Report) -> tuple[str, str] | None:
    absent = [name for name, found in report.libraries.items() if not found]
    return (f"libraries ({', '.join(absent)})", "make env") if absent else None


def _need_models(_: str, report: Report) -> tuple[str, str] | None:
    bad = [name for name, state in report.models.items() if not state.startswith("present")]
    return (f"models ({', '.join(bad)})", "make env, after `make clean` if the hash is wrong") if bad else None


def _need_memory(gib: str, report: Report) -> tuple[str, str] | None:
    if report.machine.memory_gib >= float(gib):
        return None
    return f"{gib} GiB of memory", f"this machine allows {report.machine.memory_gib:.1f}"


def _need_disk(gib: str, report: Report) -> tuple[str, str] | None:
    if report.machine.disk_free_gib >= float(gib):
        return None
    return f"{gib} GiB of disk", "free some, or set LABKIT_HOME to another disk"


def _need_gpu(_: str, report: Report) -> tuple[str, str] | None:
    return None if report.machine.gpus else ("an NVIDIA GPU", "nvidia-smi lists none: a machine or a driver is needed")


def _need_avx2(_: str, report: Report) -> tuple[str, str] | None:
    return None if "avx2" in report.machine.cpu_features else ("AVX2", "another CPU")


def _need_environment(name: str, report: Report) -> tuple[str, str] | None:
    state = report.environments.get(name, "no checkout here")
    if state == "ready":
        return None
    return f"environment {name} ({state})", f"make env-{name}"


def _need_setting(field: str, report: Report) -> tuple[str, str] | None:
    name = f"LABKIT_{field.upper()}"
    return (name, _SETTING_FIXES[field]) if report.settings[name].startswith(("not set", "no such")) else None


def _need_tool(name: str, report: Report) -> tuple[str, str] | None:
    return (name, "install it with the system's package manager") if report.tools[name] == "absent" else None


_NEEDS: dict[str, Callable[[str, Report], tuple[str, str] | None]] = {
    "avx2": _need_avx2,
    "disk": _need_disk,
    "environment": _need_environment,
    "gpu": _need_gpu,
    "libraries": _need_libraries,
    "memory": _need_memory,
    "models": _need_models,
    "python": _need_python,
    "setting": _need_setting,
    "tool": _need_tool,
}


def _machine(settings: Settings) -> Machine:
    home = settings.home
    while not home.exists():
        home = home.parent
    return Machine(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cores=_cores(),
        memory_gib=_memory() / _GIB,
        disk_free_gib=shutil.disk_usage(home).free / _GIB,
        cpu_features=_cpu_features(),
        gpus=_gpus(),
    )


def _cores(cgroup: Path = Path("/sys/fs/cgroup")) -> float:
    """Cores this process may use; a container's quota may allow a part of one."""
    usable = float(len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else float(os.cpu_count() or 1)
    words = _read(cgroup / "cpu.max").split()  # "200000 100000", or "max 100000"
    if len(words) != 2:  # cgroup v1
        words = [_read(cgroup / "cpu/cpu.cfs_quota_us"), _read(cgroup / "cpu/cpu.cfs_period_us")]
    quota, period = (int(word) if word.strip().isdigit() else 0 for word in words)
    return min(usable, round(quota / period, 2)) if quota and period else usable


def _memory(cgroup: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes of memory this process may use."""
    limits = [_read(cgroup / name).strip() for name in ("memory.max", "memory/memory.limit_in_bytes")]
    return min([float(psutil.virtual_memory().total), *(float(limit) for limit in limits if limit.isdigit())])


def _cpu_features(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """The instruction sets that decide what is fast here."""
    flags = next((line.split() for line in _read(cpuinfo).splitlines() if line.startswith("flags")), [])
    return tuple(name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8") if name in flags)


def _gpus() -> tuple[str, ...]:
    """NVIDIA GPUs by name and memory, as the driver lists them; torch is asked only where there is one."""
    found = shutil.which("nvidia-smi")
    if found is None:
        return ()
    query = [found, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ()
    names = [line.strip() for line in listed.splitlines() if line.strip()]
    if not names or find_spec("torch") is None:
        return tuple(names)
    import torch

    note = "" if torch.cuda.is_available() else " (this torch is a CPU build: LABKIT_TORCH=cuda make clean env)"
    return tuple(name + note for name in names)


def _environments(root: Path | None) -> dict[str, str]:
    """Each environment as ready, outdated (its lock has changed), unfinished or absent."""
    if root is None:
        return {}
    table = tomllib.loads((root / "requirements" / "environments.toml").read_text(encoding="utf-8"))
    return {name: _environment(root, name, root / spec["folder"]) for name, spec in table.items()}


def _environment(root: Path, name: str, folder: Path) -> str:
    if not folder.is_dir():
        return "absent"
    built_from = _read(folder / _STAMP).partition("\n")[0]
    if not built_from:
        return "unfinished"
    lock = (root / "requirements" / f"{name}.txt").read_bytes()
    return "ready" if built_from == f"{name} {hashlib.sha256(lock).hexdigest()}" else "outdated"


def _models() -> dict[str, str]:
    """Each packaged model: present with the pinned bytes, absent, or wrong."""
    catalogue = tomllib.loads(resources.files("labkit").joinpath("models.toml").read_text(encoding="utf-8"))
    return {name: _model(entry) for name, entry in catalogue.items()}


def _model(entry: Mapping[str, object]) -> str:
    spec = find_spec(str(entry["package"]))
    if spec is None or spec.origin is None:
        return "absent"
    pins = entry["sha256"]
    assert isinstance(pins, dict)
    folder = Path(spec.origin).parent / str(entry["folder"])
    for file, pinned in pins.items():
        if not (folder / file).is_file():
            return f"incomplete: {file} is missing"
        if file_sha256(folder / file) != pinned:
            return f"wrong hash: {file}"
    return "present, hashes as pinned"


def _settings(settings: Settings) -> dict[str, str]:
    data = "not set"
    if settings.data is not None:
        sets = sorted(path.name for path in settings.data.glob("*") if path.is_dir()) if settings.data.is_dir() else []
        data = " ".join(sets) or f"no such folder or nothing in it: {settings.data}"
    return {
        "LABKIT_HOME": str(settings.home),
        "LABKIT_DATA": data,
        "LABKIT_CHAT_URL": settings.chat_url or "not set: the model runs in this process",
        "LABKIT_WEAVIATE_URL": settings.weaviate_url or "not set: the embedded store is used",
    }


def _checkout() -> Path | None:
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "requirements" / "environments.toml").is_file():
            return folder
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:  # not this system, or not this cgroup version
        return ""
