"""Lab 01 beyond its registered answers: more ways to be nearly right, and the gap it fills."""

import inspect
import re
import zipfile
from io import BytesIO

import pytest

from labkit.course.checks import lab01
from labkit.course.mysystem import SIGNATURES

HIDDEN = str.maketrans("", "", "\u00ad\u200b\u2060\ufeff")


def every_zip_is_office(name: str, data: bytes) -> str:
    return "read" if data.startswith(b"PK") and not name.endswith(".zip") else lab01._by_bytes(name, data)


def empty_is_no_bytes(name: str, data: bytes) -> str:
    return "empty" if not data else "read" if not data.strip(b" \r\n\t\0") else lab01._by_bytes(name, data)


def invisible_first(text: str) -> str:
    """A soft hyphen is half of a broken í: deleted first, the letter is lost."""
    return lab01._line_by_line(text.translate(HIDDEN))


def only_ascii(text: str) -> str:
    return re.sub(r"[^\x00-\x7f]", "", lab01._line_by_line(text))


def stricter_threshold(one: str, other: str) -> bool:
    return lab01._jaccard(one, other) >= 0.9


def spelling_matters(text: str, found: list[lab01.Found], staff: set[str], hr: bool, book: lab01.Book) -> str:
    for start, end, kind in sorted(found, reverse=True):
        value = text[start:end]
        if kind != "person" or value != "Ines Duarte" or hr:
            text = text[:start] + book.setdefault((kind, value), f"[{kind} {len(book) + 1}]") + text[end:]
    return text


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (lab01.q1, every_zip_is_office),
        (lab01.q1, empty_is_no_bytes),
        (lab01.q2, invisible_first),
        (lab01.q2, only_ascii),
        (lab01.q3, stricter_threshold),
        (lab01.q4, spelling_matters),
    ],
)
def test_nearly_right_is_not_yet(asked, answer):
    assert asked(answer).state == "not yet"


def test_a_file_of_the_check_is_what_it_says():
    with zipfile.ZipFile(BytesIO(lab01.office("word/document.xml"))) as archive:
        assert archive.namelist() == ["word/document.xml"]
    assert lab01.spoil("Älg") == "Ã„lg"


def test_the_repair_fits_the_learners_system():
    assert tuple(inspect.signature(lab01._line_by_line).parameters) == SIGNATURES["clean"]
