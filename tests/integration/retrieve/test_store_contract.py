"""What every store must do. A new store joins by adding a factory to STORES."""

import threading
from datetime import date

import numpy as np
import pytest

from labkit.errors import IndexMissing, InputError
from labkit.retrieve import Store
from labkit.retrieve.stores.lancedb import LanceStore
from labkit.schema import Chunk, RequestContext

DIMENSIONS = 8


def lance(folder):
    return LanceStore.create(folder, "chunks_test", DIMENSIONS)


STORES = {"lancedb": lance}


@pytest.fixture(params=sorted(STORES))
def store(request, tmp_path):
    return STORES[request.param](tmp_path)


def chunk(name, text="the gripper torque", **fields):
    given = {"doc_id": f"doc-{name}", "source_path": f"{name}.md", "heading_path": ("Manual",), **fields}
    return Chunk(
        chunk_id=name, ordinal=0, text=text, start=0, end=len(text), tokens=3, content_hash=name, page=None, **given
    )


def unit(seed):
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)
    return vector / np.linalg.norm(vector)


def fill(store, *chunks):
    store.upsert(chunks, np.stack([unit(i) for i in range(len(chunks))]))


def both(store, ctx, query="torque", k=100):
    dense = {hit.chunk.chunk_id for hit in store.search_dense(unit(0), k, ctx)}
    lexical = {hit.chunk.chunk_id for hit in store.search_lexical(query, k, ctx)}
    return dense, lexical


def test_it_is_a_store(store):
    assert isinstance(store, Store)
    assert store.count() == 0
    assert both(store, RequestContext()) == (set(), set())


def test_what_goes_in_comes_out_unchanged(store):
    rich = chunk(
        "a",
        "Ä 'quoted' \"text\" 🤖 torque",
        acl=("x", "y"),
        valid_from=date(2024, 1, 1),
        heading_path=("A", "B"),
        doc_class="manual",
        lang="en",
    )
    fill(store, rich, chunk("b"))
    found = store.search_dense(unit(0), 1, RequestContext(groups=frozenset({"y"})))
    assert found[0].chunk == rich
    assert found[0].score == pytest.approx(1.0, abs=1e-5)
    assert sorted(c.chunk_id for c in store.chunks()) == ["a", "b"]


def test_dense_order_is_cosine_order(store):
    fill(store, *(chunk(f"c{i}") for i in range(20)))
    hits = store.search_dense(unit(3), 20, RequestContext())
    exact = {f"c{i}": float(unit(i) @ unit(3)) for i in range(20)}
    assert [h.chunk.chunk_id for h in hits] == sorted(exact, key=exact.__getitem__, reverse=True)
    assert [h.score for h in hits] == pytest.approx(sorted(exact.values(), reverse=True), abs=1e-5)


def test_words_are_stemmed_found_in_headings_and_told_apart(store):
    fill(
        store,
        chunk("a", "Restarting is forbidden"),
        chunk("b", "Error E-417 here"),
        chunk("c", "Error E-471 here"),
        chunk("d", "nothing", heading_path=("Conveyor",)),
    )

    def first(query):
        return [hit.chunk.chunk_id for hit in store.search_lexical(query, 1, RequestContext())]

    assert [first(q) for q in ("restart", "E-417", "E-471", "conveyor", "zebra")] == [["a"], ["b"], ["c"], ["d"], []]


@pytest.mark.parametrize(
    ("group", "sees"),
    [("public", {"open"}), ("finance", {"money"}), ("o'brien", {"quoted"}), ("x') OR 1=1 --", set()), ("fin", set())],
)
def test_only_the_askers_groups(store, group, sees):
    fill(store, chunk("open"), chunk("money", acl=("finance", "board")), chunk("quoted", acl=("o'brien",)))
    ctx = RequestContext(groups=frozenset({group}))
    assert both(store, ctx) == (sees, sees)


def test_nobody_in_no_group_sees_anything(store):
    fill(store, chunk("open"))
    assert both(store, RequestContext(groups=frozenset())) == (set(), set())


@pytest.mark.parametrize("tenant", ["default", "o'neill", "' OR ''='", "none"])
def test_only_the_askers_tenant(store, tenant):
    fill(store, chunk("a"), chunk("b", tenant="o'neill"))
    sees = {"default": {"a"}, "o'neill": {"b"}}.get(tenant, set())
    assert both(store, RequestContext(tenant=tenant)) == (sees, sees)


