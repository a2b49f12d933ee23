"""Formats: whatever a model would like to write, what it writes is in the format."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models

from labkit.errors import InputError, ModelError
from labkit.llm.constrain import MOST_QUOTES, Lines, Quotations, Speller, Vocabulary, _byte_letters
from labkit.llm.tasks import ABSTENTION

PASSAGE = "The  Heron picker was\nrenamed Egret.\n\n| Älg | 18 N·m |\nCorvane supplies lot C-22 ⚠."
RELATIONS = ["renamed to", "renamed", "torque"]
WORDS = [
    " |", " | ", "].", " [", "[1", "[12", "1]", "2].", "Not in", " the passages", ".", "The", " Heron", " picker",
    "Egret", " renamed", " torque", " | torque |",
    "\n", "\n\n", "Älg", " N·m", " 18", " ⚠", "🦢", "Heron | renamed | Egret",
]  # fmt: skip
LETTERS = {byte: letter for letter, byte in _byte_letters().items()}
END = 1


def spelled(text):
    return "".join(LETTERS[byte] for byte in text.encode())


@pytest.fixture(scope="module")
def vocabulary():
    """Every byte, some words that cross the borders of the formats, and two special tokens."""
    known = {"<other>": 0, "<end>": END}
    for word in [*LETTERS.values(), *map(spelled, WORDS)]:
        known.setdefault(word, len(known))
    tokenizer = Tokenizer(models.BPE(vocab=known, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<other>", special=True), AddedToken("<end>", special=True)])
    return Vocabulary(tokenizer, frozenset({END}))


def written(vocabulary, constraint, rng, liked, tokens):
    """What a model writes that likes some tokens more than others, anew at every step; and whether it ended."""
    speller, text = Speller(vocabulary, constraint), b""
    for _ in range(tokens):
        scores = rng.normal(size=len(vocabulary.pieces) + 3).astype(np.float32)  # as models with a padded vocabulary
        scores[[token % len(scores) for token in liked]] += 3
        token = speller(scores)
        if token == END:
            return text, True
        text += vocabulary.pieces[token]
    return text, False


drawn = {
    "seed": st.integers(0, 2**32 - 1),
    "liked": st.lists(st.integers(0, 400), max_size=12),
}


SHOWN = ["Tighten it to 18 N·m.\nThen stop. It takes 4.5 kg.", "The Egret\nwas the Heron."]


def is_quoted(text, passages):
    quotations = text.split("\n")
    if re.fullmatch(r"Answer: \S.*", quotations[-1]):
        quotations.pop()
    for line in quotations:
        words, place = re.fullmatch(r"(.+) \[(\d+)\]", line).groups()
        begins, ends = (r"(?<!\w)" if words[0].isalnum() else ""), (r"(?!\w)" if words[-1].isalnum() else "")
        if not re.search(begins + re.escape(words) + ends, " ".join(passages[int(place) - 1].split())):
            return False
    return 0 < len(quotations) <= MOST_QUOTES


@settings(max_examples=60, deadline=None)
@given(passages=st.one_of(st.just(SHOWN), st.lists(st.text(max_size=12), max_size=13)), **drawn)
def test_whatever_it_likes_an_answer_quotes_or_abstains(vocabulary, passages, seed, liked):
    rng = np.random.default_rng(seed)
    format_ = Quotations(passages)
    text, ended = written(vocabulary, format_, rng, liked, 40)
    assert format_.viable(text)
    if ended:
        text = text.decode()
        assert text == ABSTENTION or is_quoted(text, passages)


def is_line(line, passage):
    parts = line.split(" | ")
    flat = " ".join(passage.split())
    return len(parts) == 3 and parts[1] in RELATIONS and all(f and f == f.strip() and f in flat for f in parts[::2])


@settings(max_examples=60, deadline=None)
@given(passage=st.one_of(st.just(PASSAGE), st.text(max_size=20)), **drawn)
def test_whatever_it_likes_lines_quote_the_passage(vocabulary, passage, seed, liked):
    rng = np.random.default_rng(seed)
    format_ = Lines(passage, RELATIONS)
    text, ended = written(vocabulary, format_, rng, liked, 40)
    assert format_.viable(text)
    if ended:
        lines = text.decode().removesuffix("\n").split("\n") if text else []
        assert all(is_line(line, passage) for line in lines), lines


@pytest.mark.parametrize("format_", [Quotations(SHOWN), Lines(PASSAGE, RELATIONS)])
def test_there_is_no_dead_end(vocabulary, format_):
    """Wherever a model has wandered, it can still end in a few steps if that is what it likes."""
    rng = np.random.default_rng(5)
    closing = [*dict.fromkeys("\nAnswer: ]1["), " | torque |", " |"]
    for wandered in range(40):
        speller, text, ended = Speller(vocabulary, format_), b"", False
        for step in range(wandered + 40):
            scores = rng.normal(size=len(vocabulary.pieces))
            if step >= wandered:
                scores[END] = 100
                for place, word in enumerate(closing):
                    scores[vocabulary.pieces.index(word.encode())] = 90 - place
            token = speller(scores)
            if ended := token == END:
                break
            text += vocabulary.pieces[token]
        assert ended, text
        assert format_.complete(text)


@pytest.mark.parametrize(
    ("text", "viable", "complete"),
    [
        ("", True, False),
        ("[", False, False),
        ("Tighten it", True, False),
        (" Tighten", False, False),
        ("tighten", False, False),
        ("18 N·m. Then", True, False),  # over the line break
        ("ighten it", False, False),
        ("Tighten i [", False, False),
        ("8 N", False, False),
        ("1", True, False),
        ("1 [1]", False, False),
        ("18 [1]", True, True),
        ("5 kg [1]", False, False),
        ("4.5 kg [1]", True, True),
        ("4 [1]", False, False),
        ("Tighten it ", True, False),
        ("Tighten it [", True, False),
        ("Tighten it [2", False, False),
        ("Tighten it [1]", True, True),
        ("Heron. [2]", True, True),
        ("[1]", False, False),
        ("Answer: 18", False, False),
        ("Tighten it [1]\n", True, False),
        ("Tighten it [1] ", False, False),
        ("Tighten it [1]\nAns", True, False),
        ("Tighten it [1]\nAnswer: ", True, False),
        ("Tighten it [1]\nAnswer:  18", False, False),
        ("Tighten it [1]\nAnswer: 18", True, True),
        ("Tighten it [1]\nAnswer: 18\n", False, False),
        ("Tighten it\nAnswer: 18", False, False),
        ("Tighten it [1]\nHeron. [2]\nAnswer: 18", True, True),
        ("it [1]\n" * MOST_QUOTES + "Answer: x", True, True),
        ("it [1]\n" * MOST_QUOTES + "it", False, False),
        ("Not in the passa", True, False),
        (ABSTENTION, True, True),
        (ABSTENTION + " [1]", False, False),
    ],
)
def test_quotations(text, viable, complete):
    format_ = Quotations(SHOWN)
    assert (format_.viable(text.encode()), format_.complete(text.encode())) == (viable, complete)


@pytest.mark.parametrize("passages", [[], [""], [" \n", "\0"]])
def test_with_nothing_to_quote_there_is_only_the_abstention(passages):
    format_ = Quotations(passages)
    assert format_.viable(b"Not in")
    assert not format_.viable(b"Yes")


@pytest.mark.parametrize(
    ("text", "viable", "complete"),
    [
        ("", True, True),
        ("\n", False, False),
        ("Heron picker", True, False),
        ("Heron picker |", True, False),
        ("Heron picker | renamed", True, False),
        ("Heron picker | renamed to | Egret", True, True),
        ("picker was renamed | renamed | Egret.\n", True, True),
        ("Heron picker | renamed | Egret\nCorvane | t", True, False),
        ("Heron picker | renamed | Egret\n\n", False, False),
        ("Heron picker | renamed | ", True, False),
        ("Heron picker | renamed | Egret ", False, False),
        ("Heron picker | renamed | Stork", False, False),
        ("Heron picker | sold", False, False),
        ("Heron picker| renamed", False, False),
        ("Heron  picker", False, False),
        ("eron", False, False),
        ("lg", False, False),
        ("icker was", False, False),
        ("e", False, False),
        ("p", True, False),
        ("22", True, False),
        ("Egret | renamed | Egre", True, True),
        (" Heron", False, False),
        ("Egret. Älg", False, False),
        ("Älg | torque | 18 N·m", True, True),
        ("Älg | torque | 18 N·m | x", False, False),
    ],
)
def test_lines(text, viable, complete):
    format_ = Lines(PASSAGE, RELATIONS)
    assert (format_.viable(text.encode()), format_.complete(text.encode())) == (viable, complete)


@pytest.mark.parametrize("name", ["", " torque", "a|b", "a\nb"])
def test_a_relation_that_breaks_the_format_is_refused(name):
    with pytest.raises(InputError, match="Not a name"):
        Lines(PASSAGE, [name])


def test_half_a_character_is_not_the_end(vocabulary):
    speller = Speller(vocabulary, Lines("Ä", ["torque"]))
    scores = np.zeros(len(vocabulary.pieces))
    text = b""
    while (token := speller(scores)) != END and len(text) < 40:
        text += vocabulary.pieces[token]
        scores[END] = 1 if text else 0
    assert text.decode() in {"", "Ä | torque | Ä"}


def test_a_tokenizer_that_cannot_spell_is_refused(vocabulary):
    with pytest.raises(ModelError, match="not byte-level"):
        Vocabulary(Tokenizer(models.BPE(vocab={"▁the": 0}, merges=[])), frozenset())
    few = Vocabulary(Tokenizer(models.BPE(vocab={"x": 0, "y": 1}, merges=[])), frozenset({1}))
    with pytest.raises(ModelError, match="No token continues"):
        Speller(few, Quotations([]))(np.zeros(2))
