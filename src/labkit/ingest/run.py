"""A folder in, tables out: every file below it ends in exactly one of documents and quarantine.

Left out, and listed in the report, are folders of version control and caches, and the output folder itself if it lies
inside; access files steer and are no documents. No symbolic link is followed: a link is quarantined as ``link``,
because what it points to inside the root is read at its own place, under its own access rules, and what lies outside
is not ours.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field
from tqdm import tqdm

from labkit.errors import InputError
from labkit.ingest.access import ACCESS_FILE, Access, read_access
from labkit.ingest.output import TableWriter, write_atomically
from labkit.ingest.parse import parser_modules
from labkit.ingest.pool import Failure, run_tasks
from labkit.ingest.read import Outcome, Task, quarantine, read_file
from labkit.ingest.sniff import Guard
from labkit.schema import SCHEMA_VERSION, Record

EXCLUDED_FOLDERS = frozenset(
    {".git", ".hg", ".svn", ".bzr", "CVS", "__pycache__", ".ipynb_checkpoints", ".cache", ".mypy_cache",
     ".pytest_cache", ".ruff_cache", ".tox", ".venv"}
)  # fmt: skip
"""Folders that hold no documents whatever is in them."""

_REASONS = {"timeout": "timeout", "crash": "crash", "memory": "too_large"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may cost: seconds, megabytes beyond the worker's own, bytes on disk, unpacking."""

    seconds: float = 10.0
    megabytes: int = 384
    file_bytes: int = 64 * 2**20
    guard: Guard = field(default_factory=Guard)


class IngestReport(Record):
    """What became of a folder. ``report.json`` holds all of it except the seconds."""

    files: int = Field(description="files met, equal to documents + quarantined")
    documents: int
    chunks: int
    quarantined: int
    formats: dict[str, int] = Field(description="documents by format")
    reasons: dict[str, int] = Field(description="quarantined files by reason")
    defects: dict[str, int] = Field(description="documents by defect code")
    excluded: tuple[str, ...] = Field(description="folders left out, below the root")
    warnings: tuple[str, ...] = Field(description="access entries that name no file")
    tables: dict[str, str] = Field(description="sha256 of each table")
    schema_version: int = SCHEMA_VERSION
    seconds: float = Field(exclude=True, description="wall-clock time")


def ingest(
    root: Path, out: Path, *, workers: int = 1, progress: bool = True, limits: Limits | None = None
) -> IngestReport:
    """Read every file below ``root`` and write documents, chunks, quarantine and report to ``out``.

    Files are read in worker processes (forkserver or spawn), so a script must call this under
    ``if __name__ == "__main__":``. The same files give the same bytes, whatever the number of workers.

    Args:
        root: folder of source files.
        out: folder to write to; made if missing, its tables replaced as a whole.
        workers: worker processes, at least one.
        progress: show a progress bar on stderr.
        limits: cost allowed per file.

    Raises:
        InputError: ``root`` is no folder, or ``workers`` is less than one.
        ConfigError: an access file is malformed (nothing is written), or workers cannot start.
    """
    if not root.is_dir():
        raise InputError("There is no such folder to ingest", where=str(root), todo="Give a folder of files.")
    if workers < 1:
        raise InputError(f"{workers} workers cannot read anything", where="workers", todo="Give 1 or more.")
    began = time.monotonic()
    limits = limits or Limits()
    walk = _Walk(root.resolve(), out.resolve(), limits)
    tasks = sorted(walk.tasks(), key=lambda task: task.source_path)
    out.mkdir(parents=True, exist_ok=True)
    tally: Counter[tuple[str, str]] = Counter()
    with TableWriter(out) as tables:
        for outcome in tqdm(
            _outcomes(tasks, walk.refused, workers, limits),
            total=len(tasks), unit="file", desc="ingest", disable=not progress, file=sys.stderr,
        ):  # fmt: skip
            _count(outcome, tally)
            for row in (outcome.document, *outcome.chunks, outcome.quarantined):
                if row is not None:
                    tables.add(row)
    report = IngestReport(
        files=len(tasks),
        documents=tally["total", "documents"],
        chunks=tally["total", "chunks"],
        quarantined=tally["total", "quarantined"],
        formats=_group(tally, "format"),
        reasons=_group(tally, "reason"),
        defects=_group(tally, "defect"),
        excluded=tuple(sorted(walk.excluded)),
        warnings=tuple(sorted(walk.warnings)),
        tables=tables.hashes,
        seconds=round(time.monotonic() - began, 3),
    )
    write_atomically(out / "report.json", report.model_dump_json(indent=2) + "\n")
    return report


