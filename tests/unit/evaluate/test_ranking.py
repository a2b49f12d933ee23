"""Rankings by hand, and that duplicates, copies and missing runs count as they should."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import InputError
from labkit.evaluate.ranking import means, ranking_rows


def row(ranked, needs, **more):
    return ranking_rows({"q": ranked}, {"q": needs}, **more)["q"]


def test_two_hops_by_hand():
    found = row(["x", "a", "y", "b"], ["a", "b"], depths=(1, 2, 5))
    assert [found[f"recall_at_{k}"] for k in (1, 2, 5)] == [0, 0.5, 1]
    assert [found[f"all_gold_at_{k}"] for k in (1, 2, 5)] == [0, 0, 1]
    assert found["mrr_at_10"] == 0.5
    ideal = 1 + 1 / math.log2(3)
    assert found["ndcg_at_10"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)


def test_a_copy_is_as_good_and_a_second_copy_adds_nothing():
    needs = [{"a", "a-copy"}, {"b"}]
    assert row(["a-copy", "b"], needs)["all_gold_at_5"] == 1
    assert row(["a-copy", "b"], needs)["ndcg_at_10"] == 1
    assert row(["a", "a-copy", "b"], needs)["ndcg_at_10"] < 1


def test_one_document_may_meet_both_hops():
    needs = [{"a", "ab"}, {"b", "ab"}]
    assert row(["ab"], needs)["ndcg_at_10"] == 1
    assert row(["a", "b"], needs)["ndcg_at_10"] < 1


def test_what_was_not_found_counts_as_nothing():
    rows = ranking_rows({"found": ["a"]}, {"found": ["a"], "missed": ["a"], "unanswerable": []})
    assert rows.keys() == {"found", "missed"}
    assert set(rows["missed"].values()) == {0.0}
    assert means(rows)["recall_at_1"] == 0.5
    assert means({}) == {}


def test_repeated_ids_count_where_they_stand_first():
    assert row(["x", "x", "a"], ["a"], depths=(2,))["recall_at_2"] == 1


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="'q2'"):
        ranking_rows({"q2": ["a"]}, {"q": ["a"]})
    with pytest.raises(InputError, match="question q"):
        row(["a"], [set()])


documents = st.sampled_from("abcdefgh")
rankings = st.lists(documents, max_size=12)


@given(rankings, st.lists(st.sets(documents, min_size=1), min_size=1, max_size=4))
def test_values_are_shares_and_grow_with_depth(ranked, needs):
    found = row(ranked, needs, depths=(1, 2, 5, 10))
    assert all(0 <= value <= 1 + 1e-9 for value in found.values())
    depths = [found[f"recall_at_{k}"] for k in (1, 2, 5, 10)]
    assert depths == sorted(depths)
    assert found["all_gold_at_10"] == (found["recall_at_10"] == 1)
