"""Write requirements/*.txt from requirements/*.in: every version, every hash, no machine, no index.

``make lock`` keeps what is locked and adds what is missing; ``make lock ARGS=--upgrade`` takes the newest versions
that fit. Asks the package index for metadata only; installs nothing.

A lock holds on every system and Python its environment names in environments.toml, with one version for all of them.
Locks leave out torch and the CUDA libraries: a CPU or a CUDA build is chosen where the environment is built. The
CUDA choice has a lock of its own, torch-cuda.txt.
"""

# ruff: noqa: S603, T201 (a command: it runs fixed programs and prints)

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
PYTHON_END = "3.13"  # the first Python no lock is for

HEADER = """\
# Written by `make lock` from {sources}: do not edit.
# Holds for Python {pythons} on {systems}.{torch}
"""


def main() -> None:
    """Parse the command line and write the locks asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="environments (default: all)")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    arguments = parser.parse_args()
    table = tomllib.loads((REQUIREMENTS / "environments.toml").read_text(encoding="utf-8"))
    for name in arguments.names or table:
        if name not in table:
            sys.exit(f"lock: there is no environment {name!r}; there are {', '.join(table)}")
        lock(name, table[name], upgrade=arguments.upgrade)
    lock_parts(arguments.upgrade)


def lock(name: str, spec: dict[str, Any], *, upgrade: bool) -> None:
    """Resolve one environment."""
    sources = [REQUIREMENTS / source for source in spec["from"]]
    options: list[str] = []
    if any(source.name == "pyproject.toml" for source in sources):
        options += ["--all-extras"]
    if spec["torch"]:
        # One torch for all; some packages ask for its CPU build by a version that only torch's own index has.
        options += ["--no-emit-package", "torch", "--overrides", str(REQUIREMENTS / "torch-cuda.in")]
    excluded = [*spec.get("without", []), *(excludes() if spec["torch"] else [])]
    header = HEADER.format(
        sources=" and ".join(source.name for source in sources),
        pythons=" and ".join(spec["python"]),
        systems=" and ".join({"linux": "Linux", "darwin": "macOS"}[system] for system in spec["systems"]),
        torch=" Torch is installed apart: docs/environments.md." if spec["torch"] else "",
    )
    compile_(sources, REQUIREMENTS / f"{name}.txt", header, spec, options, excluded, upgrade=upgrade)


def lock_parts(upgrade: bool) -> None:
    """What environments share: uv itself, and torch with its CUDA libraries."""
    linux = {"python": ["3.11", "3.12"], "systems": ["linux"]}
    header = HEADER.format(sources="torch-cuda.in", pythons="3.11 and 3.12", systems="Linux", torch="")
    # Torch's plain dependencies are in every environment's own lock.
    plain = ["filelock", "fsspec", "jinja2", "markupsafe", "mpmath", "networkx", "setuptools", "sympy"]
    options = [option for package in [*plain, "typing-extensions"] for option in ("--no-emit-package", package)]
    compile_(
        [REQUIREMENTS / "torch-cuda.in"], REQUIREMENTS / "torch-cuda.txt", header, linux, options, [], upgrade=upgrade
    )
    # The installer, cut out of the lab's lock: pip installs it before anything else, by hash.
    lines = (REQUIREMENTS / "lab.txt").read_text(encoding="utf-8").splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("uv=="))
    end = next((i for i in range(start + 1, len(lines)) if not lines[i].startswith(" ")), len(lines))
    body = "\n".join(["# Written by `make lock` from lab.txt: do not edit.", *lines[start:end]])
    (REQUIREMENTS / "uv.txt").write_text(body + "\n", encoding="utf-8")


def compile_(
    sources: list[Path], target: Path, header: str, spec: dict[str, Any], options: list[str], excluded: list[str],
    *, upgrade: bool,
) -> None:  # fmt: skip
    """One run of ``uv pip compile``; afterwards the markers that hold everywhere are taken off."""
    end = PYTHON_END if "3.12" in spec["python"] else "3.12"
    machine = f" and platform_machine == '{spec['machine']}'" if "machine" in spec else ""
    common = f"python_full_version < '{end}'{machine} and "
    places = [f"{common}sys_platform == '{system}'" for system in sorted(spec["systems"])]
    with tempfile.TemporaryDirectory() as scratch:
        # uv takes the list of supported systems from the project it runs in, and from nowhere else.
        quoted = ", ".join(f'"{place}"' for place in places)
        (Path(scratch) / "pyproject.toml").write_text(f"[tool.uv]\nenvironments = [{quoted}]\n", encoding="utf-8")
        (Path(scratch) / "excludes.txt").write_text("\n".join(excluded), encoding="utf-8")
        output = Path(scratch) / "lock.txt"
        if target.exists():
            output.write_bytes(target.read_bytes())
        command = [
            *(sys.executable, "-m", "uv", "pip", "compile", *map(str, sources), "--output-file", str(output)),
            *("--universal", "--python-version", str(spec["python"][0]), "--generate-hashes", "--no-annotate"),
            *("--no-header", "--quiet", "--excludes", str(Path(scratch) / "excludes.txt")),
            *(*options, *(["--upgrade"] if upgrade else [])),
        ]
        # A site's own index may hold some wheels of a release only; the lock wants the hashes of all of them.
        quiet = {key: value for key, value in os.environ.items() if not key.startswith(("UV_FIND", "UV_INDEX"))}
        if subprocess.run(command, cwd=scratch, env=quiet, check=False).returncode:
            sys.exit(f"lock: {target.name} could not be resolved; the reason is above. The old lock is unchanged.")
        text = output.read_text(encoding="utf-8")
    everywhere = " or ".join(f"({place})" for place in places) if len(places) > 1 else places[0]
    text = text.replace(f" ; {everywhere}", "").replace(common, "")
    target.write_text(header + text, encoding="utf-8")
    count = sum(1 for line in text.splitlines() if line[:1].isalnum())
    print(f"{target.relative_to(ROOT)}: {count} packages")


def excludes() -> list[str]:
    """The packages no environment wants, without their comments."""
    lines = (REQUIREMENTS / "excludes.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


if __name__ == "__main__":
    main()
