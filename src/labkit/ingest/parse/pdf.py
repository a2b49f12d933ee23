"""PDF: lines with their position and size, put together into headings and paragraphs page by page.

A line set clearly larger than the body is a heading; a gap wider than the line spacing ends a paragraph. Columns come
in the order the file draws them. Not done here: tables, running heads, words hyphenated at line ends, images.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from labkit.errors import DocumentError
from labkit.ingest.parse import Block, Parsed
from labkit.ingest.parse.text import text_blocks

_HEADING_RATIO = 1.12
_INFO = ("Title", "Author", "Subject", "Keywords", "CreationDate", "ModDate")
_PDF_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?")


@dataclass(slots=True)
class _Line:
    text: str
    size: float  # height of its capitals' em square, points
    top: float  # distance from the page's lower edge, points
    bottom: float
    page: int


def parse_pdf(content: bytes) -> Parsed:
    """Parse a PDF with a text layer.

    Raises:
        DocumentError: ``encrypted``, ``corrupt`` or ``no_text`` (only images).
    """
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_PASSWORD or "assword" in str(error):
            raise DocumentError("The PDF needs a password", reason="encrypted", todo="Store it without one.") from error
        raise DocumentError(f"The PDF does not open ({error})", reason="corrupt", todo="Fetch it again.") from error
    try:
        pages = [_page_lines(document, number) for number in range(len(document))]
        metadata = {name.lower(): text for name, text in document.get_metadata_dict().items() if name in _INFO and text}
    finally:
        document.close()
    lines = [line for page in pages for line in page]
    if not lines:
        raise DocumentError(
            f"{len(pages)} pages without a text layer", reason="no_text", todo="Run OCR over it and store the result."
        )
    for name in ("creationdate", "moddate"):
        metadata[name] = _iso(metadata.get(name, ""))
    blocks = _blocks(lines)
    heading = next((block.text for block in blocks if block.kind == "heading"), "")
    title = metadata.get("title", "")
    return Parsed(
        blocks,
        title=heading if title.lower() in ("", "untitled", "anonymous") else title,
        metadata={name: value for name, value in metadata.items() if value},
    )


def _page_lines(document: Any, index: int) -> list[_Line]:
    page = document[index]
    text_page = page.get_textpage()
    try:
        text = text_page.get_text_range()
        if len(text) != text_page.count_chars():  # characters outside the BMP shift the index
            return _plain_lines(text, index + 1)
        lines, start = [], 0
        for raw in re.split(r"\r\n|\n|\r", text):
            end = start + len(raw)
            if raw.strip():
                lines.append(_line(text_page, raw, start, index + 1))
            start = end + (2 if text[end : end + 2] == "\r\n" else 1)
        return lines
    finally:
        text_page.close()
        page.close()


def _plain_lines(text: str, page: int) -> list[_Line]:
    return [_Line(line.strip(), 0.0, 0.0, 0.0, page) for line in text.splitlines() if line.strip()]


def _line(text_page: Any, raw: str, start: int, page: int) -> _Line:
    first = start + len(raw) - len(raw.lstrip())
    middle = start + len(raw.rstrip()) // 2
    while middle > first and raw[middle - start].isspace():
        middle -= 1
    _, bottom, _, top = text_page.get_charbox(first, loose=True)
    size = round(_font_size(text_page, middle, top - bottom), 1)
    # U+FFFE is what pdfium gives for a hyphen at a line's end.
    return _Line(raw.strip().replace("\ufffe", "-").replace("\x02", "-"), size, top, bottom, page)


def _font_size(text_page: Any, index: int, height: float) -> float:
    """Size in points as drawn. Some writers set size 1 and scale the text matrix, so the matrix counts."""
    matrix = pdfium.FS_MATRIX()
    size = float(pdfium.FPDFText_GetFontSize(text_page, index))
    if pdfium.FPDFText_GetMatrix(text_page, index, ctypes.byref(matrix)):
        size *= abs(matrix.d) or abs(matrix.b) or 1.0
    return size or height


def _blocks(lines: list[_Line]) -> list[Block]:
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    body = weights.most_common(1)[0][0]
    sizes = sorted({line.size for line in lines if _is_heading(line, body)}, reverse=True)
    spacing = _spacing(lines)
    blocks: list[Block] = []
    run: list[_Line] = []
    ends: list[_Line | None] = [*lines, None]
    for below in ends:
        if run and (below is None or _breaks(run[-1], below, spacing, body)):
            head = run[0]
            if _is_heading(head, body):
                blocks.append(
                    Block("heading", " ".join(part.text for part in run), min(6, sizes.index(head.size) + 1), head.page)
                )
            else:
                blocks += text_blocks(_unwrapped([part.text for part in run]), head.page)
            run = []
        if below is not None:
            run.append(below)
    return blocks


def _unwrapped(lines: list[str]) -> list[str]:
    """Join lines broken by the layout; a line well short of the widest was ended on purpose."""
    width = max(map(len, lines))
    joined = [lines[0]]
    for above, line in pairwise(lines):
        if len(above) >= 0.75 * width and width > 40:
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    return joined


def _is_heading(line: _Line, body: float) -> bool:
    return line.size > _HEADING_RATIO * body and len(line.text) <= 150 and any(map(str.isalpha, line.text))


def _spacing(lines: list[_Line]) -> float:
    """The usual distance between the tops of neighbouring lines of one column, points."""
    steps = sorted(
        above.top - below.top
        for above, below in pairwise(lines)
        if above.page == below.page and 0 < above.top - below.top < 4 * max(above.size, 4.0)
    )
    # The lower quartile: a page of short paragraphs or table rows has more gaps than neighbouring lines.
    return steps[len(steps) // 4] if steps else 0.0


def _breaks(above: _Line, below: _Line, spacing: float, body: float) -> bool:
    if above.page != below.page or abs(above.size - below.size) > 0.5:
        return True
    step = above.top - below.top
    # Upwards is a new column; sideways is a table cell or a second text run on one line.
    return (
        step < -spacing
        or (spacing > 0 and step > 1.3 * spacing)
        or _is_heading(above, body) != _is_heading(below, body)
    )


def _iso(stated: str) -> str:
    match = _PDF_DATE.match(stated)
    return "-".join(part or "01" for part in match.groups()) if match else stated
