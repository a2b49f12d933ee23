"""Hostile files: whatever the bytes, reading a file ends in a reading or a refusal, in bounded time and memory.

Valid files are damaged the way disks, mail gateways and attackers do it, then read by the worker pool under its limits;
a hang, a crash or exhausted memory shows up as a failure of the pool. ``MUTATIONS`` is the number of damaged files per
format in the quick run; the slow run takes ``THOROUGH``.
"""

import io
import json
import random
import zipfile
import zlib
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path

import docx
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

from labkit.errors import DocumentError
from labkit.ingest.clean import clean
from labkit.ingest.parse import Parsed, parse, parser_modules
from labkit.ingest.pool import Failure, run_tasks
from labkit.ingest.read import Source, read_file
from labkit.ingest.reading import Reading, Refusal
from labkit.ingest.sniff import sniff

MUTATIONS, THOROUGH = 60, 2000
SECONDS, MEGABYTES = 10.0, 512

ROWS = [["Part", "Torque", "Note"], ["A-1", "18 N·m", "dry"], ["B-2", "20 N·m", "wet, cold"]]


def html() -> bytes:
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in ROWS)
    return (
        "<!DOCTYPE html><html lang='de'><head><title>Prüfung</title><meta property='og:type' content='article'>"
        "</head><body><nav><ul><li><a href='/'>Home</a></li></ul></nav><main><h1>Prüfung</h1><p>Ein Absatz mit "
        f"<b>fettem</b> Text &amp; Zeichen &#8211; genug.</p><ul><li>eins<li>zwei</ul><table>{rows}</table>"
        "<dl><dt>Ort<dd>Oslo</dl><pre>x\n y</pre></main><footer>© 2025</footer></body></html>"
    ).encode()


def markdown() -> bytes:
    table = "\n".join("| " + " | ".join(row) + " |" for row in [ROWS[0], ["---"] * 3, *ROWS[1:]])
    head = "---\ntitle: X\ndate: 2025-03-14\n---\n# Head\n\nText *so* [link](a.md) `x`.\n\n- a\n  - b\n\n> q\n\n"
    return f"{head}{table}\n\n```\ncode\n```\n".encode()


def rst() -> bytes:
    return (
        b"PEP: 8\nTitle: Style\nStatus: Active\n\nHead\n====\n\nText with :pep:`8` and ``lit``::\n\n    code\n\n"
        b"=====  =====\nA      B\n=====  =====\n1      2\n=====  =====\n\n.. note:: careful\n\n* one\n* two\n"
    )


def text() -> bytes:
    return "TITLE\n=====\n\nRevision: B\n\n1. Scope\n\nPlain text – with dashes.\n\n- item\n- item\n".encode()


def csv() -> bytes:
    return "\n".join(";".join(f'"{cell}"' for cell in row) for row in ROWS).encode()


def jsonl() -> bytes:
    chat = [{"user": "ida", "ts": "2025-03-14T22:01", "text": "E-417 again", "tags": [1, None, {"a": 1.5}]}]
    return json.dumps({"title": "x", "messages": chat, "meta": {"n": [[1, 2], []]}}).encode()


def eml() -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Bo Öst <bo@example.com>", "ida@example.com", "Re: Naht – Prüfung"
    mail["Date"] = "Fri, 14 Mar 2025 09:12:00 +0100"
    mail.set_content("It holds.\n\n-- \nBo\n\nOn Thu, 13 Mar 2025, Ida wrote:\n> Does it?\n")
    mail.add_alternative("<p>It <b>holds</b>.</p>", subtype="html")
    mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="weld.pdf")
    return mail.as_bytes()


