"""One file to one reading: parse, repair, clean, describe; or a refusal with the reason.

This is what a worker process runs first. It never raises for bad content; what it lets through are memory exhaustion,
which its worker reports, and wrong configuration. It knows one file at a time and nothing about its neighbours.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from labkit.errors import DocumentError, LabkitError
from labkit.ingest import duplicates
from labkit.ingest.chunk import assemble
from labkit.ingest.clean import clean
from labkit.ingest.dates import validity
from labkit.ingest.label import stated_class, stated_links, stated_number, stated_version
from labkit.ingest.language import language_of
from labkit.ingest.parse import Parsed, parse
from labkit.ingest.reading import Card, Reading, Refusal, pack_body, pack_card, pack_refusal
from labkit.ingest.sniff import Guard, Sniffed, sniff
from labkit.pii import people_evidence

_PROGRAM_FILLED = frozenset({"created", "modified", "creationdate", "moddate"})
_OFFICE = frozenset({"docx", "xlsx", "pdf"})


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read: where it lies, what it is called below the root, how large it and what it unpacks to may be."""

    path: Path
    source_path: str
    max_bytes: int = 64 * 2**20
    guard: Guard = field(default_factory=Guard)


def read_file(source: Source) -> Reading | Refusal:
    """Read one file."""
    try:
        data = content(source)
        sniffed = sniff(PurePosixPath(source.source_path).name, data, source.guard)
        parsed = clean(parse(sniffed.format, sniffed.content))
        return _reading(sniffed, parsed)
    except DocumentError as error:
        return _refusal(source, error.reason, str(error))
    except (MemoryError, LabkitError):
        raise
    except Exception as error:  # parsers meet hostile input: whatever they raise is about this file
        detail = re.sub(r"0x[0-9a-fA-F]+", "0x…", " ".join(str(error).split()))[:300]
        return _refusal(source, "corrupt", f"The parser failed ({type(error).__name__}: {detail})")


def read_packed(source: Source) -> tuple[bytes, bytes]:
    """Read one file; its card, or the refusal, and its body as bytes (see :mod:`labkit.ingest.reading`)."""
    reading = read_file(source)
    if isinstance(reading, Refusal):
        return pack_refusal(reading), b""
    return pack_card(reading.card), pack_body(reading)


def content(source: Source) -> bytes:
    """The bytes of a file.

    Raises:
        DocumentError: ``too_large`` or ``unreadable``.
    """
    try:
        size = source.path.stat().st_size
        if size > source.max_bytes:
            raise DocumentError(
                f"{size} bytes, more than the {source.max_bytes} allowed", reason="too_large", todo="Split it."
            )
        return source.path.read_bytes()
    except OSError as error:
        raise DocumentError(
            f"The file cannot be opened ({error.strerror})", reason="unreadable", todo="Check its permissions."
        ) from error


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, '' where they cannot be had."""
    try:
        if not path.is_file() or path.is_symlink():
            return ""
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _refusal(source: Source, reason: str, message: str) -> Refusal:
    # Equal files share their refusal, so it may not say where this one lies.
    name = PurePosixPath(source.source_path).name
    said = (
        message.replace(str(source.path), "the file").replace(source.source_path, "the file").replace(name, "the file")
    )
    return Refusal(reason, said.encode("utf-8", "replace").decode())


def _reading(sniffed: Sniffed, parsed: Parsed) -> Reading:
    text, _ = assemble(parsed.blocks)
    if not text.strip():
        raise DocumentError("The file opens but holds no text", reason="no_text", todo="Check how it was exported.")
    title = (parsed.title or next(line for line in text.split("\n") if line.strip()).strip())[:200]
    weak = _PROGRAM_FILLED if sniffed.format in _OFFICE else frozenset()
    # A mail holds from the day it was sent, whatever days it writes about.
    start, end = validity("" if sniffed.format == "eml" else text, parsed.metadata, weak=weak)
    replaces, replaced_by = stated_links(parsed.metadata)
    words = duplicates.words_of(text)
    card = Card(
        title=title,
        number=stated_number(text, parsed.metadata),
        version=stated_version(title, text, parsed.metadata),
        valid_from=start,
        valid_to=end,
        replaces=replaces,
        replaced_by=replaced_by,
        words=len(words),
        text_hash=duplicates.text_hash(words),
        signature=duplicates.signature(words) if len(words) >= duplicates.MIN_WORDS else b"",
        evidence=people_evidence([title, *(block.text for block in parsed.blocks)], parsed.metadata),
    )
    return Reading(
        format=sniffed.format,
        card=card,
        blocks=tuple(parsed.blocks),
        doc_class=stated_class(sniffed.format, title, parsed.metadata),
        language=language_of(text, parsed.language),
        defects=tuple(sorted({*sniffed.defects, *parsed.defects})),
    )
