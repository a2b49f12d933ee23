"""Answers graded by hand, kept with what the model had in front of it.

One JSON line per answer in ``datasets/grades/NAME.jsonl`` of the repository. Later chapters hold automatic graders and
judges against these.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from labkit.errors import InputError
from labkit.evaluate.grading import MAX_WORDS, contains, tokens
from labkit.schema import Record

FOLDER = Path("datasets") / "grades"


class HandGrade(Record):
    """One graded answer; ``passages`` are what the model read, ``reason`` is the grader's, in a sentence."""

    question_id: str
    type: str
    question: str
    value: str
    aliases: tuple[str, ...] = ()
    answer: str
    passages: tuple[str, ...]
    grade: Literal["right", "wrong", "unsupported"]
    reason: str
    grader: str


def hand_grades(name: str) -> list[HandGrade]:
    """The grades of a set, in file order.

    Raises:
        InputError: there is no such set in this checkout.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        path = folder / FOLDER / f"{name}.jsonl"
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            return [HandGrade.model_validate_json(line) for line in lines]
    raise InputError(f"There are no hand grades {name!r}", where=str(FOLDER), todo="Run this inside the checkout.")


def value_right(row: HandGrade) -> bool:
    """What the automatic grader says of the same answer; an unanswerable question has no right value."""
    said = tokens(row.answer)[:MAX_WORDS]
    return bool(row.value) and any(contains(said, tokens(surface)) for surface in (row.value, *row.aliases))
