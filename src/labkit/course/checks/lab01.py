"""Checks of lab 01: a file's fate, a repair that harms nothing, copies without numbers, HR's policy, validity."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from labkit.course.check import question

Found = tuple[int, int, str]
Book = dict[tuple[str, str], str]
Page = dict[str, Any]
Days = tuple[date, date | None]


def office(part: str) -> bytes:
    """A zip container that holds one part, as Word and Excel write them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(part, "<xml/>")
    return packed.getvalue()


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
FILES: tuple[tuple[str, bytes, str], ...] = (
    ("notes.txt", b"Stay clear of the arm.", "read"),
    ("notes.txt", "Bleib weg, 5 °C".encode("utf-16"), "read"),
    ("sheet.docx", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>", "read"),
    ("letter.docx", office("word/document.xml"), "read"),
    ("prices.bin", office("xl/workbook.xml"), "read"),
    ("page", b"<html><body>18 N\xc2\xb7m</body></html>", "read"),
    ("mail.eml", b"", "empty"),
    ("mail.eml", b" \r\n\t\0\0\n", "empty"),
    ("payroll.pdf", b"%PDF-1.7\ntrailer << /Encrypt 9 0 R >>", "encrypted"),
    ("photo.PNG", PNG, "unsupported"),
    ("photo.pdf", PNG, "mislabelled"),
    ("backup.zip", office("holiday/one.jpg"), "unsupported"),
    ("report.docx", office("holiday/one.jpg"), "mislabelled"),
)


@question(hint="Ask the bytes first: nothing? PDF? zip, and what is in it? PNG? The name is asked last, and only then.")
def q1(fate: Callable[[str, bytes], str]) -> str | None:
    """What becomes of a file: read, empty, encrypted, mislabelled or unsupported."""
    for name, data, wanted in FILES:
        got = fate(name, data)
        if got != wanted:
            return f"{name} that begins with {data[:9]!r} became {got!r}"
    return None


@q1.solution
def _by_bytes(name: str, data: bytes) -> str:
    suffix = name.rpartition(".")[2].lower()
    if not data.strip(b" \t\r\n\0"):
        return "empty"
    if data.startswith(b"%PDF-"):
        return "encrypted" if b"/Encrypt" in data else "read"
    if data.startswith(b"PK\x03\x04"):
        parts = zipfile.ZipFile(io.BytesIO(data)).namelist()
        if "word/document.xml" in parts or "xl/workbook.xml" in parts:
            return "read"
        return "unsupported" if suffix == "zip" else "mislabelled"
    if data.startswith(b"\x89PNG"):
        return "unsupported" if suffix == "png" else "mislabelled"
    return "read"


@q1.wrong
def _by_name(name: str, data: bytes) -> str:
    suffix = name.rpartition(".")[2].lower()
    if not data:
        return "empty"
    return "unsupported" if suffix in ("png", "zip", "bin") else "read"


@q1.wrong
def _names_must_match(name: str, data: bytes) -> str:
    """Refuses a readable PDF because of what it is called."""
    expected = {"pdf": b"%PDF-", "docx": b"PK", "png": b"\x89PNG", "zip": b"PK"}
    start = expected.get(name.rpartition(".")[2].lower(), b"")
    return _by_bytes(name, data) if data.startswith(start) else "mislabelled"


def spoil(text: str) -> str:
    """UTF-8 read as windows-1252."""
    return text.encode().decode("cp1252")


LINES: tuple[tuple[str, str], ...] = (
    (spoil("Älg, says Rodríguez"), "Älg, says Rodríguez"),
    (spoil(spoil("5 °C")), "5 °C"),
    ("Älg, 5 °C – 18 N·m", "Älg, 5 °C – 18 N·m"),
    ("Tomasz Zieliński", "Tomasz Zieliński"),
    ("Sicher\u00adheit", "Sicherheit"),
    ("arm\u200bside", "armside"),
    ("", ""),
)


@question(
    hint="Line by line: try the way back, keep the line where it fails; try again until nothing changes. "
    "Then delete the characters nobody sees."
)
def q2(clean: Callable[[str], str]) -> str | None:
    """Mojibake undone line by line, twice where needed; invisible characters gone; good text untouched."""
    for given, wanted in LINES:
        got = clean(given)
        if got != wanted:
            return f"of {given!r} it made {got!r}"
    whole, repaired = ("\n".join(column) for column in zip(*LINES, strict=True))
    if clean(whole) != repaired:
        return "in a text where good and broken lines meet, not every line came out right"
    if clean(repaired) != repaired:
        return "a second run changed what the first had repaired"
    return None


_HIDDEN = str.maketrans("", "", "\u00ad\u200b\u2060\ufeff")


def _undone(line: str) -> str:
    try:
        return line.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return line


@q2.solution
def _line_by_line(text: str) -> str:
    lines = []
    for line in text.split("\n"):
        while (undone := _undone(line)) != line:
            line = undone
        lines.append(line.translate(_HIDDEN))
    return "\n".join(lines)


@q2.wrong
def _ignoring(text: str) -> str:
    return text.encode("cp1252", "ignore").decode("utf-8", "ignore").translate(_HIDDEN)


@q2.wrong
def _all_or_nothing(text: str) -> str:
    while (undone := _undone(text)) != text:
        text = undone
    return text.translate(_HIDDEN)


@q2.wrong
def _once(text: str) -> str:
    return "\n".join(_undone(line).translate(_HIDDEN) for line in text.split("\n"))


SHEET = """Gripper finger, service note. Lock out the cell and hang your own tag on the handle before you begin.
Clean the dovetail with a dry cloth, press the finger home by hand and fit the screw.
Tighten it to 18 N·m with a calibrated wrench and mark head and finger with one stroke of paint.
Run the slow pick cycle 10 times with an empty tote and listen for a tick."""


@question(
    hint="Alike in shingles, and no figure changed: the figures of one text all stand in the other. "
    "An edited copy may have lost a paragraph with its figures."
)
def q3(is_copy: Callable[[str, str], bool]) -> str | None:
    """Whether one text is an edited copy of the other, without numbers or revisions to go by."""
    lines = SHEET.split("\n")
    for what, other, wanted in (
        ("the same text", SHEET, True),
        ("the same text in capitals, with other line breaks", SHEET.upper().replace("\n", "  "), True),
        ("a copy without its last paragraph", "\n".join(lines[:3]), True),
        ("a revision with another torque", SHEET.replace("18", "12"), False),
        ("a revision with 18.5 for 18", SHEET.replace("18 ", "18.5 "), False),
        ("a revision with fewer cycles and no paint", SHEET.replace("10 ", "5 ").replace(lines[0], ""), False),
        ("another note", "The canteen opens at 18 and closes after 10 guests have asked for seaweed.", False),
    ):
        for one, two in ((SHEET, other), (other, SHEET)):
            if bool(is_copy(one, two)) is not wanted:
                return f"{what} was {'not ' if wanted else ''}called a copy"
    return None


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}


