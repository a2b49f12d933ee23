"""What kind of file it is: content first, name second, containers weighed before they are opened."""

import gzip
import io
import json
import zipfile

import pytest

from labkit.errors import DocumentError
from labkit.ingest.sniff import Guard, sniff

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
HTML = b"<!doctype html><html><body><p>Hello</p></body></html>"
MAIL = b"Message-ID: <1@x>\nFrom: a@b\nSubject: c\nDate: Fri, 14 Mar 2025 09:12:00 +0100\n\nbody\n"
GARBAGE = bytes(range(256)) * 8


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def reason(name: str, data: bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        sniff(name, data)
    return caught.value.reason


@pytest.mark.parametrize(
    ("name", "data", "fmt", "defects"),
    [
        ("a.html", HTML, "html", []),
        ("a.txt", HTML, "html", ["mislabelled"]),
        ("a.pdf", HTML, "html", ["mislabelled"]),
        ("a", HTML, "html", []),
        ("a.docx", b"%PDF-1.7 ...", "pdf", ["mislabelled"]),
        ("a.eml", MAIL, "eml", []),
        ("a.txt", MAIL, "eml", ["mislabelled"]),
        ("memo.md", b"From: Ida\nTo: all\n\nText", "markdown", []),
        ("a.json", b'{"a": 1}', "json", []),
        ("a.json", b'{"a": 1}\n{"a": 2}\n', "json", []),
        ("a.json", b"just words", "text", ["mislabelled"]),
        ("a.csv", b"a,b\n1,2\n", "csv", []),
        ("a.rst", b"Title\n=====\n", "rst", []),
        ("a.md", b"# Title\n", "markdown", []),
        ("README", b"Title\n=====\n\nSee :pep:`8`.\n", "rst", []),
        ("README", b"# Title\n\n- [a](b)\n", "markdown", []),
        ("notes.log", b"one\ntwo\n", "text", []),
        ("photo.png", b"not an image", "text", ["mislabelled"]),
        ("a.docx", zipped({"xl/workbook.xml": b"<x/>"}), "xlsx", ["mislabelled"]),
        ("a.docx", zipped({"word/document.xml": b"<x/>"}), "docx", []),
        ("a.pdf", b"words under a wrong name", "text", ["mislabelled"]),
    ],
)
def test_found(name: str, data: bytes, fmt: str, defects: list[str]) -> None:
    found = sniff(name, data)
    assert (found.format, found.defects) == (fmt, defects)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", b"", "empty"),
        ("a.pdf", b" \n\t\0\0", "empty"),
        ("a.png", PNG, "unsupported"),
        ("a.pdf", PNG, "mislabelled"),
        ("a.html", PNG, "mislabelled"),
        ("a.pdf", GARBAGE, "corrupt"),
        ("a.docx", GARBAGE, "corrupt"),
        ("a.txt", GARBAGE, "undecodable"),
        ("a.bin", GARBAGE, "unsupported"),
        ("a.docx", zipped({"word/document.xml": b"x" * 5000})[:-30], "corrupt"),
        ("a.zip", zipped({"a.txt": b"x"}), "unsupported"),
        ("a.txt", zipped({"a.txt": b"x"}), "mislabelled"),
        ("a.docx", zipped({"word/document.xml": b"A" * 20_000_000}), "bomb"),
        ("a.zip", zipped({f"{i}.txt": b"A" * 2_000_000 for i in range(8)}), "bomb"),
        ("a.gz", gzip.compress(b"A" * 5_000_000, mtime=0), "bomb"),
        ("a.gz", gzip.compress(b"short", mtime=0), "unsupported"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 64, "unsupported"),
        ("a.txt", b"-----BEGIN PGP MESSAGE-----\n\nhQEMA", "encrypted"),
        ("a.json", json.dumps({"a": [1, 2]}).encode()[:-2], "corrupt"),
    ],
)
def test_refused(name: str, data: bytes, expected: str) -> None:
    assert reason(name, data) == expected


def test_nested_archives_are_weighed_and_limited() -> None:
    inner = zipped({"a.txt": b"A" * 30_000_000})
    assert reason("a.zip", zipped({"inner.zip": inner})) == "bomb"
    deep = b"x"
    for _ in range(5):
        deep = zipped({"again.zip": deep})
    assert reason("a.zip", deep) == "bomb"


def test_encrypted_zip() -> None:
    data = bytearray(zipped({"word/document.xml": b"secret"}))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # the flag in the table of contents
    assert reason("a.docx", bytes(data)) == "encrypted"


def test_the_limits_are_the_callers() -> None:
    data = zipped({"word/document.xml": b"A" * 2_000_000})
    assert reason("a.docx", data) == "bomb"
    assert sniff("a.docx", data, Guard(ratio=5000)).format == "docx"
    with pytest.raises(DocumentError, match="Unpacks"):
        sniff("a.docx", data, Guard(ratio=5000, unpacked=1_000_000))
