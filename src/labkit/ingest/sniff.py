"""What kind of file this is: by content first, by name second.

A name that contradicts a readable content is a defect (``mislabelled``), not a failure. Containers are weighed by
their table of contents before anything is unpacked: the ratio limit of 100 is the one Apache POI uses against
archive bombs. This module decides and hands on readable content, repaired where it was decoded wrongly before; it does
not parse.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from labkit.errors import DocumentError
from labkit.ingest.decode import decode, is_binary
from labkit.ingest.mojibake import repair
from labkit.ingest.parse import BINARY_FORMATS
from labkit.schema import Format

EXTENSIONS: dict[str, Format] = {
    ".html": "html", ".htm": "html", ".xhtml": "html",
    ".md": "markdown", ".markdown": "markdown", ".mdx": "markdown",
    ".rst": "rst", ".rest": "rst",
    ".pdf": "pdf",
    ".docx": "docx", ".docm": "docx",
    ".xlsx": "xlsx", ".xlsm": "xlsx",
    ".csv": "csv", ".tsv": "csv",
    ".eml": "eml",
    ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".txt": "text", ".text": "text", ".log": "text",
}  # fmt: skip

_SIGNATURES: tuple[tuple[bytes, str, tuple[str, ...]], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG image", (".png",)),
    (b"\xff\xd8\xff", "JPEG image", (".jpg", ".jpeg")),
    (b"GIF8", "GIF image", (".gif",)),
    (b"II*\0", "TIFF image", (".tif", ".tiff")),
    (b"MM\0*", "TIFF image", (".tif", ".tiff")),
    (b"7z\xbc\xaf\x27\x1c", "7z archive", (".7z",)),
    (b"Rar!\x1a\x07", "RAR archive", (".rar",)),
    (b"\x1f\x8b", "gzip archive", (".gz", ".tgz")),
    (b"BZh", "bzip2 archive", (".bz2",)),
    (b"\xfd7zXZ\0", "xz archive", (".xz",)),
    (b"\x28\xb5\x2f\xfd", "zstd archive", (".zst",)),
    (b"\x7fELF", "program", ("", ".so", ".bin")),
    (b"MZ\x90\0", "Windows program", (".exe", ".dll")),
    (b"SQLite format 3\0", "SQLite database", (".db", ".sqlite", ".sqlite3")),
    (b"PAR1", "Parquet table", (".parquet",)),
    (b"{\\rtf", "RTF document", (".rtf",)),
    (b"%!PS", "PostScript document", (".ps", ".eps")),
    (b"OggS", "Ogg media", (".ogg",)),
    (b"ID3", "MP3 audio", (".mp3",)),
)
_LEGACY_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OFFICE_PARTS: tuple[tuple[str, Format | None, str], ...] = (
    ("word/document.xml", "docx", "Word document"),
    ("xl/workbook.xml", "xlsx", "Excel workbook"),
    ("ppt/presentation.xml", None, "PowerPoint presentation"),
)
_HTML = re.compile(r"\s*(?:<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_TAG = re.compile(r"</?(?:p|div|span|table|h[1-6]|ul|ol|li|a|br|body|head|title|section|article)\b[^>]*>", re.I)
_MAIL_HEADER = re.compile(
    r"^(from|to|cc|subject|date|sender|reply-to|message-id|mime-version|received|return-path|content-type)[ \t]*:",
    re.I,
)
_ONLY_MAIL = {"message-id", "mime-version", "received", "return-path"}
_RST_HEADING = re.compile(r"^(?! )[^\n]{2,}\n([=\-~^\"'`#*+])\1{2,}[ \t]*$", re.M)
_RST_MARK = re.compile(r"^\.\. |:[a-z]+:`|``\w", re.M)
_MD_MARK = re.compile(r"^#{1,6} \S|^```|^\|.+\|$|\[[^\]]+\]\([^)]+\)|\A---\n", re.M)
_FRONT_MATTER = re.compile(r"\A---\s*\n.*?\n---\s*\n", re.S)


@dataclass(frozen=True, slots=True)
class Guard:
    """How large a container may claim to be: bytes unpacked, unpacked bytes per packed byte, archives in archives."""

    unpacked: int = 256 * 2**20
    ratio: float = 100.0
    depth: int = 3


@dataclass(slots=True)
class Sniffed:
    """The format found and the content a parser wants: bytes for binary formats, text for the others."""

    format: Format
    content: bytes | str
    defects: list[str] = field(default_factory=list)


def sniff(name: str, data: bytes, guard: Guard | None = None) -> Sniffed:
    """Decide the format of a file from its bytes and, where those leave a choice, its name.

    Raises:
        DocumentError: ``empty``, ``unsupported``, ``corrupt``, ``encrypted``, ``bomb``, ``mislabelled`` or
            ``undecodable``.
    """
    suffix = PurePosixPath(name).suffix.lower()
    claimed = EXTENSIONS.get(suffix)
    if not data.strip(b" \t\r\n\f\v\0\xef\xbb\xbf\xff\xfe"):
        raise DocumentError("The file holds nothing", reason="empty", todo="Fetch it again or delete it.")
    if b"%PDF-" in data[:1024]:
        return _found("pdf", data, suffix)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _found(_office(data, suffix, guard or Guard()), data, suffix)
    if data.startswith(_LEGACY_OFFICE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise DocumentError("The document needs a password", reason="encrypted", todo="Store it without one.")
        raise _refused("legacy Office document", suffix, (".doc", ".xls", ".ppt", ".msg"))
    _refuse_signature(data, suffix, guard or Guard())
    if is_binary(data) and claimed is None:
        raise DocumentError("Unknown binary content", reason="unsupported", todo="Convert it to PDF or text.")
    try:
        text, defects = decode(data)
    except DocumentError as error:
        if claimed in BINARY_FORMATS:
            raise DocumentError(
                f"Named {suffix}, but its bytes are not such a file", reason="corrupt", todo="Fetch it again."
            ) from error
        raise
    if text.lstrip().startswith("-----BEGIN PGP MESSAGE"):
        raise DocumentError("The content is PGP-encrypted", reason="encrypted", todo="Store it decrypted.")
    found = _text_format(text, claimed)
    if found == "eml":  # its parts have charsets of their own
        return _found(found, data, suffix)
    repaired = repair(text)  # before parsing: parsers drop control characters, which belong to the damage
    return _found(found, repaired, suffix, [*defects, *(["mojibake"] if repaired != text else [])])


def _found(fmt: Format, content: bytes | str, suffix: str, defects: list[str] | None = None) -> Sniffed:
    claimed = EXTENSIONS.get(suffix)
    images_and_archives = {known for _, _, suffixes in _SIGNATURES for known in suffixes} | {".zip", ".doc", ".xls"}
    contradicted = claimed not in (None, fmt) or (claimed is None and suffix and suffix in images_and_archives)
    return Sniffed(fmt, content, [*(defects or []), *(["mislabelled"] if contradicted else [])])


def _refused(what: str, suffix: str, usual: tuple[str, ...]) -> DocumentError:
    if suffix in EXTENSIONS and suffix not in usual:
        return DocumentError(f"Named {suffix}, but it is a {what}", reason="mislabelled", todo="Rename or replace it.")
    return DocumentError(f"A {what} is not read", reason="unsupported", todo="Convert it to PDF, DOCX or text.")


def _refuse_signature(data: bytes, suffix: str, guard: Guard) -> None:
    for signature, what, usual in _SIGNATURES:
        if data.startswith(signature):
            if signature == b"\x1f\x8b":  # the last four bytes are the unpacked size modulo 2**32
                _weigh(int.from_bytes(data[-4:], "little"), len(data), guard)
            raise _refused(what, suffix, usual)
    if data[257:262] == b"ustar":
        raise _refused("tar archive", suffix, (".tar",))
    if data[4:8] == b"ftyp" or (data[:4] == b"RIFF" and data[8:12] in (b"WAVE", b"AVI ", b"WEBP")):
        raise _refused("media file", suffix, ())


def _office(data: bytes, suffix: str, guard: Guard) -> Format:
    """The format inside a zip container, after weighing it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = {entry.filename for entry in archive.infolist()}
            encrypted = any(entry.flag_bits & 1 for entry in archive.infolist())
            _weigh(_unpacked(archive, guard, 1), len(data), guard)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise DocumentError(f"The container is damaged ({error})", reason="corrupt", todo="Fetch it again.") from error
    if encrypted:
        raise DocumentError("The archive needs a password", reason="encrypted", todo="Store it without one.")
    for part, fmt, what in _OFFICE_PARTS:
        if part in names:
            if fmt is not None:
                return fmt
            raise _refused(what, suffix, (".pptx",))
    raise _refused("zip archive", suffix, (".zip", ".jar", ".whl", ".odt", ".ods", ".epub"))


