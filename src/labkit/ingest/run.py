"""A folder in, tables out: every file below it ends in exactly one of documents and quarantine.

Three passes. *Read*: each file by itself, in worker processes. *Resolve*: duplicates, versions and people, from what
was read of all of them. *Finish*: redaction and chunks, in worker processes again. Results of the first and third are
remembered (:mod:`labkit.ingest.cache`), so a second run processes what changed and an interrupted run goes on. The
tables are a function of the files and the options alone: the same bytes with any number of workers, on any engine,
after any number of interruptions.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from filelock import FileLock, Timeout
from pydantic import Field
from tqdm import tqdm

from labkit.errors import InputError
from labkit.ingest.cache import Cache
from labkit.ingest.chunk import assemble
from labkit.ingest.duplicates import words_of
from labkit.ingest.engine import EngineName, engine_of
from labkit.ingest.fingerprint import code_fingerprint
from labkit.ingest.finish import Finished, Place, Privacy, Unfinished, finish, unpack
from labkit.ingest.output import TableWriter, write_report
from labkit.ingest.parse import parser_modules
from labkit.ingest.pool import Failure
from labkit.ingest.read import Source, digest, read_packed
from labkit.ingest.reading import Card, Refusal, unpack_body, unpack_card
from labkit.ingest.resolve import Read, places
from labkit.ingest.sniff import Guard
from labkit.ingest.walk import File, Walk
from labkit.pii import Policy, Roster
from labkit.schema import SCHEMA_VERSION, Quarantined, Record
from labkit.settings import Settings

_T = TypeVar("_T")
_R = TypeVar("_R")
_REASONS = {"timeout": "timeout", "crash": "crash", "memory": "too_large"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may cost: seconds, megabytes beyond the worker's own, bytes on disk, unpacking."""

    seconds: float = 10.0
    megabytes: int = 384
    file_bytes: int = 64 * 2**20
    guard: Guard = field(default_factory=Guard)


def privacy_of(settings: Settings) -> Privacy:
    """The privacy a deployment has configured."""
    return Privacy(Policy(own_domains=settings.own_domains), settings.pseudonym_key)


class IngestReport(Record):
    """What became of a folder. ``report.json`` holds all of it except the seconds and what was reused."""

    files: int = Field(description="files met, equal to documents + quarantined")
    documents: int
    chunks: int
    quarantined: int
    duplicates: int = Field(description="documents that repeat another")
    superseded: int = Field(description="documents that another replaced")
    formats: dict[str, int] = Field(description="documents by format")
    languages: dict[str, int] = Field(description="documents by language, '' for unknown")
    reasons: dict[str, int] = Field(description="quarantined files by reason")
    defects: dict[str, int] = Field(description="documents by defect code")
    replaced: dict[str, int] = Field(description="replaced spans of personal data by kind")
    excluded: tuple[str, ...] = Field(description="folders left out, below the root")
    warnings: tuple[str, ...] = Field(description="access entries that name no file")
    tables: dict[str, str] = Field(description="sha256 of each table")
    schema_version: int = SCHEMA_VERSION
    reused: int = Field(exclude=True, description="files whose reading was remembered")
    seconds: float = Field(exclude=True, description="wall-clock time")