def word() -> bytes:
    document = docx.Document()
    document.add_heading("Notice", 0)
    document.add_paragraph("Before the table.")
    table = document.add_table(rows=3, cols=3)
    for row, values in zip(table.rows, ROWS, strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    document.sections[0].footer.paragraphs[0].text = "Page"
    return saved(document)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in [["Stock"], *ROWS, ["Sum", "=B2*2", 1e300]]:
        book.active.append(row)  # type: ignore[union-attr]
    return saved(book)


def pdf() -> bytes:
    stream = io.BytesIO()
    style = getSampleStyleSheet()
    story = [Paragraph("Manual", style["Title"]), Paragraph("Some text. " * 30, style["BodyText"]), Table(ROWS)]
    SimpleDocTemplate(stream, title="Manual", pageCompression=0).build(story)
    return stream.getvalue()


def saved(document: object) -> bytes:
    stream = io.BytesIO()
    document.save(stream)  # type: ignore[attr-defined]
    return stream.getvalue()


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "html": ("a.html", html), "markdown": ("a.md", markdown), "rst": ("a.rst", rst), "text": ("a.txt", text),
    "csv": ("a.csv", csv), "json": ("a.json", jsonl), "eml": ("a.eml", eml), "docx": ("a.docx", word),
    "xlsx": ("a.xlsx", workbook), "pdf": ("a.pdf", pdf),
}  # fmt: skip


@lru_cache
def valid(name: str) -> bytes:
    return FILES[name][1]()


def damaged(data: bytes, rng: random.Random) -> bytes:
    """One to eight random changes; in a zip container sometimes inside a member, so that its checksum stays right."""
    if data.startswith(b"PK") and rng.random() < 0.7:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
            names = source.namelist()
            chosen = rng.choice([name for name in names if name.endswith(".xml")])
            for name in names:
                target.writestr(name, damaged(source.read(name), rng) if name == chosen else source.read(name))
        return out.getvalue()
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        at, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        part = data[at : min(end, at + 400)]
        change = rng.randrange(7)
        if change == 0 and at < len(data):
            data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        elif change == 1:
            data = data[:at]
        elif change == 2:
            data = data[:at] + part * rng.choice((2, 20, 300)) + data[at:]
        elif change == 3:
            data = data[:at] + data[at + len(part) :]
        elif change == 4:
            data = data[:at] + rng.randbytes(rng.randrange(64)) + data[at:]
        elif change == 5:
            place = rng.randrange(len(data) + 1)
            data = data[:place] + part + data[place:]
        else:
            digits = [n for n, byte in enumerate(data[:20_000]) if 48 <= byte <= 57]
            if digits:
                place = rng.choice(digits)
                data = data[:place] + rng.choice((b"999999999", b"-1", b"1e308", b"0")) + data[place + 1 :]
    return data


def outcomes(folder: Path, files: Iterator[tuple[str, bytes]]) -> list[tuple[str, Reading | Refusal | Failure]]:
    sources = []
    for number, (name, data) in enumerate(files):
        path = folder / f"{number}-{name}"
        path.write_bytes(data)
        sources.append(Source(path, path.name))
    preload = [read_file.__module__, *parser_modules()]
    results = run_tasks(read_file, sources, workers=1, seconds=SECONDS, megabytes=MEGABYTES, preload=preload)
    return [(source.source_path, result) for source, result in results]


def mutants(name: str, count: int) -> Iterator[tuple[str, bytes]]:
    rng = random.Random(name)
    return ((FILES[name][0], damaged(valid(name), rng)) for _ in range(count))


def failures(found: list[tuple[str, Reading | Refusal | Failure]]) -> list[tuple[str, Failure]]:
    assert all(isinstance(result, Reading | Refusal | Failure) for _, result in found)
    return [(path, result) for path, result in found if isinstance(result, Failure)]


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    found = outcomes(tmp_path, (file for name in FILES for file in mutants(name, MUTATIONS)))
    assert len(found) == MUTATIONS * len(FILES)
    assert not failures(found)
    assert any(isinstance(result, Reading) for _, result in found)
    assert any(isinstance(result, Refusal) for _, result in found)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_thousands_of_damaged_files(name: str, tmp_path: Path) -> None:
    found = outcomes(tmp_path, mutants(name, THOROUGH))
    assert (len(found), failures(found)) == (THOROUGH, [])


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in members.items():
            target.writestr(name, data)
    return out.getvalue()


def with_member(container: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(container)) as source:
        return zipped({n: change(source.read(n)) if n == name else source.read(n) for n in source.namelist()})


def pdf_of(content: bytes, extra: bytes = b"") -> bytes:
    """A one-page PDF with the given content stream; readers repair the missing cross-reference table."""
    stream = b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), extra, content)
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
        b"/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
        b"4 0 obj" + stream + b"endobj\n5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
        b"trailer<</Root 1 0 R>>"
    )


