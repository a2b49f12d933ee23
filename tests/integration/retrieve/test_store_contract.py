"""What every store must do: on LanceDB always, on Weaviate where a server is given.

WEAVIATE_URL names a running server (with WEAVIATE_GRPC_PORT and WEAVIATE_API_KEY where needed); WEAVIATE_BINARY names
the server's program, which the tests then start. A new store joins by adding a factory to STORES.
"""

import os
import secrets
import threading
from contextlib import closing, contextmanager
from datetime import date

import numpy as np
import pytest

from labkit.errors import IndexMissing, InputError
from labkit.retrieve import Store
from labkit.retrieve.move import move
from labkit.retrieve.stores.lancedb import LanceStore
from labkit.retrieve.stores.weaviate import WeaviateStore
from labkit.schema import Chunk, Filters, RequestContext

DIMENSIONS = 8


SERVED = bool(os.environ.get("WEAVIATE_URL") or os.environ.get("WEAVIATE_BINARY"))
NO_SERVER = "no Weaviate server: set WEAVIATE_URL or WEAVIATE_BINARY to run the contract on it too"


@contextmanager
def lance(request, folder):
    yield LanceStore.create(folder, "chunks_test", DIMENSIONS)


@contextmanager
def weaviate(request, folder):
    settings = request.getfixturevalue("weaviate_settings")
    with closing(WeaviateStore.create(settings, f"Contract_{secrets.token_hex(4)}", DIMENSIONS)) as made:
        try:
            yield made
        finally:
            made.drop()


STORES = {"lancedb": lance, **({"weaviate": weaviate} if SERVED else {})}


@pytest.fixture(params=sorted(STORES))
def store(request, tmp_path):
    with STORES[request.param](request, tmp_path) as made:
        yield made


@pytest.mark.skipif(not SERVED, reason=NO_SERVER)
def test_the_contract_runs_on_weaviate():
    assert "weaviate" in STORES


def chunk(name, text="the gripper torque", **fields):
    given = {"doc_id": f"doc-{name}", "source_path": f"{name}.md", "heading_path": ("Manual",), **fields}
    return Chunk(
        chunk_id=name, ordinal=0, text=text, start=0, end=len(text), tokens=3, content_hash=name, page=None, **given
    )


def unit(seed):
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)
    return vector / np.linalg.norm(vector)


def fill(store, *chunks, tokens=None):
    store.upsert(chunks, np.stack([unit(i) for i in range(len(chunks))]), tokens)


def token_rows(seed, count):
    return np.random.default_rng(seed).integers(-127, 128, (count, 4)).astype(np.int8)


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


@pytest.mark.parametrize(("filters", "sees"), [
    ({}, {"plain", "manual", "mail", "old"}),
    ({"doc_classes": ("manual",)}, {"manual", "old"}),
    ({"doc_classes": ("manual", "mail")}, {"manual", "mail", "old"}),
    ({"doc_classes": ("man",)}, set()),
    ({"doc_classes": ("x') OR 1=1 --",)}, set()),
    ({"languages": ("de",)}, {"mail"}),
    ({"languages": ("de", "en"), "doc_classes": ("manual",)}, {"manual"}),
    ({"since": date(2020, 1, 1)}, {"manual", "mail"}),
    ({"since": date(2020, 1, 2)}, {"mail"}),
    ({"until": date(2020, 1, 1)}, {"manual", "old"}),
    ({"since": date(1999, 1, 1), "until": date(2019, 12, 31)}, {"old"}),
    ({"since": date(2024, 1, 1)}, set()),
])  # fmt: skip
def test_filters_narrow_the_search(store, filters, sees):
    fill(
        store,
        chunk("plain"),  # undated, of no class and language
        chunk("manual", doc_class="manual", lang="en", valid_from=date(2020, 1, 1)),
        chunk("mail", doc_class="mail", lang="de", valid_from=date(2023, 5, 5), valid_to=date.max),
        chunk("old", doc_class="manual", valid_from=date(1999, 1, 1)),
        chunk("hidden", doc_class="manual", lang="de", valid_from=date(2023, 1, 1), acl=("board",)),
    )
    ctx = RequestContext(as_of=date(2025, 1, 1), filters=Filters(**filters))
    assert both(store, ctx) == (sees, sees)


@pytest.mark.parametrize(("query", "first"), [
    ("E-417", "a"), ("e417", "a"), ("E–417", "a"), ("e 417", "a"), ("E-471", "b"), ("E0471", "b"), ("INC/2024/7", "c"),
])  # fmt: skip
def test_identifiers_are_told_apart_and_found_as_people_write_them(store, query, first):
    fill(
        store, chunk("a", "Error E-417 here"), chunk("b", "Error E-471 here"), chunk("c", "Incident INC/2024/7 is open")
    )
    assert store.search_lexical(query, 1, RequestContext())[0].chunk.chunk_id == first


