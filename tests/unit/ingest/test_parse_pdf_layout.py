"""Layout of PDF pages: columns, margins, cut words, tables, and pages that are only images."""

import io
import sys
from pathlib import Path

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from labkit.errors import DocumentError
from labkit.ingest.parse import Parsed, parse
from labkit.ingest.parse.hyphens import Vocabulary

WIDTH, HEIGHT = A4
SENTENCES = [
    f"Sentence {word} speaks at some length of pumps." for word in ("alpha", "beta", "gamma", "delta", "eta", "zeta")
]
HEADER, BODY = ["Part", "Torque", "Fits"], [[f"B-{n}", f"{n + 10} N·m", f"Model {n}"] for n in range(1, 7)]


class Sheet:
    """Draws text where it is told; points from the upper left corner."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()
        self.canvas = Canvas(self.stream, pagesize=A4)

    def text(self, x: float, y: float, text: str, size: float = 10, font: str = "Helvetica") -> None:
        self.canvas.setFont(font, size)
        self.canvas.drawString(x, HEIGHT - y, text)

    def row(self, y: float, cells: list[str], *, step: float = 150, bold: bool = False) -> None:
        for column, cell in enumerate(cells):
            self.text(60 + column * step, y, cell, font="Helvetica-Bold" if bold else "Helvetica")

    def page(self) -> None:
        self.canvas.showPage()

    def parsed(self) -> Parsed:
        self.canvas.save()
        return parse("pdf", self.stream.getvalue())


def texts(parsed: Parsed, kind: str = "") -> list[str]:
    return [block.text for block in parsed.blocks if kind in ("", block.kind)]


@pytest.mark.parametrize("across", [False, True], ids=["column by column", "line by line"])
@pytest.mark.parametrize("count", [2, 3])
def test_columns_are_read_one_after_the_other(count: int, across: bool) -> None:
    sheet = Sheet()
    sheet.text(60, 70, "A title that runs over the whole width of the page and its columns", 14)
    names = [[f"{name}{number}" for number in range(12)] for name in "abc"[:count]]
    width = 480 / count
    places = [(n, row) for n in range(count) for row in range(12)]
    for n, row in sorted(places, key=lambda place: place[::-1]) if across else places:
        sheet.text(60 + n * width, 120 + 13 * row, f"{names[n][row]} then some words here", 8)
    text = " ".join(texts(sheet.parsed()))
    order = [text.index(name) for name in [word for part in names for word in part]]
    assert order == sorted(order)
    assert text.index("A title") < order[0]


def test_a_table_is_not_taken_for_columns() -> None:
    sheet = Sheet()
    for number, row in enumerate([HEADER, *BODY]):
        sheet.row(100 + 15 * number, row, bold=number == 0)
    assert texts(sheet.parsed()) == ["\n".join(f"Part: {a} | Torque: {b} | Fits: {c}" for a, b, c in BODY)]


def test_wrapped_cells_are_one_row() -> None:
    sheet = Sheet()
    sheet.row(100, HEADER, bold=True)
    sheet.row(118, ["B-1", "18 N·m", "the small pump and"])
    sheet.row(129, ["", "", "all its versions"])
    sheet.row(147, ["B-2", "20 N·m", "the large one"])
    sheet.row(165, ["B-3", "22 N·m", "none"])
    assert texts(sheet.parsed())[0].split("\n") == [
        "Part: B-1 | Torque: 18 N·m | Fits: the small pump and all its versions",
        "Part: B-2 | Torque: 20 N·m | Fits: the large one",
        "Part: B-3 | Torque: 22 N·m | Fits: none",
    ]


@pytest.mark.parametrize("repeated", [True, False], ids=["header repeated", "header once"])
def test_a_table_torn_by_a_page_is_whole_again(repeated: bool) -> None:
    sheet = Sheet()
    sheet.text(60, 80, "The values below hold for all of the machines in this building.")
    sheet.row(700, HEADER, bold=True)
    for number, row in enumerate(BODY[:3]):
        sheet.row(715 + 15 * number, row)
    sheet.page()
    if repeated:
        sheet.row(85, HEADER, bold=True)
    for number, row in enumerate(BODY[3:]):
        sheet.row(100 + 15 * number, row)
    assert texts(sheet.parsed(), "table") == ["\n".join(f"Part: {a} | Torque: {b} | Fits: {c}" for a, b, c in BODY)]


def test_running_heads_and_page_numbers_leave_the_text() -> None:
    sheet = Sheet()
    for number in range(1, 4):
        sheet.text(60, 40, f"Pump manual, chapter {number}")
        sheet.text(290, 815, f"Page {number} of 3")
        sheet.text(60, 815, "Doc. MA-1, revision B", 7)
        for line, sentence in enumerate(SENTENCES[2 * number - 2 : 2 * number]):
            sheet.text(60, 100 + 40 * line, sentence)
        sheet.page()
    parsed = sheet.parsed()
    assert " ".join(texts(parsed)) == " ".join(SENTENCES)
    assert "Doc. MA-1, revision B" in parsed.metadata["margin"]
    assert parsed.defects == ["boilerplate"]


def test_on_a_single_page_small_print_at_the_edge_goes_and_a_first_line_stays() -> None:
    sheet = Sheet()
    sheet.text(60, 60, "The first line stands near the upper edge of its page.")
    for line, sentence in enumerate(SENTENCES):
        sheet.text(60, 73 + 13 * line, sentence)
    sheet.text(60, 820, "Uncontrolled when printed", 7)
    parsed = sheet.parsed()
    assert "first line" in " ".join(texts(parsed))
    assert "Uncontrolled" not in " ".join(texts(parsed))


def test_words_cut_at_line_ends() -> None:
    words = Vocabulary(["the x well-known pump and x", "a technician speaks of cross checks and the gauge"])
    assert words.join("a well-", "known pump") == "a well-known pump"
    assert words.join("one techni-", "cian can") == "one technician can"
    assert words.join("the main-", "tenance of") == "the maintenance of"
    assert words.join("type TB-", "7328 fits") == "type TB-7328 fits"
    assert words.join("Wi-", "Fi is") == "Wi-Fi is"
    assert words.join("an end", "of a line") == "an end of a line"
    assert words.join("a dash -", "not a word") == "a dash - not a word"


def test_cut_words_in_a_page() -> None:
    sheet = Sheet()
    sheet.text(60, 100, "The assembly slides out until it rests, and one trained techni-")
    sheet.text(60, 112, "cian can lift it from the rails without any further help at all.")
    assert texts(sheet.parsed()) == [
        "The assembly slides out until it rests, and one trained technician can lift it from the rails without any "
        "further help at all."
    ]


def test_a_sentence_goes_on_over_the_page() -> None:
    sheet = Sheet()
    sheet.text(60, 760, "The last line of this page does not end its sentence but goes on")
    sheet.page()
    sheet.text(60, 100, "here, where it ends. And there is one more sentence to follow it.")
    assert len(texts(sheet.parsed())) == 1


def scan() -> bytes:
    sheet = Sheet()
    sheet.canvas.rect(100, 100, 300, 300, fill=1)
    sheet.canvas.save()
    return sheet.stream.getvalue()


def test_a_scan_without_the_program_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DocumentError, match="tesseract") as caught:
        parse("pdf", scan())
    assert (caught.value.reason, "apt-get install tesseract-ocr" in str(caught.value)) == ("no_text", True)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A ``tesseract`` of our own, first on the path."""
    program = folder / "tesseract"
    program.write_text(f"#!{sys.executable}\nimport sys\nif '--list-langs' in sys.argv: sys.exit()\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_scan_is_read_by_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = "assert sys.stdin.buffer.read().startswith(b'\\x89PNG')\nprint('Torque card\\n\\nB-1 takes 18 Nm.')"
    stand_in(tmp_path, monkeypatch, check)
    parsed = parse("pdf", scan())
    assert (texts(parsed), parsed.defects) == (["Torque card", "B-1 takes 18 Nm."], ["ocr"])
    assert {block.page for block in parsed.blocks} == {1}


@pytest.mark.parametrize("code", ["sys.exit(1)", "print('   ')"], ids=["fails", "finds nothing"])
def test_a_scan_nobody_can_read(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, code)
    with pytest.raises(DocumentError) as caught:
        parse("pdf", scan())
    assert caught.value.reason == "no_text"
