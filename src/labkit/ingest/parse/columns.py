"""Reading order on a page with columns, from the places of its pieces.

A gutter is a vertical band that hardly any line crosses. It parts columns, not cells of a table, if the page draws
one side as a whole before the other; or, where lines are drawn across, if both sides are filled with words. Lines that
cross a gutter end the columns above them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from labkit.ingest.parse.layout import Piece, rows

_CROSSED = 0.15
"""Share of a page's lines that may cross a gutter."""
_MIN_WIDTH = 8.0
_MIN_ROWS = 3
_MAX_COLUMNS = 4
_MAX_PIECES = 4000
"""A page with more pieces is a drawing or an attack, and is taken as it comes."""


def flows(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The pieces of one page as stretches to be read one after the other, each from top to bottom."""
    gutters = _gutters(pieces) if len(pieces) <= _MAX_PIECES else []
    if not gutters:
        return [list(pieces)] if pieces else []
    found: list[list[Piece]] = []
    wide = sorted((piece for piece in pieces if _crosses(piece, gutters)), key=lambda piece: -piece.middle)
    rest = [piece for piece in pieces if not _crosses(piece, gutters)]
    for piece in [*wide, None]:
        above = [part for part in rest if piece is None or part.middle > piece.middle]
        rest = [part for part in rest if piece is not None and part.middle <= piece.middle]
        columns = [[part for part in above if _column(part, gutters) == number] for number in range(len(gutters) + 1)]
        found += [column for column in columns if column]
        if piece is not None:
            if found and all(_crosses(part, gutters) for part in found[-1]):
                found[-1].append(piece)  # lines across the page that follow one another
            else:
                found.append([piece])
    return found


def _gutters(pieces: Sequence[Piece]) -> list[float]:
    """The middles of the page's gutters, from left to right; none where it has one column."""
    lines = rows(pieces)
    if len(lines) < _MIN_ROWS:
        return []
    left, right = min(piece.left for piece in pieces), max(piece.right for piece in pieces)
    gaps = _gaps(pieces, left, right, _CROSSED * len(lines))
    gutters = [
        (start + end) / 2
        for start, end in gaps
        if end - start >= _MIN_WIDTH
        and left + 0.15 * (right - left) < (start + end) / 2 < right - 0.15 * (right - left)
    ]
    if not gutters or len(gutters) >= _MAX_COLUMNS:
        return []
    inside = [piece for piece in pieces if not _crosses(piece, gutters)]
    columns = [[piece for piece in inside if _column(piece, gutters) == n] for n in range(len(gutters) + 1)]
    if any(len(rows(column)) < _MIN_ROWS for column in columns):
        return []
    shared = sum(len({_column(piece, gutters) for piece in line if not _crosses(piece, gutters)}) > 1 for line in lines)
    sides = [_column(piece, gutters) for piece in inside]  # in the order drawn
    turns = sum(one != other for one, other in pairwise(sides))
    if turns <= max(2 * len(gutters), 0.2 * shared):
        return gutters
    return gutters if all(map(_is_prose, columns)) else []


def _gaps(pieces: Sequence[Piece], left: float, right: float, allowed: float) -> list[tuple[float, float]]:
    """Stretches of x that at most ``allowed`` pieces cover."""
    edges = sorted([(piece.left, 1) for piece in pieces] + [(piece.right, -1) for piece in pieces])
    gaps: list[tuple[float, float]] = []
    covered, start = 0, left
    for x, change in edges:
        before, covered = covered, covered + change
        if before > allowed >= covered:
            start = x
        elif before <= allowed < covered and x > start:
            gaps.append((start, x))
    return [(start, end) for start, end in gaps if start > left and end < right]


def _is_prose(column: Sequence[Piece]) -> bool:
    """Lines of several words that fill the width of their column."""
    width = max(piece.right for piece in column) - min(piece.left for piece in column)
    return (
        len(column) >= 6
        and median(piece.right - piece.left for piece in column) > 0.7 * width
        and median(len(piece.text.split()) for piece in column) >= 4
    )


def _crosses(piece: Piece, gutters: Sequence[float]) -> bool:
    return any(piece.left < gutter < piece.right for gutter in gutters)


def _column(piece: Piece, gutters: Sequence[float]) -> int:
    return sum(piece.left > gutter for gutter in gutters)
