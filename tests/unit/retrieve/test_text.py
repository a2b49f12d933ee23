from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.retrieve.text import (
    contains,
    content_words,
    has_number,
    identifiers,
    is_front_matter,
    is_negative,
    is_rambling,
    names,
    sentences,
    wants_number,
)


@given(st.text(alphabet=st.sampled_from("ab .!?\n\"')(-*|1A:"), max_size=200))
def test_sentences_are_in_order_exact_and_lose_nothing_but_space(text):
    found = sentences(text)
    assert all(text[s.start : s.end] == s.text and s.text.strip() == s.text != "" for s in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert "".join("".join(s.text.split()) for s in found) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stop it. Do not restart.", ["Stop it.", "Do not restart."]),
        ("Torque is 3.5 N. See e.g. Fig 2.", ["Torque is 3.5 N.", "See e.g. Fig 2."]),
        ("Check:\n- the belt\n- the motor", ["Check:", "- the belt", "- the motor"]),
        ("one line\nwrapped here", ["one line\nwrapped here"]),
        ('He said "stop." Then left.', ['He said "stop."', "Then left."]),
    ],
)
def test_sentences(text, expected):
    assert [s.text for s in sentences(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What does E-417 mean on PN-20-118?", {"e-417", "pn-20-118"}),
        ("Is TideOS 4.2.1 affected by KubePodDown?", {"tideos", "4.2.1", "kubepoddown"}),
        ("What was the torque as of March 2025?", set()),
        ("What changed on 14 March 2025 at 18 N·m?", {"18"}),
        ("Plain words only", set()),
    ],
)
def test_identifiers(text, expected):
    assert identifiers(text) == expected


@pytest.mark.parametrize(
    ("identifier", "text", "inside"),
    [
        ("e-417", "Error E-417 is raised.", True),
        ("e-417", "Error E-471 is raised.", False),
        ("e-417", "Error E-4170.", False),
        ("18", "118 N·m", False),
        ("18", "1.18 N·m", False),
        ("18", "tighten to 18.", True),
        ("4.2", "TideOS 4.2.1", False),
    ],
)
def test_contains_means_the_whole_identifier(identifier, text, inside):
    assert contains(identifier, text) is inside


def test_words_meet_across_common_endings():
    assert content_words("restarted restarts restarting restart") == {"restart"}
    assert content_words("What is the policy of it?") == content_words("policies")


def test_names_are_capitalised_words_inside_the_sentence():
    assert names("How many members does Brightmart run?") == {"brightmart"}
    assert names("Which part is it?") == set()


@pytest.mark.parametrize(("question", "wanted"), [("How many bolts?", True), ("How do I stop it?", False)])
def test_wants_number(question, wanted):
    assert wants_number(question) is wanted


def test_small_judgements():
    assert has_number("four bolts")
    assert not has_number("some bolts")
    assert is_negative("Do not restart")
    assert is_negative("It doesn't")
    assert not is_negative("Restart the notary")
    assert is_rambling("the belt the belt the belt the belt the belt")
    assert not is_rambling("Tighten the gripper bolts to 18 N·m before every shift.")


@pytest.mark.parametrize("line", ["title: Handover", "date: 2024-10-18", "author: A. Byron"])
def test_front_matter_is_no_sentence_of_the_document(line):
    assert is_front_matter(line)
    assert not is_front_matter(f"The {line}")


def test_an_extension_is_not_the_end_of_a_sentence():
    found = sentences("You reach her at ext. 2719. She answers.")
    assert [sentence.text for sentence in found] == ["You reach her at ext. 2719.", "She answers."]
