"""Bytes to text: find the encoding, say what was odd.

Order: byte order mark, UTF-8, the charset the file declares (HTML, XML), UTF-8 line by line where only some lines break
it, statistical detection where much of the text is not ASCII, and else the Western or Central European code page whose
letters fit into words. Text that was already decoded wrongly is :mod:`labkit.ingest.mojibake`'s.
"""

from __future__ import annotations

import codecs
import re

from labkit.errors import DocumentError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the UTF-16 one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
# Detection over all codecs lets short Western text win as Baltic or EBCDIC; these are the ones met in practice.
_CANDIDATES = [
    "cp1252", "cp1250", "cp1251", "cp1253", "koi8_r", "cp437", "mac_roman",
    "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr",
]  # fmt: skip

_CODE_PAGES = ("cp1252", "cp1250", "cp850", "mac_roman", "cp437")
_LETTER = r"[^\W\d_]"
_MISFIT = re.compile(
    rf"(?<={_LETTER})(?![’‘'­–—·…™®])[^\w\s\x00-\x7f](?={_LETTER})"  # a sign inside a word
    rf"|(?<=[a-z])[À-ÖØ-ÞŁŚŻŹĆŃĄĘŽŠŸ]"  # a capital after a small letter
    rf"|(?<={_LETTER})[¹²³¼½¾ªº¿¡£¥¤](?={_LETTER})|(?<=\s)[£¥¿¯¼³¹](?=[a-z]{{2}})"
)


def decode(data: bytes) -> tuple[str, list[str]]:
    """Decode a whole text file; newlines become ``\\n``.

    Returns:
        The text and defect codes: ``legacy_encoding`` when it was not Unicode, ``mixed_encoding`` when only some lines
        were.

    Raises:
        DocumentError: ``undecodable``, no encoding makes text of it.
    """
    text, defects = _decode(data)
    if len(_CONTROL.findall(text)) > 0.02 * len(text):
        raise DocumentError(
            "No text encoding fits: the decoded content is mostly control characters",
            reason="undecodable",
            todo="Save it as UTF-8.",
        )
    return text.replace("\r\n", "\n").replace("\r", "\n"), defects


def is_binary(data: bytes) -> bool:
    """Whether the first 8 KB hold NUL bytes and are not UTF-16 or UTF-32, the usual sign that a file is not text."""
    return b"\0" in data[:8192] and not data.startswith(tuple(mark for mark, _ in _MARKS)) and not _wide(data)


def _decode(data: bytes) -> tuple[str, list[str]]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), []
            except UnicodeDecodeError:
                return data.decode(encoding, "replace"), ["undecodable_bytes"]
    if is_binary(data):
        raise DocumentError(
            "Named as text, but its bytes are not text", reason="undecodable", todo="Fetch it again or rename it."
        )
    if (encoding := _wide(data)) and (text := _try(data, encoding)) is not None:
        return text, ["legacy_encoding"]
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        pass
    declared = _DECLARED.search(data[:2048])
    if declared and (text := _try(data, declared[1].decode("ascii"))) is not None:
        return text, ["legacy_encoding"]
    if (text := _by_line(data)) is not None:
        return text, ["mixed_encoding"]
    return _detect(data), ["legacy_encoding"]


def _wide(data: bytes) -> str:
    """The byte order of UTF-16 without a mark, told from where the NULs of its Latin letters stand; "" if it is not."""
    head = data[:8192]
    low, high = head[0::2].count(0), head[1::2].count(0)
    if max(low, high) < 0.2 * len(head) or min(low, high) > 0.01 * len(head):
        return ""
    return "utf-16-le" if high > low else "utf-16-be"


def _try(data: bytes, encoding: str) -> str | None:
    try:
        if codecs.lookup(encoding).name == "utf-8":  # already refused above
            return None
        text = data.decode(encoding)
    except (LookupError, UnicodeDecodeError, ValueError):
        return None
    # base64 and the like are codecs too, but not of text.
    return text if isinstance(text, str) else None


def _by_line(data: bytes) -> str | None:
    """Text of a file most of whose non-ASCII lines are UTF-8; the others are read as windows-1252."""
    lines, good, bad = [], 0, 0
    for line in data.splitlines(keepends=True):
        try:
            lines.append(line.decode("utf-8"))
            good += not line.isascii()
        except UnicodeDecodeError:
            lines.append(_windows(line))
            bad += 1
    return "".join(lines) if good > bad else None


def _detect(data: bytes) -> str:
    high = sum(byte > 127 for byte in data[:65536])
    # A few accented letters are too little evidence for statistics; windows-1252 is what such files are.
    if high > 0.15 * min(len(data), 65536) or b"\x1b$" in data:
        from charset_normalizer import from_bytes

        best = from_bytes(data[:65536], cp_isolation=_CANDIDATES).best()
        if best is not None and (text := _try(data, best.encoding)) is not None:
            return text
    return _windows(data)


def _windows(data: bytes) -> str:
    """Text of a file with a few bytes beyond ASCII: windows-1252 unless its letters fit less well into words.

    Two misfits more than another code page has are asked for: a single one may be a real ``m³`` or ``Nr°5``.
    """
    candidates = [text for page in _CODE_PAGES if (text := _try(data, page)) is not None]
    if not candidates:  # five bytes are undefined in windows-1252
        return data.decode("latin-1")
    first, best = candidates[0], min(candidates, key=_misfits)
    return best if _misfits(best) + 1 < _misfits(first) else first


def _misfits(text: str) -> int:
    """Characters that stand where none of their kind does: signs inside words, capitals after small letters."""
    return len(_MISFIT.findall(text))