def ingest(
    root: Path,
    out: Path,
    *,
    workers: int = 1,
    engine: EngineName = "pool",
    privacy: Privacy | None = None,
    progress: bool = True,
    limits: Limits | None = None,
) -> IngestReport:
    """Read every file below ``root`` and write documents, chunks, quarantine and report to ``out``.

    Files are read in worker processes (forkserver or spawn), so a script must call this under
    ``if __name__ == "__main__":``. Beside ``out``, ``.NAME.state`` remembers what was read; it holds unredacted text.

    Args:
        root: folder of source files.
        out: folder to write to; made if missing, its tables replaced as a whole.
        workers: worker processes, or Ray tasks in flight; at least one.
        engine: ``pool`` for this machine, ``ray`` for a cluster (see :mod:`labkit.ingest.engine`).
        privacy: what is replaced, and with which key.
        progress: show progress bars on stderr.
        limits: cost allowed per file.

    Raises:
        InputError: ``root`` is no folder, ``workers`` is less than one, or another run writes to ``out``.
        ConfigError: an access file is malformed (nothing is written), or workers cannot start.
    """
    if not root.is_dir():
        raise InputError("There is no such folder to ingest", where=str(root), todo="Give a folder of files.")
    if workers < 1:
        raise InputError(f"{workers} workers cannot read anything", where="workers", todo="Give 1 or more.")
    began = time.monotonic()
    state = state_folder(out)
    limits = limits or Limits()
    walk = Walk(
        root.resolve(), frozenset((out.resolve(), state.resolve())), max_bytes=limits.file_bytes, guard=limits.guard
    )
    files = walk.files()
    out.mkdir(parents=True, exist_ok=True)
    state.mkdir(mode=0o700, exist_ok=True)
    try:
        with FileLock(state / "lock", timeout=0), Cache(state) as cache:
            run = _Run(cache, workers, engine, privacy or Privacy(), limits, progress)
            read = run.read(files)
            tally, tables = run.write(files, read, out)
            cache.forget_unused()
    except Timeout as error:
        raise InputError("Another run is writing here", where=str(out), todo="Wait for it to end.") from error
    report = _report(tally, tables, walk, reused=run.reused, seconds=round(time.monotonic() - began, 3))
    write_report(out, report.model_dump_json(indent=2) + "\n")
    return report


def state_folder(out: Path) -> Path:
    """Where the readings of the files behind ``out`` are remembered."""
    return out.resolve().with_name(f".{out.resolve().name}.state")


class _Run:
    def __init__(
        self, cache: Cache, workers: int, engine: EngineName, privacy: Privacy, limits: Limits, progress: bool
    ) -> None:
        self.cache, self.privacy, self.limits, self.progress = cache, privacy, limits, progress
        self.workers, self.engine = workers, engine
        self.reused = 0

    def read(self, files: list[File]) -> dict[str, Read | tuple[Refusal, str]]:
        """Source path → what was read, or the refusal and the hash of the bytes ('' where they cannot be had)."""
        hashes = {file.source.source_path: digest(file.source.path) for file in files}
        keys = {file.source.source_path: self._key(file.source, hashes[file.source.source_path]) for file in files}
        failures = self._read_missing([file.source for file in files if file.refused is None], keys)
        found: dict[str, Read | tuple[Refusal, str]] = {}
        for file in files:
            path = file.source.source_path
            outcome = file.refused or failures.get(keys[path]) or self._card(keys[path])
            if isinstance(outcome, Card):
                found[path] = Read(path, file.access, keys[path], hashes[path], outcome)
            else:
                found[path] = outcome, hashes[path]
        return found

    def _read_missing(self, sources: list[Source], keys: dict[str, str]) -> dict[str, Refusal]:
        """Read what was not read before, each content once; failures of a worker come back and are not remembered."""
        missing: dict[str, Source] = {}
        for source in sources:
            key = keys[source.source_path]
            if self.cache.card(key) is not None:
                self.reused += 1
            else:
                missing.setdefault(key, source)
        failures: dict[str, Refusal] = {}
        results = self._map(read_packed, iter(missing.values()), "read", len(missing))
        for key, result in zip(missing, results, strict=True):
            if isinstance(result, Failure):
                failures[key] = Refusal(_REASONS[result.reason], result.message)
            else:
                self.cache.add_reading(key, *result)
        return failures

    def _key(self, source: Source, sha256: str) -> str:
        suffix = PurePosixPath(source.source_path).suffix.lower()
        # A file that cannot be hashed cannot be remembered: its path stands for it, and it is refused every time.
        return _hash(code_fingerprint(), sha256 or source.source_path, suffix, repr(self.limits))

    def _card(self, key: str) -> Card | Refusal:
        data = self.cache.card(key)
        assert data is not None  # read or failed above
        return unpack_card(data)

    def write(
        self, files: list[File], read: dict[str, Read | tuple[Refusal, str]], out: Path
    ) -> tuple[Counter[tuple[str, str]], dict[str, str]]:
        """Finish what was read and write all tables; what happened, counted, and the hash of each table."""
        accepted = [outcome for outcome in read.values() if isinstance(outcome, Read)]
        where = places(accepted, lambda path: self._words(read[path]))
        roster = Roster((outcome.card.evidence for outcome in accepted), self.privacy.policy)
        finished = self._finished(accepted, where, roster)
        tally: Counter[tuple[str, str]] = Counter()
        with TableWriter(out) as tables:
            for file in files:
                outcome = read[file.source.source_path]
                row = next(finished) if isinstance(outcome, Read) else outcome[0]
                if isinstance(row, Refusal):
                    sha256 = outcome.sha256 if isinstance(outcome, Read) else outcome[1]
                    tables.add(Quarantined(source_path=file.source.source_path, reason=row.reason,
                                           message=row.message, sha256=sha256))  # fmt: skip
                else:
                    for record in (row.document, *row.chunks):
                        tables.add(record)
                _count(row, tally)
        return tally, tables.hashes

    def _finished(self, accepted: list[Read], where: dict[str, Place], roster: Roster) -> Iterator[Finished | Refusal]:
        """What becomes of every file that was read, in order; what is remembered is not finished again."""
        # Whoever joins or leaves the roster may be named anywhere: then every document is redacted again.
        people = _hash(repr(self.privacy), roster.fingerprint())
        keys = [_hash(read.key, repr(where[read.path]), people) for read in accepted]
        missing = [(key, read) for key, read in zip(keys, accepted, strict=True) if self.cache.rows(key) is None]
        tasks = (
            Unfinished(self.cache.card(read.key) or b"", self.cache.body(read.key), where[read.path])
            for _, read in missing
        )
        failures: dict[str, Refusal] = {}
        results = self._map(partial(finish, self.privacy, roster), tasks, "finish", len(missing))
        for (key, _), result in zip(missing, results, strict=True):
            if isinstance(result, Failure):
                failures[key] = Refusal(_REASONS[result.reason], result.message)
            else:
                self.cache.add_rows(key, result)
        for key in keys:
            yield failures.get(key) or unpack(self.cache.rows(key) or b"")

    def _words(self, read: Read | tuple[Refusal, str]) -> list[str]:
        assert isinstance(read, Read)
        body = unpack_body(self.cache.body(read.key), read.card)
        return words_of(assemble(list(body.blocks))[0])

    def _map(self, function: Callable[[_T], _R], tasks: Iterable[_T], what: str, total: int) -> Iterator[_R | Failure]:
        """Apply a function to tasks on the engine, under the limits, in order, with a progress bar."""
        if not total:
            return
        results = engine_of(self.engine)(
            function,
            tasks,
            workers=min(self.workers, total),
            seconds=self.limits.seconds,
            megabytes=self.limits.megabytes,
            preload=[finish.__module__, read_packed.__module__, *parser_modules()],
        )
        shown = tqdm(results, total=total, unit="file", desc=what, disable=not self.progress, file=sys.stderr)
        yield from (result for _, result in shown)


