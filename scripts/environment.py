"""Build one of the environments of requirements/environments.toml from its lock, every file checked by hash.

``make env`` runs this with any Python 3.11 or 3.12; only the standard library is needed. A stamp is written last, so
an interrupted build starts over, and what was downloaded is taken from the cache. A folder whose stamp
fits its lock is left as it is.

Torch is a step of its own, because a lock cannot say "the CPU build on this machine, the CUDA build on that one":

1. with an NVIDIA driver (or LABKIT_TORCH=cuda): the CUDA build and its libraries, locked in torch-cuda.txt;
2. otherwise a wheel from the folder or page that pip is configured to find links on, if it holds one that fits;
3. otherwise the CPU build from torch's own index;
4. where that cannot be reached: as 1, several gigabytes, and it runs on a CPU just as well.

In 2 and 3 the version is exact and the hash is not checked: each site and system has a file of its own.
"""

# ruff: noqa: S603, T201 (a command: it runs fixed programs and prints)

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
STAMP = "labkit-environment"  # inside the folder; holds what it was built from


def main() -> None:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="an environment; `serve` is serve-cuda, where there is a GPU for it")
    parser.add_argument("--into", type=Path, help="another folder than the one in environments.toml")
    parser.add_argument("--here", action="store_true", help="into the Python that runs this (a hosted notebook)")
    arguments = parser.parse_args()
    table = tomllib.loads((REQUIREMENTS / "environments.toml").read_text(encoding="utf-8"))
    name = _serve() if arguments.name == "serve" else arguments.name
    if name not in table:
        _stop(f"There is no environment {name!r}.", f"Choose one of {', '.join(table)}.")
    try:
        if arguments.here:
            _check_machine(name, table[name])
            install(name, table[name], sys.executable)
        else:
            build(name, table[name], arguments.into or ROOT / table[name]["folder"])
    except KeyboardInterrupt:
        sys.exit("\nenvironment: interrupted; run the same command again to go on")


def build(name: str, spec: dict[str, Any], folder: Path) -> None:
    """Make the folder an environment that fits the lock; do nothing where it is one already."""
    _check_machine(name, spec)
    cuda = _wants_cuda()
    wanted = _fingerprint(name, spec, folder, cuda)
    stamp = folder / STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        if spec.get("editable"):  # pyproject.toml may have changed: seconds
            _editable(_python(folder))
        stamp.touch()
        print(f"{name}: ready in {_shown(folder)}")
        return
    _say(name, spec["what"])
    _say(name, f"building {_shown(folder)} with Python {platform.python_version()}")
    stamp.unlink(missing_ok=True)
    _create(folder)
    install(name, spec, _python(folder))
    stamp.write_text(wanted, encoding="utf-8")
    print(f"{name}: ready in {_shown(folder)}")


def install(name: str, spec: dict[str, Any], python: str) -> None:
    """Install what is locked for the environment into an existing Python."""
    lock = REQUIREMENTS / f"{name}.txt"
    _say(name, "1/4 the installer")
    _installer(python)
    if spec["torch"]:
        _say(name, "2/4 torch")
        _torch(python, _wants_cuda())
    _say(name, "3/4 the packages of the lock")
    strict = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]  # a machine without a compiler must do
    if tools := spec.get("build_tools"):
        # Some packages here exist as source only. Their build tools come from the lock too.
        with tempfile.TemporaryDirectory() as scratch:
            _uv(python, "install", *strict, "-r", str(_excerpt(lock, tools, Path(scratch))))
        strict = ["--no-deps", "--require-hashes", "--no-build-isolation"]
    _uv(python, "install", *strict, "-r", str(lock))
    if spec.get("editable"):
        _say(name, "4/4 labkit itself, editable")
        _editable(python)


def _check_machine(name: str, spec: dict[str, Any]) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version not in spec["python"]:
        _stop(
            f"The environment {name} is locked for Python {' and '.join(spec['python'])}, and this is {version}.",
            f"Run it with python{spec['python'][0]}, e.g. `make env-{name} PYTHON=python{spec['python'][0]}`.",
        )
    if sys.platform not in spec["systems"] or spec.get("machine", platform.machine()) != platform.machine():
        where = " and ".join(spec["systems"]) + (f" on {spec['machine']}" if "machine" in spec else "")
        _stop(f"The environment {name} exists for {where}, and this is {sys.platform} on {platform.machine()}.", "")


def _serve() -> str:
    if _wants_cuda():
        return "serve-cuda"
    _stop(
        "vLLM's makers publish builds for NVIDIA GPUs only, and there is none here.",
        "The CPU build is a third party's, so it is opted into by name: `make env-serve-cpu`.",
    )
    raise AssertionError


def _wants_cuda() -> bool:
    choice = os.environ.get("LABKIT_TORCH", "")
    if choice not in ("", "cpu", "cuda"):
        _stop(f"LABKIT_TORCH is {choice!r}.", "Set it to cpu or cuda, or unset it.")
    if choice:
        return choice == "cuda"
    if sys.platform != "linux" or not (found := shutil.which("nvidia-smi")):
        return False
    listed = subprocess.run([found, "-L"], capture_output=True, text=True, check=False)
    return listed.returncode == 0 and "GPU" in listed.stdout


