"""How chunks lie in Weaviate: the collection and its properties.

Dates are whole numbers, the day's proleptic ordinal (:meth:`datetime.date.toordinal`), for two reasons. Weaviate
indexes a DATE as nanoseconds in 64 bits, which hold 1678 to 2262 only, and ``9999-12-31`` is how many systems write
*never ends*. And a missing date needs a value that compares: 0 lies before every day, 3,652,060 after, and neither is
one, so no index of nulls is built and no date is mistaken for a missing one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from labkit.errors import InputError
from labkit.retrieve.store import HEADING_WEIGHT, TokenVectors, place
from labkit.retrieve.terms import terms
from labkit.schema import Chunk
from labkit.settings import Settings

VECTOR = "passage"
SEARCHED = ["text_terms", f"heading_terms^{HEADING_WEIGHT}"]
"""What BM25F searches: the terms of a passage, and those of its file name and headings with their weight."""

NEVER_BEGAN, NEVER_ENDS = 0, date.max.toordinal() + 1

_IDS = uuid.UUID("5b0c1a52-6a0e-5d0c-9f0b-0d6a4b7f3c11")  # any constant: the namespace of our chunk ids
_PLAIN_TENANT = re.compile(r"(?!h-)[A-Za-z0-9_-]{1,64}")  # what Weaviate takes, less our own prefix
_COLLECTION = re.compile(r"[A-Z][A-Za-z0-9_]{0,254}")

_DAYS = ("valid_from", "valid_to")
CHUNK_PROPERTIES = [*(name for name in Chunk.model_fields if name not in _DAYS), "from_day", "to_day"]
"""What is read back to make a chunk."""

TOKEN_PROPERTIES = ["token_vectors", "token_width"]
ALL_PROPERTIES = [*CHUNK_PROPERTIES, "text_terms", "heading_terms", *TOKEN_PROPERTIES]


def definition(dimensions: int, settings: Settings) -> dict[str, Any]:
    """The arguments of ``client.collections.create`` besides the name.

    HNSW is approximate; with its filter strategy ACORN it keeps finding neighbours when a filter lets few objects
    through and these lie far from the query. Vectors are not quantized, as newer servers would do unasked: the score
    is the cosine. Stopwords are off: the terms are final.
    """
    from weaviate.classes.config import (
        Configure,
        DataType,
        Property,
        StopwordsPreset,
        Tokenization,
        VectorDistances,
        VectorFilterStrategy,
    )

    def matched(name: str, kind: DataType = DataType.TEXT) -> Property:
        return Property(
            name=name, data_type=kind, tokenization=Tokenization.FIELD, index_filterable=True, index_searchable=False
        )

    def searched(name: str) -> Property:
        return Property(
            name=name,
            data_type=DataType.TEXT,
            tokenization=Tokenization.WHITESPACE,
            index_filterable=False,
            index_searchable=True,
        )

    def compared(name: str) -> Property:
        return Property(name=name, data_type=DataType.INT, index_filterable=False, index_range_filters=True)

    def kept(name: str, kind: DataType = DataType.TEXT) -> Property:
        text = kind in (DataType.TEXT, DataType.TEXT_ARRAY)
        return Property(name=name, data_type=kind, index_filterable=False, index_searchable=False if text else None)

    return {
        "description": json.dumps({"labkit": "chunks", "dimensions": dimensions}),
        "properties": [
            *(matched(name) for name in ("doc_id", "doc_class", "lang")),
            matched("acl", DataType.TEXT_ARRAY),
            *(compared(name) for name in ("from_day", "to_day")),
            *(searched(name) for name in ("text_terms", "heading_terms")),
            *(kept(name) for name in ("chunk_id", "source_path", "text", "content_hash", "tenant")),
            kept("heading_path", DataType.TEXT_ARRAY),
            *(kept(name, DataType.INT) for name in ("ordinal", "start", "end", "page", "tokens", "schema_version")),
            kept("token_vectors", DataType.BLOB),
            kept("token_width", DataType.INT),
        ],
        "vector_config": [
            Configure.Vectors.self_provided(
                name=VECTOR,
                quantizer=Configure.VectorIndex.Quantizer.none(),
                vector_index_config=Configure.VectorIndex.hnsw(
                    distance_metric=VectorDistances.COSINE, filter_strategy=VectorFilterStrategy.ACORN
                ),
            )
        ],
        "inverted_index_config": Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
        "multi_tenancy_config": Configure.multi_tenancy(enabled=True, auto_tenant_activation=True),
        "replication_config": Configure.replication(factor=settings.weaviate_replicas),
    }


def described_dimensions(description: str | None) -> int | None:
    """The vector length a collection's description states; None if labkit did not write it."""
    try:
        stated = json.loads(description or "")
    except ValueError:
        return None
    dimensions = stated.get("dimensions") if isinstance(stated, dict) and stated.get("labkit") == "chunks" else None
    return dimensions if isinstance(dimensions, int) else None


