"""Judges on one interface, each held against the hand grades of chapter 00."""

import numpy as np
import pytest

from labkit.errors import InputError
from labkit.evaluate.grades import hand_grades
from labkit.evaluate.judge import LexicalJudge, ModelJudge, SimilarityJudge, against_hand, undecided_rate
from labkit.llm.http import HttpChat

EVIDENCE = ["Tighten each gripper finger screw to 18 N·m. Wear gloves.", "Do not lubricate the dovetail."]


@pytest.mark.parametrize(
    ("answer", "supported"),
    [
        ("The gripper finger screw is tightened to 18 N·m.", True),
        ("The gripper finger screw is tightened to 12 N·m.", False),
        ("The manufacturer recommends a torque table by email.", False),
    ],
)
def test_words_decide(answer, supported):
    judgement = LexicalJudge()("How tight is it?", answer, EVIDENCE)
    assert judgement.supported is supported
    assert judgement.reason


def test_without_evidence_nothing_is_supported():
    assert LexicalJudge()("How tight?", "18 N·m", []).supported is False
    assert SimilarityJudge(Letters())("How tight?", "18 N·m", []).supported is False


class Letters:
    """Encodes a text as how often each letter occurs: enough to be near or far."""

    def encode(self, texts, ctx):
        counts = np.array([[text.lower().count(c) for c in "abcdefghijklmnopqrstuvwxyz"] for text in texts], np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


def test_nearness_decides_but_not_against_a_negation():
    judge = SimilarityJudge(Letters(), min_similarity=0.8)
    assert judge("", "Lubricate the dovetail.", EVIDENCE[1:]).supported is False
    assert judge("", "Do not lubricate the dovetail.", EVIDENCE[1:]).supported is True
    assert judge("", "xyzzy", EVIDENCE[:1]).supported is False


@pytest.mark.parametrize(
    ("reply", "supported"),
    [("Yes, it does.", True), ("**no**", False), ("The answer is yes.", True), ("Notably so", None), ("", None)],
)
def test_a_model_says_yes_or_no_or_nothing(endpoint, reply, supported):
    endpoint.say = lambda text: reply
    judge = ModelJudge(HttpChat(endpoint.url, model="m"))
    judgement = judge("How tight?", "18 N·m", EVIDENCE)
    assert (judgement.supported, judgement.reason) == (supported, reply)
    assert "18 N·m" in endpoint.asked[0]
    assert EVIDENCE[1] in endpoint.asked[0]
    assert judge.version.startswith("m, judge@")


def test_an_endpoint_that_is_down_gives_no_verdict(endpoint):
    endpoint.status = 500
    judgement = ModelJudge(HttpChat(endpoint.url, model="m", retries=0))("?", "!", EVIDENCE)
    assert judgement.supported is None
    assert "500" in judgement.reason
    assert undecided_rate([judgement]) == 1.0
    assert undecided_rate([]) is None


def test_words_alone_fail_against_the_hand_grades():
    found, judgements = against_hand(LexicalJudge(), hand_grades("00_demo"))
    assert len(judgements) == found.n == 10
    assert found.kappa < 0.8  # an answer from an outdated manual is supported, and wrong
    outdated = hand_grades("00_demo")[0]
    assert outdated.grade == "wrong"
    assert judgements[0].supported
    with pytest.raises(InputError, match="Grade some"):
        against_hand(LexicalJudge(), [])
