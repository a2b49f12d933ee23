"""How the three tasks are put as text, and how replies are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.llm.tasks import (
    ABSTENTION,
    TASKS,
    Cited,
    Quote,
    Shown,
    Triple,
    answered,
    cited,
    flat,
    line,
    numbered,
    prompt_of,
    triples,
)

HEAT = Quote(2, "heat")


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("heat [2]", Cited("heat", (HEAT,))),
        (" heat  [2] \nAnswer:  too hot ", Cited("too hot", (HEAT,))),
        ("heat [2]\ncool it [1]", Cited("cool it", (HEAT, Quote(1, "cool it")))),
        ("heat [2]\ncool it [1]\nAnswer: x [3]", Cited("x [3]", (HEAT, Quote(1, "cool it")))),
        ("heat [2]\nheat [2]", Cited("heat", (HEAT,))),
        ("heat [1] [2]", Cited("heat [1]", (Quote(2, "heat [1]"),))),
        ("heat [4]", Cited("", ())),
        ("heat [0]\nAnswer: heat", Cited("", ())),
        ("heat [2]\nAnswer: ", Cited("", ())),
        ("heat [2]\ncool it [9]", Cited("", ())),
        ("heat [2]\ncool", Cited("", ())),
        ("heat [2]\ncool it [1]\nheat [2]", Cited("heat", (HEAT, Quote(1, "cool it")))),
        ("Answer: heat", Cited("", ())),
        ("[2] heat", Cited("", ())),
        ("[2]", Cited("", ())),
        (ABSTENTION, Cited("", ())),
        ("", Cited("", ())),
    ],
)
def test_a_reply_is_read_with_its_quotations(reply, read):
    assert cited(reply, 3) == read


words = st.text(st.characters(categories=("L", "N", "P")), min_size=1)


@given(words, st.lists(st.builds(Quote, st.integers(1, 9), words), min_size=1, unique=True))
def test_what_is_taught_is_read_back(value, quotes):
    assert cited(answered(value, quotes), 9) == Cited(value, tuple(quotes))


def test_places_are_those_quoted_each_once():
    assert Cited("x", (HEAT, Quote(1, "a"), Quote(2, "b"))).places == (2, 1)


def test_passages_are_numbered_under_their_titles_without_empty_lines():
    shown = numbered([Shown("Manual > Gripper", "Gripper\n\n  Tighten it.  \n"), Shown("", "E-417 means heat.")])
    assert shown == "[1] Manual > Gripper: Tighten it.\n[2] E-417 means heat."
    assert numbered([]) == "(no passages)"
    assert flat(Shown("Manual", "")) == "Manual"
    assert flat(Shown("Sheet", "Part: a\n  Torque:\t12 N·m")) == "Sheet: Part: a Torque: 12 N·m"


def test_what_is_asked_is_known_before_the_passages_are_read():
    for task, asked in (("answer", "question"), ("judge", "statement")):
        user = prompt_of(task).messages(passages="[1] It is.", **{asked: "Is it?"})[1]["content"]
        assert user.index("Is it?") < user.index("[1]") < user.rindex("Is it?")


def test_lines_that_are_no_triple_are_left_out():
    text = "INC-1 | incident.site | Marlow Quay\nnonsense\nINC-1 | incident.site |\nINC-1 | incident.site | Marlow Quay"
    assert triples(text) == [Triple("INC-1", "incident.site", "Marlow Quay")]
    assert triples("") == []
    assert triples(line(Triple("a", "b", "c"))) == [Triple("a", "b", "c")]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_prompt_with_a_system_message(task):
    roles = dict(prompt_of(task).parts)
    assert set(roles) == {"system", "user"}  # without one the chat template puts its own