def entities(data: bytes) -> bytes:
    """XML that expands ten entities of ten entities of … (a billion laughs)."""
    levels = "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    head, _, tail = data.partition(b"?>")
    start = f"<!DOCTYPE x [<!ENTITY a0 'ha'>{levels}]>".encode()
    return head + b"?>" + start + tail.replace(b"Before", b"&a9;").replace(b"Stock", b"&a9;")


def nested_mail(depth: int) -> bytes:
    parts = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
    return f"From: a@example.com\nSubject: deep\n{parts}Content-Type: text/plain\n\nhello\n".encode()


CASES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nested elements": ("a.html", lambda: b"<html><body>" + b"<div><ul><li>" * 20_000 + b"kept"),
    "nested tables": ("a.html", lambda: b"<html><body>" + b"<table><tr><td>" * 3_000 + b"kept"),
    "open tags": ("a.html", lambda: b"<html><body>" + b"<" * 100_000),
    "many blocks": ("a.html", lambda: b"<html><body>" + b"<p>a <a href=x>b</a></p>" * 15_000),
    "many entities": ("a.html", lambda: b"<html><body><p>" + b"&amp;" * 100_000),
    "nested quotes": ("a.md", lambda: b">" * 50_000 + b" x"),
    "nested lists": ("a.md", lambda: b"\n".join(b" " * (2 * n) + b"- x" for n in range(600))),
    "open brackets": ("a.md", lambda: b"[" * 50_000 + b"](" * 50_000),
    "open emphasis": ("a.md", lambda: b"*a_ " * 50_000),
    "backticks": ("a.md", lambda: b" ".join(b"`" * n for n in range(600))),
    "front matter": ("a.md", lambda: b"---\na: " + b"[" * 20_000 + b"\n---\ntext\n"),
    "html in markdown": ("a.md", lambda: b"x <a" * 60_000),
    "rst literals": ("a.rst", lambda: b"Head\n====\n\n" + b"``a" * 60_000),
    "rst roles": ("a.rst", lambda: b"Head\n====\n\n" + b":a:`b <" * 40_000),
    "rst emphasis": ("a.rst", lambda: b"Head\n====\n\n" + b"*a " * 60_000),
    "rst directives": ("a.rst", lambda: b"\n".join(b" " * (3 * n) + b".. note::\n" for n in range(500))),
    "rst styles": ("a.rst", lambda: b"".join(b"Head\n%c%c%c%c\n\n" % ((33 + n % 15,) * 4) for n in range(20_000))),
    "rules": ("a.txt", lambda: b"=" * 100_000 + b"\n" + b"-" * 100_000),
    "spaces": ("a.txt", lambda: b"a" + b" " * 200_000 + b"b"),
    "short lines": ("a.txt", lambda: b"a\n\n" * 20_000),
    "one word": ("a.txt", lambda: b"a" * 300_000),
    "damaged letters": ("a.txt", lambda: ("Ã¼Ãƒâ€œ " * 20_000).encode()),
    "wide rows": ("a.csv", lambda: b"a," * 50_000 + b"\n" + b"1," * 50_000),
    "many rows": ("a.csv", lambda: b"a;b;c\n" + b"1;2;3\n" * 20_000),
    "open quote": ("a.csv", lambda: b'a,"' + b"b,c\n" * 50_000),
    "deep json": ("a.json", lambda: b'{"a":' * 100_000),
    "closed deep json": ("a.json", lambda: b'{"a":' * 900 + b"1" + b"}" * 900),
    "huge number": ("a.json", lambda: b'{"a": ' + b"9" * 50_000 + b"}"),
    "nested parts": ("a.eml", lambda: nested_mail(3_000)),
    "long header": ("a.eml", lambda: b"From: a@example.com\nSubject: " + b"=?utf-8?q?=C3=A9?= " * 20_000 + b"\n\nx"),
    "many addresses": ("a.eml", lambda: b"From: a@example.com\nTo: " + b"a@example.com, (" * 20_000 + b"\n\nx"),
    "quote depth": ("a.eml", lambda: b"From: a@example.com\nSubject: x\n\n" + b"> " * 60_000 + b"x\n" * 60_000),
    "wrote": ("a.eml", lambda: b"From: a@example.com\nSubject: x\n\n" + b"On x wrote on " * 40_000),
    "entities in Word": ("a.docx", lambda: with_member(valid("docx"), "word/document.xml", entities)),
    "entities in Excel": ("a.xlsx", lambda: with_member(valid("xlsx"), "xl/worksheets/sheet1.xml", entities)),
    "far cell": (
        "a.xlsx",
        lambda: with_member(
            valid("xlsx"), "xl/worksheets/sheet1.xml",
            lambda xml: xml.replace(b'r="A2"', b'r="XFD1048576"').replace(b'row r="2"', b'row r="1048576"'),
        ),
    ),
    "stretched cells": (
        "a.docx",
        lambda: with_member(
            valid("docx"), "word/document.xml",
            lambda xml: xml.replace(b"<w:tcPr>", b'<w:tcPr><w:gridSpan w:val="999999"/>', 2),
        ),
    ),
    "deflated page": ("a.pdf", lambda: pdf_of(zlib.compress(b"0 0 m " * 20_000_000), b"/Filter/FlateDecode")),
    "endless page": (
        "a.pdf", lambda: pdf_of(zlib.compress(b"BT /F 9 Tf (abc def) Tj ET " * 800_000), b"/Filter/FlateDecode")
    ),
    "open states": ("a.pdf", lambda: pdf_of(b"q " * 500_000 + b"BT /F 9 Tf (x) Tj ET")),
    "page tree in itself": ("a.pdf", lambda: pdf_of(b"").replace(b"/Kids[3 0 R]", b"/Kids[2 0 R 3 0 R]")),
    "scattered words": (
        "a.pdf",
        lambda: pdf_of(
            b"".join(
                b"BT /F 9 Tf 1 0 0 1 %d %d Tm (word) Tj ET " % (n * 37 % 590, n * 91 % 790) for n in range(12_000)
            )
        ),
    ),
}  # fmt: skip


