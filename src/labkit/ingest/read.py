"""One file to one outcome: a document with its chunks, or a place in quarantine with the reason.

This is what a worker process runs. It never raises for bad content; what it lets through are memory exhaustion, which
its worker reports, and wrong configuration.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from labkit.errors import ConfigError, DocumentError
from labkit.ingest.access import Access
from labkit.ingest.chunk import assemble, chunk
from labkit.ingest.clean import clean
from labkit.ingest.dates import validity
from labkit.ingest.label import stated_class, stated_version
from labkit.ingest.parse import Parsed, parse
from labkit.ingest.sniff import Guard, Sniffed, sniff
from labkit.ingest.tokens import count_tokens
from labkit.schema import Chunk, Document, Quarantined

_PROGRAM_FILLED = frozenset({"created", "modified", "creationdate", "moddate"})
_OFFICE = frozenset({"docx", "xlsx", "pdf"})


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read: where it lies, what it is called below the root, who may read it, how large it may be."""

    path: Path
    source_path: str
    access: Access = field(default_factory=Access)
    max_bytes: int = 64 * 2**20
    guard: Guard = field(default_factory=Guard)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Exactly one of ``document`` and ``quarantined`` is set; chunks belong to the document."""

    document: Document | None = None
    chunks: tuple[Chunk, ...] = ()
    quarantined: Quarantined | None = None


def read_file(task: Task) -> Outcome:
    """Read, parse, clean and chunk one file."""
    try:
        data = _content(task)
    except DocumentError as error:
        return quarantine(task, error.reason, str(error))
    try:
        sniffed = sniff(PurePosixPath(task.source_path).name, data, task.guard)
        parsed = clean(parse(sniffed.format, sniffed.content))
        document, chunks = _document(task, data, sniffed, parsed)
    except DocumentError as error:
        return quarantine(task, error.reason, str(error), data)
    except (MemoryError, ConfigError):
        raise
    except Exception as error:  # parsers meet hostile input: whatever they raise is about this file
        detail = re.sub(r"0x[0-9a-fA-F]+", "0x…", " ".join(str(error).split()))[:300]
        return quarantine(task, "corrupt", f"The parser failed ({type(error).__name__}: {detail})", data)
    return Outcome(document, tuple(chunks))


def quarantine(task: Task, reason: str, message: str, data: bytes | None = None) -> Outcome:
    """The outcome of a file that cannot be a document. Its hash is of the bytes, '' where they cannot be had."""
    digest = _digest(task.path) if data is None else hashlib.sha256(data).hexdigest()
    clean_message = message.replace(str(task.path), task.source_path).encode("utf-8", "replace").decode()
    return Outcome(
        quarantined=Quarantined(source_path=task.source_path, reason=reason, message=clean_message, sha256=digest)
    )


def _content(task: Task) -> bytes:
    try:
        size = task.path.stat().st_size
        if size > task.max_bytes:
            raise DocumentError(
                f"{size} bytes, more than the {task.max_bytes} allowed", reason="too_large", todo="Split it."
            )
        return task.path.read_bytes()
    except OSError as error:
        raise DocumentError(
            f"The file cannot be opened ({error.strerror})", reason="unreadable", todo="Check its permissions."
        ) from error


def _digest(path: Path) -> str:
    try:
        if not path.is_file() or path.is_symlink():
            return ""
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _document(task: Task, data: bytes, sniffed: Sniffed, parsed: Parsed) -> tuple[Document, list[Chunk]]:
    text, spans = assemble(parsed.blocks)
    if not text.strip():
        raise DocumentError("The file opens but holds no text", reason="no_text", todo="Check how it was exported.")
    title = parsed.title or next(line for line in text.split("\n") if line.strip()).strip()
    weak = _PROGRAM_FILLED if sniffed.format in _OFFICE else frozenset()
    start, end = validity(text, parsed.metadata, weak=weak)
    document = Document(
        doc_id=hashlib.sha256(task.source_path.encode()).hexdigest()[:16],
        version=stated_version(title, text, parsed.metadata),
        source_path=task.source_path,
        doc_class=stated_class(sniffed.format, title, parsed.metadata),
        format=sniffed.format,
        title=title[:200],
        text=text,
        language=parsed.language if re.fullmatch("[a-z]{2}", parsed.language) else "",
        valid_from=start,
        valid_to=end,
        acl=task.access.groups,
        tenant=task.access.tenant,
        sha256=hashlib.sha256(data).hexdigest(),
        defects=tuple(sorted({*sniffed.defects, *parsed.defects})),
    )
    return document, chunk(document, spans, count_tokens)
