"""PDF writers: one or two columns, running heads, hyphenation, tables torn over pages, and pages that are only images.

The lines are broken here rather than by a layout engine, because where a word is cut and where a table is torn is what
the truth records and a parser must undo.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from labkit.world.blocks import Block, Draft, Heading, Items, Look, Message, Pairs, Paragraph, Table, Turn
from labkit.world.formats.mail import block_lines

_WIDTH, _HEIGHT = A4
_MARGIN, _GUTTER = 56.0, 22.0
_BODY, _LEADING = 9.5, 13.0
_MIN_HYPHENATED = 9
_VOWELS = frozenset("aeiouyäöüéèáóí")


def pdf(draft: Draft, look: Look) -> bytes:
    """One column."""
    return _scan(draft) if look.image_only else _Page(draft, look, columns=1).bytes()


def pdf2(draft: Draft, look: Look) -> bytes:
    """Two columns, as manuals are set."""
    return _scan(draft) if look.image_only else _Page(draft, look, columns=2).bytes()


@lru_cache(maxsize=1)
def _fonts() -> tuple[str, str]:
    """Names of a regular and a bold font that know more than Latin-1; they ship with matplotlib."""
    folder = _font_folder()
    for name, file in (("LabSans", "DejaVuSans.ttf"), ("LabSans-Bold", "DejaVuSans-Bold.ttf")):
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))
    return "LabSans", "LabSans-Bold"


def _font_folder() -> Path:
    return Path(get_data_path()) / "fonts" / "ttf"


def _canvas(buffer: io.BytesIO, draft: Draft) -> Canvas:
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    # ``invariant`` fixes the creation date to the year 2000; a document of ours was created on its own day.
    canvas._doc._timeStamp.YMDhms = (draft.date.year, draft.date.month, draft.date.day, 9, 0, 0)
    canvas.setTitle(draft.title)
    canvas.setAuthor(draft.author)
    return canvas


class _Page:
    """Sets lines from top to bottom, column by column, page by page."""

    def __init__(self, draft: Draft, look: Look, *, columns: int) -> None:
        self.draft, self.look, self.columns = draft, look, columns
        self.regular, self.bold = _fonts()
        self.buffer = io.BytesIO()
        self.canvas = _canvas(self.buffer, draft)
        self.column_width = (_WIDTH - 2 * _MARGIN - (columns - 1) * _GUTTER) / columns
        self.page = self.column = 0
        self.y = 0.0

    def bytes(self) -> bytes:
        self.turn()
        self.lines(self.draft.title, self.bold, 14.0)
        self.y -= 6
        for block in self.draft.body:
            self.block(block)
            self.y -= 5
        self.canvas.save()
        return self.buffer.getvalue()

    def turn(self) -> None:
        if self.page:
            self.canvas.showPage()
        self.page, self.column = self.page + 1, 0
        self.y = _HEIGHT - _MARGIN
        self.canvas.setFont(self.regular, 7.5)
        if self.look.running_head:
            self.canvas.drawString(_MARGIN, _HEIGHT - 34, self.look.running_head)
        self.canvas.drawRightString(_WIDTH - _MARGIN, 30, str(self.page))
        if self.look.footer:
            self.canvas.drawString(_MARGIN, 30, self.look.footer)

    def room(self, height: float) -> bool:
        """Make room for ``height``; True when a new column or page was begun."""
        if self.y - height >= _MARGIN:
            return False
        if self.column + 1 < self.columns:
            self.column += 1
            self.y = _HEIGHT - _MARGIN
        else:
            self.turn()
        return True

    @property
    def x(self) -> float:
        return float(_MARGIN + self.column * (self.column_width + _GUTTER))

    def lines(self, text: str, font: str, size: float, indent: float = 0.0) -> None:
        leading = size * _LEADING / _BODY
        for line in _broken(text, font, size, self.column_width - indent, hyphenate=self.look.hyphenate):
            self.room(leading)
            self.canvas.setFont(font, size)
            self.canvas.drawString(self.x + indent, self.y - size, line)
            self.y -= leading

    def block(self, block: Block) -> None:
        match block:
            case Heading(text):
                self.y -= 4
                self.room(3 * _LEADING)
                self.lines(text, self.bold, 11.0)
            case Paragraph(found):
                self.lines(" ".join(sentence.text for sentence in found), self.regular, _BODY)
            case Items(items, ordered):
                for number, item in enumerate(items, 1):
                    mark = f"{number}." if ordered else "•"
                    self.lines(f"{mark} {item.text}", self.regular, _BODY, indent=8)
            case Table(header, rows):
                self.table(header, [tuple(cell.text for cell in row) for row in rows])
            case Pairs(pairs):
                for label, sentence in pairs:
                    self.lines(f"{label}: {sentence.text}", self.regular, _BODY)
            case Turn(speaker, time, sentence):
                self.lines(f"{time} {speaker.text}: {sentence.text}", self.regular, _BODY)
            case Message(sender=sender, sent=sent, blocks=inner):
                self.lines(f"{sender.text}, {sent.isoformat()}", self.bold, _BODY)
                for part in inner:
                    self.block(part)

    def table(self, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        self.room(4 * _LEADING)
        self.row(header, self.bold)
        for row in rows:
            height = self.height(row)
            if self.room(height) and not self.look.split_tables:
                self.row(header, self.bold)
            self.row(row, self.regular)

    def height(self, row: tuple[str, ...]) -> float:
        width: float = self.column_width / len(row) - 4
        lines: int = max(len(list(_broken(cell, self.regular, 8.0, width))) for cell in row)
        return float(lines * 11.0 + 3)

    def row(self, row: tuple[str, ...], font: str) -> None:
        width = self.column_width / len(row)
        top = self.y
        for position, cell in enumerate(row):
            for number, line in enumerate(_broken(cell, font, 8.0, width - 4)):
                self.canvas.setFont(font, 8.0)
                self.canvas.drawString(self.x + position * width, top - 8 - number * 11.0, line)
        self.y = top - self.height(row)
        self.canvas.setLineWidth(0.3)
        self.canvas.line(self.x, self.y + 1, self.x + self.column_width, self.y + 1)


def _broken(text: str, font: str, size: float, width: float, *, hyphenate: bool = False) -> Iterator[str]:
    """Lines no wider than ``width`` points; a single word that is wider is cut."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if pdfmetrics.stringWidth(longer, font, size) <= width:
            line = longer
            continue
        if hyphenate and line:
            room = width - pdfmetrics.stringWidth(f"{line} -", font, size)
            cut = _hyphen(word, font, size, room)
            if cut:
                line, word = f"{line} {word[:cut]}-", word[cut:]
        if line:
            yield line
        while pdfmetrics.stringWidth(word, font, size) > width and len(word) > 1:
            fits = len(word)
            while fits > 1 and pdfmetrics.stringWidth(word[:fits], font, size) > width:
                fits -= 1
            yield word[:fits]
            word = word[fits:]
        line = word
    if line:
        yield line


