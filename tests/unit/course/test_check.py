import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from labkit.course import check
from labkit.course.check import NotAttempted, Question, question


@question(hint="Look at the dates", seconds=0.5)
def q1(latest: Callable[[list[str]], str]) -> str | None:
    got = latest(["2024-05-01", "2025-01-31", "2024-12-31"])
    if len(got) != 10:
        return "that is no date"
    return None if got == "2025-01-31" else f"it gave {got!r}."


def blank(revisions: list[str]) -> str:
    raise NotAttempted


def helper(revisions: list[str]) -> str:
    return revisions[7]


def raises_deeper(revisions: list[str]) -> str:
    return helper(revisions)


def loops(revisions: list[str]) -> str:
    while True:
        try:
            time.sleep(0.001)
        except Exception:
            continue


def sleeps(revisions: list[str]) -> str:
    time.sleep(30)
    return ""


def leaves(revisions: list[str]) -> str:
    raise SystemExit


def test_right() -> None:
    verdict = q1(max)
    assert verdict.state == "right"
    assert str(verdict) == f"{q1.lab}.q1: right"


@pytest.mark.parametrize("answer", [blank, ..., None])
def test_not_attempted(answer: Any) -> None:
    assert q1(answer).state == "not attempted"
    assert q1().state == "not attempted"


def test_not_yet_says_why_and_hints() -> None:
    assert q1(min).message == "it gave '2024-05-01'. Hint: Look at the dates"


def test_an_exception_is_not_yet_with_the_learners_own_line() -> None:
    verdict = q1(raises_deeper)
    assert verdict.state == "not yet"
    assert "`return revisions[7]`, raised IndexError: list index out of range" in verdict.message


def test_what_the_judge_cannot_use_is_not_yet() -> None:
    verdict = q1(lambda revisions: None)
    assert verdict.state == "not yet"
    assert "could not use what your answer returned (TypeError" in verdict.message


def test_leaving_is_not_yet() -> None:
    assert q1(leaves).state == "not yet"


def test_an_endless_loop_ends() -> None:
    started = time.monotonic()
    verdict = q1(loops)
    assert time.monotonic() - started < 20
    assert verdict.state == "not yet"
    assert "still running after 0.5 s" in verdict.message
    assert not any(thread.name == "lab-check" and thread.is_alive() for thread in threading.enumerate())


def test_a_call_that_cannot_be_interrupted_does_not_hang_the_check() -> None:
    started = time.monotonic()
    assert q1(sleeps).state == "not yet"
    assert time.monotonic() - started < 20


def test_a_verdict_travels_in_the_notebook() -> None:
    bundle = q1(max)._repr_mimebundle_()
    assert bundle[check.MIME] == {"question": f"{q1.lab}.q1", "state": "right", "message": ""}


def test_answers_are_registered() -> None:
    fresh: Question = question(hint="h")(lambda answer: None)
    assert fresh.solution(max) is max
    fresh.wrong([1])
    assert (fresh.solutions, fresh.wrongs) == ([max], [[1]])


def test_an_unknown_lab_is_named() -> None:
    with pytest.raises(AttributeError, match="no checks for lab99"):
        _ = check.lab99
    assert not hasattr(check, "__wrapped__")
