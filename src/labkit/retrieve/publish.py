"""Publishes a built index folder to a Weaviate server, and opens what was published.

The folder stays the source: it is built and checked there, then copied as it is into a collection named after the
index version. ``weaviate.json`` in the folder records where to; a folder that was built again since, or another
server, does not fit the record and is refused. Searching the collection is the business of
:mod:`labkit.retrieve.stores.weaviate`.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import ValidationError

from labkit.errors import ConfigError, IndexMismatch, IndexMissing, StoreError
from labkit.llm import Embedder
from labkit.retrieve.index import Index, IndexInfo, open_index
from labkit.retrieve.move import move
from labkit.schema import Record
from labkit.settings import Settings

FILE = "weaviate.json"


class Published(Record):
    """Where an index was published to, in ``weaviate.json``."""

    collection: str
    version: str
    """Of the index that was published."""
    url: str
    """Of the server, without credentials."""


def collection_of(version: str) -> str:
    """The collection that holds an index version."""
    return f"Labkit_{version}"


def publish(index_dir: Path, settings: Settings, embedder: Embedder, *, progress: bool = False) -> IndexInfo:
    """Copy an index to the server of ``settings``; nothing is embedded again, and both are compared in the end.

    A publication that broke off is repeated as a whole. The record is written last. The collection of an earlier
    version stays, since somebody may still search it; :meth:`WeaviateStore.drop` removes it.

    Args:
        index_dir: what :func:`labkit.retrieve.index` built.
        settings: address, key, replicas and time limit of the server.
        embedder: must be the encoder the index was built with.
        progress: show a bar.

    Returns:
        What the index says about itself.

    Raises:
        IndexMissing, IndexMismatch: there is no index, or it does not fit the encoder.
        ConfigError: no server is set.
        EndpointError: the server does not answer, went away, or refuses the key.
        StoreError: the index is damaged, or the server holds something else in the end.
    """
    from labkit.retrieve.stores.weaviate import WeaviateStore

    opened = open_index(index_dir, embedder)
    record = Published(
        collection=collection_of(opened.info.version), version=opened.info.version, url=_address(settings)
    )
    try:
        store = WeaviateStore.open(settings, record.collection)
    except IndexMissing:
        store = WeaviateStore.create(settings, record.collection, opened.info.dimensions)
    with store:
        move(opened.store, store, progress=progress)
    scratch = index_dir / f".{FILE}.{secrets.token_hex(4)}"
    scratch.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    scratch.replace(index_dir / FILE)
    return opened.info


def open_published(index_dir: Path, settings: Settings, embedder: Embedder, *, world: str | None = None) -> Index:
    """The index of a folder, searched in the collection it was published to.

    Its store holds connections: close it with ``index.store.close()`` when done.

    Args:
        index_dir: what :func:`publish` published.
        settings: address, key and time limit of the server.
        embedder: must be the encoder the index was built with.
        world: if given, the world version it must belong to.

    Raises:
        IndexMissing: there is no index, it was never published, or the server has no such collection.
        IndexMismatch: another encoder, schema or world built it, it was built again since, it was published to
            another server or under another name.
        ConfigError: no server is set.
        EndpointError: the server does not answer or refuses the key.
        StoreError: the record is damaged, or the collection holds another number of chunks.
    """
    from labkit.retrieve.stores.weaviate import WeaviateStore

    opened = open_index(index_dir, embedder, world=world)
    record = _read(index_dir)
    for what, published, wanted in (
        ("index version", record.version, opened.info.version),
        ("collection", record.collection, collection_of(opened.info.version)),
        ("server", record.url, _address(settings)),
    ):
        if published != wanted:
            raise IndexMismatch(
                f"Published was {what} {published}, this is {wanted}",
                where=f"{index_dir.name}/{FILE}",
                todo="Publish the index again.",
            )
    store: Any = WeaviateStore.open(settings, record.collection)
    try:
        found = store.count()
        if found != opened.info.chunks:
            raise StoreError(
                f"The collection holds {found} chunks, the index {opened.info.chunks}",
                where=f"{record.url}/{record.collection}",
                todo="Publish the index again.",
            )
    except BaseException:
        store.close()
        raise
    return replace(opened, store=store)


def _read(index_dir: Path) -> Published:
    where = f"{index_dir.name}/{FILE}"
    try:
        return Published.model_validate_json((index_dir / FILE).read_bytes())
    except FileNotFoundError as error:
        raise IndexMissing("The index was never published", where=where, todo="Publish it first.") from error
    except (OSError, ValidationError) as error:
        raise StoreError("The record cannot be read", where=where, todo="Publish the index again.") from error


def _address(settings: Settings) -> str:
    """The server's URL without user and password, and without a slash at its end.

    Raises:
        ConfigError: none is set, or its port is no number.
    """
    if not settings.weaviate_url:
        raise ConfigError("No Weaviate server is set", todo="Set LABKIT_WEAVIATE_URL, e.g. http://localhost:8080.")
    parts = urlsplit(settings.weaviate_url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
