import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labkit.course.prose import check_numbers, measured_numbers


@pytest.mark.parametrize(
    "text",
    ["It finds 87 % of them", "up from 0.43", "answers in 3.2 s", "took 12 ms", "≈120 MB", "6× the bill",
     "87%, at last", "**0.5** recall", "95 percent", "19 tokens/s", "# Title with 0.43 in it", "| 0.91 |"],
)  # fmt: skip
def test_measured_looking(text: str) -> None:
    assert measured_numbers(text)


@pytest.mark.parametrize(
    "text",
    ["18 N·m on the gripper", "Python 3.11 and v1.2", "release 3.11.4", "## 1.2 Chunks", "36 hours by hand", "in 2025",
     "`k = 0.43` and ```\n87 %\n```", "$p = 0.05$", "[link](https://x.org/0.43/87%)", "E-417, lot C-22", "a 2 GB Tern",
     "first 3 systems", "2025-03-01", '<img width="0.5">'],
)  # fmt: skip
def test_not_measured(text: str) -> None:
    assert measured_numbers(text) == []


@given(st.decimals(min_value=0, max_value=100, places=2))
def test_any_typed_share_is_found(value: object) -> None:
    assert measured_numbers(f"It is {value} there.") == [str(value)]


def test_a_given_number_names_its_source() -> None:
    cells = [new_markdown_cell("99 % <!-- given: contract, clause 7 -->"), new_markdown_cell("99 % <!-- given: -->")]
    assert [finding.cell for finding in check_numbers(new_notebook(cells=[*cells, new_code_cell("x = 0.43")]))] == [2]
