"""Tables on a PDF page, found by how the pieces of neighbouring lines stand below each other.

A table begins where a line has two or more pieces and goes on while the pieces of the next lines stand in the same
columns. Lines of a wrapped cell are put together: by ruling lines where the table has them, else by spacing and by
which cells are empty. Tables whose columns touch, and cells that span columns, are not told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from labkit.ingest.parse.hyphens import Vocabulary
from labkit.ingest.parse.layout import Piece

Rule = tuple[float, float, float]
_ALIGNED = 3.0
"""Points by which the edges of a column's cells may differ."""
_MOST_CELLS = 40
"""A line with more pieces is no row of a table anybody reads."""
_FAR = 2.2
"""A next line further away than this many line heights is another matter."""


@dataclass(slots=True)
class Grid:
    """A table: cells by row, the left edges of its columns relative to the first, and where it stands."""

    rows: list[list[str]]
    offsets: list[float]
    page: int
    header: bool | None = None
    """Whether the first row is set in bold and the others are not; None if there is no telling."""


@dataclass(slots=True)
class _Column:
    left: float
    right: float


@dataclass(slots=True)
class _Taken:
    columns: list[_Column]
    lines: list[list[Piece]] = field(default_factory=list)


def grids(lines: Sequence[list[Piece]], rules: Sequence[Rule], words: Vocabulary) -> list[Grid | list[Piece]]:
    """The lines of one stretch of a page, with those that form a table replaced by it.

    Args:
        lines: pieces by line, from top to bottom.
        rules: horizontal lines of the page.
        words: joins the lines of a cell.
    """
    found: list[Grid | list[Piece]] = []
    at = 0
    while at < len(lines):
        taken = _table(lines, at, rules) if 1 < len(lines[at]) <= _MOST_CELLS else None
        # A single line may be a header whose table goes on in the next column: three cells or a bold line.
        if taken and (len(taken.lines) > 1 or _is_torn_header(lines, at)):
            found += _grids(taken, rules, words)
            at += len(taken.lines)
        else:
            found.append(lines[at])
            at += 1
    return found


def join_torn(first: Grid, second: Grid) -> bool:
    """Append ``second`` to ``first`` if it continues it in the next column or page; say whether it did."""
    if len(first.offsets) != len(second.offsets):
        return False
    if any(abs(one - other) > 2 * _ALIGNED for one, other in zip(first.offsets, second.offsets, strict=True)):
        return False
    if second.header and second.rows[0] != first.rows[0]:
        return False
    first.rows += second.rows[1:] if second.rows[0] == first.rows[0] else second.rows
    return True


def _is_torn_header(lines: Sequence[list[Piece]], at: int) -> bool:
    return at == len(lines) - 1 and (len(lines[at]) > 2 or all(piece.bold for piece in lines[at]))


def _table(lines: Sequence[list[Piece]], start: int, rules: Sequence[Rule]) -> _Taken | None:
    taken = _Taken([_Column(piece.left, piece.right) for piece in lines[start]], [lines[start]])
    for line in lines[start + 1 :]:
        above = taken.lines[-1]
        gap = min(piece.bottom for piece in above) - max(piece.top for piece in line)
        if gap > _FAR * above[0].height or _is_other_header(taken, line) or not _fits(taken, line, rules):
            break
        taken.lines.append(line)
    # Lines of one piece at the end may be the paragraph below; they stay only if they end a ruled row.
    while len(taken.lines) > 1 and len(taken.lines[-1]) == 1 and not _belongs(taken, rules):
        taken.lines.pop()
    return taken if len(taken.lines) == 1 or any(len(line) > 1 for line in taken.lines[1:]) else None


def _fits(taken: _Taken, line: list[Piece], rules: Sequence[Rule]) -> bool:
    """Whether every piece of the line stands in a column of its own; widens the columns if so."""
    columns = taken.columns
    places: list[int] = []
    for piece in line:
        over = [n for n, column in enumerate(columns) if piece.left < column.right and column.left < piece.right]
        if len(over) > 1:
            return False
        place = over[0] if over else _by_edge(piece, columns)
        if place < 0 or place in places or not (over or abs(piece.left - columns[place].left) <= _ALIGNED):
            return False
        beyond = columns[place + 1].left if place + 1 < len(columns) else float("inf")
        if piece.right >= beyond or not (_is_aligned(piece, columns[place]) or len(line) > 2):
            return False
        places.append(place)
    if len(line) == 1 and places[0] == 0 and not _is_ruled(taken, line, rules) and not _is_wrapped(taken, line[0]):
        return False
    for place, piece in zip(places, line, strict=True):
        columns[place].left = min(columns[place].left, piece.left)
        columns[place].right = max(columns[place].right, piece.right)
    return True


