"""The pieces of text on a PDF page and where they stand.

A piece is a run of words on one line that the page sets without a wide gap; cells of a table and lines of neighbouring
columns are different pieces. Coordinates are points, y grows upwards. This module does not know what a piece means.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pypdfium2.raw as pdfium

from labkit.errors import DocumentError

_MAX_CHARS = 500_000
"""Characters read from one page; a page of print has a few thousand."""
_MAX_OBJECTS = 50_000
# U+FFFE and U+0002 are what pdfium gives for a hyphen at a line's end; the next line may follow without a space.
_WORD = re.compile(r"[^\s\ufffe\x02]+[\ufffe\x02]?|[\ufffe\x02]")
_EM = 0.85  # of the height of a character's box, which spans ascender to descender
_ALWAYS_APART, _APART = 1.2, 0.45
"""Gaps between words that end a piece, in em: in any case, and where the page draws the words separately."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words on one line; ``size`` is the font's size as drawn, points."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float
    page: int
    bold: bool = False

    @property
    def middle(self) -> float:
        """Height of its middle."""
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        """From descender to ascender."""
        return max(self.top - self.bottom, 0.1)


@dataclass(slots=True)
class Page:
    """One page: its box, its pieces in the order drawn, and the heights of its horizontal rules."""

    number: int
    left: float
    bottom: float
    right: float
    top: float
    pieces: list[Piece] = field(default_factory=list)
    rules: list[tuple[float, float, float]] = field(default_factory=list)
    """``(y, left, right)`` of each."""


def read_page(document: Any, index: int) -> Page:
    """The pieces and rules of one page.

    Raises:
        DocumentError: ``too_large``, the page holds more characters than pages do.
    """
    page = document[index]
    try:
        left, bottom, right, top = page.get_cropbox()
        found = Page(index + 1, left, bottom, right, top)
        text_page = page.get_textpage()
        try:
            if text_page.count_chars() > _MAX_CHARS:
                raise DocumentError(
                    f"Page {index + 1} holds over {_MAX_CHARS} characters", reason="too_large", todo="Split it."
                )
            found.pieces = list(_pieces(text_page, index + 1))
        finally:
            text_page.close()
        if any(rest for _, rest in _neighbours(found.pieces)):
            found.rules = list(_rules(page))
        return found
    finally:
        page.close()


def rows(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces grouped to lines by height, from top to bottom, each from left to right."""
    found: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (-piece.middle, piece.left)):
        if found and _on_one_line(found[-1][0], piece):
            found[-1].append(piece)
        else:
            found.append([piece])
    return [sorted(row, key=lambda piece: piece.left) for row in found]


def _on_one_line(one: Piece, other: Piece) -> bool:
    overlap = min(one.top, other.top) - max(one.bottom, other.bottom)
    return overlap > 0.5 * min(one.height, other.height)


def _neighbours(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, list[Piece]]]:
    return ((row[0], row[1:]) for row in rows(pieces))


def _pieces(text_page: Any, page: int) -> Iterator[Piece]:
    text = _text(text_page)
    current: Piece | None = None
    start = end = 0  # the places of its first and last character
    for match in _WORD.finditer(text):
        word = _word(text_page, match, page)
        if current is None:
            current, start = word, match.start()
        elif _goes_on(text_page, current, word, end, match.start()):
            current = replace(
                current,
                text=f"{current.text} {word.text}",
                right=max(current.right, word.right),
                bottom=min(current.bottom, word.bottom),
                top=max(current.top, word.top),
            )
        else:
            yield _measured(text_page, current, start)
            current, start = word, match.start()
        end = match.end() - 1
    if current is not None:
        yield _measured(text_page, current, start)


def _text(text_page: Any) -> str:
    """The page's text, one character per index of the library."""
    text = str(text_page.get_text_range())
    count = text_page.count_chars()
    if len(text) == count:
        return text
    # Characters outside the basic plane shift the positions in the library's own string.
    codes = (pdfium.FPDFText_GetUnicode(text_page, index) for index in range(count))
    return "".join(chr(code) if 0 < code < 0x110000 else " " for code in codes)


def _word(text_page: Any, match: re.Match[str], page: int) -> Piece:
    first, last = pdfium.FS_RECTF(), pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, match.start(), first)
    pdfium.FPDFText_GetLooseCharBox(text_page, match.end() - 1, last)
    text = match[0].replace("\ufffe", "-").replace("\x02", "-")
    return Piece(
        text,
        min(first.left, last.left),
        max(first.right, last.right),
        min(first.bottom, last.bottom),
        max(first.top, last.top),
        0.0,
        page,
    )


def _goes_on(text_page: Any, before: Piece, word: Piece, end: int, start: int) -> bool:
    if not _on_one_line(before, word):
        return False
    em = _EM * min(before.height, word.height)
    gap = word.left - before.right
    if gap < -em or gap > _ALWAYS_APART * em:
        return False
    return gap <= _APART * em or _same_object(text_page, end, start)


def _same_object(text_page: Any, one: int, other: int) -> bool:
    first, second = pdfium.FPDFText_GetTextObject(text_page, one), pdfium.FPDFText_GetTextObject(text_page, other)
    return ctypes.cast(first, ctypes.c_void_p).value == ctypes.cast(second, ctypes.c_void_p).value


def _measured(text_page: Any, piece: Piece, index: int) -> Piece:
    """The piece with the size and weight of the character at ``index``."""
    size = float(pdfium.FPDFText_GetFontSize(text_page, index))
    matrix = pdfium.FS_MATRIX()
    # Some writers set size 1 and scale the text matrix, so the matrix counts.
    if pdfium.FPDFText_GetMatrix(text_page, index, ctypes.byref(matrix)):
        size *= abs(matrix.d) or abs(matrix.b) or 1.0
    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text_page, index, name, 128, ctypes.byref(flags))
    bold = any(mark in name.value.lower() for mark in (b"bold", b"black", b"heavy"))
    try:
        text = piece.text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        text = piece.text
    return replace(piece, text=text, size=round(size or piece.height * _EM, 1), bold=bold)


def _rules(page: Any) -> Iterator[tuple[float, float, float]]:
    """Horizontal lines and the upper and lower edges of thin boxes."""
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    for index in range(min(pdfium.FPDFPage_CountObjects(page), _MAX_OBJECTS)):
        item = pdfium.FPDFPage_GetObject(page, index)
        if pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_PATH:
            continue
        if not pdfium.FPDFPageObj_GetBounds(item, left, bottom, right, top) or right.value - left.value < 12:
            continue
        if top.value - bottom.value < 3:
            yield (top.value + bottom.value) / 2, left.value, right.value
        elif top.value - bottom.value < 60:  # a cell drawn as a box
            yield top.value, left.value, right.value
            yield bottom.value, left.value, right.value
