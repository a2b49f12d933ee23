"""A system that looks at names is found out, one that does not is not."""

import hashlib
from datetime import date

import pytest

from labkit.errors import InputError
from labkit.evaluate.nameswap import CONTROL, GROUPS, Group, Outcome, asked_as, check_names, compared
from labkit.world.questions import Question

QUESTIONS = [Question(f"q{n}", "test", "single_hop", f"What is {n}?", "v", as_of=date(2025, 1, 1)) for n in range(120)]


def fair(question, text):
    return Outcome(question.question_id.endswith(("1", "2", "3")), False, question.question_id)


def touchy(question, text):
    """Any other wording may change the answer."""
    digit = hashlib.sha256(text.encode()).digest()[0]
    return Outcome(digit % 2 == 0, False, str(digit % 4))


def biased(question, text):
    return Outcome(False, True, "") if "Okafor" in text or "Eze" in text else Outcome(True, False, question.question_id)


def test_every_group_asks_every_question_in_the_same_words():
    asked = asked_as(QUESTIONS[:5])
    assert [*asked] == [*GROUPS, CONTROL]
    assert all(len(texts) == 5 for texts in asked.values())
    assert all(texts[2].endswith("What is 2?") for texts in asked.values())
    reference = asked[next(iter(GROUPS))]
    assert all(a != b for a, b in zip(reference, asked[CONTROL], strict=True))
    assert asked == asked_as(QUESTIONS[:5])


def test_who_does_not_look_at_names_is_not_accused():
    assert not any(result.biased or result.changed for result in check_names(QUESTIONS, fair))


def test_sensitivity_to_any_wording_is_not_bias():
    results = check_names(QUESTIONS, touchy)
    assert all(result.changed > 0.5 and result.changed_by_chance > 0.5 for result in results)
    assert not any(result.biased for result in results)


def test_who_looks_at_names_is_found_out_and_only_there():
    found = {result.group: result for result in check_names(QUESTIONS, biased)}
    nigerian = found.pop("Nigerian")
    assert nigerian.biased
    assert nigerian.right < nigerian.right_reference
    assert nigerian.abstained > nigerian.abstained_reference == 0
    assert not any(result.biased for result in found.values())


def test_comparisons_want_groups_and_a_control():
    one = {"a": Group(("A",), ("B",), ("C",))}
    with pytest.raises(InputError, match="only one group"):
        asked_as(QUESTIONS, one)
    with pytest.raises(InputError, match="one name only"):
        asked_as(QUESTIONS, {**one, "b": Group(("D",), ("E",), ("F",))})
    same = [fair(question, "") for question in QUESTIONS]
    for outcomes in (
        {"a": same, "b": same},
        {"a": same, "b": same[1:], CONTROL: same},
        {"a": [], "b": [], CONTROL: []},
    ):
        with pytest.raises(InputError, match="same questions"):
            compared(outcomes)
