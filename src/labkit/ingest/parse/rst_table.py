"""Tables of reStructuredText as rows of cells: grid tables, simple tables and ``list-table`` directives."""

from __future__ import annotations

import re

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1+$")


def is_adornment(line: str) -> bool:
    """Whether a line underlines a heading or borders a table: one sign, repeated."""
    return len(line) >= 2 and bool(_ADORNMENT.fullmatch(line))


def grid_rows(lines: list[str]) -> list[list[str]]:
    """Cells of a grid table; the lines of a cell are joined. Spanning cells count once, where they start."""
    rows: list[list[str]] = []
    current: list[str] = []
    for line in lines:
        if line.startswith("+"):
            if any(current):
                rows.append(current)
            current = []
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if len(cells) > len(current):
                current += [""] * (len(cells) - len(current))
            for index, cell in enumerate(cells):
                current[index] = f"{current[index]} {cell}".strip()
    return [*rows, current] if any(current) else rows


def simple_rows(lines: list[str]) -> list[list[str]]:
    """Cells of a simple table, cut at its column borders; a row with an empty first cell continues the one above."""
    starts = [match.start() for match in re.finditer(r"=+", lines[0])]
    rows: list[list[str]] = []
    for line in lines:
        if not line or is_adornment(line.replace(" ", "")):
            continue
        ends = [*starts[1:], max(len(line), starts[-1])]
        cells = [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
        if rows and not cells[0]:
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    return rows


def list_rows(lines: list[str]) -> list[list[str]]:
    """Rows of a ``list-table``: ``* -`` opens a row, ``-`` a cell."""
    rows: list[list[str]] = []
    for line in lines:
        stripped = line.strip()
        if match := re.match(r"\*\s+-(.*)", line):
            rows.append([match[1].strip()])
        elif rows and (stripped.startswith("- ") or stripped == "-"):
            rows[-1].append(stripped[1:].strip())
        elif rows and stripped:
            rows[-1][-1] = f"{rows[-1][-1]} {stripped}".strip()
    return rows
