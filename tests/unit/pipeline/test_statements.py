"""Which sentences a tuned reader is shown."""

import numpy as np
import pytest

from labkit.llm.embed import Encoded
from labkit.pipeline.statements import READ_HITS, StatementSelector
from labkit.schema import Chunk, Hit, RequestContext


class Words:
    """A sentence's vector counts its words, hashed; in ``Tokens`` below each token has one of its own."""

    name = fingerprint = "words"
    dimensions = 257

    def encode(self, texts, ctx=None):
        return np.array([self._vector(text) for text in texts], np.float32)

    def count_tokens(self, text):
        return len(text.split())

    def _vector(self, text):
        vector = np.zeros(self.dimensions, np.float32)
        for word in text.lower().replace(".", "").split():
            vector[int.from_bytes(word.encode()) % self.dimensions] += 1
        return vector / max(1.0, float(np.linalg.norm(vector)))


class Tokens(Words):
    """Shows its tokens, and counts what it is asked to read."""

    def __init__(self):
        self.read = []

    def encode_tokens(self, texts, ctx=None):
        self.read += texts
        return [
            Encoded(self._vector(text), np.zeros(1, np.int32), np.array([self._vector(w) for w in text.split()]))
            for text in texts
        ]

    def adapted(self, adapter):
        return self


class Late:
    """Late interaction without training: the mean of the best matches."""

    def asker(self, embedder):
        return embedder

    def token_vectors(self, states):
        return states

    def scores(self, states, passages):
        return np.array([(states @ one.T).max(1).mean() for one in passages], np.float32)


def hit(text, n=0, title="Manual"):
    heading = (title,) if title else ()
    chunk = Chunk(
        chunk_id=f"c{n}-{text[:9]}", doc_id=f"d{n}", source_path=f"doc{n}.md", ordinal=0, text=text, start=100,
        end=100 + len(text), tokens=9, content_hash=text, heading_path=heading,
    )  # fmt: skip
    return Hit(chunk=chunk, score=1.0)


@pytest.fixture(params=["tokens", "vectors"])
def select(request):
    if request.param == "tokens":
        return StatementSelector(Tokens(), late=Late())
    return StatementSelector(Words())


def texts(passages):
    return [passage.text for passage in passages]


def test_the_nearest_sentence_of_all_hits_comes_first(select):
    hits = [hit("Wear gloves today. Mind the belt.", 1), hit("The red valve opens left. The pump is loud.", 2)]
    found = select("how does the red valve open", hits, RequestContext())
    assert texts(found)[0] == "The red valve opens left."
    assert sorted(texts(found)) == [
        "Mind the belt.", "The pump is loud.", "The red valve opens left.", "Wear gloves today.",
    ]  # fmt: skip
    closeness = [passage.closeness[0] for passage in found]
    assert closeness == sorted(closeness, reverse=True)
    assert all(-1 <= passage.similarity <= 1 for passage in found)


def test_no_more_than_it_is_told_to_show_and_none_of_no_hits(select):
    select.statements = 2
    hits = [hit("The red pump leaks. The blue pump hums. The green pump stands still.")]
    assert len(select("where are pumps", hits, RequestContext())) == 2
    assert len(select.ranked("where are pumps", hits, RequestContext())) == 3
    assert select("where are pumps", [], RequestContext()) == []


def test_what_two_hits_say_alike_is_there_once_under_its_first_hit(select):
    found = select("pump", [hit("The pump is loud.", 1), hit("The pump  is loud.", 2), hit("The pump is loud.", 3)],
                   RequestContext())  # fmt: skip
    assert [passage.chunk.source_path for passage in found] == ["doc1.md", "doc2.md"]


def test_of_equal_sentences_the_better_hit_is_first(select):
    found = select("pump", [hit("The pump is loud.", 1, "A"), hit("The pump is loud.", 2, "B")], RequestContext())
    assert [passage.chunk.doc_id for passage in found] == ["d1", "d2"]
    assert found[0].closeness[0] == pytest.approx(found[1].closeness[0])
    far = [hit("The pump is loud.", 1, "A")] + [hit("It rains on Mondays.", n, "B") for n in range(2, 5)]
    nearer = select("the loud pump hums", [*far, hit("The loud pump hums.", 9, "C")], RequestContext())
    assert nearer[0].chunk.doc_id == "d9", "a place counts less than what is said"


def test_hits_that_name_the_identifier_keep_the_others_out(select):
    hits = [hit("E-417 means a jam.", 1), hit("E-418 means a hot motor.", 2)]
    assert texts(select("What does E-418 mean?", hits, RequestContext())) == ["E-418 means a hot motor."]
    assert len(select("What does E-500 mean?", hits, RequestContext())) == 2
    late = [hit(f"Pump number {n} is loud.", n) for n in range(9, 9 + READ_HITS)] + hits
    assert texts(select("What does E-418 mean?", late, RequestContext())) == ["E-418 means a hot motor."]


def test_headings_and_labels_are_not_shown_and_later_hits_not_compared(select):
    assert texts(select("gripper", [hit("# Gripper\n\nTighten the gripper bolts.")], RequestContext())) == [
        "Tighten the gripper bolts."
    ]
    many = [hit(f"Pump number {n} is loud.", n) for n in range(READ_HITS + 3)]
    assert len(select.ranked("loud pump", many, RequestContext())) == READ_HITS


def test_a_sentence_is_read_once_and_a_question_every_time():
    embedder = Tokens()
    select = StatementSelector(embedder, late=Late())
    first = select("loud pump", [hit("The pump is loud. The belt is new.")], RequestContext())
    again = select("loud pump", [hit("The pump is loud. The belt is new.")], RequestContext())
    assert first == again
    assert sum("belt" in text for text in embedder.read) == 1
    assert embedder.read.count("loud pump") == 4  # as it is, and as late interaction asks
