"""The pipeline's own logic, with a retriever and a chat model that say what the test tells them to."""

import threading
from contextlib import contextmanager
from datetime import date

import numpy as np
import pytest

from labkit.errors import BudgetExceeded, Cancelled, EndpointError, InputError
from labkit.pipeline import ABSTENTION, Attributor, EvidenceRule, Pipeline, Selector
from labkit.pipeline.pipeline import first_sentence, is_answered
from labkit.schema import Answer, Answerer, ChatReply, Chunk, Hit, RequestContext, Usage, Versions

TORQUE = "Wear gloves. Tighten the gripper bolts to 18 N·m on the Heron. Then check the belt."
ALARMS = "Error E-471 means the motor is hot. Do not restart the controller."


class WordVectors:
    """An encoder whose similarity is the overlap of words: deterministic and easy to steer."""

    name = fingerprint = "words"
    dimensions = 65_537

    def encode(self, texts, ctx=None):
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().replace(".", "").replace("?", "").split():
                row[int.from_bytes(word.encode()) % self.dimensions] = 1
            row /= max(1.0, np.linalg.norm(row))
        return vectors

    def count_tokens(self, text):
        return len(text.split())


class Shelf:
    def __init__(self, *texts, heading=("Manual",)):
        self.hits = []
        for n, text in enumerate(texts):
            chunk = Chunk(
                chunk_id=f"c{n}",
                doc_id=f"d{n}",
                source_path=f"doc{n}.md",
                ordinal=0,
                text=text,
                start=100,
                end=100 + len(text),
                tokens=9,
                content_hash=str(n),
                heading_path=heading,
            )
            self.hits.append(Hit(chunk=chunk, score=1.0 / (n + 1), why={"dense": n + 1}))

    def search(self, query, k, ctx):
        return self.hits[:k]


class Parrot:
    name = "parrot"

    def __init__(self, text):
        self.text, self.asked = text, []

    def chat(self, messages, *, max_tokens=64, ctx):
        self.asked.append(messages)
        if isinstance(self.text, Exception):
            raise self.text
        return ChatReply(text=self.text, usage=Usage(prompt_tokens=30, completion_tokens=5))

    def stream(self, messages, *, max_tokens=64, ctx):
        yield self.text


def pipeline(shelf, says, **changes):
    given = {"select": Selector(WordVectors()), "judge": EvidenceRule(min_similarity=0.2), **changes}
    return Pipeline(shelf, Parrot(says), **given)


def ctx(**limits):
    return RequestContext(as_of=date(2026, 1, 1), **limits)


QUESTION = "What torque do the gripper bolts of the Heron need: tighten to how many N·m?"


def test_a_supported_answer_carries_its_sentence():
    answer = pipeline(Shelf(TORQUE, ALARMS), "Tighten the gripper bolts to 18 N·m. And more.").ask(QUESTION, ctx())
    assert answer.text == "Tighten the gripper bolts to 18 N·m."
    assert (answer.route, answer.abstained) == ("generate", False)
    (citation,) = answer.citations
    assert citation.chunk_id == "c0"
    assert citation.source_path == "doc0.md"
    assert citation.quote == "Tighten the gripper bolts to 18 N·m on the Heron."
    assert TORQUE[citation.start - 100 : citation.end - 100] == citation.quote
    assert 0 < answer.confidence <= 1
    assert answer.usage.completion_tokens == 5
    assert list(answer.timings) == ["retrieve", "select", "judge", "generate", "attribute"]
    assert answer.versions.model == "parrot"
    assert answer.versions.prompt.startswith("answer@")


@pytest.mark.parametrize(
    "says",
    [
        "Tighten the gripper bolts to 21 N·m.",  # another number
        "Do not tighten the gripper bolts to 18 N·m.",  # the opposite
        "The torque is defined by engineers worldwide.",  # not in the passage
        "Tighten the gripper bolts firmly.",  # no number where one is asked for
        "bolts bolts bolts bolts bolts bolts bolts bolts 18",
        "",
    ],
)
def test_an_unsupported_answer_is_replaced_by_the_documents_own_words(says):
    answer = pipeline(Shelf(TORQUE), says).ask(QUESTION, ctx())
    assert answer.route == "quote"
    assert answer.text == answer.citations[0].quote == "Tighten the gripper bolts to 18 N·m on the Heron."


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("What does error E-417 mean for the motor?", "identifier"),
        ("Is the motor hot at the plant of Brightmart?", "name"),
        ("zebra quagga okapi", "similarity"),
        ("motor is hot pancakes waffles crumpets bagels scones", "coverage"),
    ],
)
def test_it_abstains_when_the_evidence_is_about_something_else(question, reason):
    shelf = Shelf(ALARMS)
    selector = Selector(WordVectors())
    verdict = EvidenceRule(min_similarity=0.2, min_coverage=0.5)(question, selector(question, shelf.hits, ctx()))
    assert (verdict.answerable, verdict.reason) == (False, reason)
    chat_says = "Error E-471 means the motor is hot."
    answer = pipeline(shelf, chat_says).ask(question, ctx())
    assert (answer.text, answer.abstained, answer.citations) == (ABSTENTION, True, ())
    assert "generate" not in answer.timings


def test_the_same_passage_answers_when_the_identifier_is_its_own():
    answer = pipeline(Shelf(ALARMS), "It means the motor is hot.").ask("What does error E-471 mean?", ctx())
    assert answer.citations[0].quote == "Error E-471 means the motor is hot."


