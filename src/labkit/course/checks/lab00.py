"""Checks of lab 00: grading an answer, pricing a set of them, staying silent, and reading the page in force."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from labkit.course.check import question
from labkit.schema import Chunk, Hit

Page = dict[str, Any]


def hit(text: str, path: str = "manual.html") -> Hit:
    """A retrieved passage with the given text, as the exercises need it."""
    chunk = Chunk(
        chunk_id=path, doc_id=path, source_path=path, ordinal=0, text=text, start=0, end=len(text),
        tokens=len(text) // 4, content_hash=path,
    )  # fmt: skip
    return Hit(chunk=chunk, score=1.0)


@question(hint="Compare whole numbers and words, not characters: split both texts into tokens first.")
def q1(is_right: Callable[[str, Sequence[str]], bool]) -> str | None:
    """Whether an answer gives the value, in one of its accepted wordings."""
    wordings = ["18 N·m", "18 Nm"]
    for text, wanted in (
        ("Tighten it to 18 Nm.", True),
        ("18 N·m, with a calibrated wrench", True),
        ("The figure is 18 NM", True),
        ("118 Nm", False),
        ("18.5 N·m", False),
        ("18 bolts, each to 12 N·m", False),
        ("I do not know", False),
        ("", False),
    ):
        got = is_right(text, list(wordings))
        if bool(got) is not wanted:
            return f"for {text!r} it said {got!r}"
    return None


@q1.solution
def _tokens(text: str, wordings: Sequence[str]) -> bool:
    def split(words: str) -> list[str]:
        return re.findall(r"\d+(?:[.,]\d+)*|[^\W\d]+", words.casefold())

    said = split(text)
    for wording in wordings:
        wanted = split(wording)
        if any(said[i : i + len(wanted)] == wanted for i in range(len(said) - len(wanted) + 1)):
            return True
    return False


@q1.wrong
def _substring(text: str, wordings: Sequence[str]) -> bool:
    return any(wording.casefold() in text.casefold() for wording in wordings)


@q1.wrong
def _number_only(text: str, wordings: Sequence[str]) -> bool:
    return any(re.findall(r"\d+", wording)[0] in re.findall(r"\d+", text) for wording in wordings)


q1.wrong(lambda text, wordings: text in wordings)


@question(hint="Three cases: right costs nothing, wrong costs its price, silence costs a look-up unless it was due.")
def q2(money: Callable[[list[dict[str, Any]], float], float]) -> str | None:
    """EUR lost per 100 questions."""
    rows = [
        {"answerable": True, "abstained": False, "right": True, "cost": 4200.0},
        {"answerable": True, "abstained": False, "right": False, "cost": 120.0},
        {"answerable": True, "abstained": True, "right": False, "cost": 900.0},
        {"answerable": False, "abstained": True, "right": True, "cost": 250.0},
        {"answerable": False, "abstained": False, "right": False, "cost": 30.0},
    ]
    for chosen, lookup, wanted in ((rows, 15.0, 3300.0), (rows[:1], 15.0, 0.0), (rows[2:3], 40.0, 4000.0)):
        got = money([dict(row) for row in chosen], lookup)
        if not isinstance(got, int | float) or abs(got - wanted) > 1e-6:
            return f"for {len(chosen)} answers and {lookup:g} EUR a look-up it gave {got!r}, not {wanted:g}"
    if money([], 15.0) != 0:
        return "no questions lose nothing, but it gave something else"
    return None


@q2.solution
def _money(rows: list[dict[str, Any]], lookup: float) -> float:
    lost = 0.0
    for row in rows:
        if row["right"]:
            continue
        lost += lookup if row["abstained"] else row["cost"]
    return 100 * lost / len(rows) if rows else 0.0


@q2.wrong
def _silence_is_free(rows: list[dict[str, Any]], lookup: float) -> float:
    lost = sum(row["cost"] for row in rows if not row["right"] and not row["abstained"])
    return 100 * lost / len(rows) if rows else 0.0


@q2.wrong
def _silence_always_costs(rows: list[dict[str, Any]], lookup: float) -> float:
    lost = sum(lookup if row["abstained"] else 0.0 if row["right"] else row["cost"] for row in rows)
    return 100 * lost / len(rows) if rows else 0.0


@q2.wrong
def _total(rows: list[dict[str, Any]], lookup: float) -> float:
    return sum(0.0 if row["right"] else lookup if row["abstained"] else row["cost"] for row in rows)


@question(hint="Collect what looks like an identifier in the question; each must stand, whole, in some passage.")
def q3(abstain: Callable[[str, list[Hit]], bool]) -> str | None:
    """Whether the passages are too thin to answer from."""
    about_417 = hit("E-417 on the Otter shuttle means that the gripper vacuum is below its threshold.")
    about_471 = hit("E-471: replace the fuse before anything else.", "other.html")
    cases: tuple[tuple[str, list[Hit], bool], ...] = (
        ("What does E-417 mean?", [about_417], False),
        ("What does E-417 mean?", [about_471], True),
        ("What does E-417 mean?", [], True),
        ("What does E-417 mean?", [about_471, about_417], False),
        ("Is E-417 the same as E-471?", [about_417], True),
        ("Is E-417 the same as E-471?", [about_417, about_471], False),
        ("what does e-417 mean?", [about_417], False),
        ("What does E-41 mean?", [about_417], True),
        ("Who reads handovers?", [about_417], False),
    )
    for asked, hits, wanted in cases:
        got = abstain(asked, list(hits))
        if bool(got) is not wanted:
            return f"for {asked!r} and passages {[h.chunk.text[:5] for h in hits]} it said {got!r}"
    return None


def _identifiers(text: str) -> set[str]:
    return {found.casefold() for found in re.findall(r"\b[A-Za-z]+-\d+\b", text)}


@q3.solution
def _missing(question: str, hits: list[Hit]) -> bool:
    if not hits:
        return True
    known = set().union(*(_identifiers(found.chunk.text) for found in hits))
    return not _identifiers(question) <= known


@q3.wrong
def _prefix(question: str, hits: list[Hit]) -> bool:
    text = " ".join(found.chunk.text for found in hits).casefold()
    return not hits or any(name not in text for name in _identifiers(question))


@q3.wrong
def _any_of_them(question: str, hits: list[Hit]) -> bool:
    wanted = _identifiers(question)
    known = set().union(*(_identifiers(found.chunk.text) for found in hits)) if hits else set()
    return not hits or (bool(wanted) and not wanted & known)


q3.wrong(lambda question, hits: not hits)


@question(hint="Drop what was written after the day, then take the newest of what is left.")
def q4(in_force: Callable[[list[Page], date], Page | None]) -> str | None:
    """The page that was in force on a day."""
    manual = {"date": date(2024, 3, 1), "says": "18 N·m"}
    notice = {"date": date(2025, 6, 2), "says": "12 N·m"}
    for pages, day, wanted in (
        ([manual, notice], date(2025, 7, 14), notice),
        ([notice, manual], date(2025, 7, 14), notice),
        ([notice, manual], date(2025, 3, 3), manual),
        ([manual, notice], date(2025, 6, 2), notice),
        ([manual, notice], date(2023, 1, 1), None),
        ([], date(2025, 1, 1), None),
    ):
        got = in_force([dict(page) for page in pages], day)
        if got != wanted:
            told = got["says"] if isinstance(got, dict) and "says" in got else got
            return f"on {day.isoformat()} it took {told!r}"
    return None


@q4.solution
def _newest_then(pages: list[Page], day: date) -> Page | None:
    written = [page for page in pages if page["date"] <= day]
    return max(written, key=lambda page: page["date"], default=None)


@q4.wrong
def _newest(pages: list[Page], day: date) -> Page | None:
    return max(pages, key=lambda page: page["date"], default=None)


@q4.wrong
def _last(pages: list[Page], day: date) -> Page | None:
    written = [page for page in pages if page["date"] <= day]
    return written[-1] if written else None


@q4.wrong
def _strictly_before(pages: list[Page], day: date) -> Page | None:
    written = [page for page in pages if page["date"] < day]
    return max(written, key=lambda page: page["date"], default=None)
