import pytest

from labkit.retrieve.rerank import Candidates, unfamiliar
from labkit.schema import Chunk, Hit


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