@pytest.mark.parametrize(("query", "finds"), [
    ("東京", {"ja"}), ("東京タワー", {"ja"}), ("давление", {"ru"}), ("الضغط", {"ar"}),
    ("πίεση", {"el"}), ("압력", {"ko"}), ("大阪", set()),
])  # fmt: skip
def test_other_scripts_are_searched(store, query, finds):
    fill(
        store,
        chunk("ja", "東京タワーの圧力", heading_path=()),
        chunk("ru", "Проверьте давление в системе", heading_path=()),
        chunk("ar", "تحقق من الضغط", heading_path=()),
        chunk("el", "Ελέγξτε την πίεση", heading_path=()),
        chunk("ko", "압력 확인", heading_path=()),
    )
    assert {hit.chunk.chunk_id for hit in store.search_lexical(query, 9, RequestContext())} == finds


def test_as_many_hits_as_one_may_ask_for(store):
    count = 10_010
    vectors = np.tile(np.stack([unit(i) for i in range(10)]), (count // 10, 1))
    store.upsert([chunk(f"c{i:05}") for i in range(count)], vectors)
    for hits in (
        store.search_dense(unit(0), 10_000, RequestContext()),
        store.search_lexical("torque", 10_000, RequestContext()),
    ):
        assert len({hit.chunk.chunk_id for hit in hits}) == 10_000


def test_token_vectors_come_back_in_the_order_asked(store):
    tokens = [token_rows(0, 3), token_rows(1, 1), token_rows(2, 0)]
    fill(store, chunk("a"), chunk("b", tenant="other"), chunk("empty"), tokens=tokens)
    fill(store, chunk("none"))
    found = store.token_vectors(["b", "nowhere", "a", "empty", "none", "b"])
    assert [len(each) for each in found] == [1, 0, 3, 0, 0, 1]
    assert (found[2] == tokens[0]).all()
    assert (found[0] == tokens[1]).all()
    assert found[0].dtype == np.int8
    assert store.token_vectors([]) == []


def test_upsert_replaces_token_vectors(store):
    fill(store, chunk("a"), tokens=[token_rows(0, 3)])
    fill(store, chunk("a"), tokens=[token_rows(1, 2)])
    assert (store.token_vectors(["a"])[0] == token_rows(1, 2)).all()
    fill(store, chunk("a"))
    assert len(store.token_vectors(["a"])[0]) == 0


def test_tokens_that_do_not_fit_are_refused_whole(store):
    with pytest.raises(InputError, match="token vectors"):
        fill(store, chunk("a"), chunk("b"), tokens=[token_rows(0, 3)])
    assert store.count() == 0


def test_rows_are_what_was_put_in(store):
    given = [chunk("a", acl=("x",)), chunk("b", tenant="other", valid_to=date.max), chunk("c", lang="de")]
    tokens = [token_rows(i, i) for i in range(3)]
    fill(store, *given, tokens=tokens)
    found = {}
    for rows in store.rows():
        assert rows.vectors.dtype == np.float32
        found |= {c.chunk_id: (c, v, t) for c, v, t in zip(rows.chunks, rows.vectors, rows.tokens, strict=True)}
    assert [found[c.chunk_id][0] for c in given] == given
    for i, name in enumerate("abc"):
        assert found[name][1] == pytest.approx(unit(i), abs=1e-6)
        assert found[name][2].tolist() == tokens[i].tolist()


def test_nothing_has_no_rows(store):
    assert list(store.rows()) == []
    assert list(store.chunks()) == []


@pytest.mark.parametrize("outwards", [True, False])
def test_an_index_moves_between_stores_without_embedding(store, outwards, tmp_path):
    other = LanceStore.create(tmp_path / "other", "chunks_test", DIMENSIONS)
    source, target = (store, other) if outwards else (other, store)
    many = [chunk(f"c{i:03}", f"torque number {i}", tenant="other" if i % 3 else "default") for i in range(150)]
    fill(source, *many, tokens=[token_rows(i, i % 5) for i in range(150)])
    assert move(source, target, progress=False) == 150
    assert move(source, target, progress=False) == 150  # again, as after a move that broke off
    ctx = RequestContext(tenant="other")
    before, after = source.search_dense(unit(7), 5, ctx), target.search_dense(unit(7), 5, ctx)
    assert [hit.chunk for hit in before] == [hit.chunk for hit in after]
    assert [len(each) for each in target.token_vectors(["c004", "c005"])] == [4, 0]


def test_a_chunk_that_changes_tenant_leaves_the_old_one(store):
    fill(store, chunk("a"))
    fill(store, chunk("a", tenant="other"))
    assert both(store, RequestContext()) == (set(), set())
    assert both(store, RequestContext(tenant="other")) == ({"a"}, {"a"})


def test_the_same_chunk_twice_is_refused(store):
    with pytest.raises(InputError, match="twice"):
        fill(store, chunk("a"), chunk("a"))


def test_readers_during_an_upsert_see_before_or_after(tmp_path):
    """Of the embedded store only: Weaviate has no transactions over several objects."""
    store = LanceStore.create(tmp_path, "chunks_test", DIMENSIONS)
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
