import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import InputError
from labkit.retrieve.fuse import reciprocal_rank_fusion
from labkit.retrieve.store import MAX_QUERY_CHARS, check_search
from labkit.schema import Chunk, Hit


def hit(name, score=0.0):
    chunk = Chunk(
        chunk_id=name, doc_id="d", source_path="p", ordinal=0, text=name, start=0, end=1, tokens=1, content_hash=name
    )
    return Hit(chunk=chunk, score=score)


ids = st.lists(st.sampled_from("abcdefgh"), unique=True)


def test_the_formula_of_the_paper():
    fused = reciprocal_rank_fusion({"dense": [hit("a"), hit("b")], "lexical": [hit("b")]}, 5)
    assert [h.chunk.chunk_id for h in fused] == ["b", "a"]
    assert fused[0].score == pytest.approx(1 / 62 + 1 / 61)
    assert fused[0].why == {"dense": 2, "lexical": 1}
    assert fused[1].why == {"dense": 1}


@given(ids, ids, st.integers(1, 10))
def test_fusion_keeps_what_was_found_and_only_that(dense, lexical, k):
    fused = reciprocal_rank_fusion({"dense": list(map(hit, dense)), "lexical": list(map(hit, lexical))}, k)
    found = [h.chunk.chunk_id for h in fused]
    assert len(found) == len(set(found)) == min(k, len({*dense, *lexical}))
    assert set(found) <= {*dense, *lexical}
    assert [h.score for h in fused] == sorted((h.score for h in fused), reverse=True)


@given(ids, ids)
def test_only_ranks_count_and_the_order_of_paths_does_not(dense, lexical):
    one = reciprocal_rank_fusion({"d": [hit(x, 9.0) for x in dense], "l": list(map(hit, lexical))}, 8)
    two = reciprocal_rank_fusion({"l": list(map(hit, lexical)), "d": [hit(x, -1.0) for x in dense]}, 8)
    assert [h.chunk.chunk_id for h in one] == [h.chunk.chunk_id for h in two]


@pytest.mark.parametrize(
    ("query", "k"), [("", 1), ("  \n", 1), ("x" * (MAX_QUERY_CHARS + 1), 1), ("q", 0), ("q", 10_001)]
)
def test_searches_that_make_no_sense_are_refused(query, k):
    with pytest.raises(InputError):
        check_search(query, k)
