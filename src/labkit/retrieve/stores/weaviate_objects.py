"""The objects of one Weaviate collection, tenant by tenant: read, written all or none, deleted, walked through.

It knows ids, properties and vectors, and no chunks. Errors of the client pass through it unchanged; those of
:mod:`labkit.retrieve.stores.weaviate_calls` are labkit's own already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.errors import EndpointError, LabkitError, StoreError
from labkit.retrieve.stores import weaviate_schema as schema
from labkit.retrieve.stores.weaviate_calls import Rejected
from labkit.retrieve.stores.weaviate_search import any_object

PAGE = 128
"""Objects per call: with token vectors some 100 kB each, and a server takes messages of 100 MB if not set otherwise."""

_FIRST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """An object to be written: its id, its properties and its vector."""

    id: str
    properties: dict[str, Any]
    vector: Sequence[float]


class Objects:
    """A collection's objects. Safe for threads.

    Args:
        collection: the client's handle, with its consistency level.
        where: address and name, for messages.
    """

    def __init__(self, collection: Any, where: str) -> None:
        self._collection, self._where = collection, where
        self._shards: frozenset[str] = frozenset()

    def shards(self) -> frozenset[str]:
        """The tenants there are now."""
        self._shards = frozenset(self._collection.tenants.get())
        return self._shards

    def has(self, shard: str) -> bool:
        """Whether there is such a tenant; one that was there before is taken to be there still."""
        return shard in self._shards or shard in self.shards()

    def of(self, shard: str) -> Any:
        """The client's handle of one tenant."""
        return self._collection.with_tenant(shard)

    def read(self, shard: str, ids: Sequence[str], names: Sequence[str], *, vector: bool = False) -> list[Any]:
        """The objects with these ids, those that are there, in no particular order."""
        found = self.of(shard).query.fetch_objects(
            filters=any_object(ids),
            limit=len(ids),  # the server's default is 10
            return_properties=list(names),
            include_vector=[schema.VECTOR] if vector else False,
        )
        return list(found.objects)

    def count(self, shard: str) -> int:
        """How many objects a tenant has."""
        return int(self.of(shard).aggregate.over_all(total_count=True).total_count or 0)

    def walk(self, shard: str, names: Sequence[str], *, vector: bool = False) -> Iterator[list[Any]]:
        """All objects of a tenant, page by page, by the server's cursor."""
        after = None
        while (
            page := self.of(shard)
            .query.fetch_objects(
                limit=PAGE,
                after=after,
                return_properties=list(names),
                include_vector=[schema.VECTOR] if vector else False,
            )
            .objects
        ):
            yield page
            after = page[-1].uuid

    def replace(self, entries: Mapping[str, Sequence[Entry]]) -> None:
        """Write objects by tenant, replacing those of the same id in any tenant; all or, as far as it can be, none.

        If a write fails, what was added is removed and what was replaced is put back before the error is raised.

        Raises:
            StoreError: the server refused some, with their number and the first reasons.
            EndpointError: it went away. Of both the message says if what was written could not be taken back.
        """
        self._make(set(entries))
        written: list[tuple[str, list[str], list[Entry]]] = []  # tenant, ids, the objects they replace
        try:
            for shard, given in entries.items():
                for page in pages(given):
                    ids = [entry.id for entry in page]
                    before = self.read(shard, ids, schema.ALL_PROPERTIES, vector=True)
                    written.append((shard, ids, [_entry(each) for each in before]))
                    self._write(shard, page)
        except (EndpointError, StoreError) as error:
            self._take_back(written, error)
            raise
        for shard, ids, _ in written:
            for other in self._shards - {shard}:
                self.delete(other, any_object(ids))

    def delete(self, shard: str, which: Any) -> int:
        """Delete what a filter matches in a tenant; returns how many objects went.

        A call repeated because its answer was lost counts only what was left to remove.

        Raises:
            StoreError: some could not be deleted.
        """
        gone: int = 0
        # A deletion stops at the server's result limit (10,000 if not set otherwise) without a word: again until empty.
        while True:
            done = self.of(shard).data.delete_many(which)
            gone += int(done.successful)
            if done.failed:
                raise StoreError(
                    f"{done.failed} of {done.matches} chunks could not be deleted",
                    where=self._where,
                    todo="Delete them again when all nodes are up.",
                )
            if not done.successful:
                return gone

    def _write(self, shard: str, entries: Sequence[Entry]) -> None:
        from weaviate.classes.data import DataObject

        objects = [
            DataObject(uuid=entry.id, properties=entry.properties, vector={schema.VECTOR: list(entry.vector)})
            for entry in entries
        ]
        try:
            self.of(shard).data.insert_many(objects)
        except Rejected as error:
            reasons = list(dict.fromkeys(error.errors.values()))[:_FIRST_REASONS]
            raise StoreError(
                f"Weaviate refused {len(error.errors)} of {len(objects)} chunks: {' | '.join(reasons)[:600]}",
                where=self._where,
                todo="Mend the cause and repeat the upsert.",
            ) from error

    def _take_back(self, written: Sequence[tuple[str, list[str], list[Entry]]], cause: LabkitError) -> None:
        try:
            for shard, ids, replaced in reversed(written):
                kept = {entry.id for entry in replaced}
                added = [one for one in ids if one not in kept]
                if added:
                    self.delete(shard, any_object(added))
                if replaced:
                    self._write(shard, replaced)
        except (EndpointError, StoreError) as error:
            raise type(cause)(
                f"{cause.what}; what was written before could not be taken back ({error.what})",
                where=self._where,
                todo="Repeat the upsert when the server is well: it replaces what it finds.",
            ) from cause

    def _make(self, shards: set[str]) -> None:
        missing = shards - self._shards and shards - self.shards()
        if missing:
            self._collection.tenants.create(sorted(missing))
            self._shards = self._shards | missing


def pages(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Consecutive pieces of at most PAGE items."""
    for start in range(0, len(items), PAGE):
        yield items[start : start + PAGE]


def _entry(found: Any) -> Entry:
    given = {name: value for name, value in found.properties.items() if value is not None}
    return Entry(str(found.uuid), given, found.vector[schema.VECTOR])
