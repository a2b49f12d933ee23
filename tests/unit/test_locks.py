"""The locks say what was asked for, for every machine, and nothing about the machine that wrote them."""

from __future__ import annotations

import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
TABLE = tomllib.loads((REQUIREMENTS / "environments.toml").read_text(encoding="utf-8"))
SBOM = runpy.run_path(str(ROOT / "scripts" / "sbom.py"))
LOCKS = [*TABLE, "torch-cuda", "uv"]


def pins(name: str) -> dict[str, set[str]]:
    """Package → versions (one for each marker) of a lock, torch included."""
    found: dict[str, set[str]] = {}
    parts = [f"{name}.txt", *(["torch-cuda.in"] if TABLE[name]["torch"] else [])]
    for part in parts:
        for package, version in SBOM["locked"]((REQUIREMENTS / part).read_text(encoding="utf-8")):
            found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def asked(name: str) -> list[Requirement]:
    """What the environment's sources ask for: its .in file, and all of pyproject.toml where that is a source."""
    found: list[Requirement] = []
    for source in TABLE[name]["from"]:
        text = (REQUIREMENTS / source).read_text(encoding="utf-8")
        if source.endswith("pyproject.toml"):
            project = tomllib.loads(text)["project"]
            lists = [project["dependencies"], *project["optional-dependencies"].values()]
            found += [Requirement(line) for lines in lists for line in lines]
        else:
            found += [Requirement(line) for raw in text.splitlines() if (line := raw.split("#")[0].strip())]
    return found


def unmet(wanted: list[Requirement], locked: dict[str, set[str]]) -> list[str]:
    return [
        str(requirement)
        for requirement in wanted
        if not (versions := locked.get(canonicalize_name(requirement.name)))
        or not all(requirement.specifier.contains(version, prereleases=True) for version in versions)
    ]


@pytest.mark.parametrize("name", TABLE)
def test_a_lock_holds_all_that_is_asked_for(name: str) -> None:
    assert unmet(asked(name), pins(name)) == [], "run `make lock`"


def test_what_the_lock_lacks_is_noticed() -> None:
    locked = {"numpy": {"2.4.6"}, "scipy": {"1.17.1", "2.0"}}
    wanted = [Requirement(line) for line in ("numpy>=2", "numpy<2", "absent", "scipy<2")]
    assert unmet(wanted, locked) == ["numpy<2", "absent", "scipy<2"]


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_a_hash_and_no_line_names_a_place(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    blocks = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
    assert blocks
    for block in blocks:
        assert re.match(r"[a-z0-9][\w.-]*==\S+( ;.*)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n?$", block), block[:200]
    assert not re.search(r"\+cpu|\+cu\d|://|@ |--index|--find-links|(^|\s)/", text)


@pytest.mark.parametrize("name", [name for name in TABLE if TABLE[name]["torch"]])
def test_a_lock_that_serves_any_accelerator_holds_none(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    assert not re.findall(r"^(?:nvidia-\S+|cuda-\S+|triton|torch)==.*", text, flags=re.MULTILINE)


def test_torch_has_one_version() -> None:
    (asked_for,) = SBOM["locked"]((REQUIREMENTS / "torch-cuda.in").read_text(encoding="utf-8"))
    assert asked_for in SBOM["locked"]((REQUIREMENTS / "torch-cuda.txt").read_text(encoding="utf-8"))
    for name in TABLE:
        for requirement in asked(name):
            if requirement.name == "torch":
                assert requirement.specifier.contains(asked_for[1]), name


def test_packages_that_must_not_be_there_are_not() -> None:
    for name in TABLE:
        assert not {"llama-cpp-python", "llm"} & set(pins(name))
    assert not {"torchvision", "torchaudio", "torchcodec"} & set(pins("serve-cpu"))


def test_the_bill_of_materials_is_the_locks() -> None:
    committed = (ROOT / "docs" / "sbom.json").read_text(encoding="utf-8")
    assert committed == SBOM["render"]("lab", TABLE["lab"]), "run `make sbom`"
    document = json.loads(committed)
    listed = {(part["name"], part["version"]) for part in document["components"] if part["type"] == "library"}
    assert listed == {(name, version) for name, versions in pins("lab").items() for version in versions}
    assert sum(part["type"] == "machine-learning-model" for part in document["components"]) == 2
    assert "timestamp" not in committed
    assert "serialNumber" not in committed
