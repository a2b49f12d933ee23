"""The licence of every installed package is on the allow-list, and the check refuses what is not."""

from __future__ import annotations

import runpy
import tomllib
from email.message import Message
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
POLICY = tomllib.loads((ROOT / "requirements" / "licences.toml").read_text(encoding="utf-8"))
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "licences.py"))
check, allows = SCRIPT["check"], SCRIPT["allows"]


class Planted(Distribution):
    """A package that states what the test wants it to state."""

    def __init__(self, **fields: str | list[str]) -> None:
        message = Message()
        message["Name"] = "planted"
        for name, value in fields.items():
            for line in [value] if isinstance(value, str) else value:
                message[name.replace("_", "-")] = line
        self._message = message

    @property
    def metadata(self) -> Message:  # type: ignore[override]
        return self._message

    def read_text(self, filename: str) -> None:
        return None

    def locate_file(self, path: object) -> Path:
        return Path(str(path))


def test_every_installed_licence_is_allowed() -> None:
    findings = check(list(distributions()), POLICY, "lab")
    assert len(findings) > 300
    assert [f"{finding.name}: {finding.licence}" for finding in findings if not finding.allowed] == []


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"License_Expression": "MIT"}, True),
        ({"License_Expression": "AGPL-3.0-only"}, False),
        ({"License_Expression": "MIT", "License": "AGPL-3.0-only"}, True),  # the expression is the stronger word
        ({"License": "Apache 2.0"}, True),
        ({"License": "Elastic-2.0"}, False),
        ({"License": "do what you like, within reason"}, False),
        ({"Classifier": ["License :: OSI Approved :: BSD License"]}, True),
        ({"Classifier": ["License :: OSI Approved :: GNU Affero General Public License v3"]}, False),
        ({"Classifier": ["License :: OSI Approved :: BSD License", "License :: Other/Proprietary License"]}, False),
        ({}, False),
    ],
)
def test_what_a_package_states_decides(fields: dict[str, str | list[str]], allowed: bool) -> None:
    (finding,) = check([Planted(**fields)], POLICY, "lab")
    assert finding.allowed is allowed


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-2.0-only AND GPL-3.0-only", True),  # AND binds stronger
        ("(MIT OR GPL-2.0-only) AND GPL-3.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR GPL-3.0-only)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only WITH GCC-exception-3.1", False),
        ("", False),
        ("MIT OR", True),
        ("(MIT", False),
        ("MIT MIT", False),
    ],
)
def test_expressions(expression: str, expected: bool) -> None:
    assert allows(expression, POLICY["allowed"]) is expected


def test_an_exception_counts_in_its_environment_only() -> None:
    phoenix = Planted(License="Elastic-2.0")
    phoenix.metadata.replace_header("Name", "arize_phoenix")
    assert check([phoenix], POLICY, "phoenix")[0].allowed
    assert not check([phoenix], POLICY, "lab")[0].allowed


def test_an_exception_may_name_a_family() -> None:
    library = Planted(License="proprietary, see the terms")
    library.metadata.replace_header("Name", "nvidia_cublas")
    assert check([library], POLICY, "lab")[0].allowed
    library.metadata.replace_header("Name", "not-nvidia-cublas")
    assert not check([library], POLICY, "lab")[0].allowed


def test_no_copyleft_beyond_files_is_on_the_list_and_every_exception_says_why() -> None:
    assert not [licence for licence in POLICY["allowed"] if "GPL" in licence or licence.startswith("Elastic")]
    for packages in POLICY["exceptions"].values():
        for name, note in packages.items():
            assert len(note["reason"]) > 20, name
