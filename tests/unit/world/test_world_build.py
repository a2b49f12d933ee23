"""Building: same seed same bytes, manifest, refusals, interruptions, pins."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.errors import InputError, WorldError
from labkit.world import build
from labkit.world.build import build_world, read_manifest, size_of
from labkit.world.disk import MANIFEST, PARTIAL, Disk, bytes_digest, content_digest
from labkit.world.pin import BEGIN, END, WORLDS, check_pin, figures, read_pins, with_figures

DATASETS = Path(__file__).parents[3] / "datasets"


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_same_seed_same_bytes_other_seed_others(small_world: Path, tmp_path: Path):
    again = build_world("40", 1, tmp_path / "again", progress=False)
    first = read_manifest(small_world)
    assert again == first
    assert bytes_digest(tmp_path / "again") == first.sha256
    other = build_world("40", 2, tmp_path / "again", progress=False)
    assert other.sha256 != first.sha256
    assert other.content_sha256 != first.content_sha256


def test_bytes_depend_on_no_hash_seed(small_world: Path, tmp_path: Path):
    code = f"from labkit.world.build import *; build_world('40', 1, Path({str(tmp_path / 'w')!r}), progress=False)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": "4711"})
    assert read_manifest(tmp_path / "w") == read_manifest(small_world)


def test_digests_notice_a_changed_letter(small_world: Path, tmp_path: Path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "documents.jsonl").write_text('{"path": "a", "sha256": "x"}\n')
    (tmp_path / "a.pdf").write_bytes(b"1")
    (tmp_path / "a.md").write_bytes(b"1")
    both = bytes_digest(tmp_path), content_digest(tmp_path)
    (tmp_path / "a.pdf").write_bytes(b"2")
    (tmp_path / "truth" / "documents.jsonl").write_text('{"path": "a", "sha256": "y"}\n')
    assert bytes_digest(tmp_path) != both[0]
    assert content_digest(tmp_path) == both[1]
    (tmp_path / "a.md").write_bytes(b"2")
    assert content_digest(tmp_path) != both[1]


def test_the_manifest_counts_what_is_there(small_world: Path):
    report = read_manifest(small_world)
    documents = rows(small_world / "truth" / "documents.jsonl")
    on_disk = [p for p in (small_world / "documents").rglob("*") if p.is_file() and p.name != ".access.toml"]
    assert report.documents == len(documents) == len(on_disk)
    assert {str(row["path"]) for row in documents} == {
        p.relative_to(small_world / "documents").as_posix() for p in on_disk
    }
    assert sum(report.questions.values()) == sum(
        len(rows(path)) for path in (small_world / "questions").glob("*.jsonl")
    )
    assert report.facts == len(rows(small_world / "truth" / "facts.jsonl"))


def test_a_folder_that_is_no_world_is_left_alone(tmp_path: Path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "mine.txt").write_text("keep")
    with pytest.raises(WorldError, match="not a world"):
        build_world("40", 1, tmp_path, progress=False)
    assert (tmp_path / "truth" / "mine.txt").read_text() == "keep"


def test_an_interrupted_build_is_no_world_and_can_be_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_world: Path
):
    real = Disk.write_document
    written = []

    def stop(self: Disk, path: str, raw: bytes) -> str:
        written.append(path)
        if len(written) > 40:
            raise KeyboardInterrupt
        return real(self, path, raw)

    monkeypatch.setattr(Disk, "write_document", stop)
    with pytest.raises(KeyboardInterrupt):
        build_world("40", 1, tmp_path / "w", progress=False)
    assert not (tmp_path / "w" / MANIFEST).exists()
    assert (tmp_path / "w" / PARTIAL).exists()
    with pytest.raises(WorldError, match="not a finished world"):
        read_manifest(tmp_path / "w")
    monkeypatch.undo()
    assert build_world("40", 1, tmp_path / "w", progress=False) == read_manifest(small_world)
    assert not (tmp_path / "w" / PARTIAL).exists()


def test_sizes(monkeypatch: pytest.MonkeyPatch):
    assert size_of("ci") == build.PROFILES["ci"]
    assert size_of("1000000") == 1_000_000
    for wrong in ("19", "1000001", "many", "-40", "4e2", ""):
        with pytest.raises(InputError):
            size_of(wrong)


def test_taken_names_get_a_number_whatever_their_case(tmp_path: Path):
    with Disk(tmp_path) as disk:
        assert [disk.write_document(p, b"") for p in ("a/B.md", "a/b.md", "a/b.md", "a/c")] == [
            "a/B.md", "a/b-2.md", "a/b-3.md", "a/c",
        ]  # fmt: skip


def test_the_small_world_is_the_pinned_one(small_world: Path):
    small, _ = read_pins(DATASETS)
    assert (small.profile, small.seed) == WORLDS[0]
    check_pin(small, small_world)


def test_a_world_that_changed_is_told_what_to_do(small_world: Path):
    _, ci = read_pins(DATASETS)
    with pytest.raises(WorldError, match="GENERATOR"):
        check_pin(ci, small_world)


def test_figures_go_between_the_markers(small_world: Path):
    card = with_figures(f"# Card\n\n{BEGIN}\nold\n{END}\n\nEnd.\n", small_world)
    assert "old" not in card
    assert card.startswith("# Card\n")
    assert card.endswith("\n\nEnd.\n")
    assert with_figures(card, small_world) == card
    assert f"| facts | {read_manifest(small_world).facts:,} |" in figures(small_world)
    with pytest.raises(WorldError, match="no place"):
        with_figures("# Card\n", small_world)
