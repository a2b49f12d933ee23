"""The doctor tells the machine as it is, and what to do about what is missing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from labkit import doctor
from labkit.doctor import Report, examine
from labkit.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    home = tmp_path_factory.mktemp("home") / "not" / "there" / "yet"
    return examine(Settings(home=home, data=None, chat_url=None, weaviate_url=None), ROOT)


def test_it_describes_this_machine(report: Report) -> None:
    assert report.machine.cores > 0
    assert 0.5 < report.machine.memory_gib < 10_000
    assert set(report.environments) == {"lab", "phoenix", "serve-cpu", "serve-cuda", "quantize", "legacy"}
    assert all(report.libraries.values())
    assert set(report.models.values()) == {"present, hashes as pinned"}
    ready = {each.name: each.ready for each in report.capabilities}
    assert ready["any    a larger model over HTTP"] is False
    assert json.loads(json.dumps(report.as_dict()))["models"] == report.models


def test_every_missing_thing_comes_with_a_fix_and_stands_in_the_table(report: Report) -> None:
    table = report.table()
    for capability in report.capabilities:
        assert capability.name in table
        for what, fix in capability.missing.items():
            assert fix
            assert f"{what}: {fix}" in table


@pytest.mark.parametrize(
    ("need", "change"),
    [
        ("memory 999999", {}),
        ("disk 999999999", {}),
        ("libraries", {"libraries": {"torch": False}}),
        ("models", {"models": {"all-minilm-l6-v2": "wrong hash: model.safetensors"}}),
        ("environment phoenix", {"environments": {"phoenix": "outdated"}}),
        ("environment phoenix", {"environments": {}}),
        ("setting data", {}),
        ("tool tesseract", {"tools": {"tesseract": "absent"}}),
    ],
)
def test_a_need_that_is_not_met_is_missing(report: Report, need: str, change: dict[str, object]) -> None:
    assert doctor._missing(need, replace(report, **change)) is not None


@pytest.mark.parametrize(
    ("need", "change"),
    [
        ("python", {}),
        ("memory 0.1", {}),
        ("disk 0", {}),
        ("libraries", {}),
        ("models", {}),
        ("environment phoenix", {"environments": {"phoenix": "ready"}}),
        ("setting data", {"settings": {"LABKIT_DATA": "peps"}}),
        ("tool tesseract", {"tools": {"tesseract": "somewhere"}}),
    ],
)
def test_a_need_that_is_met_is_not(report: Report, need: str, change: dict[str, object]) -> None:
    assert doctor._missing(need, replace(report, **change)) is None


def test_every_capability_uses_known_words(report: Report) -> None:
    for _, needs in doctor.CAPABILITIES:
        for need in needs:
            assert need.split()[0] in doctor._NEEDS


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "25000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.25),
    ],
)
def test_a_containers_share_of_the_cores_counts(tmp_path: Path, files: dict[str, str], cores: float) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert doctor._cores(tmp_path) == cores


@pytest.mark.parametrize("text", ["max 100000\n", "", "-1\n", "100000 0\n"])
def test_no_limit_means_the_whole_machine(tmp_path: Path, text: str) -> None:
    (tmp_path / "cpu.max").write_text(text, encoding="utf-8")
    assert doctor._cores(tmp_path) == doctor._cores(tmp_path / "nowhere") >= 1


def test_a_containers_share_of_the_memory_counts(tmp_path: Path) -> None:
    whole = doctor._memory(tmp_path)
    (tmp_path / "memory.max").write_text("1048576\n", encoding="utf-8")
    assert doctor._memory(tmp_path) == 1048576 < whole
    (tmp_path / "memory.max").write_text("max\n", encoding="utf-8")
    assert doctor._memory(tmp_path) == whole


def test_cpu_features_are_read_from_the_flags_line(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("model name\t: avx2\nflags\t\t: fpu avx2 amx_int8\n", encoding="utf-8")
    assert doctor._cpu_features(tmp_path / "cpuinfo") == ("avx2", "amx_int8")
    assert doctor._cpu_features(tmp_path / "nowhere") == ()


def test_an_environment_is_ready_only_while_its_lock_is_the_one_it_was_built_from(tmp_path: Path) -> None:
    folder = tmp_path / ".venv"
    lock = tmp_path / "requirements" / "lab.txt"
    lock.parent.mkdir()
    lock.write_text("numpy==2\n", encoding="utf-8")
    assert doctor._environment(tmp_path, "lab", folder) == "absent"
    folder.mkdir()
    assert doctor._environment(tmp_path, "lab", folder) == "unfinished"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    (folder / "labkit-environment").write_text(f"lab {digest}\ntorch cpu\n", encoding="utf-8")
    assert doctor._environment(tmp_path, "lab", folder) == "ready"
    lock.write_text("numpy==3\n", encoding="utf-8")
    assert doctor._environment(tmp_path, "lab", folder) == "outdated"
