"""What only the embedded store does: what it keeps in memory, and what optimizing changes."""

from datetime import date

import numpy as np
import pytest

from labkit.errors import StoreError
from labkit.retrieve.stores import nearest, snapshot
from labkit.retrieve.stores.lancedb import LanceStore
from labkit.schema import Chunk, Filters, RequestContext

DIMENSIONS = 16
ACLS = [("public",), ("finance", "board"), ("board",)]


def chunk(number, **fields):
    text = f"the torque of gripper number {number}"
    given = {"acl": ACLS[number % 3], "heading_path": ("Manual", f"Part {number % 7}"), "page": None} | fields
    return Chunk(
        chunk_id=f"c{number:04}", doc_id=f"d{number % 50}", source_path=f"{number}.md", ordinal=number, text=text,
        start=0, end=len(text), tokens=5, content_hash=str(number), **given,
    )  # fmt: skip


def vectors(count, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def store(tmp_path):
    made = LanceStore.create(tmp_path, "chunks_test", DIMENSIONS)
    for start in range(0, 600, 100):
        made.append([chunk(n) for n in range(start, start + 100)], vectors(600)[start : start + 100])
    return made


def ids(hits):
    return [hit.chunk.chunk_id for hit in hits]


def test_a_hit_is_the_chunk_that_was_stored(store):
    given = {c.chunk_id: c for c in (chunk(n) for n in range(600))}
    for hit in store.search_dense(vectors(1, 1)[0], 50, RequestContext()):
        assert hit.chunk == given[hit.chunk.chunk_id]
        assert hash(hit.chunk) == hash(given[hit.chunk.chunk_id])
        assert repr(hit.chunk) == repr(given[hit.chunk.chunk_id])


def test_many_vectors_are_parted_and_access_still_comes_first(store, monkeypatch):
    monkeypatch.setattr(nearest, "EXACT_UP_TO", 100)
    rows, question = vectors(600), vectors(1, 1)[0]
    for groups in ({"public"}, {"board"}, {"finance"}, {"finance", "public"}, {"nobody"}):
        ctx = RequestContext(groups=frozenset(groups))
        may = [n for n in range(600) if groups & set(ACLS[n % 3])]
        exact = sorted(may, key=lambda n: -float(rows[n] @ question))[:10]
        found = ids(store.search_dense(question, 10, ctx))
        assert len(found) == len(exact)
        assert set(found) <= {f"c{n:04}" for n in may}
        assert len(set(found) & {f"c{n:04}" for n in exact}) >= 0.9 * len(exact)


def test_who_may_read_what_is_not_mixed_up_between_requests(store):
    """More kinds of request than are remembered, each twice."""
    store.upsert([chunk(n, valid_from=date(2025, 1, 1), lang="de") for n in range(3)], vectors(3))
    days = [date(2024, 12, 20 + n) for n in range(12)] + [date(2025, 1, 1 + n) for n in range(12)]
    for day in days * 2:
        for filters in (Filters(), Filters(languages=("de",))):
            for groups in (frozenset({"public"}), frozenset({"board"}), frozenset({"finance"})):
                ctx = RequestContext(groups=groups, as_of=day, filters=filters)
                hits = store.search_dense(vectors(1)[0], 600, ctx)
                may = [n for n in range(600) if groups & set(ACLS[n % 3])]
                in_force = [n for n in may if n >= 3 or day >= date(2025, 1, 1)]
                wanted = [n for n in in_force if n < 3 or not filters.languages]
                assert sorted(ids(hits)) == [f"c{n:04}" for n in wanted]


def test_a_mask_is_shared_and_cannot_be_changed(store):
    now = store._now()
    one, other = (RequestContext(principal=name, groups=frozenset({"board"})) for name in ("ann", "bob"))
    assert now.readable(one) is now.readable(other)
    with pytest.raises(ValueError, match="read-only"):
        now.readable(one)[0] = True


def test_more_chunks_are_asked_for_than_are_kept(store, monkeypatch):
    monkeypatch.setattr(snapshot, "KEPT", 10)
    ctx = RequestContext()
    first = store.search_dense(vectors(1)[0], 50, ctx)
    store.search_dense(vectors(1, 5)[0], 50, ctx)
    assert store.search_dense(vectors(1)[0], 50, ctx) == first


def test_few_readable_rows_are_found_by_the_access_index_before_and_after_rows_it_does_not_know(store):
    rare = [chunk(n, acl=("rare",), valid_to=date(2025, 1, 1) if n % 2 else None) for n in range(600, 604)]
    asked = {"groups": frozenset({"rare"}), "as_of": date(2026, 1, 1)}
    assert len(store.search_lexical("torque of gripper", 100, RequestContext(**asked))) == 0
    store.optimize()
    store.append(rare, vectors(4))
    for _ in ("scanned", "indexed"):
        hits = store.search_lexical("torque of gripper", 100, RequestContext(**asked))
        assert sorted(ids(hits)) == ["c0600", "c0602"]
        asked["tenant"] = "other"
        assert not store.search_lexical("torque of gripper", 100, RequestContext(**asked))
        asked["tenant"] = "default"
        store.optimize()
    indexes = store._table.list_indices()
    assert {(index.index_type, *index.columns) for index in indexes} == {("FTS", "terms"), ("LabelList", "acl")}


def test_optimizing_changes_no_answer_and_indexes_everything(store):
    ctx = RequestContext()
    before = [sorted(ids(store.search_lexical("gripper", 600, ctx))), ids(store.search_lexical("417", 9, ctx))]
    assert len(before[0]) == 200
    store.optimize()
    assert before == [sorted(ids(store.search_lexical("gripper", 600, ctx))), ids(store.search_lexical("417", 9, ctx))]
    stats = store._table.index_stats("terms_idx")
    assert (stats.num_indexed_rows, stats.num_unindexed_rows) == (600, 0)
    assert len(store._table.to_lance().get_fragments()) == 1


def test_it_can_be_changed_after_it_was_optimized(store):
    store.optimize()
    store.upsert([chunk(0, acl=("board",)), chunk(900)], vectors(2, 3))
    assert store.delete(["d1"]) == 12
    store.optimize()
    found = ids(store.search_lexical("gripper", 700, RequestContext()))
    wanted = [n for n in [*range(600), 900] if n % 3 == 0 and n % 50 != 1 and n != 0]
    assert sorted(found) == [f"c{n:04}" for n in wanted]
    assert sorted(found) == sorted(ids(store.search_dense(vectors(1)[0], 700, RequestContext())))


def test_another_store_object_sees_the_optimized_table(store, tmp_path):
    store.optimize()
    again = LanceStore.open(tmp_path, "chunks_test")
    ctx = RequestContext(groups=frozenset({"board"}))
    assert ids(again.search_lexical("gripper number 7", 5, ctx)) == ids(
        store.search_lexical("gripper number 7", 5, ctx)
    )
    assert again.count() == 600


def test_what_was_deleted_is_not_found_even_if_the_deletion_reports_a_failure(store, monkeypatch):
    ctx, counted = RequestContext(), store._table.count_rows
    assert "c0000" in ids(store.search_dense(vectors(600)[0], 5, ctx))
    answers = iter([counted()])  # it counts before and after; the second time the disk is gone

    def count_rows():
        try:
            return next(answers)
        except StopIteration:
            raise OSError("the disk is gone") from None

    monkeypatch.setattr(store._table, "count_rows", count_rows)
    with pytest.raises(StoreError, match="the disk is gone"):
        store.delete(["d0"])
    monkeypatch.undo()
    assert "c0000" not in ids(store.search_dense(vectors(600)[0], 600, ctx))
