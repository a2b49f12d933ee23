"""What counts as a right answer, a right citation, and what a wrong one costs."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.evaluate.grading import LOOKUP_COST, MAX_WORDS, citation_correct, contains, grade, tokens, value_correct
from labkit.schema import Answer, Citation
from labkit.world.questions import Question


def question(**changes):
    fields = {
        "question_id": "q1", "split": "test", "type": "single_hop", "text": "How tight?", "value": "18 N·m",
        "aliases": ("18 Nm",), "cost_if_wrong": 4200.0, "as_of": date(2025, 12, 31),
    }  # fmt: skip
    return Question(**{**fields, **changes})


def cited(path="a.html", quote="It takes 18 N·m."):
    return Citation(chunk_id="c", source_path=path, start=0, end=len(quote), quote=quote)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Tighten it to 18 N·m.", True),
        ("18 Nm, with thread lock", True),
        ("118 N·m", False),
        ("18.5 N·m", False),
        ("about 1 8 N m", False),
        ("I do not know", False),
        (" ".join(["word"] * MAX_WORDS) + " 18 N·m", False),
    ],
)
def test_value(text, right):
    assert value_correct(question(), text) is right


def test_thousands_separators_do_not_matter():
    assert value_correct(question(value="2,400 EUR per hour", aliases=()), "The penalty is 2400 EUR per hour.")
    assert not value_correct(question(value="2,400 EUR", aliases=()), "2,40 EUR")


@pytest.mark.parametrize(
    ("text", "right"),
    [("It is rated A.", True), ("A sentence is missing.", False), ("such a thing", False), ("Grade A+ it is", False),
     ("Rated A in 2025", True)],
)  # fmt: skip
def test_an_article_is_no_grade(text, right):
    assert value_correct(question(value="A", aliases=()), text) is right


def test_an_identifier_is_no_grade():
    assert value_correct(question(value="E-417", aliases=()), "it was e-417, sorry")
    assert value_correct(question(), "18 n·m")


def test_a_sign_belongs_to_its_grade():
    assert value_correct(question(value="B+", aliases=()), "The scorecard says B+ for them.")
    assert not value_correct(question(value="B+", aliases=()), "The scorecard says B for them.")


def test_two_of_three_themes_are_enough():
    themes = question(type="global", value="worn belt; loose cable; dirty sensor", aliases=())
    assert value_correct(themes, "Mostly a worn belt and a dirty sensor")
    assert not value_correct(themes, "A worn belt")


def test_citation_needs_the_file_and_the_value():
    answer = Answer(text="18 N·m", citations=(cited(),))
    assert citation_correct(question(), answer, {"a.html"})
    assert not citation_correct(question(), answer, {"b.html"})
    assert not citation_correct(question(), Answer(text="18 N·m", citations=(cited(quote="See table."),)), {"a.html"})


@pytest.mark.parametrize(
    ("value", "answer", "right", "lost"),
    [
        ("18 N·m", Answer(text="18 N·m"), True, 0.0),
        ("18 N·m", Answer(text="12 N·m"), False, 4200.0),
        ("18 N·m", Answer(text="?", abstained=True), False, LOOKUP_COST),
        ("", Answer(text="?", abstained=True), True, 0.0),
        ("", Answer(text="18 N·m"), False, 4200.0),
    ],
)
def test_money(value, answer, right, lost):
    graded = grade(question(value=value, aliases=()), answer, set(), 0.1)
    assert (graded.right, graded.money_lost) == (right, lost)


def test_an_abstention_that_mentions_the_value_is_still_one():
    graded = grade(question(), Answer(text="I could not find 18 N·m", abstained=True), set(), 0.1)
    assert not graded.value_correct


words = st.lists(st.sampled_from(["a", "b", "12", "nm"]), max_size=8)


@given(words, words, words)
def test_contains_finds_every_run(before, wanted, after):
    assert contains([*before, *wanted, *after], wanted) is bool(wanted)


@given(st.lists(st.sampled_from(["torque", "Heron", "42", "N·m", "E-417"]), max_size=8))
def test_tokens_ignore_the_case_of_words(parts):
    text = " ".join(parts)
    assert [t.casefold() for t in tokens(text.lower())] == [t.casefold() for t in tokens(text.upper())]
