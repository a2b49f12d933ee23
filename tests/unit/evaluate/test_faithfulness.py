"""What an answer says beyond its citations is found; what it twists is not."""

import pytest

from labkit.evaluate.faithfulness import claims_of, lexical_faithfulness
from labkit.schema import Answer, Citation

QUOTE = "Each gripper finger screw of the Heron picker is tightened to 18 N·m by Mbali Burkhardt."
QUESTION = "How tight is the screw on the Heron picker?"


def claim(text, *quotes):
    return claims_of(QUESTION, text, quotes or [QUOTE])[0]


@pytest.mark.parametrize(
    ("text", "supported", "missing"),
    [
        ("The screw is tightened to 18 N·m.", True, ()),
        ("The screw is tightened to 12 N·m.", False, ("12",)),
        ("The screw is tightened by Bartek Renshaw.", False, ("bartek", "renshaw")),
        ("The screw is not tightened to 18 N·m.", False, ()),
    ],
)
def test_one_sentence(text, supported, missing):
    found = claim(text)
    assert (found.supported, found.missing) == (supported, missing)


def test_words_the_evidence_lacks_are_named():
    assert "lubricat" in claim("Lubricate generously with grease beforehand.").missing


def test_a_swap_of_meaning_passes_for_it_is_blind_to_meaning():
    assert claim("Mbali Burkhardt is tightened by the screw to 18 N·m.").supported


def answer(text, *quotes, **more):
    cited = tuple(Citation(chunk_id="c", source_path="p", start=0, end=1, quote=quote) for quote in quotes)
    return Answer(text=text, citations=cited, **more)


def test_share_of_sentences():
    both = "The screw is tightened to 18 N·m. It costs 99 EUR."
    assert lexical_faithfulness(QUESTION, answer(both, QUOTE)) == 0.5
    assert lexical_faithfulness(QUESTION, answer(both)) == 0.0
    assert lexical_faithfulness(QUESTION, answer("?", abstained=True)) is None
    assert lexical_faithfulness(QUESTION, answer("")) is None
