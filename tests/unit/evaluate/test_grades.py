"""The hand grades kept for later chapters."""

import pytest

from labkit.errors import InputError
from labkit.evaluate.grades import hand_grades, value_right


def test_ten_answers_with_reasons():
    rows = hand_grades("00_demo")
    assert len(rows) == 10
    assert {row.grade for row in rows} == {"right", "wrong", "unsupported"}
    assert all(row.passages and len(row.reason.split()) > 5 for row in rows)


def test_grader_and_hand_disagree_in_both_directions():
    rows = hand_grades("00_demo")
    assert any(value_right(row) and row.grade == "unsupported" for row in rows)
    assert any(not value_right(row) and row.grade == "right" for row in rows)


def test_an_unknown_set_is_named():
    with pytest.raises(InputError, match="99_nothing"):
        hand_grades("99_nothing")
