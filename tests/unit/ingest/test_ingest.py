"""A folder end to end: every file in exactly one table, the same bytes every time, bad files never stop it."""

import json
import os
import random
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

from labkit.errors import ConfigError, InputError, StoreError
from labkit.ingest import IngestReport, Limits, ingest, read_chunks, read_documents, read_quarantine
from labkit.ingest.sniff import EXTENSIONS


def run(root: Path, out: Path, **options: object) -> IngestReport:
    return ingest(root, out, progress=False, **options)  # type: ignore[arg-type]


def fill(root: Path, seed: int) -> list[str]:
    """Good, broken and random files under every extension, in nested folders."""
    rng = random.Random(seed)
    good = [b"# Title\n\nSome *text* here.\n", b"<html><body><p>Some text.</p></body></html>", b'[{"a": 1}]',
            b"a,b\n1,2\n",
            b"From: a@b\nSubject: c\n\nbody\n", b"%PDF-1.4\n%%EOF", b"PK\x03\x04broken", b""]  # fmt: skip
    paths = []
    for number, suffix in enumerate([*EXTENSIONS, ".bin", ".png", ".zip", ""] * 2):
        path = root / f"folder {number % 5}" / f"file-{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.choice(good) if rng.random() < 0.5 else rng.randbytes(rng.randrange(1, 3000)))
        paths.append(path.relative_to(root).as_posix())
    return sorted(paths)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_file_ends_in_exactly_one_table(tmp_path: Path, seed: int) -> None:
    paths = fill(tmp_path / "in", seed)
    report = run(tmp_path / "in", tmp_path / "out")
    documents = [document.source_path for document in read_documents(tmp_path / "out")]
    refused = [row.source_path for row in read_quarantine(tmp_path / "out")]
    assert sorted([*documents, *refused]) == paths
    assert documents == sorted(documents)
    assert refused == sorted(refused)
    assert (report.files, report.documents, report.quarantined) == (len(paths), len(documents), len(refused))
    assert sum(report.reasons.values()) == len(refused) > 0
    texts = {document.doc_id: document.text for document in read_documents(tmp_path / "out")}
    chunks = list(read_chunks(tmp_path / "out"))
    assert all(texts[chunk.doc_id][chunk.start : chunk.end] == chunk.text for chunk in chunks)
    originals = {row.doc_id for row in read_documents(tmp_path / "out") if row.duplicate_of is None}
    assert {chunk.doc_id for chunk in chunks} == originals


def test_rerun_and_more_workers_give_the_same_bytes(tmp_path: Path) -> None:
    fill(tmp_path / "in", 4)
    names = ["documents.parquet", "chunks.parquet", "quarantine.parquet", "report.json"]
    written = []
    for workers in (1, 1, 2):
        run(tmp_path / "in", tmp_path / "out", workers=workers)
        written.append([(tmp_path / "out" / name).read_bytes() for name in names])
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names), "nothing partial is left"
    assert written[0] == written[1] == written[2]


