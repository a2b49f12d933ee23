"""The tuned reader: what is asked of the model, what becomes of its reply, and what when it is down."""

import pytest

from labkit.errors import EndpointError
from labkit.llm.tasks import ABSTENTION as SILENT
from labkit.pipeline import ABSTENTION, EvidenceRule, Pipeline, StatementSelector
from labkit.pipeline.reader import Reader
from labkit.schema import ChatReply, Chunk, Hit, RequestContext, Usage

TORQUE = "Wear gloves. Tighten the gripper bolts to 18 N·m on the Heron. Then check the belt."
RIGHT = "18 N·m [1]"
ALARMS = "Error E-471 means the motor is hot. Do not restart the controller."


class Overlap:
    name = fingerprint = "overlap"
    dimensions = 257

    def encode(self, texts, ctx=None):
        import numpy as np

        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().split():
                row[int.from_bytes(word.encode()) % self.dimensions] += 1
            row /= max(1.0, float(np.linalg.norm(row)))
        return vectors

    def count_tokens(self, text):
        return len(text.split())


class Shelf:
    torque = TORQUE

    def search(self, query, k, ctx):
        return [
            Hit(
                chunk=Chunk(
                    chunk_id=f"c{n}", doc_id=f"d{n}", source_path=f"doc{n}.md", ordinal=0, text=text, start=100,
                    end=100 + len(text), tokens=9, content_hash=str(n), heading_path=("Manual",),
                ),
                score=1.0,
            )
            for n, text in enumerate((self.torque, ALARMS))
        ]  # fmt: skip


class Says:
    name = "base+answer@1234"

    def __init__(self, reply):
        self.reply, self.messages = reply, []

    def chat(self, messages, *, max_tokens=64, ctx):
        self.messages.append(messages)
        if isinstance(self.reply, Exception):
            raise self.reply
        return ChatReply(text=self.reply, usage=Usage(prompt_tokens=30, completion_tokens=5))


def ask(reply, question="How tight are the gripper bolts on the Heron?", shelf=None):
    reader = Reader(Says(reply))
    pipeline = Pipeline(
        shelf or Shelf(), Says("never asked"), select=StatementSelector(Overlap()),
        judge=EvidenceRule(min_similarity=0.1), reader=reader,
    )  # fmt: skip
    return pipeline.ask(question, RequestContext()), reader


def test_an_answer_cites_the_sentence_of_the_passage_it_names():
    answer, reader = ask(RIGHT)
    assert (answer.text, answer.route, answer.abstained) == ("18 N·m", "read", False)
    assert [citation.quote for citation in answer.citations] == ["Tighten the gripper bolts to 18 N·m on the Heron."]
    assert answer.citations[0].start == 100 + TORQUE.index("Tighten")
    assert answer.versions.model == "base+answer@1234"
    assert answer.versions.prompt == reader.prompt
    assert answer.usage.prompt_tokens == 30
    assert set(answer.timings) == {"retrieve", "select", "read"}


def test_the_model_sees_numbered_passages_and_the_question():
    _, reader = ask(RIGHT)
    (messages,) = reader._chat.messages
    assert [message["role"] for message in messages] == ["system", "user"]
    question, *passages, again = [line for line in messages[1]["content"].split("\n") if line]
    assert passages[0] == "[1] Manual: Tighten the gripper bolts to 18 N·m on the Heron."
    assert {line[4:] for line in passages[1:]} == {
        "Manual: Wear gloves.", "Manual: Then check the belt.", "Manual: Error E-471 means the motor is hot.",
        "Manual: Do not restart the controller.",
    }  # fmt: skip
    assert question == again == "Question: How tight are the gripper bolts on the Heron?"


@pytest.mark.parametrize("reply", [SILENT, "18 N·m", "18 N·m [7]", "18 N·m [2]", "18 Nm [1]", "Answer: 18 N·m", ""])
def test_what_is_not_cited_is_not_said(reply):
    answer, _ = ask(reply)
    assert answer.abstained
    assert (answer.text, answer.citations, answer.usage.completion_tokens) == (ABSTENTION, (), 5)


def test_a_reply_that_was_cut_off_is_no_answer():
    class CutOff(Says):
        def chat(self, messages, *, max_tokens=64, ctx):
            return super().chat(messages, max_tokens=max_tokens, ctx=ctx).model_copy(update={"finish_reason": "length"})

    reader = Reader(CutOff(RIGHT))
    passages = StatementSelector(Overlap())("gripper bolts", Shelf().search("", 1, None)[:1], RequestContext())
    assert reader("How tight?", passages, RequestContext()).cited.text == ""
    assert Reader(Says(RIGHT))("How tight?", passages, RequestContext()).cited.text == "18 N·m"


def test_without_passages_nobody_is_asked():
    class Empty:
        def search(self, query, k, ctx):
            return []

    answer, reader = ask(RIGHT, shelf=Empty())
    assert answer.abstained
    assert reader._chat.messages == []


def test_when_the_model_is_down_the_nearest_sentence_is_quoted():
    answer, _ = ask(EndpointError("gone"))
    assert answer.degraded == ("read",)
    assert (answer.route, answer.text) == ("quote", "Tighten the gripper bolts to 18 N·m on the Heron.")


def test_when_the_model_is_down_and_nothing_bears_on_the_question_it_abstains():
    answer, _ = ask(EndpointError("gone"), "Who founded Rome?")
    assert answer.abstained
    assert answer.degraded == ("read",)
