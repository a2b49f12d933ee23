"""Each format writer: the same bytes twice, and its content read back by the format's own library."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from email import message_from_bytes, policy
from html.parser import HTMLParser

import openpyxl
import pypdfium2
import pytest
from docx import Document as WordDocument

from labkit.errors import WorldError
from labkit.world.blocks import Draft, Heading, Items, Look, Message, Pairs, Paragraph, Run, Table, Turn, plain
from labkit.world.formats import WRITERS, render

DAY = date(2025, 3, 14)
SAID = (
    "Tighten the Älg hinge to 18 N·m.", "first step", "second step", "IDX-77", "90 minutes", "room 4",
    "Quoted: do not restart.",
)  # fmt: skip


def mail(sender: str, to: str, at: str, text: str) -> Message:
    def address(name: str) -> Run:
        return Run(f"{name.lower()}@x.example", "email", "keep")

    return Message(Run(sender), address(sender), Run(to), address(to), DAY, at, (Paragraph((plain(text),)),))


def draft(format_name: str) -> Draft:
    blocks = (
        Heading("Work"),
        Paragraph((plain(SAID[0]), plain(SAID[6]))),
        Items((plain(SAID[1]), plain(SAID[2])), ordered=True),
        Table(("Code", "Time"), ((plain(SAID[3]), plain(SAID[4])),)),
        Pairs((("Place", plain(SAID[5])),)),
    )
    return Draft("d1", "memo", "train", f"a/b.{format_name}", format_name, "Hinge — Älg", "Ada Berg", DAY, blocks,
                 meta={"author": "Ada Berg"}, seed=4)  # fmt: skip


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def html_text(raw: bytes) -> str:
    parser = Text()
    parser.feed(raw.decode())
    return parser.text


def docx_text(raw: bytes) -> str:
    word = WordDocument(io.BytesIO(raw))
    cells = [cell.text for table in word.tables for row in table.rows for cell in row.cells]
    return " ".join([*(p.text for p in word.paragraphs), *cells])


def xlsx_text(raw: bytes) -> str:
    sheet = openpyxl.load_workbook(io.BytesIO(raw)).active
    return " ".join(str(cell) for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None)


def pdf_pages(raw: bytes) -> list[str]:
    return [page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(raw)]


def pdf_text(raw: bytes) -> str:
    return " ".join(" ".join(pdf_pages(raw)).split())


READERS: dict[str, Callable[[bytes], str]] = {
    "markdown": bytes.decode,
    "html": html_text,
    "pdf": pdf_text,
    "pdf2": pdf_text,
    "docx": docx_text,
    "xlsx": xlsx_text,
    "csv": lambda raw: " ".join(cell for row in csv.reader(io.StringIO(raw.decode())) for cell in row),
    "eml": lambda raw: message_from_bytes(raw, policy=policy.default).get_content(),
    "json": lambda raw: " ".join(_strings(json.loads(raw))),
    "text": lambda raw: " ".join(raw.decode().split()),
}


def _strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [s for item in value.values() for s in _strings(item)]
    return [s for item in value for s in _strings(item)] if isinstance(value, list) else [str(value)]


def test_every_writer_is_read_back_here():
    assert READERS.keys() == WRITERS.keys()


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_bytes_are_the_same_twice(name: str):
    assert render(draft(name), Look()) == render(draft(name), Look())


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_the_formats_own_library_reads_everything_back(name: str):
    text = READERS[name](render(draft(name), Look()))
    assert not [said for said in SAID if said not in text], text


@pytest.mark.parametrize("name", sorted(set(WRITERS) - {"text", "xlsx", "csv", "json"}))
def test_a_look_is_visible(name: str):
    look = Look(navigation="Home | Canteen", cookie="We like cookies.", footer="Kelp Street", running_head="Draft copy",
                disclaimer="For the addressee only.", signature="Ada, gate 2")  # fmt: skip
    wanted = {
        "html": ("Canteen", "We like cookies.", "Kelp Street"), "pdf": ("Draft copy", "Kelp Street"),
        "pdf2": ("Draft copy", "Kelp Street"), "docx": (), "eml": ("For the addressee only.", "Ada, gate 2"),
    }.get(name, ())  # fmt: skip
    raw = render(draft(name), look)
    text = READERS[name](raw)
    assert not [word for word in wanted if word not in text]
    if name == "docx":
        assert WordDocument(io.BytesIO(raw)).sections[0].footer.paragraphs[0].text == "Kelp Street"


def test_archives_carry_the_day_of_the_document():
    assert WordDocument(io.BytesIO(render(draft("docx"), Look()))).core_properties.created.date() == DAY
    assert openpyxl.load_workbook(io.BytesIO(render(draft("xlsx"), Look()))).properties.created.date() == DAY
    assert "20250314" in pypdfium2.PdfDocument(render(draft("pdf"), Look())).get_metadata_value("CreationDate")


def test_a_thread_quotes_what_came_before():
    thread = replace(draft("eml"), blocks=(mail("Ada", "Bo", "10:10", "Second."), mail("Bo", "Ada", "09:05", "First.")))
    message = message_from_bytes(render(thread, Look()), policy=policy.default)
    assert message["From"] == "Ada <ada@x.example>"
    assert message["To"] == "Bo <bo@x.example>"
    assert message["Subject"].startswith("Re: ")
    lines = message.get_content().splitlines()
    assert lines[0] == "Second."
    assert "> First." in lines
    assert any("09:05" in line and "Bo" in line for line in lines)


def test_a_chat_is_exported_as_messages():
    turns = (Turn(Run("Ada"), "09:01", plain("anyone?")), Turn(Run("Bo"), "09:02", plain("yes")))
    record = json.loads(render(replace(draft("json"), blocks=turns), Look()))
    assert record["messages"][1] == {"user": "Bo", "time": "09:02", "text": "yes"}


def test_long_tables_repeat_their_head_unless_they_are_torn():
    rows = tuple((plain(f"part {n}"), plain(f"{n} minutes")) for n in range(120))
    long = replace(draft("pdf"), blocks=(Table(("Piece", "Time"), rows),))
    whole, torn = (pdf_pages(render(long, Look(split_tables=cut))) for cut in (False, True))
    assert len(whole) > 1
    assert all("Piece" in page for page in whole)
    assert sum("Piece" in page for page in torn) == 1


def test_hyphenation_cuts_words_and_loses_none():
    prose = "No interchangeable manipulator goes out before recommissioning documentation is signed, ever. " * 12
    page = replace(draft("pdf2"), blocks=(Paragraph((plain(prose.strip()),)),))
    cut, whole = (pdf_pages(render(page, Look(hyphenate=hyphenate)))[0] for hyphenate in (True, False))
    marks = re.compile("[\ufffe\u0002-]\\s*")  # what pdfium makes of a hyphen at a line's end
    assert len(marks.findall(cut)) > len(marks.findall(whole))
    assert "".join(marks.sub("", cut).split()) == "".join(marks.sub("", whole).split())


def test_an_image_has_no_text():
    raw = render(draft("pdf"), Look(image_only=True))
    assert pdf_text(raw) == ""
    assert [obj.type for obj in pypdfium2.PdfDocument(raw)[0].get_objects()] == [pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]


def test_an_unknown_format_is_refused():
    with pytest.raises(WorldError, match="wordstar"):
        render(draft("wordstar"), Look())