def _jaccard(one: str, other: str) -> float:
    mine, theirs = _shingles(one), _shingles(other)
    return len(mine & theirs) / len(mine | theirs)


def _figures(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:[.,]\d+)*", text))


@q3.solution
def _figures_kept(one: str, other: str) -> bool:
    mine, theirs = _figures(one), _figures(other)
    return _jaccard(one, other) >= 0.5 and (mine <= theirs or theirs <= mine)


@q3.wrong
def _threshold(one: str, other: str) -> bool:
    return _jaccard(one, other) >= 0.5


@q3.wrong
def _same_figures(one: str, other: str) -> bool:
    """A copy that lost a paragraph lost its figures too."""
    return _jaccard(one, other) >= 0.5 and _figures(one) == _figures(other)


@q3.wrong
def _whole_numbers(one: str, other: str) -> bool:
    mine, theirs = set(re.findall(r"\d+", one)), set(re.findall(r"\d+", other))
    return _jaccard(one, other) >= 0.5 and (mine <= theirs or theirs <= mine)


def mentions(text: str, *wanted: tuple[str, str]) -> list[Found]:
    """Where the given values stand in a text, in no particular order."""
    return [
        (match.start(), match.end(), kind) for value, kind in wanted for match in re.finditer(re.escape(value), text)
    ]


@question(
    hint="Decide for each span, give each value its placeholder once per book, and replace from the back of the text, "
    "so that offsets stay true."
)
def q4(redact: Callable[[str, list[Found], set[str], bool, Book], str]) -> str | None:
    """Redaction under a policy: identifiers always go, strangers go, staff only from files of HR."""
    first = "Ines Duarte called Rosa Ek on +46 70 174 06 13. Rosa Ek was not in; INES DUARTE wrote to ek@mail.example."
    found = mentions(
        first, ("Rosa Ek", "person"), ("Ines Duarte", "person"), ("INES DUARTE", "person"),
        ("+46 70 174 06 13", "phone"), ("ek@mail.example", "email"),
    )  # fmt: skip
    second = "Absent: Ines Duarte, Rosa Ek."
    book: Book = {}
    staff = {"ines duarte"}
    open_file = redact(first, list(found), set(staff), False, book)
    again = mentions(second, ("Ines Duarte", "person"), ("Rosa Ek", "person"))
    hr_file = redact(second, again, set(staff), True, book)
    if "Ines Duarte" not in open_file or "INES DUARTE" not in open_file:
        return "outside of HR a member of staff was hidden"
    for gone in ("Rosa", "Ek ", "174", "mail.example"):
        if gone in open_file:
            return f"{gone.strip()!r} still stands"
    if "Ines" in hr_file or "Rosa" in hr_file:
        return "in a file of HR somebody's name still stands"
    marks = re.findall(r"\[person \d+\]", open_file)
    if len(marks) != 2 or marks[0] != marks[1]:
        return "one person did not get one placeholder `[person N]` within a file"
    ours = re.findall(r"\[person \d+\]", hr_file)
    if len(ours) != 2 or ours[1] != marks[0] or ours[0] == ours[1]:
        return "the second file, with the same book, does not call the same people the same"
    rest = re.sub(r"\[(?:person|phone|email) \d+\]", "*", open_file)
    if rest != "Ines Duarte called * on *. * was not in; INES DUARTE wrote to *.":
        return f"text around the placeholders changed: {rest!r}"
    return None