def _fingerprint(name: str, spec: dict[str, Any], folder: Path, cuda: bool) -> str:
    lock, cuda_lock = (_sha256(REQUIREMENTS / f"{part}.txt") for part in (name, "torch-cuda"))
    torch = f"{'cuda' if cuda else 'cpu'} {cuda_lock}" if spec["torch"] else "locked"
    # The folder's own place counts: an environment that was moved does not work. `labkit doctor` reads line 1.
    return f"{name} {lock}\ntorch {torch}\npython {platform.python_version()}\nfolder {folder.resolve()}\n"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _create(folder: Path) -> None:
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=False).returncode
    if made:
        _stop(
            f"{sys.executable} cannot make an environment; its reason is above.",
            "On Debian and Ubuntu the module is a package of its own: python3-venv.",
        )


def _installer(python: str) -> None:
    command = [python, "-m", "pip", "install", "-qq", "--no-deps", "--require-hashes"]
    command += ["--disable-pip-version-check", "-r", str(REQUIREMENTS / "uv.txt")]
    if subprocess.run(command, env=_clean(), check=False).returncode:
        _stop("pip could not install uv; its reason is above.", "Check the network and run the same command again.")


def _torch(python: str, cuda: bool) -> None:
    pin = next(
        line for line in (REQUIREMENTS / "torch-cuda.in").read_text(encoding="utf-8").splitlines() if "==" in line
    )
    locked = ("--no-deps", "--require-hashes", "-r", str(REQUIREMENTS / "torch-cuda.txt"))
    if cuda:
        _uv(python, "install", *locked)
        return
    if sys.platform == "darwin":  # one build only
        _uv(python, "install", "--no-deps", pin)
        return
    if "UV_FIND_LINKS" in _site(python) and _uv(python, "install", "--no-deps", "--no-index", pin, must=False):
        return
    if _uv(python, "install", "--no-deps", "--torch-backend=cpu", pin, must=False):
        return
    print("torch's own index was not reached: taking the CUDA build from the package registry", flush=True)
    _uv(python, "install", *locked)


def _excerpt(lock: Path, names: list[str], folder: Path) -> Path:
    """The lines of a few packages, as a requirements file of its own."""
    blocks = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8"))
    chosen = [block for block in blocks if block.partition("==")[0] in names]
    target = folder / "build-tools.txt"
    target.write_text("\n".join(chosen) + "\n", encoding="utf-8")
    return target


def _editable(python: str) -> None:
    # Its build tool is in the lock, so nothing is fetched for it.
    _uv(python, "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def _uv(python: str, *arguments: str, must: bool = True) -> bool:
    """Run ``uv pip …`` for a Python, with what the site has configured for pip."""
    command = [python, "-m", "uv", "pip", arguments[0], "--python", python, *arguments[1:]]
    if not sys.stderr.isatty():
        command.append("--quiet")  # a person sees progress; a log would get one line for every package
    output = None if must else subprocess.PIPE  # the reason of an expected failure would only frighten
    done = subprocess.run(command, env=_site(python), stderr=output, check=False)
    if done.returncode and must:
        _stop("uv could not install it; its reason is above.", "Run the same command again: what is there is kept.")
    return done.returncode == 0


def _site(python: str) -> dict[str, str]:
    """The environment uv runs in: uv does not read pip's configuration, so it is handed over."""
    found: dict[str, str] = {}
    listed = subprocess.run(
        [python, "-m", "pip", "config", "list"], capture_output=True, text=True, env=_clean(), check=False
    )
    # PIP_… variables are listed first and are the strongest.
    for line in sorted(listed.stdout.splitlines(), key=lambda line: line.startswith(":env:")):
        key, _, value = line.partition("=")
        found[key.rpartition(".")[2]] = str(ast.literal_eval(value))
    site = {
        "UV_FIND_LINKS": ",".join(found.get("find-links", "").split()),
        "UV_INDEX": " ".join(found.get("extra-index-url", "").split()),
        "UV_DEFAULT_INDEX": found.get("index-url", ""),
        "SSL_CERT_FILE": found.get("cert", ""),
        # pip looks at all indexes alike; with every file pinned by hash that is safe.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_HTTP_TIMEOUT": "180",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    clean = _clean()
    return {**{key: value for key, value in site.items() if value and key not in clean}, **clean}


def _clean() -> dict[str, str]:
    strangers = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX")
    return {key: value for key, value in os.environ.items() if key not in strangers}


def _python(folder: Path) -> str:
    return str(folder / "bin" / "python")


def _shown(folder: Path) -> str:
    return str(folder.relative_to(ROOT)) if folder.is_relative_to(ROOT) else str(folder)


def _say(name: str, text: str) -> None:
    print(f"{name}: {text}", flush=True)


def _stop(what: str, todo: str) -> None:
    sys.exit(f"environment: {what} {todo}".rstrip())


if __name__ == "__main__":
    main()
