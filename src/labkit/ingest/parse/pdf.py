"""PDF: pieces of text put together into headings, paragraphs and tables, in reading order.

Running heads and feet leave the text and stay as metadata; columns are read one after the other; words cut at line
ends and tables torn by a page are put together. A line set clearly larger than the body is a heading; a gap wider
than the line spacing ends a paragraph. Pages that are only images go to OCR where Tesseract is installed. Not read:
forms, comments, images on pages that also have text, text set vertically.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from labkit.errors import DocumentError
from labkit.ingest.parse import Block, Parsed
from labkit.ingest.parse.columns import flows
from labkit.ingest.parse.grid import Grid, grids, join_torn
from labkit.ingest.parse.hyphens import Vocabulary
from labkit.ingest.parse.layout import Page, Piece, read_page, rows
from labkit.ingest.parse.margins import take_margins
from labkit.ingest.parse.ocr import INSTALL, has_ocr, recognise
from labkit.ingest.parse.tables import render_table
from labkit.ingest.parse.text import ITEM, parse_text, text_blocks

_HEADING_RATIO = 1.12
_MAX_PAGES = 2000
_INFO = ("Title", "Author", "Subject", "Keywords", "CreationDate", "ModDate")
_PDF_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?")


@dataclass(slots=True)
class _Line:
    text: str
    size: float  # points
    top: float  # distance from the page's lower edge, points
    left: float
    right: float
    page: int
    flow: int  # which column of the document, counted through


def parse_pdf(content: bytes) -> Parsed:
    """Parse a PDF. What stands at the pages' edges comes back as metadata ``margin``.

    Raises:
        DocumentError: ``encrypted``, ``corrupt``, ``too_large`` or ``no_text`` (only images, and no OCR).
    """
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_PASSWORD or "assword" in str(error):
            raise DocumentError("The PDF needs a password", reason="encrypted", todo="Store it without one.") from error
        raise DocumentError(f"The PDF does not open ({error})", reason="corrupt", todo="Fetch it again.") from error
    try:
        if len(document) > _MAX_PAGES:
            raise DocumentError(f"{len(document)} pages, over {_MAX_PAGES}", reason="too_large", todo="Split it.")
        pages = [read_page(document, number) for number in range(len(document))]
        metadata = {name.lower(): text for name, text in document.get_metadata_dict().items() if name in _INFO and text}
        if not any(page.pieces for page in pages):
            return _recognised(document, metadata)
    finally:
        document.close()
    weights: Counter[float] = Counter()
    for page in pages:
        for piece in page.pieces:
            weights[piece.size] += len(piece.text)
    body = weights.most_common(1)[0][0]
    margins = take_margins(pages, body)
    blocks = _blocks(_items(pages), body)
    if margins:
        metadata["margin"] = "\n".join(margins)
    return _parsed(blocks, metadata, ["boilerplate"] if margins else [])


def _parsed(blocks: list[Block], metadata: dict[str, str], defects: list[str]) -> Parsed:
    for name in ("creationdate", "moddate"):
        metadata[name] = _iso(metadata.get(name, ""))
    heading = next((block.text for block in blocks if block.kind == "heading"), "")
    title = metadata.get("title", "")
    return Parsed(
        blocks,
        title=heading if title.lower() in ("", "untitled", "anonymous") else title,
        metadata={name: value for name, value in metadata.items() if value},
        defects=defects,
    )


def _recognised(document: Any, metadata: dict[str, str]) -> Parsed:
    """What OCR reads on pages that are only images."""
    if not has_ocr():
        raise DocumentError(
            f"{len(document)} pages without a text layer, and the program tesseract is missing",
            reason="no_text",
            todo=f"{INSTALL}, or store a version with text.",
        )
    blocks: list[Block] = []
    for number, text in enumerate(recognise(document), 1):
        blocks += [Block(block.kind, block.text, block.level, number) for block in parse_text(text).blocks]
    if not blocks:
        raise DocumentError(
            f"{len(document)} pages without a text layer, and OCR finds no words on them",
            reason="no_text",
            todo="Check how it was scanned.",
        )
    return _parsed(blocks, metadata, ["ocr"])


def _items(pages: Sequence[Page]) -> list[_Line | Grid]:
    """Lines and tables of all pages in reading order, torn tables whole again."""
    found: list[_Line | Grid] = []
    flow = 0
    words = Vocabulary(piece.text for page in pages for piece in page.pieces)
    for page in pages:
        for stretch in flows(page.pieces):
            flow += 1
            for item in grids(rows(stretch), page.rules, words):
                if not isinstance(item, Grid):
                    found.append(_line(item, flow))
                elif not (found and isinstance(found[-1], Grid) and join_torn(found[-1], item)):
                    found.append(item)
    return found


def _line(pieces: list[Piece], flow: int) -> _Line:
    longest = max(pieces, key=lambda piece: len(piece.text))
    text = " ".join(piece.text for piece in pieces)
    return _Line(text, longest.size, longest.top, pieces[0].left, pieces[-1].right, longest.page, flow)


def _blocks(items: list[_Line | Grid], body: float) -> list[Block]:
    lines = [item for item in items if isinstance(item, _Line)]
    words = Vocabulary(line.text for line in lines)
    sizes = sorted({line.size for line in lines if _is_heading(line, body)}, reverse=True)
    spacing = _spacing(lines)
    blocks: list[Block] = []
    run: list[_Line] = []
    for item in [*items, None]:
        if run and (not isinstance(item, _Line) or _breaks(run[-1], item, spacing, body)):
            blocks += _run_blocks(run, sizes, body, words)
            run = []
        if isinstance(item, _Line):
            run.append(item)
        elif item is not None and (text := render_table(item.rows, header=item.header)):
            blocks.append(Block("table", text, 0, item.page))
    return blocks


def _run_blocks(run: list[_Line], sizes: list[float], body: float, words: Vocabulary) -> list[Block]:
    if _is_heading(run[0], body):
        text = run[0].text
        for line in run[1:]:
            text = words.join(text, line.text)
        return [Block("heading", text, min(6, sizes.index(run[0].size) + 1), run[0].page)]
    return text_blocks(_unwrapped(run, words), run[0].page)


def _unwrapped(run: list[_Line], words: Vocabulary) -> list[str]:
    """Join lines broken by the layout; a line well short of the widest, or an item's mark, was begun on purpose."""
    widths = {line.flow: max(part.right - part.left for part in run if part.flow == line.flow) for line in run}
    longest = max(len(line.text) for line in run)
    joined = [run[0].text]
    for above, line in pairwise(run):
        cut = above.text.endswith(("-", "\u00ad"))
        full = above.right - above.left >= 0.75 * widths[above.flow] and longest > 20
        if cut or (full and not ITEM.match(line.text)) or above.flow != line.flow:
            joined[-1] = words.join(joined[-1], line.text)
        else:
            joined.append(line.text)
    return joined


def _is_heading(line: _Line, body: float) -> bool:
    return line.size > _HEADING_RATIO * body and len(line.text) <= 150 and any(map(str.isalpha, line.text))


def _spacing(lines: list[_Line]) -> float:
    """The usual distance between the tops of neighbouring lines of one column, points."""
    steps = sorted(
        above.top - below.top
        for above, below in pairwise(lines)
        if above.flow == below.flow and 0 < above.top - below.top < 4 * max(above.size, 4.0)
    )
    # The lower quartile: a page of short paragraphs or table rows has more gaps than neighbouring lines.
    return steps[len(steps) // 4] if steps else 0.0


def _breaks(above: _Line, below: _Line, spacing: float, body: float) -> bool:
    if abs(above.size - below.size) > 0.5 or _is_heading(above, body) != _is_heading(below, body):
        return True
    if above.flow != below.flow:
        # A sentence that a column or page cuts goes on in the next.
        return _is_heading(above, body) or above.text.endswith((".", "!", "?", ":", ";")) or not below.text[0].islower()
    return spacing > 0 and above.top - below.top > 1.3 * spacing


def _iso(stated: str) -> str:
    match = _PDF_DATE.match(stated)
    return "-".join(part or "01" for part in match.groups()) if match else stated
