"""What a search asks of Weaviate, as its filters, and what it answers, as hits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labkit.retrieve.stores.weaviate_schema import NEVER_BEGAN, chunk_of
from labkit.schema import Hit, RequestContext

if TYPE_CHECKING:
    from weaviate.collections.classes.filters import FilterReturn

_PATHS = {"keyword": "lexical", "vector": "dense"}  # Weaviate's names of the two result sets → ours
_EXPLAINED = re.compile(r"Result Set (\w+),.*?original score (-?[\d.]+(?:e[-+]?\d+)?)", re.IGNORECASE | re.DOTALL)


def filter_of(ctx: RequestContext) -> FilterReturn:
    """The groups, the day and the narrowing of a request as one filter; the tenant is a shard of its own.

    Undated passages do not pass ``since`` (0 lies before it) and are kept out of ``until`` by their 0.
    """
    from weaviate.classes.query import Filter

    def prop(name: str) -> Any:
        return Filter.by_property(name)

    today, asked = ctx.as_of.toordinal(), ctx.filters
    parts = [
        prop("acl").contains_any(sorted(ctx.groups)),
        prop("from_day").less_or_equal(today),
        prop("to_day").greater_than(today),
    ]
    if asked.doc_classes:
        parts.append(prop("doc_class").contains_any(sorted(asked.doc_classes)))
    if asked.languages:
        parts.append(prop("lang").contains_any(sorted(asked.languages)))
    if asked.since is not None:
        parts.append(prop("from_day").greater_or_equal(asked.since.toordinal()))
    if asked.until is not None:
        parts.append(prop("from_day").less_or_equal(asked.until.toordinal()))
        parts.append(prop("from_day").greater_than(NEVER_BEGAN))
    return Filter.all_of(parts)


def any_document(doc_ids: Sequence[str]) -> FilterReturn:
    """The chunks of these documents."""
    from weaviate.classes.query import Filter

    return Filter.by_property("doc_id").contains_any(list(doc_ids))


def any_object(ids: Sequence[str]) -> FilterReturn:
    """These objects."""
    from weaviate.classes.query import Filter

    return Filter.by_id().contains_any(list(ids))


def hits(
    found: Sequence[Any], scores: Sequence[float], ctx: RequestContext, why: Sequence[dict[str, int]] | None = None
) -> list[Hit]:
    """Hits by falling score, ties by chunk id.

    What the asker may not read is dropped once more: Weaviate trims values it matches whole, so that the group
    ``"board "`` would pass for ``"board"``.
    """
    made = (
        Hit(chunk=chunk_of(each.properties), score=float(score), why=path)
        for each, score, path in zip(found, scores, why or [{}] * len(found), strict=True)
    )
    readable = [hit for hit in made if ctx.may_read(hit.chunk.acl, hit.chunk.tenant)]
    return sorted(readable, key=lambda hit: (-hit.score, hit.chunk.chunk_id))


def ranks(explanations: Sequence[str]) -> list[dict[str, int]]:
    """For each result the rank of its score in each search, from Weaviate's words about the scores."""
    scores = [
        {_PATHS[name]: float(score) for name, score in _EXPLAINED.findall(text) if name in _PATHS}
        for text in explanations
    ]
    ranked = {path: sorted((each[path] for each in scores if path in each), reverse=True) for path in _PATHS.values()}
    return [{path: ranked[path].index(score) + 1 for path, score in each.items()} for each in scores]