def _hyphen(word: str, font: str, size: float, room: float) -> int:
    """Where to cut a plain word so that its head fits, 0 for nowhere: after a vowel, three letters or more a side."""
    if len(word) < _MIN_HYPHENATED or not word.isalpha():
        return 0
    for cut in range(len(word) - 3, 2, -1):
        vowel_then_consonant = word[cut - 1].lower() in _VOWELS and word[cut].lower() not in _VOWELS
        if vowel_then_consonant and pdfmetrics.stringWidth(word[:cut], font, size) <= room:
            return cut
    return 0


def _scan(draft: Draft) -> bytes:
    """Pages that were printed, stamped and scanned: pictures without a text layer."""
    rng = random.Random(draft.seed)
    regular, _ = _fonts()
    font = ImageFont.truetype(str(_font_folder() / "DejaVuSans.ttf"), 17)
    lines = [draft.title, ""]
    for block in draft.body:
        lines += [line for text in block_lines(block) for line in _broken(text, regular, 9.0, 430)] + [""]
    buffer = io.BytesIO()
    canvas = _canvas(buffer, draft)
    for start in range(0, len(lines), 60):
        image = Image.new("L", (992, 1403), 246)
        pen = ImageDraw.Draw(image)
        for number, line in enumerate(lines[start : start + 60]):
            pen.text((92, 80 + number * 21), line, fill=40, font=font)
        page = io.BytesIO()
        image.rotate(rng.uniform(-0.7, 0.7), fillcolor=246).save(page, "PNG")
        page.seek(0)
        canvas.drawImage(ImageReader(page), 0, 0, _WIDTH, _HEIGHT)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()
