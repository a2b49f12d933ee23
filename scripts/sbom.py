"""Write a bill of materials (CycloneDX 1.6, JSON) of an environment from its lock.

    python scripts/sbom.py lab docs/sbom.json

The same lock gives the same bytes: no time, no serial number. It lists what the lock pins, torch, and the two models
that install as packages, with the hashes of their weights. The hashes of the packages' files are in the lock.
"""

# ruff: noqa: T201 (a command: it runs fixed programs and prints)

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"


def main() -> None:
    """Write one bill of materials."""
    table = tomllib.loads((REQUIREMENTS / "environments.toml").read_text(encoding="utf-8"))
    if len(sys.argv) != 3 or sys.argv[1] not in table:
        sys.exit(f"usage: sbom.py {'|'.join(table)} FILE")
    target = Path(sys.argv[2])
    text = render(sys.argv[1], table[sys.argv[1]])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"{target}: {text.count('bom-ref') - 1} components")


def render(name: str, spec: dict[str, Any]) -> str:
    """The bill of materials as text."""
    lock = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    pins = locked(lock)
    if spec["torch"]:
        pins += locked((REQUIREMENTS / "torch-cuda.in").read_text(encoding="utf-8"))
    version = re.search(r'__version__ = "(.+)"', (ROOT / "src/labkit/__init__.py").read_text(encoding="utf-8"))
    assert version
    own = {
        "type": "application", "bom-ref": "labkit", "name": "labkit", "version": version[1],
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }  # fmt: skip
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": own,
            "properties": [
                {"name": "labkit:environment", "value": name},
                {"name": "labkit:lock-sha256", "value": hashlib.sha256(lock.encode()).hexdigest()},
            ],
        },
        "components": [*map(library, sorted(set(pins))), *(models() if name == "lab" else [])],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def locked(lock: str) -> list[tuple[str, str]]:
    """Name and version of every pin."""
    return re.findall(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", lock, flags=re.MULTILINE)


def library(pin: tuple[str, str]) -> dict[str, Any]:
    """A Python package as a component."""
    purl = f"pkg:pypi/{pin[0]}@{pin[1]}"
    return {"type": "library", "bom-ref": purl, "name": pin[0], "version": pin[1], "purl": purl}


def models() -> list[dict[str, Any]]:
    """The packaged models as components, with the hashes their use is checked against."""
    catalogue = tomllib.loads((ROOT / "src/labkit/models.toml").read_text(encoding="utf-8"))
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": f"model:{name}",
            "name": name,
            "description": entry["source"],
            "licenses": [{"license": {"id": entry["license"]}}],
            "hashes": [{"alg": "SHA-256", "content": next(iter(entry["sha256"].values()))}],
        }
        for name, entry in sorted(catalogue.items())
    ]


if __name__ == "__main__":
    main()