class _Walk:
    """Finds every file below a root, with its access, and what cannot be opened without following something."""

    def __init__(self, root: Path, out: Path, limits: Limits) -> None:
        self.root, self.out, self.limits = root, out, limits
        self.refused: dict[str, tuple[str, str]] = {}  # source path → reason, message
        self.excluded: list[str] = []
        self.warnings: list[str] = []

    def tasks(self) -> Iterator[Task]:
        """All files, in no particular order.

        Raises:
            ConfigError: an access file is malformed.
        """
        stack: list[tuple[Path, Access]] = [(self.root, Access())]
        while stack:
            folder, inherited = stack.pop()
            rules = read_access(folder, inherited)
            try:
                entries = list(os.scandir(folder))
            except OSError as error:
                yield self._refuse(
                    folder, rules.default, "unreadable", f"The folder cannot be opened ({error.strerror})"
                )
                continue
            names = {entry.name for entry in entries}
            self.warnings += [
                f"{_shown(folder / ACCESS_FILE, self.root)}: no file {name!r}"
                for name in rules.files
                if name not in names
            ]
            for entry in entries:
                path = Path(entry.path)
                access = rules.of(entry.name)
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISLNK(mode):
                    yield self._refuse(path, access, "link", "A symbolic link is not followed")
                elif stat.S_ISDIR(mode):
                    if entry.name in EXCLUDED_FOLDERS or path == self.out:
                        self.excluded.append(_shown(path, self.root))
                    else:
                        stack.append((path, rules.default))
                elif entry.name == ACCESS_FILE:
                    continue
                elif stat.S_ISREG(mode):
                    yield self._task(path, access)
                else:
                    yield self._refuse(path, access, "unsupported", "Not a regular file (pipe, socket or device)")

    def _task(self, path: Path, access: Access) -> Task:
        return Task(path, _shown(path, self.root), access, self.limits.file_bytes, self.limits.guard)

    def _refuse(self, path: Path, access: Access, reason: str, message: str) -> Task:
        task = self._task(path, access)
        self.refused[task.source_path] = (reason, message)
        return task


def _shown(path: Path, root: Path) -> str:
    """POSIX path below the root; bytes of a name that are not UTF-8 are written as escapes."""
    return path.relative_to(root).as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _outcomes(
    tasks: list[Task], refused: dict[str, tuple[str, str]], workers: int, limits: Limits
) -> Iterator[Outcome]:
    """One outcome per task, in order."""
    readable = (task for task in tasks if task.source_path not in refused)
    results = run_tasks(
        read_file,
        readable,
        workers=workers,
        seconds=limits.seconds,
        megabytes=limits.megabytes,
        preload=[read_file.__module__, *parser_modules()],
    )
    for task in tasks:
        if task.source_path in refused:
            yield quarantine(task, *refused[task.source_path])
        else:
            _, result = next(results)
            if isinstance(result, Failure):
                result = quarantine(task, _REASONS[result.reason], result.message)
            yield result


def _count(outcome: Outcome, tally: Counter[tuple[str, str]]) -> None:
    if outcome.document is not None:
        tally["total", "documents"] += 1
        tally["total", "chunks"] += len(outcome.chunks)
        tally["format", outcome.document.format] += 1
        tally.update(("defect", code) for code in outcome.document.defects)
    elif outcome.quarantined is not None:
        tally["total", "quarantined"] += 1
        tally["reason", outcome.quarantined.reason] += 1


def _group(tally: Counter[tuple[str, str]], group: str) -> dict[str, int]:
    return {name: number for (kind, name), number in sorted(tally.items()) if kind == group}
