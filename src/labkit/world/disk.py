"""A world on disk: folders, line files, and a digest that is the same on every machine.

This module knows where things go, not what they mean.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from labkit.errors import WorldError

MANIFEST = "world.json"
PARTIAL = "world.partial"
"""Lies in a world that is being built, or whose building was interrupted."""
SPLITS = ("train", "dev", "test", "hero", "core")
_TRUTH = ("documents", "texts", "evidence", "pii", "facts", "entities", "events", "arcs")
_PARTS = ("documents", "truth", "questions", "traffic")
_PLAIN = frozenset({".md", ".html", ".txt", ".csv", ".json", ".eml", ".toml"})


class Disk:
    """The files of a world being written; line files stay open until the end.

    Raises:
        WorldError: the folder is not empty and is not a world.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        _clear(out)
        self._open: dict[str, IO[str]] = {}
        self._paths: set[int] = set()

    def __enter__(self) -> Disk:
        for name in _TRUTH:
            self._stream(f"truth/{name}.jsonl")
        for split in SPLITS:
            self._stream(f"questions/{split}.jsonl")
        self._stream("traffic/queries.jsonl")
        return self

    def __exit__(self, *_: object) -> None:
        for stream_ in self._open.values():
            stream_.close()

    def finish(self, manifest: dict[str, Any]) -> None:
        """Say that the world is whole."""
        (self.out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        (self.out / PARTIAL).unlink()

    def write_document(self, path: str, raw: bytes) -> str:
        """Write below documents/; a taken name gets a number. Returns the path used."""
        stem, dot, ending = path.rpartition(".") if "." in path.rpartition("/")[2] else (path, "", "")
        number = 1
        while (key := hash_path(path)) in self._paths:
            number += 1
            path = f"{stem}-{number}{dot}{ending}"
        self._paths.add(key)
        target = self.out / "documents" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(raw)
        return path

    def truth(self, name: str, row: dict[str, Any]) -> None:
        """One row of a truth table."""
        self.line(f"truth/{name}.jsonl", row)

    def line(self, name: str, row: dict[str, Any]) -> None:
        """One row of any line file."""
        self._stream(name).write(json.dumps(row, ensure_ascii=False) + "\n")

    def _stream(self, name: str) -> IO[str]:
        if name not in self._open:
            target = self.out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            self._open[name] = target.open("w", encoding="utf-8", newline="\n")
        return self._open[name]


def hash_path(path: str) -> int:
    """A key for a path that ignores case, as some file systems do; 8 bytes keep a million paths small."""
    return int.from_bytes(hashlib.blake2b(path.lower().encode(), digest_size=8).digest(), "big")


def bytes_digest(world: Path) -> str:
    """SHA-256 over names and bytes of every file but the manifest: equal for two builds on one machine."""
    digest = hashlib.sha256()
    for path in _files(world):
        digest.update(path.relative_to(world).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def content_digest(world: Path) -> str:
    """SHA-256 over what a world says: names of all files, bytes of the plain ones, truth, questions, traffic.

    Left out are the bytes of archives, PDF files and pictures, and the checksums the truth keeps of files: they depend
    on the compressor a machine has, not on us. What stands in those files is in ``truth/texts.jsonl``.
    """
    digest = hashlib.sha256()
    for path in _files(world):
        name = path.relative_to(world).as_posix()
        digest.update(name.encode() + b"\0")
        if name == "truth/documents.jsonl":
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    del row["sha256"]
                    digest.update(json.dumps(row, sort_keys=True).encode())
        elif path.suffix in {*_PLAIN, ".jsonl"}:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """Every file, folder by folder in the order of names: no list of a million paths."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _files(path)
        elif path.name not in {MANIFEST, PARTIAL}:
            yield path


def _clear(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()) and not any((out / name).exists() for name in (MANIFEST, PARTIAL)):
        raise WorldError("The folder is not empty and is not a world", where=str(out), todo="Give an empty folder.")
    (out / PARTIAL).touch()
    (out / MANIFEST).unlink(missing_ok=True)
    for part in _PARTS:
        shutil.rmtree(out / part, ignore_errors=True)
