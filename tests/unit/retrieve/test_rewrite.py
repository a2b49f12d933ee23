from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import StoreError
from labkit.retrieve.rewrite import Rewriter, Vocabulary, asked_day, split
from labkit.schema import Chunk

WORDS = {"calibration": 3, "e417": 2, "inc3347": 1, "gripper": 5, "torque": 3, "lead": 9, "restart": 2}


@pytest.fixture
def rewrite():
    return Rewriter(Vocabulary(WORDS))


@pytest.mark.parametrize(
    ("asked", "searched"),
    [
        ("When is the calibraton due", "When is the calibration due"),
        ("griper", "gripper"),
        ("the torqeu of it", "the torque of it"),
        ("restarting it", "restarting it"),  # another form of a word the corpus has
        ("helicopter blades", "helicopter blades"),  # nothing near: left alone
    ],
)
def test_words_are_corrected_only_into_words_of_the_corpus(rewrite, asked, searched):
    assert rewrite(asked).parts == (searched,)


def test_corrections_are_said(rewrite):
    assert rewrite("calibraton of E 417").corrections == {"calibraton": "calibration", "E 417": "E-417"}


def test_an_identifier_is_never_corrected_into_another(rewrite):
    assert rewrite("What is E-471?").parts == ("What is E-471?",)
    assert rewrite("What is E 471?").parts == ("What is E 471?",)


def test_identifiers_written_apart_are_joined_if_the_corpus_has_them(rewrite):
    assert rewrite("open inc 3347 now").parts == ("open inc-3347 now",)
    assert rewrite("a 417").parts == ("a 417",)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Who leads it? And what is the torque?", ("Who leads it?", "what is the torque?")),
        ("Who leads it, and what is the torque?", ("Who leads it", "what is the torque?")),
        ("Who leads research and development?", ("Who leads research and development?",)),
        ("Why? Because of the heat in the hall", ("Why? Because of the heat in the hall",)),
        ("torque", ("torque",)),
        ("The lift stands still; who do I call?", ("The lift stands still; who do I call?",)),
        ("Who leads it? It stands still, and who do I call?", ("Who leads it?", "It stands still, and who do I call?")),
        (
            "The lift, which is new, stands still; who do I call?",
            ("The lift, which is new, stands still; who do I call?",),
        ),
        ("When it stops it shows E-417; who do I call?", ("When it stops it shows E-417; who do I call?",)),
        ("When did it stop, and who do I call?", ("When did it stop", "who do I call?")),
        ("Describe the interlock; what is its torque?", ("Describe the interlock", "what is its torque?")),
        ("To whom does it go, and why is it late?", ("To whom does it go", "why is it late?")),
        ("Is it torn; what do I order?", ("Is it torn", "what do I order?")),
        ("Who leads it? It stands still.", ("Who leads it? It stands still.",)),
    ],
)
def test_several_questions_are_split(text, parts):
    assert split(text) == parts


@given(st.text(min_size=1).filter(str.strip))
def test_nothing_of_a_question_is_lost(text):
    parts = split(text)
    assert 1 <= len(parts) <= 4
    said = {word for part in parts for word in part.split()}
    kept = {word.strip(" ,;") for word in text.split()} - {"", "and", "And"}
    missing = kept - {word.strip(" ,;") for word in said}
    assert all(word.casefold().strip("?,;.! ") in {"and", "also", "then", "plus", ""} for word in missing)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Who led it as of 5 January 2024?", date(2024, 1, 5)),
        ("What happened on 5 January 2024?", None),
        ("as of 2025-03-04", date(2025, 3, 4)),
        ("Who led it as of March 2025?", date(2025, 3, 31)),
        ("as at December 2024", date(2024, 12, 31)),
        ("the customer since 2023", None),
        ("as of 31 February 2024", None),
        ("which applied as of the 3rd of May 2024", date(2024, 5, 3)),
    ],
)
def test_the_day_a_question_is_asked_for(text, day):
    assert asked_day(text) == day


def test_a_vocabulary_is_kept_and_read_back(tmp_path):
    chunk = Chunk(
        chunk_id="a", doc_id="d", source_path="manual.md", ordinal=0, text="The Gripper E-417", start=0, end=17,
        tokens=4, content_hash="x", page=None,
    )  # fmt: skip
    Vocabulary.of([chunk]).save(tmp_path / "words.parquet")
    kept = Vocabulary.load(tmp_path / "words.parquet")
    assert {word for word in ("gripper", "e417", "manual", "zebra") if word in kept} == {"gripper", "e417", "manual"}


def test_a_damaged_vocabulary_is_refused(tmp_path):
    (tmp_path / "words.parquet").write_bytes(b"nothing")
    with pytest.raises(StoreError, match=r"words\.parquet"):
        Vocabulary.load(tmp_path / "words.parquet")
