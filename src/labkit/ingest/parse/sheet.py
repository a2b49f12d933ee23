"""Spreadsheets: XLSX workbooks and CSV files, as tables of self-contained rows.

A sheet is a section; blank rows separate its tables; a row with a single filled cell above a table is its caption.
Formulas give their stored value, or their text where the program that wrote the file stored none.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from labkit.errors import DocumentError
from labkit.ingest.parse import Block, Parsed
from labkit.ingest.parse.tables import render_table


def parse_csv(content: str) -> Parsed:
    """Parse delimited text: comma, semicolon, tab or pipe, whichever the first lines agree on."""
    lines = content.lstrip("\ufeff")
    csv.field_size_limit(2**31 - 1)
    try:
        dialect: Any = csv.Sniffer().sniff("\n".join(lines.split("\n")[:50])[:65536], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(lines), dialect)]
    except csv.Error as error:
        raise DocumentError(f"The rows do not parse ({error})", reason="corrupt", todo="Fetch it again.") from error
    return Parsed(_tables(rows))


def parse_xlsx(content: bytes) -> Parsed:
    """Parse a workbook, sheet by sheet, hidden sheets included."""
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions it does not draw
        formulas = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
        values = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        blocks: list[Block] = []
        for sheet, computed in zip(formulas.worksheets, values.worksheets, strict=True):
            tables = _tables(_rows(sheet, computed))
            if tables:
                blocks += [Block("heading", str(sheet.title), 1), *tables]
        properties = values.properties
        metadata = {
            name: _cell(value)
            for name, value in (
                ("title", properties.title), ("subject", properties.subject), ("author", properties.creator),
                ("created", properties.created), ("modified", properties.modified),
            )
            if value
        }  # fmt: skip
    return Parsed(blocks, title=metadata.get("title", ""), metadata=metadata)


def _rows(sheet: Any, computed: Any) -> Iterator[list[str]]:
    for reader in (sheet, computed):
        reader.reset_dimensions()  # the stored size may be wrong; read what is there
    stored = computed.iter_rows(values_only=True)
    for row, known in zip(sheet.iter_rows(values_only=True), stored, strict=False):
        yield [
            _cell(value if isinstance(formula, str) and formula.startswith("=") and value is not None else formula)
            for formula, value in zip(row, known, strict=False)
        ]


def _tables(rows: Iterable[list[str]]) -> list[Block]:
    """Blocks of the regions between blank rows."""
    blocks: list[Block] = []
    region: list[list[str]] = []
    for row in [*rows, []]:
        if any(row):
            region.append(row)
        elif region:
            blocks += _region(region)
            region = []
    return blocks


def _region(rows: list[list[str]]) -> list[Block]:
    blocks: list[Block] = []
    while len(rows) > 1 and sum(map(bool, rows[0])) == 1 and max(sum(map(bool, row)) for row in rows) > 1:
        blocks.append(Block("paragraph", " ".join(filter(None, rows[0]))))
        rows = rows[1:]
    used = [column for column in range(max(map(len, rows))) if any(column < len(row) and row[column] for row in rows)]
    trimmed = [[row[column] if column < len(row) else "" for column in used] for row in rows]
    return [*blocks, Block("table", render_table(trimmed))]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(round(value, 10)) if value % 1 else str(int(value)) if abs(value) < 1e15 else repr(value)
    return str(value)
