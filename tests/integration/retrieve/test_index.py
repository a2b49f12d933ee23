"""Building, reopening and refusing an index, with the real store and encoder."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labkit.errors import IndexMismatch, IndexMissing, InputError, StoreError
from labkit.llm import embedder
from labkit.retrieve import DenseRetriever, HybridRetriever, LexicalRetriever, index, open_index, seal
from labkit.schema import Chunk, RequestContext, Retriever, arrow_schema
from labkit.settings import Settings

TEXTS = {
    "gripper": "Tighten the gripper bolts to 18 N·m.",
    "e417": "Error E-417 means the belt is loose.",
    "e471": "Error E-471 means the motor is hot.",
    "lunch": "The canteen opens at noon.",
}


@pytest.fixture(scope="module")
def encoder():
    return embedder(Settings())


def chunks(texts):
    return [
        Chunk(
            chunk_id=name,
            doc_id=name,
            source_path=f"{name}.md",
            ordinal=0,
            text=text,
            start=0,
            end=len(text),
            tokens=9,
            content_hash=name,
        )
        for name, text in texts.items()
    ]


def ingested(folder, texts=TEXTS, **changes):
    rows = [{**chunk.model_dump(), **changes} for chunk in chunks(texts)]
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(Chunk)), folder / "chunks.parquet")
    return folder


@pytest.fixture
def built(tmp_path, encoder):
    index(ingested(tmp_path / "in"), tmp_path / "ix", encoder, world="w1", progress=False)
    return tmp_path / "ix"


def edit(index_dir, **changes):
    file = index_dir / "index.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_hybrid_finds_by_word_and_by_meaning_and_says_how(built, encoder):
    store = open_index(built, encoder).store
    retriever = HybridRetriever({"dense": DenseRetriever(store, encoder), "lexical": LexicalRetriever(store)})
    assert isinstance(retriever, Retriever)
    hits = retriever.search("what does E-417 mean", 2, RequestContext())
    assert hits[0].chunk.chunk_id == "e417"
    assert hits[0].why == {"dense": 1, "lexical": 1}
    assert retriever.search("when can I eat", 1, RequestContext())[0].chunk.chunk_id == "lunch"
    for query, k in (("", 1), ("x" * 100_000, 1), ("q", 0), ("q", 10_001)):
        with pytest.raises(InputError):
            retriever.search(query, k, RequestContext())
    assert len(retriever.search("error", 10_000, RequestContext())) == 4


def test_the_version_is_the_contents(built, tmp_path, encoder):
    first = open_index(built, encoder).info
    again = index(ingested(tmp_path / "in"), built, encoder, progress=False)
    assert (again.version, again.reused) == (first.version, 4)
    changed = index(ingested(tmp_path / "in", {**TEXTS, "lunch": "Closed."}), built, encoder, progress=False)
    assert changed.version != first.version
    assert (changed.chunks, changed.reused) == (4, 3)
    hit = open_index(built, encoder).store.search_lexical("closed", 1, RequestContext())[0]
    assert hit.chunk.chunk_id == "lunch"
    assert len(list(built.glob("*.lance"))) == 2  # the one in use, and the one a reader may still have open


def test_another_encoder_schema_or_world_is_refused_by_name(built, encoder):
    with pytest.raises(IndexMismatch, match=r"world w1, this is w2"):
        open_index(built, encoder, world="w2")
    open_index(built, encoder, world="w1")
    edit(built, encoder_fingerprint="other@12345678/mean/256")
    with pytest.raises(IndexMismatch, match=r"other@12345678.*all-minilm-l6-v2@53aa5117"):
        open_index(built, encoder)
    edit(built, schema_version=99)
    with pytest.raises(IndexMismatch, match="schema version 99"):
        open_index(built, encoder)


def test_no_index(tmp_path, encoder):
    with pytest.raises(IndexMissing, match="There is no index"):
        open_index(tmp_path / "nowhere", encoder)


def test_a_build_that_died_is_noticed_and_the_old_index_survives(built, tmp_path, encoder, monkeypatch):
    def dies(texts, ctx=None):
        raise KeyboardInterrupt

    before = open_index(built, encoder).info
    broken = type("Broken", (), {**dict.fromkeys(("name", "fingerprint"), "b"), "dimensions": 384})()
    broken.encode = dies
    with pytest.raises(KeyboardInterrupt):
        index(tmp_path / "in", built, broken, progress=False)
    assert open_index(built, encoder).info == before
    with pytest.raises(KeyboardInterrupt):
        index(tmp_path / "in", tmp_path / "fresh", broken, progress=False)
    with pytest.raises(IndexMissing, match="never finished"):
        open_index(tmp_path / "fresh", encoder)


def test_a_change_without_seal_is_noticed(built, encoder):
    opened = open_index(built, encoder)
    opened.store.delete(["lunch"])
    with pytest.raises(StoreError, match=r"holds 3 chunks where index\.json says 4"):
        open_index(built, encoder)
    assert seal(built, opened.info.table, encoder).version != opened.info.version
    assert open_index(built, encoder).info.chunks == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"table": 1, "layout": 2}'])
def test_a_damaged_record_is_refused(built, encoder, text):
    (built / "index.json").write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        open_index(built, encoder)


def test_damaged_data_is_a_store_error(built, encoder):
    for file in built.glob("*.lance/data/*"):
        file.unlink()

    def use():
        opened = open_index(built, encoder)
        opened.store.search_dense(encoder.encode(["x"])[0], 1, RequestContext())

    with pytest.raises(StoreError):
        use()


def test_chunks_that_are_missing_or_of_another_schema_are_refused(tmp_path, encoder):
    with pytest.raises(InputError, match=r"chunks\.parquet"):
        index(tmp_path, tmp_path / "ix", encoder)
    with pytest.raises(InputError, match="schema version 7"):
        index(ingested(tmp_path / "in", schema_version=7), tmp_path / "ix", encoder)