def _is_other_header(taken: _Taken, line: list[Piece]) -> bool:
    """Whether a bold line of fewer cells begins another table right below this one, whose own header is bold."""
    return (
        1 < len(line) < len(taken.columns)
        and all(piece.bold for piece in [*taken.lines[0], *line])
        and not any(piece.bold for piece in taken.lines[-1])
    )


def _by_edge(piece: Piece, columns: Sequence[_Column]) -> int:
    return next((n for n, column in enumerate(columns) if abs(piece.left - column.left) <= _ALIGNED), -1)


def _is_aligned(piece: Piece, column: _Column) -> bool:
    middle = abs((piece.left + piece.right) - (column.left + column.right)) / 2
    return min(abs(piece.left - column.left), abs(piece.right - column.right), middle) <= _ALIGNED


def _is_wrapped(taken: _Taken, piece: Piece) -> bool:
    """Whether a line in the first column alone goes on with the cell above: same size, close below."""
    above = taken.lines[-1]
    step = above[0].middle - piece.middle
    return abs(above[0].size - piece.size) < 0.5 and step < 1.5 * max(piece.size, 1.0) and len(taken.columns) > 1


def _is_ruled(taken: _Taken, line: list[Piece], rules: Sequence[Rule]) -> bool:
    """Whether a rule as wide as the table runs close below the line."""
    piece = line[0]
    reach = taken.columns[-1].left
    return any(
        left <= taken.columns[0].left + _ALIGNED and right >= reach and 0 <= piece.middle - y <= 2.5 * piece.height
        for y, left, right in rules
    )


def _belongs(taken: _Taken, rules: Sequence[Rule]) -> bool:
    line = taken.lines[-1]
    if _is_ruled(taken, line, rules):
        return True
    return line[0].left > taken.columns[0].right or abs(line[0].left - taken.columns[0].left) > _ALIGNED


def _grids(taken: _Taken, rules: Sequence[Rule], words: Vocabulary) -> Iterator[Grid]:
    """The table, or the several tables that a bold row begins each of."""
    cells: list[list[str]] = []
    bold: list[bool] = []
    for line, begins in zip(taken.lines, _row_starts(taken, rules), strict=True):
        if begins:
            cells.append([""] * len(taken.columns))
            bold.append(True)
        bold[-1] = bold[-1] and all(piece.bold for piece in line)
        for piece in line:
            place = max(n for n, column in enumerate(taken.columns) if column.left <= piece.left + 0.01)
            above = cells[-1][place]
            cells[-1][place] = words.join(above, piece.text) if above else piece.text
    starts = [n for n, is_bold in enumerate(bold) if n == 0 or (is_bold and all(cells[n]) and not bold[n - 1])]
    # A bold row now and then is a header only if the first one is; every second row in bold is a style.
    if not bold[0] or len(starts) > len(cells) / 2:
        starts = [0]
    offsets = [column.left - taken.columns[0].left for column in taken.columns]
    for start, end in pairwise([*starts, len(cells)]):
        header = True if bold[start] and not all(bold[start + 1 : end]) else None
        # Columns left empty in a part stay: it may go on with a later one.
        yield Grid(cells[start:end], offsets, taken.lines[0][0].page, header)


def _row_starts(taken: _Taken, rules: Sequence[Rule]) -> list[bool]:
    """For every line, whether it begins a row."""
    lines = taken.lines
    if len(lines) < 2:
        return [True] * len(lines)
    ruled = [_is_between(above, below, taken, rules) for above, below in pairwise(lines)]
    if sum(ruled) > 1 or (sum(ruled) == len(ruled)):
        return [True, *ruled]
    width = len(taken.columns)
    steps = [above[0].middle - below[0].middle for above, below in pairwise(lines)]
    limit = 1.15 * min(steps)
    close = [below for below, step in zip(lines[1:], steps, strict=True) if step <= limit]
    # Close lines are wrapped cells if the table has wide steps too and most of them lack cells.
    if max(steps) > limit and sum(len(line) < width for line in close) >= len(close) / 2:
        return [True, *(step > limit for step in steps)]
    return [True, *(abs(line[0].left - taken.columns[0].left) <= _ALIGNED or len(line) == width for line in lines[1:])]


def _is_between(above: list[Piece], below: list[Piece], taken: _Taken, rules: Sequence[Rule]) -> bool:
    upper, lower = min(piece.middle for piece in above), max(piece.middle for piece in below)
    first, last = taken.columns[0].left, taken.columns[-1].left
    return any(lower < y < upper and left <= first + _ALIGNED and right >= last for y, left, right in rules)
