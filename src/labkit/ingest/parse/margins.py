"""Running heads, feet and page numbers of a paged document: what repeats at the edges of pages, and what is set apart.

Known by place first: only lines near the upper or lower edge can be one. There, a line goes if it returns at its height
on another page (numbers aside), if it is a page number, or if it is set smaller than the text and apart from it, which
is all that can be known on a single page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from labkit.ingest.parse.layout import Page, Piece, rows

_EDGE, _OUTER_EDGE = 0.11, 0.075
"""Share of the page's height at either edge where lines may repeat, and where one is judged by its looks."""
_SMALLER = 0.92
_DIGITS = re.compile(r"\d+|\b[ivxlc]+\b", re.I)
_PAGE_NUMBER = re.compile(
    r"(?:(?:page|seite|strona|sida|pagina|página|p\.)\s*)?[-–—]?\s*(?:\d{1,4}|[ivxl]{1,6})\s*[-–—]?"
    r"(?:\s*(?:/|of|von|z|av|de|di|sur)\s*\d{1,4})?",
    re.I,
)


def take_margins(pages: Sequence[Page], body: float) -> list[str]:
    """Remove the margins' pieces from the pages; return their distinct texts.

    Args:
        pages: all pages; changed in place.
        body: size of the document's text, points.
    """
    edges = [(page, row) for page in pages for row in _edge_rows(page)]
    seen: Counter[tuple[str, int]] = Counter()
    for page, row in edges:
        seen.update({(_key(piece), round(_height(page, piece) / 4)) for piece in row})
    texts: dict[str, None] = {}
    gone: set[int] = set()
    for page, row in edges:
        apart = _is_apart(page, row)
        for piece in row:
            place = round(_height(page, piece) / 4)
            repeats = sum(seen[_key(piece), place + step] for step in (-1, 0, 1)) > 1
            looks = _share(page, piece) < _OUTER_EDGE and apart and 0 < piece.size < _SMALLER * body
            number = _share(page, piece) < _EDGE and apart and bool(_PAGE_NUMBER.fullmatch(piece.text))
            if (repeats and apart and piece.size < 1.5 * body) or looks or number:
                gone.add(id(piece))
                if not number:
                    texts[piece.text] = None
    for page in pages:
        page.pieces = [piece for piece in page.pieces if id(piece) not in gone]
    return list(texts)


def _edge_rows(page: Page) -> list[list[Piece]]:
    return [row for row in rows(page.pieces) if _share(page, row[0]) < _EDGE]


def _share(page: Page, piece: Piece) -> float:
    """Distance from the nearer edge as a share of the page's height."""
    height = max(page.top - page.bottom, 1.0)
    return min(page.top - piece.middle, piece.middle - page.bottom) / height


def _height(page: Page, piece: Piece) -> float:
    return piece.middle - page.bottom


def _is_apart(page: Page, row: Sequence[Piece]) -> bool:
    """Whether the next line towards the page's middle is further away than lines of one text are."""
    middle = (page.top + page.bottom) / 2
    line = row[0]
    own = {id(piece) for piece in row}
    inside = [
        piece
        for piece in page.pieces
        if id(piece) not in own
        and abs(piece.middle - middle) < abs(line.middle - middle)
        and (piece.middle > middle) == (line.middle > middle)
    ]
    if not inside:
        return True
    nearest = min(inside, key=lambda piece: abs(piece.middle - line.middle))
    if _share(page, nearest) < _OUTER_EDGE and nearest.size <= line.size:
        return True  # a margin of several lines
    return abs(nearest.middle - line.middle) > 1.6 * max(nearest.size, line.size)


def _key(piece: Piece) -> str:
    return _DIGITS.sub("#", piece.text.lower())
