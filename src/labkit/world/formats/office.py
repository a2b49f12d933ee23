"""Word, Excel and CSV writers. Archives carry the document's date, never the clock's."""

from __future__ import annotations

import csv as csv_module
import io
import re
import zipfile
from datetime import UTC, date, datetime, time

from docx import Document as WordDocument
from openpyxl import Workbook

from labkit.world.blocks import Block, Draft, Heading, Items, Look, Message, Pairs, Paragraph, Table, Turn

_CLOCK = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(</dcterms)")


def docx(draft: Draft, look: Look) -> bytes:
    """A Word document with real heading styles, lists and tables."""
    word = WordDocument()
    word.core_properties.author, word.core_properties.title = draft.author, draft.title
    word.add_heading(draft.title, 0)
    for block in draft.body:
        _word_block(word, block)
    if look.footer:
        word.sections[0].footer.paragraphs[0].text = look.footer
    return _dated(_saved(word), draft.date)


def _word_block(word: WordDocument, block: Block) -> None:
    match block:
        case Heading(text, level):
            word.add_heading(text, level - 1)
        case Paragraph(found):
            word.add_paragraph(" ".join(sentence.text for sentence in found))
        case Items(items, ordered):
            for item in items:
                word.add_paragraph(item.text, style="List Number" if ordered else "List Bullet")
        case Table(header, rows):
            table = word.add_table(rows=1, cols=len(header))
            table.style = "Table Grid"
            for cell, text in zip(table.rows[0].cells, header, strict=True):
                cell.text = text
            for row in rows:
                for cell, sentence in zip(table.add_row().cells, row, strict=True):
                    cell.text = sentence.text
        case Pairs(pairs):
            for label, sentence in pairs:
                paragraph = word.add_paragraph()
                paragraph.add_run(f"{label}: ").bold = True
                paragraph.add_run(sentence.text)
        case Turn(speaker, at, sentence):
            word.add_paragraph(f"{at} {speaker.text}: {sentence.text}")
        case Message(blocks=inner):
            for part in inner:
                _word_block(word, part)


def xlsx(draft: Draft, look: Look) -> bytes:
    """A workbook: title and notes above and below the tables, as people do."""
    book = Workbook()
    book.properties.creator, book.properties.title = draft.author, draft.title
    sheet = book.active
    sheet.title = re.sub(r"[\[\]:*?/\\]", " ", draft.title)[:31].strip() or "Sheet"
    for row in _rows(draft):
        sheet.append(row)
    return _dated(_saved(book), draft.date)


def csv(draft: Draft, look: Look) -> bytes:
    """Comma-separated rows of the same sheet."""
    text = io.StringIO()
    csv_module.writer(text, lineterminator="\r\n").writerows(_rows(draft))
    return text.getvalue().encode()


def _rows(draft: Draft) -> list[list[str]]:
    rows = [[draft.title]]
    for block in draft.body:
        match block:
            case Table(header, body):
                rows += [list(header), *([cell.text for cell in row] for row in body)]
            case Pairs(pairs):
                rows += [[label, sentence.text] for label, sentence in pairs]
            case Heading(text):
                rows.append([text])
            case Paragraph(found):
                rows.append([" ".join(sentence.text for sentence in found)])
            case Items(items):
                rows += [[item.text] for item in items]
            case Turn(speaker, at, sentence):
                rows.append([at, speaker.text, sentence.text])
            case Message():
                pass
    return rows


def _saved(file: WordDocument | Workbook) -> bytes:
    buffer = io.BytesIO()
    file.save(buffer)
    return buffer.getvalue()


def _dated(raw: bytes, day: date) -> bytes:
    """The same archive with the document's day in place of every clock time."""
    stamp = datetime.combine(day, time(9), UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = _CLOCK.sub(rb"\g<1>" + stamp + rb"\g<2>", data)
            info = zipfile.ZipInfo(name, (day.year, day.month, day.day, 9, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, data)
    return out.getvalue()
