"""The grammar of forms."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import PackError
from labkit.world.grammar import Choice, Slot, always_holds, fill, parse, render, slots

LITERAL = st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=40)


def escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "[]|{}\\" else c for c in text)


@given(LITERAL, st.integers(0, 9))
def test_any_text_survives_escaping(text: str, seed: int):
    assert fill(escaped(text), random.Random(seed), {}) == text


@given(st.lists(LITERAL, min_size=1, max_size=5), st.integers(0, 99))
def test_a_choice_gives_one_of_its_options(options: list[str], seed: int):
    form = f"<[{'|'.join(map(escaped, options))}]>"
    assert fill(form, random.Random(seed), {})[1:-1] in options


def test_every_option_comes_up():
    said = {fill("[a|b[1|2]|]", random.Random(seed), {}) for seed in range(60)}
    assert said == {"a", "b1", "b2", ""}


def test_slots_with_parts_and_spans():
    assert parse("{n:3-40} {author.first} {dec:0.2-4.5}") == (
        Slot("n", "", "3-40"), " ", Slot("author", "first"), " ", Slot("dec", "", "0.2-4.5"),
    )  # fmt: skip
    assert [s.name for s in slots(parse("{a}[{b}|[{c}]] x"))] == ["a", "b", "c"]


def test_a_bar_outside_brackets_is_a_bar():
    assert parse("a | b") == ("a | b",)


@pytest.mark.parametrize("form", ["[a|b", "a]", "{", "{A}", "{a b}", "{n:3}", "x {a", "[a|[b]"])
def test_malformed_forms_are_refused_with_the_form(form: str):
    with pytest.raises(PackError) as error:
        parse(form)
    assert repr(form) in str(error.value)


def test_always_holds_wants_the_slot_in_every_choice():
    assert always_holds(parse("[{x} a|b {x}]"), "x")
    assert not always_holds(parse("[{x}|b]"), "x")
    assert not always_holds(parse("a[|{x}]"), "x")


def test_rendering_is_decided_by_the_generator_alone():
    nodes = parse("[a|b|c][d|e|f]{x}")
    texts = {"".join(render(nodes, random.Random(5), str, lambda slot: slot.name)) for _ in range(5)}
    assert len(texts) == 1
    assert isinstance(nodes[0], Choice)


def test_a_slot_without_value_is_an_error():
    with pytest.raises(PackError, match="no value"):
        fill("{site}", random.Random(0), {})
