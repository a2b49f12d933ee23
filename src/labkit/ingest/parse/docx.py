"""Word documents: paragraphs and tables in reading order, headings by style, core properties.

Headers and footers repeat on every page and are no part of the text; they are kept as metadata ``margin``, because
numbers and versions may stand only there. Not read: text boxes, comments, deleted revisions.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import docx
from docx.oxml.ns import qn
from docx.table import Table
from docx.text.paragraph import Paragraph

from labkit.ingest.parse import Block, Parsed
from labkit.ingest.parse.tables import render_table

_HEADING = re.compile(r"heading (\d)")


def parse_docx(content: bytes) -> Parsed:
    """Parse a Word document."""
    document = docx.Document(io.BytesIO(content))
    styles = _styles(document)
    blocks = [block for item in document.iter_inner_content() for block in _blocks(item, styles)]
    margin = _margin(document, styles)
    properties = document.core_properties
    metadata = {
        name: value.date().isoformat() if hasattr(value, "date") else str(value)
        for name, value in (
            ("title", properties.title), ("subject", properties.subject), ("author", properties.author),
            ("created", properties.created), ("modified", properties.modified), ("version", properties.version),
            ("category", properties.category), ("keywords", properties.keywords),
        )
        if value
    }  # fmt: skip
    metadata |= {"margin": margin} if margin else {}
    heading = next((block.text for block in blocks if block.kind == "heading"), "")
    # "Word Document" is what libraries write into a title nobody filled in.
    title = metadata.get("title", "") if metadata.get("title") != "Word Document" else ""
    return Parsed(
        blocks,
        title=title or heading,
        metadata=metadata,
        language=(properties.language or "")[:2].lower(),
        defects=["boilerplate"] if margin else [],
    )


def _styles(document: Any) -> dict[str, str]:
    """Names of paragraph styles by id, read from the XML: the library makes an object of every style it lists."""
    found: dict[str, str] = {}
    for style in document.styles.element.iterchildren(qn("w:style")):
        name = style.find(qn("w:name"))
        if style.get(qn("w:type")) in (None, "paragraph") and name is not None:
            found[style.get(qn("w:styleId"), "")] = (name.get(qn("w:val")) or "").lower()
    return found


def _blocks(item: Any, styles: dict[str, str]) -> Iterator[Block]:
    if isinstance(item, Table):
        rows = [[_cell(cell) for cell in _cells(row)] for row in item.rows]
        # A row marked to be repeated on every page is the header; without a mark the cells decide.
        marked = bool(item.rows) and bool(item.rows[0]._tr.xpath("./w:trPr/w:tblHeader")) and len(rows) > 1
        if text := render_table(rows, header=True if marked else None):
            yield Block("table", text)
    elif isinstance(item, Paragraph) and (text := item.text.strip()):
        properties = item._p.pPr
        style = (
            styles.get(properties.pStyle.val, "") if properties is not None and properties.pStyle is not None else ""
        )
        if match := _HEADING.match(style):
            yield Block("heading", " ".join(text.split()), min(6, int(match[1])))
        elif style == "title":
            yield Block("heading", " ".join(text.split()), 1)
        elif style.startswith("list") or (properties is not None and properties.numPr is not None):
            yield Block("item", f"- {text}")
        else:
            yield Block("quote" if "quote" in style else "paragraph", text)


def _cells(row: Any) -> Iterator[Any]:
    """Cells of a row; a merged cell is listed by the library once per column it spans, and given once here."""
    seen: list[Any] = []
    for cell in row.cells:
        if not any(cell._tc is known for known in seen):
            seen.append(cell._tc)
            yield cell


def _cell(cell: Any) -> str:
    parts = [part.text if isinstance(part, Paragraph) else _nested(part) for part in cell.iter_inner_content()]
    return " ".join(part for part in parts if part)


def _nested(table: Any) -> str:
    return "; ".join(", ".join(filter(None, (_cell(cell) for cell in _cells(row)))) for row in table.rows)


def _margin(document: Any, styles: dict[str, str]) -> str:
    """Texts of headers and footers, each once."""
    texts: dict[str, None] = {}
    for section in document.sections:
        margins = [section.header, section.footer]
        if section.different_first_page_header_footer:
            margins += [section.first_page_header, section.first_page_footer]
        for margin in margins:
            if not margin.is_linked_to_previous:
                texts |= {block.text: None for item in margin.iter_inner_content() for block in _blocks(item, styles)}
    return "\n".join(texts)