@pytest.mark.slow
def test_built_to_exhaust(tmp_path: Path) -> None:
    found = outcomes(tmp_path, ((name, make()) for name, make in CASES.values()))
    named = dict(zip(CASES, (result for _, result in found), strict=True))
    assert {case: result for case, result in named.items() if isinstance(result, Failure)} == {}


FRAGMENTS = st.sampled_from(
    ["#", "##", "* ", "- ", "1. ", "> ", "| a | b |", "---", "===", "```", "`", "[", "](", "<", ">", "</p>", "<p>",
     "<li>", "<table>", "<td>", "&amp;", ":pep:`8`", ".. note::", "::", "{", "}", '"a":', ",", ";", "\t", "\n", "\n\n",
     "  ", "From: a@b", "Subject: x", "-- ", "On 1 May, x wrote:", "é", "Ã©", "\x00", "\ufeff", "\u2028", "\ud800",
     "word", "18"]
)  # fmt: skip


def reason(fmt: str, content: bytes | str) -> str:
    """Why it is refused; "" if it is read. Anything but a refusal is an error of the parser."""
    try:
        parsed = clean(parse(fmt, content))  # type: ignore[arg-type]
    except DocumentError as error:
        return error.reason
    assert isinstance(parsed, Parsed)
    assert all(block.text.strip() and "\x00" not in block.text for block in parsed.blocks)
    return ""


@settings(max_examples=MUTATIONS * 5, deadline=None)
@given(st.sampled_from(["html", "markdown", "rst", "csv", "json", "text"]), st.lists(FRAGMENTS, max_size=60))
def test_text_of_fragments(fmt: str, fragments: list[str]) -> None:
    assert reason(fmt, "".join(fragments)) in ("", "corrupt")


@settings(max_examples=MUTATIONS * 5, deadline=None)
@given(st.sampled_from([name for name, _ in FILES.values()]), st.binary(max_size=200))
def test_any_bytes(name: str, data: bytes) -> None:
    try:
        sniffed = sniff(name, data)
    except DocumentError:
        return
    assert isinstance(sniffed.content, bytes | str)
