"""Parsers of binary formats, on files made here by the formats' own libraries."""

import io
from datetime import date, datetime
from email.message import EmailMessage

import docx
import openpyxl
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate

from labkit.errors import DocumentError
from labkit.ingest.parse import Parsed, parse


def shape(parsed: Parsed) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parsed.blocks]


def make_docx() -> bytes:
    document = docx.Document()
    document.core_properties.title = "Change notice"
    document.core_properties.created = datetime(2025, 3, 14)
    document.add_heading("Change notice", 0)
    document.add_heading("Scope", 1)
    document.add_paragraph("Before the table.")
    table = document.add_table(rows=3, cols=3)
    for row, values in zip(table.rows, (["Part", "Old", "New"], ["A-1", "18", "20"], ["B-2", "5", "6"]), strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    table.rows[2].cells[1].merge(table.rows[2].cells[2])
    document.add_paragraph("First step", style="List Bullet")
    document.add_heading("Details", 2)
    document.add_paragraph("After the table.")
    document.sections[0].footer.paragraphs[0].text = "Internal use"
    return saved(document)


def saved(document: object) -> bytes:
    stream = io.BytesIO()
    document.save(stream)  # type: ignore[attr-defined]
    return stream.getvalue()


def make_pdf(**options: object) -> bytes:
    styles = getSampleStyleSheet()
    story: list[Flowable] = [
        Paragraph("Torque manual", styles["Title"]),
        Paragraph("Scope", styles["Heading2"]),
        Paragraph("The first paragraph speaks of the gripper and its bolts. " * 6, styles["BodyText"]),
        Paragraph("The second paragraph speaks of the base plate alone. " * 6, styles["BodyText"]),
        PageBreak(),
        Paragraph("Limits", styles["Heading2"]),
        Paragraph("Never exceed 18 N·m.", styles["BodyText"]),
    ]
    stream = io.BytesIO()
    SimpleDocTemplate(stream, title="Torque manual", **options).build(story)
    return stream.getvalue()


def test_docx_in_order() -> None:
    parsed = parse("docx", make_docx())
    assert (parsed.title, parsed.metadata["created"]) == ("Change notice", "2025-03-14")
    assert shape(parsed) == [
        ("heading", "Change notice"),
        ("heading", "Scope"),
        ("paragraph", "Before the table."),
        ("table", "Part: A-1 | Old: 18 | New: 20\nPart: B-2 | Old: 5 6"),
        ("item", "- First step"),
        ("heading", "Details"),
        ("paragraph", "After the table."),
    ]
    assert (parsed.metadata["margin"], parsed.defects) == ("Internal use", ["boilerplate"])
    assert [block.level for block in parsed.blocks if block.kind == "heading"] == [1, 1, 2]


def test_pdf_headings_paragraphs_pages() -> None:
    parsed = parse("pdf", make_pdf())
    assert parsed.title == "Torque manual"
    assert [(block.kind, block.text[:20], block.page) for block in parsed.blocks] == [
        ("heading", "Torque manual", 1),
        ("heading", "Scope", 1),
        ("paragraph", "The first paragraph ", 1),
        ("paragraph", "The second paragraph", 1),
        ("heading", "Limits", 2),
        ("paragraph", "Never exceed 18 N·m.", 2),
    ]
    assert "\n" not in parsed.blocks[2].text
    assert [block.level for block in parsed.blocks if block.kind == "heading"] == [1, 2, 2]


def test_pdf_dates() -> None:
    metadata = parse("pdf", make_pdf()).metadata
    assert metadata["creationdate"] == date.fromisoformat(metadata["creationdate"]).isoformat()


def test_pdf_that_cannot_be_read() -> None:
    with pytest.raises(DocumentError) as encrypted:
        parse("pdf", make_pdf(encrypt=StandardEncryption("secret", canPrint=0)))
    with pytest.raises(DocumentError) as corrupt:
        parse("pdf", b"%PDF-1.4\nnothing that follows is one")
    stream = io.BytesIO()
    canvas = Canvas(stream)
    canvas.rect(10, 10, 100, 100, fill=1)
    canvas.save()
    with pytest.raises(DocumentError) as images:
        parse("pdf", stream.getvalue())
    assert [caught.value.reason for caught in (encrypted, corrupt, images)] == ["encrypted", "corrupt", "no_text"]  # type: ignore[attr-defined]


def test_xlsx_sheets_types_and_formulas() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Stock"
    for row in [
        ["Stock in Halle"],
        ["Part", "Counted", "Qty", "Double"],
        ["A-1", date(2025, 3, 14), 4.0, "=C3*2"],
        ["B-2", datetime(2025, 3, 15, 8, 30), 0.25, None],
    ]:
        sheet.append(row)
    hidden = book.create_sheet("Notes")
    hidden.sheet_state = "hidden"
    hidden["C7"] = "far away"
    assert shape(parse("xlsx", saved(book))) == [
        ("heading", "Stock"),
        ("heading", "Stock in Halle"),
        (
            "table",
            "Part: A-1 | Counted: 2025-03-14 | Qty: 4 | Double: =C3*2\n"
            "Part: B-2 | Counted: 2025-03-15 08:30 | Qty: 0.25",
        ),
        ("heading", "Notes"),
        ("table", "far away"),
    ]


def make_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = "Tomasz Zieliński <tz@example.com>", "ida@example.com"
    mail["Subject"], mail["Date"] = "Re: Naht 7 – Prüfung", "Fri, 14 Mar 2025 09:12:00 +0100"
    return mail


def test_mail_marks_replies_and_lists_attachments() -> None:
    mail = make_mail()
    mail.set_content(
        "It holds.\n\nOn Thu, 13 Mar 2025, Ida wrote:\n> Does it hold?\n> Really?\n\nRegards\n> Bo\n\n"
        "-----Original Message-----\nFrom: Bo\nolder text\n\neven older"
    )
    mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="weld.pdf")
    parsed = parse("eml", mail.as_bytes())
    assert (parsed.title, parsed.metadata["date"]) == ("Re: Naht 7 – Prüfung", "2025-03-14")
    assert shape(parsed) == [
        ("heading", "Re: Naht 7 – Prüfung"),
        (
            "fields",
            "From: Tomasz Zieliński <tz@example.com>\nTo: ida@example.com\nDate: 2025-03-14 09:12+01:00",
        ),
        ("paragraph", "It holds."),
        ("reply", "On Thu, 13 Mar 2025, Ida wrote:\n> Does it hold?\n> Really?"),
        ("paragraph", "Regards"),
        ("reply", "> Bo"),
        ("reply", "-----Original Message-----\nFrom: Bo\nolder text"),
        ("reply", "even older"),
        ("fields", "Attachment: weld.pdf (application/pdf, 8 bytes)"),
    ]


def test_mail_charsets_and_html_only() -> None:
    mail = make_mail()
    mail.set_content("Grüße aus Łódź", charset="iso-8859-2", cte="quoted-printable")
    assert ("paragraph", "Grüße aus Łódź") in shape(parse("eml", mail.as_bytes()))
    mail = make_mail()
    mail.set_content("<p>Bitte <b>prüfen</b>.</p><p>Danke.</p>", subtype="html")
    assert shape(parse("eml", mail.as_bytes()))[2:] == [("paragraph", "Bitte prüfen."), ("paragraph", "Danke.")]


def test_mail_that_cannot_be_read() -> None:
    encrypted = b"From: a@b\nContent-Type: application/pkcs7-mime\n\nMIAG"
    for data, reason in ((encrypted, "encrypted"), (b"\n\nno headers", "corrupt")):
        with pytest.raises(DocumentError) as caught:
            parse("eml", data)
        assert caught.value.reason == reason
