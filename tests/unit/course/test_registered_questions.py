"""Every registered question of every lab is proven by its own answers. The same proof is shown to fail below."""

import pytest

from labkit.course.check import NotAttempted, Question, all_questions, question


def blank(*_: object, **__: object) -> object:
    raise NotAttempted


def faults(asked: Question) -> list[str]:
    """What is missing from the proof that a question tells right from wrong."""
    found = []
    if not asked.solutions:
        found.append("no solution")
    if len(asked.wrongs) < 2:
        found.append("fewer than two wrong answers")
    if not asked.hint.strip():
        found.append("no hint")
    found += [f"a solution is {verdict}" for answer in asked.solutions if (verdict := asked(answer)).state != "right"]
    found += [f"a blank is {verdict}" for answer in (blank, ...) if (verdict := asked(answer)).state != "not attempted"]
    found += [
        f"a wrong answer is {verdict}" for answer in asked.wrongs if (verdict := asked(answer)).state != "not yet"
    ]
    return found


def by_value(asked: Question) -> bool:
    return not any(callable(answer) for answer in asked.solutions)


@pytest.mark.parametrize("asked", all_questions(), ids=repr)
def test_a_question_tells_right_from_wrong(asked: Question) -> None:
    # A question about a value has no function to raise NotAttempted; its gap is `...`.
    assert [fault for fault in faults(asked) if not (by_value(asked) and fault.startswith("a blank"))] == []


def judge(answer: object) -> str | None:
    got = answer() if callable(answer) else answer
    return None if got == 3 else f"it is {got!r}"


def make(*, hint: str = "count", solutions: tuple[object, ...] = (lambda: 3,), wrongs: tuple[object, ...]) -> Question:
    asked = question(hint=hint)(judge)
    for solution in solutions:
        asked.solution(solution)
    for wrong in wrongs:
        asked.wrong(wrong)
    return asked


def test_a_good_question_is_proven() -> None:
    assert faults(make(wrongs=(lambda: 2, lambda: 4))) == []
    assert faults(make(solutions=(3,), wrongs=(2, 4))) == []


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (make(wrongs=(lambda: 2,)), "fewer than two"),
        (make(wrongs=(lambda: 2, lambda: 3)), "a wrong answer is"),
        (make(solutions=(lambda: 4,), wrongs=(lambda: 2, lambda: 5)), "a solution is"),
        (make(solutions=(), wrongs=(lambda: 2, lambda: 5)), "no solution"),
        (make(hint=" ", wrongs=(lambda: 2, lambda: 5)), "no hint"),
    ],
)
def test_a_bad_question_is_not(asked: Question, fault: str) -> None:
    (found,) = faults(asked)
    assert fault in found


def test_a_judge_that_never_calls_its_answer_is_caught() -> None:
    asked = question(hint="h")(lambda answer: None)
    assert any("a blank is" in fault for fault in faults(asked))