def _count(row: Finished | Refusal, tally: Counter[tuple[str, str]]) -> None:
    if isinstance(row, Refusal):
        tally["total", "quarantined"] += 1
        tally["reason", row.reason] += 1
        return
    document = row.document
    tally["total", "documents"] += 1
    tally["total", "chunks"] += len(row.chunks)
    tally["total", "duplicates"] += document.duplicate_of is not None
    tally["total", "superseded"] += document.superseded_by is not None
    tally["format", document.format] += 1
    tally["language", document.language] += 1
    tally.update(("defect", code) for code in document.defects)
    tally.update({("replaced", kind): number for kind, number in row.replaced.items()})


def _report(
    tally: Counter[tuple[str, str]], tables: dict[str, str], walk: Walk, *, reused: int, seconds: float
) -> IngestReport:
    def group(name: str) -> dict[str, int]:
        return {what: number for (kind, what), number in sorted(tally.items()) if kind == name}

    total = group("total")
    return IngestReport(
        files=total.get("documents", 0) + total.get("quarantined", 0),
        documents=total.get("documents", 0),
        chunks=total.get("chunks", 0),
        quarantined=total.get("quarantined", 0),
        duplicates=total.get("duplicates", 0),
        superseded=total.get("superseded", 0),
        formats=group("format"),
        languages=group("language"),
        reasons=group("reason"),
        defects=group("defect"),
        replaced=group("replaced"),
        excluded=tuple(sorted(walk.excluded)),
        warnings=tuple(sorted(walk.warnings)),
        tables=tables,
        reused=reused,
        seconds=seconds,
    )


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
