"""What is said of a training set."""

import pytest

from labkit.errors import InputError
from labkit.llm.tasks import ABSTENTION
from labkit.tune.card import card
from labkit.tune.datasets import write
from labkit.tune.dialogue import Dialogue, Turn, encode
from labkit.tune.leakage import Found, Leaks

TALKS = [
    Dialogue("answer", (Turn("Who?", "Edna [1]", "fact"), Turn("When?", ABSTENTION, "absent")), "tidewater-a"),
    Dialogue("answer", (Turn("Why? " * 9, ABSTENTION, "absent"),), "invented"),
]


def test_the_card_counts_what_is_there(tokenizer, tmp_path):
    made = card(TALKS, tokenizer, longest=200)
    assert (made.task, made.conversations, made.turns) == ("answer", 2, {"absent": 2, "fact": 1})
    assert made.sources == {"invented": 1, "tidewater-a": 1}
    assert made.negative_share == pytest.approx(2 / 3)
    assert made.sha256 == write(TALKS, tmp_path / "answer.jsonl")


def test_what_is_read_and_what_is_learned_are_all_the_tokens(tokenizer):
    made = card(TALKS, tokenizer, longest=200)
    lengths = [len(encode(one, tokenizer).input_ids) for one in TALKS]
    assert made.prompt_tokens.mean + made.reply_tokens.mean == pytest.approx(sum(lengths) / 2)
    marks = 1  # one token a byte, and an end mark for each reply
    assert made.reply_tokens.max == len("Edna [1]") + marks + len(ABSTENTION) + marks
    assert card(TALKS, tokenizer, longest=max(lengths) - 1).too_long == 1
    assert card(TALKS, tokenizer, longest=max(lengths)).too_long == 0


def test_the_page_shows_counts_lengths_and_leaks(tokenizer):
    none = Found(count=0, of=9)
    found = Leaks(
        held="test of w", names=Found(count=1, of=40, examples=("Esteban Laidlaw",)), namesakes=none, unsought=3,
        phrasings=none, sequences=none, boilerplate=none,
    )  # fmt: skip
    page = card(TALKS, tokenizer, longest=200, leaks=[found]).markdown()
    assert "| test of w | 1 of 40 | 0 of 9 | 0 of 9 | 0 of 9 | 0 of 9 |" in page
    assert "- names of test of w: `Esteban Laidlaw`" in page
    assert "| tidewater-a | 1 |" in page
    assert "66.7%" in page
    columns = {line.count("|") for line in page.splitlines() if line.startswith("|")}
    assert columns == {3, 6, 7}, "every row of a table has as many cells as its head"


def test_a_card_is_of_one_task(tokenizer):
    with pytest.raises(InputError, match="not 0"):
        card([], tokenizer, longest=200)
    with pytest.raises(InputError, match="not 2"):
        card([*TALKS, Dialogue("judge", (Turn("x", "no"),), "w")], tokenizer, longest=200)
