"""The pieces of text on a PDF page and where they stand.

A piece is a run of words on one line that the page sets without a wide gap; cells of a table and lines of neighbouring
columns are different pieces. Coordinates are points, y grows upwards. This module does not know what a piece means.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class _Run:
    """A piece while words are added to it; ``start`` and ``end`` are the places of its first and last character."""

    words: list[str]
    left: float
    right: float
    bottom: float
    top: float
    start: int
    end: int


def _pieces(text_page: Any, page: int) -> Iterator[Piece]:
    run: _Run | None = None
    first, last = pdfium.FS_RECTF(), pdfium.FS_RECTF()  # filled again for every word
    for match in _WORD.finditer(_text(text_page)):
        pdfium.FPDFText_GetLooseCharBox(text_page, match.start(), first)
        pdfium.FPDFText_GetLooseCharBox(text_page, match.end() - 1, last)
        left, right = min(first.left, last.left), max(first.right, last.right)
        bottom, top = min(first.bottom, last.bottom), max(first.top, last.top)
        word = _Run([match[0]], left, right, bottom, top, match.start(), match.end() - 1)
        if run is None:
            run = word
        elif _goes_on(text_page, run, word):
            run.words.append(match[0])
            run.right, run.end = max(run.right, right), word.end
            run.bottom, run.top = min(run.bottom, bottom), max(run.top, top)
        else:
            yield _measured(text_page, run, page)
            run = word
    if run is not None:
        yield _measured(text_page, run, page)


def _text(text_page: Any) -> str:
    """The page's text, one character per index of the library."""
    text = str(text_page.get_text_range())
    count = text_page.count_chars()
    if len(text) == count:
        return text
    # Characters outside the basic plane shift the positions in the library's own string.
    codes = (pdfium.FPDFText_GetUnicode(text_page, index) for index in range(count))
    return "".join(chr(code) if 0 < code < 0x110000 else " " for code in codes)


def _goes_on(text_page: Any, run: _Run, word: _Run) -> bool:
    height = min(run.top - run.bottom, word.top - word.bottom)
    if min(run.top, word.top) - max(run.bottom, word.bottom) <= 0.5 * height:
        return False
    em = _EM * max(height, 0.1)
    gap = word.left - run.right
    if gap < -em or gap > _ALWAYS_APART * em:
        return False
    return gap <= _APART * em or _same_object(text_page, run.end, word.start)


def _same_object(text_page: Any, one: int, other: int) -> bool:
    first, second = pdfium.FPDFText_GetTextObject(text_page, one), pdfium.FPDFText_GetTextObject(text_page, other)
    return ctypes.cast(first, ctypes.c_void_p).value == ctypes.cast(second, ctypes.c_void_p).value


def _measured(text_page: Any, run: _Run, page: int) -> Piece:
    """The piece, with size and weight of its first character."""
    size = float(pdfium.FPDFText_GetFontSize(text_page, run.start))
    matrix = pdfium.FS_MATRIX()
    # Some writers set size 1 and scale the text matrix, so the matrix counts.
    if pdfium.FPDFText_GetMatrix(text_page, run.start, ctypes.byref(matrix)):
        size *= abs(matrix.d) or abs(matrix.b) or 1.0
    name = ctypes.create_string_buffer(128)
    pdfium.FPDFText_GetFontInfo(text_page, run.start, name, 128, ctypes.byref(ctypes.c_int()))
    bold = any(mark in name.value.lower() for mark in (b"bold", b"black", b"heavy"))
    text = " ".join(run.words).replace("\ufffe", "-").replace("\x02", "-")
    if not text.isascii():  # halves of characters outside the basic plane are put together
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    height = max(run.top - run.bottom, 0.1)
    return Piece(text, run.left, run.right, run.bottom, run.top, round(size or height * _EM, 1), page, bold)


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
