"""A sheet of graded answers: how it is filled, summed up, compared with another, and shown.

A row is a plain dictionary, because drills keep their sheets as JSON. What is asked and how it is graded comes with
the :class:`~labkit.course.examfaults.Exam`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from labkit.course.examfaults import Exam
from labkit.evaluate.corpus import asked_by
from labkit.evaluate.statistics import proportion_interval
from labkit.schema import Answerer

Row = dict[str, Any]
"""A graded answer: row, question_id, question, wanted, answer, cited, right."""


def sit(assistant: Answerer, exam: Exam, letter: str) -> list[Row]:
    """Ask every question as its asker and grade the answers with the exam's grader."""
    rows = []
    for n, item in enumerate(exam.items, 1):
        answer = assistant.ask(item.text, asked_by(item.question))
        rows.append(
            {
                "row": f"{letter}-{n:02}", "question_id": item.question.question_id, "question": item.text,
                "wanted": item.question.value, "answer": answer.text,
                "cited": answer.citations[0].source_path if answer.citations else "",
                "right": exam.grader(item.question, answer.text, answer.abstained),
            }
        )  # fmt: skip
    return rows


def differ(check: Sequence[Row], pilot: Sequence[Row]) -> bool:
    """Whether the check is better beyond chance: the 95 % interval of the difference lies above 0.

    Source: R. G. Newcombe, *Interval estimation for the difference between independent proportions*, Statistics in
    Medicine 17 (1998), method 10, which joins two Wilson intervals.
    """
    of_check, of_pilot = _interval(check), _interval(pilot)
    if of_check is None or of_pilot is None:
        return False
    better, worse = (_right(sheet) / len(sheet) for sheet in (check, pilot))
    return better - worse > math.hypot(better - of_check[0], of_pilot[1] - worse)


def summed(sheet: Sequence[Row]) -> str:
    """``21 of 60 right (35 %, 95 % interval 24 to 48)``."""
    right, interval = _right(sheet), _interval(sheet)
    if interval is None:
        return "no rows"
    low, high = (round(100 * bound) for bound in interval)
    return f"{right} of {len(sheet)} right ({right / len(sheet):.0%}, 95 % interval {low} to {high})"


def shown(sheet: Sequence[Row]) -> str:
    """Rows as lines for a terminal."""
    lines = []
    for row in sheet:
        said = " ".join(row["answer"].split())
        lines.append(f"  {row['row']}  {'right' if row['right'] else 'wrong'}  {row['question']}")
        lines.append(f"        wanted: {row['wanted'] or '(no answer)'}")
        lines.append(f"        answer: {said[:160]}" + (f"  [{row['cited']}]" if row["cited"] else ""))
    return "\n".join(lines)


def _interval(sheet: Sequence[Row]) -> tuple[float, float] | None:
    return proportion_interval(_right(sheet), len(sheet))


def _right(sheet: Sequence[Row]) -> int:
    return sum(bool(row["right"]) for row in sheet)