def _redact(text: str, found: Sequence[Found], staff: set[str], hr: bool, book: Book) -> str:
    for start, end, kind in sorted(found, reverse=True):
        value = text[start:end].casefold()
        if kind == "person" and value in staff and not hr:
            continue
        name = book.setdefault((kind, value), f"[{kind} {len(book) + 1}]")
        text = text[:start] + name + text[end:]
    return text


q4.solution(_redact)


@q4.wrong
def _old_policy(text: str, found: list[Found], staff: set[str], hr: bool, book: Book) -> str:
    return _redact(text, found, staff, False, book)


@q4.wrong
def _own_book(text: str, found: list[Found], staff: set[str], hr: bool, book: Book) -> str:
    """The pseudonyms of one file mean nobody in the next."""
    return _redact(text, found, staff, hr, {})


@q4.wrong
def _from_the_front(text: str, found: list[Found], staff: set[str], hr: bool, book: Book) -> str:
    """Offsets are those of the text as it was."""
    for start, end, kind in sorted(found):
        value = text[start:end].casefold()
        if kind != "person" or value not in staff or hr:
            text = text[:start] + book.setdefault((kind, value), f"[{kind} {len(book) + 1}]") + text[end:]
    return text


def _page(name: str, revision: str, day: date, withdrawn: date | None = None) -> Page:
    return {"name": name, "number": name.split("-")[0], "revision": revision, "date": day, "withdrawn": withdrawn}


PAGES = [
    _page("MA7-r10", "10", date(2025, 6, 2)),
    _page("MA7-r2", "2", date(2024, 3, 1), withdrawn=date(2024, 12, 1)),
    _page("MA8-r1", "1", date(2024, 5, 5), withdrawn=date(2025, 8, 8)),
    _page("MA7-r9", "9", date(2025, 1, 20), withdrawn=date(2025, 9, 9)),
]
HELD: dict[str, Days] = {
    "MA7-r2": (date(2024, 3, 1), date(2024, 12, 1)),
    "MA7-r9": (date(2025, 1, 20), date(2025, 6, 2)),
    "MA7-r10": (date(2025, 6, 2), None),
    "MA8-r1": (date(2024, 5, 5), date(2025, 8, 8)),
}


@question(hint="Group by number, sort by int(revision); a page ends when the next begins or when it was withdrawn.")
def q5(validity: Callable[[list[Page]], dict[str, Days]]) -> str | None:
    """From which day to which each page held; the second is the first day on which it no longer does."""
    for pages in (PAGES, PAGES[::-1], PAGES[2:3], []):
        got = validity([dict(page) for page in pages])
        held = {page["name"]: HELD[page["name"]] for page in pages}
        if not isinstance(got, dict) or got.keys() != held.keys():
            return f"{len(pages)} pages gave {got!r}"
        for name, days in held.items():
            if tuple(got[name]) != days:
                said = " to ".join(str(day) for day in got[name])
                return f"{name} held from {said}"
    return None


def _held(pages: list[Page], *, key: Callable[[str], Any] = int, by_number: bool = True, ends: bool = True) -> Any:
    held: dict[str, Days] = {}
    for number in {page["number"] if by_number else "" for page in pages}:
        chain = [page for page in pages if not by_number or page["number"] == number]
        chain.sort(key=lambda page: key(page["revision"]))
        for page, newer in zip(chain, [*chain[1:], None], strict=True):
            stops = [page["withdrawn"] if ends else None, newer["date"] if newer else None]
            held[page["name"]] = page["date"], min((day for day in stops if day), default=None)
    return held


q5.solution(_held)
q5.wrong(lambda pages: _held(pages, key=str))
q5.wrong(lambda pages: _held(pages, by_number=False))
q5.wrong(lambda pages: _held(pages, ends=False))
