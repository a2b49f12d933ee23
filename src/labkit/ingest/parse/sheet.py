"""Spreadsheets: XLSX workbooks and CSV files, as tables of self-contained rows.

A sheet is a section. Blank rows and rows with a single filled cell (titles, notes, group names) separate its tables,
and so does a second header row or a change of width. Rows below a group name keep the header above it. Formulas give
their stored value, or their text where the program that wrote the file stored none.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from labkit.errors import DocumentError
from labkit.ingest.parse import Block, Parsed
from labkit.ingest.parse.tables import has_digit, names_columns, render_table

_DEFAULT_NAME = re.compile(r"(?:sheet|tabelle|feuil|hoja|blad|foglio|arkusz)\s?\d*", re.I)
_NAME_LENGTH = 60
_CUT_NAME = 25
_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_LINES, _SAMPLE = 50, 65_536


def parse_csv(content: str) -> Parsed:
    """Parse delimited text: comma, semicolon, tab or pipe, whichever the first lines agree on."""
    lines = content.lstrip("\ufeff")
    csv.field_size_limit(2**31 - 1)
    try:
        rows = [[cell.strip() for cell in row] for row in _reader(lines, _delimiter(lines))]
    except csv.Error as error:
        raise DocumentError(f"The rows do not parse ({error})", reason="corrupt", todo="Fetch it again.") from error
    return Parsed(_tables(rows))


def _reader(lines: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter, skipinitialspace=delimiter != "\t")


def _delimiter(lines: str) -> str:
    """The delimiter that cuts most of the first rows to one width, the wider the better; a comma if none does.

    The library's own guess needs time with the square of a line's length.
    """
    head = "\n".join(lines.split("\n")[:_SAMPLE_LINES])[:_SAMPLE]

    def agreement(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in _reader(head, delimiter) if len(row) > 1)
        width, rows = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return rows, width

    return max(_DELIMITERS, key=agreement)


def parse_xlsx(content: bytes) -> Parsed:
    """Parse a workbook, sheet by sheet, hidden sheets included."""
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions it does not draw
        values = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        # Formulas are read only where there are any, because that means parsing everything twice.
        formulas = openpyxl.load_workbook(io.BytesIO(content), read_only=True) if _has_formulas(content) else values
        blocks: list[Block] = []
        for sheet, computed in zip(formulas.worksheets, values.worksheets, strict=True):
            tables = _tables(_rows(sheet, computed))
            if tables and not _is_repeated(str(sheet.title), tables[0].text):
                blocks.append(Block("heading", str(sheet.title), 1))
                tables = [Block(b.kind, b.text, b.level + 1 if b.kind == "heading" else 0) for b in tables]
            blocks += tables
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


def _has_formulas(content: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return any(
            b"<f>" in (part := archive.read(name)) or b"<f " in part
            for name in archive.namelist()
            if name.startswith("xl/worksheets/") and name.endswith(".xml")
        )


def _is_repeated(name: str, first: str) -> bool:
    """A sheet named by default, or by its own first row: programs cut names at 31 characters."""
    plain, row = ("".join(filter(str.isalnum, text.lower())) for text in (name, first))
    return bool(_DEFAULT_NAME.fullmatch(name)) or plain == row or (len(name) >= _CUT_NAME and row.startswith(plain))


def _rows(sheet: Any, computed: Any) -> Iterator[list[str]]:
    for reader in (sheet, computed):
        reader.reset_dimensions()  # the stored size may be wrong; read what is there
    stored = computed.iter_rows(values_only=True)
    if sheet is computed:
        yield from ([_cell(value) for value in row] for row in stored)
        return
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
    """Blocks of rows without a blank one between them: texts that stand alone, and the tables between those."""
    used = [column for column in range(max(map(len, rows))) if any(column < len(row) and row[column] for row in rows)]
    trimmed = [[row[column] if column < len(row) else "" for column in used] for row in rows]
    if len(used) == 1:
        return [Block("table", render_table(trimmed))]
    blocks: list[Block] = []
    header: list[str] = []
    run: list[list[str]] = []
    digits: list[bool] = []  # by column, whether every cell of the run below its first row holds a digit
    for row, below in zip(trimmed, [*trimmed[1:], []], strict=True):
        alone = sum(map(bool, row)) == 1 and bool(row[0])
        if run and (alone or _width(row) != _width(run[0]) != len(used) or _is_second_header(run, digits, row)):
            table, header = _table(run, header)
            blocks.append(table)
            run, digits = [], []
        if alone:
            names = sum(map(bool, below)) > 1 or len(below[0] if below else "") > _NAME_LENGTH
            blocks.append(_text(row[0], names=names, first=not blocks))
        else:
            if run:
                digits = [
                    all_above and has_digit(cell)
                    for all_above, cell in zip(digits or [True] * len(row), row, strict=True)
                ]
            run.append(row)
    return [*blocks, _table(run, header)[0]] if run else blocks


def _text(text: str, *, names: bool, first: bool) -> Block:
    """A heading if it is short, no sentence, and ``names`` what follows; else a paragraph."""
    if names and len(text) <= _NAME_LENGTH and not text.endswith((".", ";", ",", ":", "!", "?")):
        return Block("heading", text, 1 if first else 2)
    return Block("paragraph", text)


def _table(rows: list[list[str]], header: list[str]) -> tuple[Block, list[str]]:
    """The table, and the header that a later one of the same width goes on with."""
    width = max(map(_width, rows))
    rows = [row[:width] for row in rows]
    if names_columns(rows):
        return Block("table", render_table(rows, header=True)), rows[0]
    if len(header) == width > 2:
        return Block("table", render_table([header, *rows], header=True)), header
    return Block("table", render_table(rows, header=False)), []


def _width(row: list[str]) -> int:
    """Columns up to the last filled one."""
    return max((index for index, cell in enumerate(row, 1) if cell), default=0)


def _is_second_header(run: list[list[str]], digits: list[bool], row: list[str]) -> bool:
    """A row of words without digits under rows that all have digits where it has none.

    Tables set without a gap between them look like this; the first row of the run, a header itself, is not compared.
    """
    cells = row[: _width(row)]
    if len(run) < 2 or not any(digits[: len(cells)]) or not all(cells) or any(map(has_digit, cells)):
        return False
    return all(any(map(str.isalpha, cell)) for cell in cells) and not any(map(has_digit, run[0]))


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