def check_collection(name: str) -> str:
    """The name, if Weaviate takes it as it is.

    Raises:
        InputError: it does not; Weaviate would change or refuse it.
    """
    if not _COLLECTION.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a collection of Weaviate",
            todo="Begin with a capital letter; letters, digits and underscores may follow.",
        )
    return name


def shard(tenant: str) -> str:
    """The Weaviate tenant that holds a tenant's chunks: its own name where Weaviate takes that, else a hash of it."""
    if _PLAIN_TENANT.fullmatch(tenant):
        return tenant
    return f"h-{hashlib.sha256(tenant.encode()).hexdigest()[:40]}"


def object_id(chunk_id: str) -> str:
    """The UUID of a chunk's object; the same chunk id always gives the same."""
    return str(uuid.uuid5(_IDS, chunk_id))


def properties(chunk: Chunk, tokens: TokenVectors | None) -> dict[str, Any]:
    """A chunk and its token vectors as the properties of an object.

    What is missing or empty is left out: Weaviate stores no nulls, and sends an empty list back without a type.
    """
    made = chunk.model_dump(exclude={*_DAYS})
    made["from_day"] = NEVER_BEGAN if chunk.valid_from is None else chunk.valid_from.toordinal()
    made["to_day"] = NEVER_ENDS if chunk.valid_to is None else chunk.valid_to.toordinal()
    made["text_terms"] = " ".join(terms(chunk.text))
    made["heading_terms"] = " ".join(terms(place(chunk)))
    if tokens is not None:
        made["token_width"] = int(tokens.shape[1])
        made["token_vectors"] = base64.b64encode(np.ascontiguousarray(tokens, np.int8).tobytes()).decode("ascii")
    made = {name: list(value) if isinstance(value, tuple) else value for name, value in made.items()}
    return {name: value for name, value in made.items() if value is not None and value not in ("", [])}


def chunk_of(given: Mapping[str, Any]) -> Chunk:
    """The chunk that :func:`properties` laid out."""
    fields = {name: given[name] for name in Chunk.model_fields if given.get(name) is not None}
    # What is empty was left out on the way in, and the default of these, if any, is not empty.
    fields = {"text": "", "source_path": "", "doc_id": "", "content_hash": "", "tenant": "", "acl": ()} | fields
    begins, ends = int(given["from_day"]), int(given["to_day"])
    fields["valid_from"] = None if begins == NEVER_BEGAN else date.fromordinal(begins)
    fields["valid_to"] = None if ends == NEVER_ENDS else date.fromordinal(ends)
    return Chunk(**fields)


def tokens_of(given: Mapping[str, Any]) -> TokenVectors:
    """The token vectors in an object's properties, (t, width); (0, 0) where none were given."""
    width = int(given.get("token_width") or 0)
    data = base64.b64decode(given.get("token_vectors") or "")
    return np.frombuffer(data, np.int8).reshape(-1, width) if width else np.zeros((0, 0), np.int8)
