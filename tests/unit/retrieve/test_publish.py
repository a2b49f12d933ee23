"""Publishing an index folder and opening it again, at the wire; ranking on a real server is the contract's business."""

import json
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labkit.errors import ConfigError, IndexMismatch, IndexMissing, StoreError
from labkit.retrieve import index, open_index
from labkit.retrieve.publish import FILE, collection_of, open_published, publish
from labkit.retrieve.search import flat_retriever
from labkit.retrieve.store import Store
from labkit.retrieve.stores.weaviate import WeaviateStore
from labkit.schema import Chunk, RequestContext, arrow_schema
from labkit.settings import Settings

from .weaviate_wire import Wire

CTX = RequestContext(as_of=date(2025, 6, 1))
TEXTS = {"e417.md": "Error E-417: the belt is loose.", "e471.md": "Error E-471: the motor is hot.", "menu.md": "Soup."}


class Letters:
    """An encoder by counting letters."""

    name = fingerprint = "letters"
    dimensions = 26

    def encode(self, texts, ctx=None):
        counted = np.array([[text.casefold().count(chr(97 + n)) for n in range(26)] for text in texts], np.float32)
        return counted / np.linalg.norm(counted, axis=1, keepdims=True)

    def count_tokens(self, text):
        return len(text.split())


@pytest.fixture
def wire():
    server = Wire().start()
    yield server
    server.stop()


@pytest.fixture
def settings(wire):
    return Settings(weaviate_url=wire.url, weaviate_grpc_port=wire.grpc_port, weaviate_timeout_s=5.0)


def build(folder, texts=TEXTS):
    rows = [
        Chunk(chunk_id=path, doc_id=path, source_path=path, ordinal=0, text=text, start=0, end=len(text), tokens=5,
              content_hash=path).model_dump()
        for path, text in texts.items()
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(Chunk)), folder / "chunks.parquet")
    index(folder, folder / "index", Letters(), progress=False)
    return folder / "index"


@pytest.fixture
def folder(tmp_path):
    return build(tmp_path / "corpus")


@pytest.fixture
def opened():
    """Opens published indexes and closes them."""
    found = []

    def made(*args, **given):
        found.append(open_published(*args, **given))
        return found[-1]

    yield made
    for each in found:
        each.store.close()


def edit(folder, **changes):
    file = folder / FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_what_is_published_is_found_again(folder, settings, opened):
    info = publish(folder, settings, Letters())
    there, here = opened(folder, settings, Letters()), open_index(folder, Letters())
    assert isinstance(there.store, Store)
    assert there.info == here.info == info
    assert there.store.count() == 3
    first = flat_retriever(there, Letters()).search("E-417 belt", 2, CTX)[0]
    assert first.chunk == flat_retriever(here, Letters()).search("E-417 belt", 2, CTX)[0].chunk
    assert first.chunk.source_path == "e417.md"


def test_the_record_names_collection_version_and_server_but_no_password(folder, wire, settings):
    info = publish(folder, settings, Letters())
    record = json.loads((folder / FILE).read_text())
    assert record == {"collection": f"Labkit_{info.version}", "version": info.version, "url": wire.url.rstrip("/")}
    assert list(wire.collections) == [collection_of(info.version)]


def test_a_password_in_the_address_is_not_written_down(folder, settings, opened):
    address = settings.weaviate_url.replace("http://", "http://me:secret@")
    publish(folder, settings.model_copy(update={"weaviate_url": address}), Letters())
    assert "secret" not in (folder / FILE).read_text()
    assert opened(folder, settings, Letters()).store.count() == 3


def test_publishing_again_is_the_same(folder, wire, settings, opened):
    assert publish(folder, settings, Letters()) == publish(folder, settings, Letters())
    assert len(wire.collections) == 1
    assert opened(folder, settings, Letters()).store.count() == 3


def test_a_publication_that_broke_off_is_not_recorded_and_can_be_repeated(folder, wire, settings, opened, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(WeaviateStore, "count", lambda self: 0)  # any failure after the first write
        patch.setattr(WeaviateStore, "rows", lambda self: iter(()))
        with pytest.raises(StoreError, match="3 chunks were to be moved"):
            publish(folder, settings, Letters())
    assert not (folder / FILE).exists()
    with pytest.raises(IndexMissing, match="never published"):
        opened(folder, settings, Letters())
    publish(folder, settings, Letters())
    assert opened(folder, settings, Letters()).store.count() == 3


def test_an_index_built_again_must_be_published_again(folder, settings, opened):
    before = publish(folder, settings, Letters())
    build(folder.parent, {**TEXTS, "new.md": "A new page."})
    with pytest.raises(IndexMismatch, match=f"index version {before.version}, this is"):
        opened(folder, settings, Letters())
    after = publish(folder, settings, Letters())
    assert opened(folder, settings, Letters()).store.count() == after.chunks == 4


def test_another_collection_server_or_world_is_refused_by_name(folder, settings, opened):
    info = publish(folder, settings, Letters())
    with pytest.raises(IndexMismatch, match="world"):
        opened(folder, settings, Letters(), world="another")
    edit(folder, url="http://elsewhere:8080")
    with pytest.raises(IndexMismatch, match="server http://elsewhere:8080"):
        opened(folder, settings, Letters())
    edit(folder, collection="Labkit_old")
    with pytest.raises(IndexMismatch, match=f"collection Labkit_old, this is Labkit_{info.version}"):
        opened(folder, settings, Letters())


def test_a_collection_that_lost_chunks_is_refused(folder, settings, opened):
    info = publish(folder, settings, Letters())
    with WeaviateStore.open(settings, collection_of(info.version)) as store:
        store.delete(["menu.md"])
    with pytest.raises(StoreError, match="holds 2 chunks, the index 3"):
        opened(folder, settings, Letters())


def test_a_collection_that_is_gone_is_missing(folder, settings, opened):
    info = publish(folder, settings, Letters())
    with WeaviateStore.open(settings, collection_of(info.version)) as store:
        store.drop()
    with pytest.raises(IndexMissing, match="no such collection"):
        opened(folder, settings, Letters())


def test_a_damaged_record_and_a_missing_server_are_said(folder, settings, opened):
    with pytest.raises(ConfigError, match="LABKIT_WEAVIATE_URL"):
        publish(folder, Settings(weaviate_url=None), Letters())
    publish(folder, settings, Letters())
    (folder / FILE).write_text("{")
    with pytest.raises(StoreError, match="record cannot be read"):
        opened(folder, settings, Letters())
