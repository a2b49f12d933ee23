import numpy as np
import pytest

from labkit.llm.adapter import Adapter
from labkit.llm.embed import Encoded
from labkit.retrieve.late import LateInteraction
from labkit.retrieve.rerank import DENSE, LATE, LEXICAL, Candidates, Reranker, unfamiliar
from labkit.schema import Chunk, Hit, RequestContext

UNIT = np.eye(4, dtype=np.float32)
LATE_ONE = LateInteraction("an-encoder", Adapter({}), UNIT, UNIT, np.zeros(4, np.float32))
# The question has two tokens. The first three passages match the first, the fourth the second.
QUESTION = UNIT[:2]
PASSAGES = {"a": UNIT[[0, 2]], "b": UNIT[[0, 2]], "c": UNIT[[0, 3]], "d": UNIT[[1, 3]]}
DENSE_SCORES = {"a": 0.5, "b": 0.4, "c": 0.3, "d": 0.2}


class Counter:
    """Knows the words of two lists: whole ones, and those it sees in pieces."""

    def count_tokens(self, text):
        return 3 if text in {"Merriton", "INC"} else 1


def hit(name, score):
    chunk = Chunk(
        chunk_id=name, doc_id=name, source_path=f"{name}.md", ordinal=0, text=name, start=0, end=len(name), tokens=1,
        content_hash=name, page=None,
    )  # fmt: skip
    return Hit(chunk=chunk, score=score)


@pytest.mark.parametrize(
    ("question", "share"), [("Who leads sales?", 0), ("Who leads Merriton?", 1 / 3), ("INC-3347", 1), ("?", 0)]
)
def test_unfamiliar_words_are_figures_and_words_in_pieces(question, share):
    assert unfamiliar(question, Counter()) == pytest.approx(share)


def test_the_cosine_counts_less_the_less_the_encoder_knows_the_words():
    found = Candidates({"dense": [hit("a", 0.8), hit("b", 0.4)], "lexical": [hit("b", 9.0), hit("c", 3.0)]}, 10)
    by_name = {one.chunk.chunk_id: at for at, one in enumerate(found.hits)}

    def lead(distrust):
        first = found.first(distrust)
        return float(first[by_name["a"]] - first[by_name["b"]])

    assert lead(0.0) > lead(0.1) > lead(0.15)
    assert lead(0.5) == lead(1.0)  # never below its least


def test_what_a_path_did_not_find_gets_its_last_cosine_and_no_words():
    found = Candidates({"dense": [hit("a", 0.8), hit("b", 0.4)], "lexical": [hit("b", 9.0), hit("c", 3.0)]}, 10)
    by_name = {one.chunk.chunk_id: at for at, one in enumerate(found.hits)}
    assert found.dense[by_name["c"]] == pytest.approx(0.4)
    assert found.lexical[by_name["a"]] == 0.0


class Encoder:
    """Shows its tokens."""

    name = fingerprint = "an-encoder"
    dimensions = 4

    def encode(self, texts, ctx=None):
        return np.ones((len(texts), 4), np.float32) / 2

    def encode_tokens(self, texts, ctx=None):
        return [Encoded(UNIT[0], np.array([7, 8], np.int32), QUESTION) for _ in texts]

    def adapted(self, adapter):
        return self

    def count_tokens(self, text):
        return 1


class Store:
    """Finds all passages on both paths, and scores them as it was told."""

    def search_dense(self, vector, k, ctx):
        return [hit(name, score) for name, score in DENSE_SCORES.items()][:k]

    def search_lexical(self, query, k, ctx):
        return [hit(name, score) for name, score in DENSE_SCORES.items()][:k]

    def token_vectors(self, chunk_ids):
        return [LATE_ONE.token_vectors(PASSAGES[chunk_id]) for chunk_id in chunk_ids]


def test_the_signals_are_added_and_the_third_place_answers_what_is_left():
    found = Reranker(Store(), Encoder(), LATE_ONE).search("which part", 4, RequestContext())
    assert [hit.chunk.chunk_id for hit in found] == ["a", "b", "d", "c"]
    for one, scaled in zip(found[:2], (1.0, 2 / 3), strict=True):
        late = 0.5  # one of the two tokens is matched, anywhere and in the best window alike
        expected = DENSE * DENSE_SCORES[one.chunk.chunk_id] + LEXICAL * scaled + LATE * late
        assert one.score == pytest.approx(expected, abs=0.01)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