@pytest.mark.parametrize(
    ("day", "sees"),
    [
        (date(2024, 12, 31), {"always", "old"}),
        (date(2025, 1, 1), {"always", "new"}),  # valid_to is the first day on which it no longer holds
        (date(2026, 1, 1), {"always"}),
    ],
)
def test_only_what_is_in_force(store, day, sees):
    change = date(2025, 1, 1)
    fill(
        store,
        chunk("always"),
        chunk("old", valid_to=change),
        chunk("new", valid_from=change, valid_to=date(2026, 1, 1)),
    )
    assert both(store, RequestContext(as_of=day)) == (sees, sees)


def test_filters_come_before_ranking(store):
    """A hundred better matches the asker may not read do not push out the one he may."""
    hidden = [chunk(f"h{i:03}", "torque torque torque", acl=("board",)) for i in range(100)]
    fill(store, *hidden, chunk("mine", "the torque of a long and otherwise unrelated text"))
    assert both(store, RequestContext(), k=1) == ({"mine"}, {"mine"})


def test_upsert_replaces(store):
    fill(store, chunk("a"), chunk("b"))
    store.upsert([chunk("a", "kumquat")], unit(9)[None])
    assert store.count() == 2
    assert both(store, RequestContext(), "kumquat")[1] == {"a"}
    assert both(store, RequestContext(), "torque")[1] == {"b"}


def test_delete_removes_documents_whole(store):
    fill(store, chunk("a", doc_id="it's"), chunk("b", doc_id="it's"), chunk("c"))
    assert store.delete(["it's", "unknown"]) == 2
    assert store.delete([]) == 0
    assert both(store, RequestContext()) == ({"c"}, {"c"})


def test_many_hits_and_none(store):
    fill(store, *(chunk(f"c{i}") for i in range(30)))
    assert len(store.search_dense(unit(0), 10_000, RequestContext())) == 30
    assert len(store.search_lexical("torque", 10_000, RequestContext())) == 30
    for k in (0, -1, 10_001):
        with pytest.raises(InputError):
            store.search_dense(unit(0), k, RequestContext())
        with pytest.raises(InputError):
            store.search_lexical("torque", k, RequestContext())


@pytest.mark.parametrize("query", ['"', "AND OR NOT", "(torque", "a:b^2~*", "\x00", "東京", "🤖", "torque " * 1000])
def test_any_text_is_a_query(store, query):
    fill(store, chunk("a"))
    assert len(store.search_lexical(query, 5, RequestContext())) == ("torque" in query)


@pytest.mark.parametrize("vectors", [np.zeros((1, 3), np.float32), np.full((1, DIMENSIONS), np.nan, np.float32)])
def test_vectors_that_do_not_fit_are_refused_whole(store, vectors):
    with pytest.raises(InputError):
        store.upsert([chunk("a")], vectors)
    assert store.count() == 0


def test_the_same_chunk_twice_is_refused(store):
    with pytest.raises(InputError, match="twice"):
        fill(store, chunk("a"), chunk("a"))


def test_readers_during_an_upsert_see_before_or_after(store):
    names = [f"c{i}" for i in range(50)]
    fill(store, *(chunk(name, "torque old") for name in names))
    done, bad = threading.Event(), []

    def read():
        while not done.is_set():
            hits = store.search_lexical("torque", 100, RequestContext())
            if len({h.chunk.text for h in hits}) != 1 or len(hits) != 50:
                bad.append([h.chunk.text for h in hits])

    reader = threading.Thread(target=read)
    reader.start()
    for word in ("new", "newer"):
        fill(store, *(chunk(name, f"torque {word}") for name in names))
    done.set()
    reader.join()
    assert bad == []


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(IndexMissing, match="chunks_none"):
        LanceStore.open(tmp_path, "chunks_none")


def test_the_file_name_is_searched_without_its_padding(store):
    fill(store, chunk("a", source_path="rules/pep-0008.rst", heading_path=()), chunk("b", source_path="pep-0080.rst"))
    assert both(store, RequestContext(), "pep 8")[1] == {"a", "b"}
    assert store.search_lexical("8", 5, RequestContext())[0].chunk.chunk_id == "a"