def _weigh(unpacked: int, packed: int, guard: Guard) -> None:
    if unpacked > guard.unpacked or (unpacked > 2**20 and unpacked > guard.ratio * packed):
        raise DocumentError(
            f"Unpacks {packed} bytes to {unpacked}", reason="bomb", todo="Keep it out of the corpus; do not open it."
        )


def _unpacked(archive: zipfile.ZipFile, guard: Guard, depth: int) -> int:
    """Bytes the archive and the archives in it claim to unpack to. Only nested archives of modest size are opened."""
    total = 0
    for entry in archive.infolist():
        total += entry.file_size
        nested = PurePosixPath(entry.filename).suffix.lower() in (".zip", ".docx", ".xlsx", ".jar")
        if not nested or entry.flag_bits & 1 or total > guard.unpacked or entry.file_size > 32 * 2**20:
            continue
        if depth >= guard.depth:
            raise DocumentError(
                f"Archives in archives, {depth} deep", reason="bomb", todo="Keep it out of the corpus; do not open it."
            )
        try:
            with zipfile.ZipFile(io.BytesIO(archive.read(entry))) as inner:
                total += _unpacked(inner, guard, depth + 1)
        except zipfile.BadZipFile:
            continue  # not an archive after all: its size is counted already
    return total


def _text_format(text: str, claimed: Format | None) -> Format:
    start = text.lstrip("\ufeff \t\r\n")
    if _HTML.match(start[:4096]):
        return "html"
    if claimed == "html" and _TAG.search(text):
        return "html"
    mail = _mail_headers(start)
    if (claimed == "eml" and mail) or (claimed in (None, "text") and len(mail) > 2 and mail & _ONLY_MAIL):
        return "eml"
    if start[:1] in ("{", "[") and claimed in (None, "json", "text", "html", "eml") and (_is_json(start)):
        return "json"
    if claimed == "json" and start[:1] in ("{", "["):
        raise DocumentError("The JSON does not parse", reason="corrupt", todo="Fetch it again.")
    if claimed in ("markdown", "rst", "csv", "text"):
        return claimed
    if len(_RST_HEADING.findall(text)) >= 1 and _RST_MARK.search(text):
        return "rst"
    return "markdown" if _FRONT_MATTER.match(text) or len(_MD_MARK.findall(text)) > 1 else "text"


def _mail_headers(start: str) -> set[str]:
    """Names of the mail headers in the leading header block, in lower case."""
    names = set()
    for line in start[:16384].splitlines():
        if match := _MAIL_HEADER.match(line):
            names.add(match[1].lower())
        elif not line.startswith((" ", "\t")) and not re.match(r"[A-Za-z0-9-]+:", line):
            break
    return names


def _is_json(text: str) -> bool:
    """One JSON value, or one per line."""
    try:
        json.loads(text)
        return True
    except RecursionError:
        return True  # JSON all right; the parser will say how deep is too deep
    except ValueError:
        pass
    try:
        return all(isinstance(json.loads(line), dict | list) for line in text.splitlines() if line.strip())
    except (ValueError, RecursionError):
        return False
