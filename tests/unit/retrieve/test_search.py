import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import InputError
from labkit.retrieve import Rewriter, Search, Vocabulary, convex_fusion
from labkit.retrieve.fuse import scaled
from labkit.schema import Chunk, Filters, Hit, RequestContext


def hit(name, score=1.0):
    chunk = Chunk(
        chunk_id=name, doc_id=name, source_path=f"{name}.md", ordinal=0, text=name, start=0, end=len(name), tokens=1,
        content_hash=name, page=None,
    )  # fmt: skip
    return Hit(chunk=chunk, score=score, why={"dense": 1})


class Table:
    """Answers each question with its own list, and remembers what it was asked."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def search(self, query, k, ctx):
        self.asked.append(query)
        return self.answers[query][:k]


def names(hits):
    return [one.chunk.chunk_id for one in hits]


def test_each_of_several_questions_gets_its_turn():
    table = Table({"Who leads it?": [hit("a"), hit("b")], "what is the torque?": [hit("b"), hit("c"), hit("d")]})
    found = Search(table, Rewriter(Vocabulary({}))).search("Who leads it? And what is the torque?", 3, RequestContext())
    assert names(found) == ["a", "b", "c"]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_one_question_is_passed_on_corrected():
    table = Table({"the torque of it": [hit("a")]})
    Search(table, Rewriter(Vocabulary({"torque": 1}))).search("  the torqeu of it ", 3, RequestContext())
    assert table.asked == ["the torque of it"]


@pytest.mark.parametrize(("query", "k"), [("", 5), ("   ", 5), ("x" * 100_000, 5), ("who", 0), ("who", 10_001)])
def test_questions_that_make_no_sense_are_refused(query, k):
    with pytest.raises(InputError):
        Search(Table({}), Rewriter(Vocabulary({}))).search(query, k, RequestContext())


def test_convex_fusion_keeps_how_far_apart_a_path_found_its_hits():
    lists = {"dense": [hit("a", 0.9), hit("b", 0.89), hit("c", 0.1)], "lexical": [hit("b", 7.0), hit("d", 1.0)]}
    found = convex_fusion(lists, 4, weights={"dense": 0.5, "lexical": 0.5})
    assert names(found)[:2] == ["b", "a"]
    assert found[0].score == pytest.approx(0.5 * (0.79 / 0.8) + 0.5)
    assert found[0].why == {"dense": 2, "lexical": 1}


@given(st.lists(st.floats(-5, 5), max_size=8))
def test_scaled_scores_keep_order_and_lie_between_zero_and_one(values):
    shares = scaled([hit("a", value) for value in sorted(values, reverse=True)])
    assert shares == sorted(shares, reverse=True)
    assert all(0 <= share <= 1 for share in shares)
    assert not shares or shares[0] == 1.0


def test_unknown_filters_are_refused_by_name():
    with pytest.raises(InputError, match=r"no filter 'colour'.*doc_classes"):
        Filters.parse({"colour": "red"})
    with pytest.raises(InputError, match="since"):
        Filters.parse({"since": "yesterday"})
    assert Filters.parse({"doc_classes": ["manual"], "since": "2025-01-01"}).doc_classes == ("manual",)