def test_a_hang_and_a_crash_end_in_quarantine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted_read.py").write_text(
        textwrap.dedent("""
            import os, time
            from labkit.ingest.read import read_packed as real

            def read_packed(task):
                if "hang" in task.source_path:
                    time.sleep(600)
                if "crash" in task.source_path:
                    os.abort()
                return real(task)
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("labkit.ingest.run.read_packed", import_module("planted_read").read_packed)
    root = tmp_path / "in"
    root.mkdir()
    for name in ("a.txt", "b-hang.txt", "c-crash.txt", "d.txt"):
        (root / name).write_text(f"content of {name}")
    run(root, tmp_path / "out", limits=Limits(seconds=1.5))
    assert [document.source_path for document in read_documents(tmp_path / "out")] == ["a.txt", "d.txt"]
    refused = {row.source_path: row for row in read_quarantine(tmp_path / "out")}
    assert {name: row.reason for name, row in refused.items()} == {"b-hang.txt": "timeout", "c-crash.txt": "crash"}
    assert all(len(row.sha256) == 64 for row in refused.values())


def test_links_pipes_caches_and_the_output_are_not_read(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "config.txt").write_text("not a document")
    (root / ".notes").mkdir()
    (root / ".notes" / "a.txt").write_text("hidden, but a document")
    (tmp_path / "outside.txt").write_text("not ours")
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    (root / "loop").symlink_to(root, target_is_directory=True)
    os.mkfifo(root / "pipe.txt")
    for _ in range(2):
        report = run(root, root / "out")
    assert report.excluded == (".git",)
    assert [document.source_path for document in read_documents(root / "out")] == [".notes/a.txt"]
    assert {row.source_path: row.reason for row in read_quarantine(root / "out")} == {
        "link.txt": "link",
        "loop": "link",
        "pipe.txt": "unsupported",
    }


def test_access_reaches_documents_and_chunks(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "finance" / "board").mkdir(parents=True)
    (root / "finance" / ".access.toml").write_text(
        'groups = ["finance"]\ntenant = "emea"\n[files."plan.md"]\ngroups = ["cfo"]\n'
        '[files."gone.md"]\ngroups = ["x"]\n'
    )
    (root / "finance" / "board" / ".access.toml").write_text('groups = ["board", "cfo"]\n')
    for name in ("a.md", "finance/b.md", "finance/plan.md", "finance/board/c.md"):
        (root / name).write_text(f"# {name}\n\ntext")
    report = run(root, tmp_path / "out")
    expected = {
        "a.md": (("public",), "default"),
        "finance/b.md": (("finance",), "emea"),
        "finance/plan.md": (("cfo",), "emea"),
        "finance/board/c.md": (("board", "cfo"), "emea"),
    }
    assert {row.source_path: (row.acl, row.tenant) for row in read_documents(tmp_path / "out")} == expected
    assert {row.source_path: (row.acl, row.tenant) for row in read_chunks(tmp_path / "out")} == expected
    assert report.warnings == ("finance/.access.toml: no file 'gone.md'",)


def test_malformed_access_stops_before_anything_is_written(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / "a.md").write_text("secret")
    (root / ".access.toml").write_text('group = ["finance"]')
    with pytest.raises(ConfigError, match="Unknown key 'group'"):
        run(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_large_unreadable_names_and_unpaired_surrogates(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / "large.txt").write_text("x " * 5000)
    (root / "surrogate.json").write_text('{"a": "broken \\ud800 half"}')
    Path(os.fsdecode(os.fsencode(root) + b"/latin-\xe9.txt")).write_text("odd name")
    run(root, tmp_path / "out", limits=Limits(file_bytes=5000))
    documents = {document.source_path: document for document in read_documents(tmp_path / "out")}
    assert set(documents) == {"latin-\\xe9.txt", "surrogate.json"}
    assert documents["surrogate.json"].defects == ("broken_unicode",)
    assert [row.reason for row in read_quarantine(tmp_path / "out")] == ["too_large"]


def test_what_documents_carry(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / "notice.md").write_text(
        "---\ntitle: Torque notice Rev B\nlanguage: en\n---\n# Limits\n\nEffective from 1 March 2025: 18 N·m.\n"
    )
    (root / "wrong.txt").write_bytes(b"<html><body><p>A page under a wrong name.</p></body></html>")
    run(root, tmp_path / "out")
    notice, wrong = read_documents(tmp_path / "out")
    assert (notice.title, notice.version, notice.language) == ("Torque notice Rev B", "B", "en")
    assert str(notice.valid_from) == "2025-03-01"
    assert (wrong.format, wrong.defects) == ("html", ("mislabelled",))
    chunk = next(chunk for chunk in read_chunks(tmp_path / "out") if "Limits" in chunk.heading_path)
    assert (chunk.heading_path, str(chunk.valid_from), chunk.lang) == (
        ("Torque notice Rev B", "Limits"),
        "2025-03-01",
        "en",
    )
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["defects"] == {"mislabelled": 1}
    assert "seconds" not in report


def test_wrong_calls(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        run(tmp_path / "missing", tmp_path / "out")
    with pytest.raises(InputError, match="workers"):
        run(tmp_path, tmp_path / "out", workers=0)
    with pytest.raises(StoreError, match="Nothing was ingested"):
        read_chunks(tmp_path)
