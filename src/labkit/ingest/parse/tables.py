"""Tables as text: one line per row, each line readable without the rest.

A row is written ``Header: value | Header: value``, so that a row found alone still says what its numbers mean. Without
a recognisable header it is ``value | value``. All formats with tables render them here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_VALUE = re.compile(r"[\s\d.,:%+\-/€$£()]+")


def render_table(rows: Sequence[Sequence[str]], *, header: bool | None = None) -> str:
    """Render rows of cells as lines; empty rows and cells are left out.

    Args:
        rows: cells in reading order; rows may differ in length.
        header: whether the first row names the columns; None decides by looking.
    """
    cleaned = [[" ".join(cell.split()) for cell in row] for row in rows]
    cleaned = [row for row in cleaned if any(row)]
    if not cleaned:
        return ""
    if header is None:
        header = _names_columns(cleaned)
    if not header or len(cleaned) == 1:
        return "\n".join(_plain(row) for row in cleaned)
    names, *body = cleaned
    return "\n".join(_named(names, row) for row in body)


def _named(names: list[str], row: list[str]) -> str:
    padded = names + [""] * (len(row) - len(names))
    cells = zip(padded, row, strict=False)
    return " | ".join(f"{name.rstrip(':')}: {cell}" if name else cell for name, cell in cells if cell)


def _plain(row: list[str]) -> str:
    filled = [cell for cell in row if cell]
    return f"{filled[0].rstrip(':')}: {filled[1]}" if len(filled) == 2 and len(row) == 2 else " | ".join(filled)


def _names_columns(rows: list[list[str]]) -> bool:
    """A first row of distinct short words over at least one other row, in a table wider than key and value.

    A two-column table counts only if a column below holds values and its name does not: otherwise it is a form,
    whose first row is a row.
    """
    first, body = rows[0], rows[1:]
    width = max(len(row) for row in rows)
    if not body or not all(first) or len(first) < width or len(set(first)) < len(first):
        return False
    if any(_VALUE.fullmatch(cell) or len(cell) > 60 for cell in first):
        return False
    if width > 2:
        return True
    return width == 2 and any(row[-1] and _VALUE.fullmatch(row[-1]) for row in body) and len(body) > 1
