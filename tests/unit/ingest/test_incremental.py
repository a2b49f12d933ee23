"""A second run processes what changed; what is deleted disappears, from the tables and from what is remembered."""

import sqlite3
from pathlib import Path

import pytest

from labkit.errors import InputError, StoreError
from labkit.ingest import IngestReport, Limits, Privacy, ingest, read_chunks, read_documents
from labkit.ingest.run import state_folder
from labkit.pii import Policy

BODY = "The pump in hall {n} was taken apart and cleaned, its seal ring number {n} was replaced by a new one today.\n"


def run(root: Path, out: Path, **options: object) -> IngestReport:
    return ingest(root, out, progress=False, **options)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    root.mkdir()
    for n in range(6):
        (root / f"note-{n}.txt").write_text(f"Note {n}\n\n" + BODY.format(n=n) * 2)
    (root / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    return root


def test_unchanged_files_are_not_read_again(folder: Path, tmp_path: Path) -> None:
    first = run(folder, tmp_path / "out")
    again = run(folder, tmp_path / "out")
    assert (first.reused, again.reused) == (0, 7)
    assert again.tables == first.tables
    (folder / "note-3.txt").write_text("Something else entirely.")
    (folder / "note-3.txt").touch()
    changed = run(folder, tmp_path / "out")
    assert changed.reused == 6
    assert changed.tables == run(folder, tmp_path / "elsewhere").tables


def test_deleted_and_renamed_files(folder: Path, tmp_path: Path) -> None:
    run(folder, tmp_path / "out")
    (folder / "note-0.txt").unlink()
    (folder / "note-1.txt").rename(folder / "renamed.txt")
    report = run(folder, tmp_path / "out")
    assert report.reused == 6, "a renamed file has the same content"
    assert {row.source_path for row in read_documents(tmp_path / "out")} == {
        "note-2.txt", "note-3.txt", "note-4.txt", "note-5.txt", "renamed.txt",
    }  # fmt: skip
    assert report.tables == run(folder, tmp_path / "elsewhere").tables
    kept = b"".join(path.read_bytes() for path in state_folder(tmp_path / "out").iterdir())
    with sqlite3.connect(state_folder(tmp_path / "out") / "cache.sqlite") as cache:
        assert cache.execute("SELECT count(*) FROM finished").fetchone() == (5,)
    assert b"hall 0" not in kept


def test_a_new_original_turns_the_old_one_into_a_copy(folder: Path, tmp_path: Path) -> None:
    run(folder, tmp_path / "out")
    (folder / "n.txt").write_bytes((folder / "note-2.txt").read_bytes())
    report = run(folder, tmp_path / "out")
    rows = {row.source_path: row for row in read_documents(tmp_path / "out")}
    assert rows["note-2.txt"].duplicate_of == rows["n.txt"].doc_id
    assert not [chunk for chunk in read_chunks(tmp_path / "out") if chunk.source_path == "note-2.txt"]
    assert report.tables == run(folder, tmp_path / "elsewhere").tables


def test_other_options_do_not_find_what_was_made_with_these(folder: Path, tmp_path: Path) -> None:
    (folder / "contact.txt").write_text("Write to jane.roe@customer.example about the seal ring of the second pump.")
    policy = Policy(own_domains=("home.example",))
    first = run(folder, tmp_path / "out", privacy=Privacy(policy))
    other = run(folder, tmp_path / "out", privacy=Privacy(policy, key="another secret of enough length"))
    assert other.reused == 8
    assert other.tables["documents.parquet"] != first.tables["documents.parquet"]
    assert run(folder, tmp_path / "out", limits=Limits(seconds=5)).reused == 0


def test_a_damaged_memory_is_thrown_away(folder: Path, tmp_path: Path) -> None:
    first = run(folder, tmp_path / "out")
    (state_folder(tmp_path / "out") / "cache.sqlite").write_bytes(b"not a database" * 1000)
    again = run(folder, tmp_path / "out")
    assert again.reused == 0
    assert again.tables == first.tables


def test_tables_without_their_report_are_not_read(folder: Path, tmp_path: Path) -> None:
    run(folder, tmp_path / "out")
    (tmp_path / "out" / "report.json").unlink()
    with pytest.raises(StoreError, match="Nothing was ingested"):
        read_documents(tmp_path / "out")


def test_the_memory_is_the_owners_only_and_two_runs_do_not_meet(folder: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    run(folder, tmp_path / "out")
    state = state_folder(tmp_path / "out")
    assert state.stat().st_mode & 0o077 == 0
    with FileLock(state / "lock"), pytest.raises(InputError, match="Another run"):
        run(folder, tmp_path / "out")
