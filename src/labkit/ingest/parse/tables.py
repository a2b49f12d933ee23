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
        header = names_columns(cleaned)
    if not header or len(cleaned) == 1:
        return "\n".join(_plain(row) for row in cleaned)
    names, *body = cleaned
    return "\n".join(_named(names, row) for row in body)


def names_columns(rows: list[list[str]]) -> bool:
    """A first row of distinct short words over at least one other row.

    A table of two columns counts only if most of what stands below in the second column holds a digit and its name
    does not: otherwise it is a form, whose first row is a row. In a wider one the corner may be empty.
    """
    first, body = rows[0], rows[1:]
    width = max(len(row) for row in rows)
    named = first[1:] if width > 2 else first
    if not body or not all(named) or len(first) < width or len(set(first)) < len(first):
        return False
    if any(_VALUE.fullmatch(cell) or len(cell) > 60 for cell in named):
        return False
    if width != 2:
        return width > 2
    below = [row[1] for row in body if len(row) > 1 and any(map(str.isalnum, row[1]))]
    with_digits = sum(has_digit(cell) for cell in below)
    return len(body) > 1 and not has_digit(" ".join(first)) and with_digits >= 0.8 * max(1, len(below))


def has_digit(text: str) -> bool:
    """Whether a cell is about an amount, a date or a number of something, as cells of a header are not."""
    return any(map(str.isdigit, text))


def _named(names: list[str], row: list[str]) -> str:
    padded = names + [""] * (len(row) - len(names))
    cells = zip(padded, row, strict=False)
    return " | ".join(f"{name.rstrip(':')}: {cell}" if name else cell for name, cell in cells if cell)


def _plain(row: list[str]) -> str:
    filled = [cell for cell in row if cell]
    return f"{filled[0].rstrip(':')}: {filled[1]}" if len(filled) == 2 and len(row) == 2 else " | ".join(filled)