def test_a_passage_about_another_part_is_neither_shown_nor_cited():
    shelf = Shelf("Error E-417 means the belt is loose.", ALARMS)
    system = pipeline(shelf, "It means the belt is loose.")
    answer = system.ask("What does error E-471 mean?", ctx())
    assert [c.chunk_id for c in answer.citations] == ["c1"]
    assert "belt" not in str(system._chat.asked)


def test_nothing_found_is_said():
    answer = pipeline(Shelf(), "Anything").ask("What is it?", ctx())
    assert (answer.abstained, answer.confidence) == (True, 0.0)


def test_a_dead_endpoint_degrades_to_a_quotation():
    answer = pipeline(Shelf(TORQUE), EndpointError("down")).ask(QUESTION, ctx())
    assert (answer.route, answer.degraded) == ("quote", ("generate",))
    assert answer.citations[0].quote == answer.text


def test_an_amount_is_never_answered_without_a_number():
    shelf = Shelf("The gripper bolts of the Heron are tightened by hand in the workshop.")
    answer = pipeline(shelf, "They are tightened by hand.").ask("How many gripper bolts does the Heron have?", ctx())
    assert answer.abstained


def test_limits_of_the_request_are_not_swallowed():
    left = threading.Event()
    left.set()
    with pytest.raises(Cancelled):
        pipeline(Shelf(TORQUE), "x").ask(QUESTION, ctx(cancel=left))
    with pytest.raises(BudgetExceeded):
        pipeline(Shelf(TORQUE), BudgetExceeded("spent")).ask(QUESTION, ctx())
    for question in ("", " \n ", "x" * 100_000):
        with pytest.raises(InputError):
            pipeline(Shelf(TORQUE), "x").ask(question, ctx())


def test_every_stage_is_traced_and_hooked_in_order():
    class Spans:
        trace_id = "t1"

        def __init__(self):
            self.names = []

        @contextmanager
        def span(self, name, **attributes):
            self.names.append(name)
            yield

    spans, hooked = Spans(), []
    system = pipeline(Shelf(TORQUE), "Tighten to 18 N·m.", hooks=[lambda stage, _: hooked.append(stage)])
    assert isinstance(system, Answerer)
    answer = system.ask(QUESTION, ctx(trace=spans))
    assert spans.names == hooked == ["retrieve", "select", "judge", "generate", "attribute"]
    assert answer.trace_id == "t1"


def test_stages_can_be_replaced():
    strict, versions = Attributor(min_support=1.1), Versions(index="i", world="w")
    system = pipeline(Shelf(TORQUE), "Tighten to 18 N·m.", attribute=strict, versions=versions)
    answer = system.ask(QUESTION, ctx())
    assert answer.route == "quote"
    assert (answer.versions.index, answer.versions.world) == ("i", "w")


def test_passages_are_cut_to_the_sentences_nearest_the_question():
    filler = [f"Filler sentence number {n} says little." for n in range(40)]
    text = " ".join([*filler[:20], "The torque is 18 N·m.", *filler[20:]])
    (passage,) = Selector(WordVectors(), passage_tokens=30)("What is the torque in N·m?", Shelf(text).hits, ctx())
    assert "The torque is 18 N·m." in passage.text
    assert len(passage.text.split()) <= 30
    assert passage.text in text
    assert len(passage.closeness) == len(passage.sentences)


def test_headings_are_never_the_answer():
    shelf = Shelf("# Gripper torque\n\nBolts take 18 N·m.", heading=("Gripper torque",))
    (passage,) = Selector(WordVectors())("gripper torque", shelf.hits, ctx())
    nearest = passage.sentences[int(np.argmax(passage.closeness))]
    assert nearest.text == "Bolts take 18 N·m."
    assert passage.similarity > max(passage.closeness)


@pytest.mark.parametrize(
    ("reply", "first", "done"),
    [
        ("It is 18. It was 21.", "It is 18.", True),
        ("Manual > Torque:\nIt is 18.", "It is 18.", False),
        ("Answer: **It is 18.**", "It is 18.", False),
        ("<documents>\nIt is 18.\n\nMore", "It is 18.", True),
        ("1. Check the belt", "1. Check the belt", False),
        ("", "", False),
    ],
)
def test_the_first_sentence_of_a_reply(reply, first, done):
    assert first_sentence(reply) == first
    assert is_answered(reply) is done


def test_the_right_sentence_about_the_wrong_part_is_not_cited():
    shelf = Shelf("On PN-20 error E-471 means the motor is hot.", "On PN-30 error E-471 means the belt is loose.")
    question = "What does error E-471 mean on PN-20?"
    passages = Selector(WordVectors())(question, shelf.hits, ctx())
    assert len(passages) == 2
    assert Attributor()(question, "It means the belt is loose.", passages) is None
    assert Attributor()(question, "It means the motor is hot.", passages).citation.chunk_id == "c0"


def test_what_facts_answer_is_neither_searched_nor_asked_of_the_model():
    known = Answer(text="18 N·m", confidence=0.9, route="facts")
    system = pipeline(Shelf(), "never", facts=lambda question, ctx: known, versions=Versions(index="i1"))
    answer = system.ask("How tight?", ctx())
    assert (answer.text, answer.route, answer.versions.index) == ("18 N·m", "facts", "i1")
    assert list(answer.timings) == ["facts"]
    assert system._chat.asked == []


def test_where_facts_are_silent_the_passages_answer():
    system = pipeline(Shelf(TORQUE), "Tighten the bolts to 18 N·m.", facts=lambda question, ctx: None)
    answer = system.ask("How many N·m for the gripper bolts on the Heron?", ctx())
    assert answer.route == "generate"
    assert list(answer.timings)[:2] == ["facts", "retrieve"]
