"""A reading and what the whole corpus knows about it become a document and its chunks: redact, assemble, chunk.

This is what a worker process runs second. Redaction comes before the text is put together, so every offset points into
the redacted text, and nothing downstream ever sees the original. Duplicates become documents that say so, without
chunks.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from labkit.ingest.access import Access
from labkit.ingest.chunk import assemble, chunk
from labkit.ingest.parse import Block
from labkit.ingest.reading import Card, unpack_body, unpack_card
from labkit.ingest.tokens import count_tokens
from labkit.pii import Policy, Redactor, Roster
from labkit.schema import Chunk, Document


@dataclass(frozen=True, slots=True)
class Privacy:
    """How personal data is replaced: the policy, and the key that pseudonyms are derived with.

    Whoever has the key can test whether a pseudonym stands for a name they know, so a deployment sets its own
    (``LABKIT_PSEUDONYM_KEY``); the built-in one makes the course reproducible.
    """

    policy: Policy = field(default_factory=Policy)
    key: str = "no secret: set LABKIT_PSEUDONYM_KEY"


@dataclass(frozen=True, slots=True)
class Place:
    """What a reading does not know: where the file lies, who may read it, and how it stands to other files."""

    source_path: str
    sha256: str
    access: Access
    duplicate_of: str = ""
    """Source path of the original."""
    exact: bool = False
    replaced_by: str = ""
    """Source path of the version that replaced it."""
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A packed reading (see :mod:`labkit.ingest.reading`) and its place."""

    card: bytes
    body: bytes
    place: Place


@dataclass(frozen=True, slots=True)
class Finished:
    """Rows to write, and how many spans of each kind of personal data were replaced."""

    document: Document
    chunks: tuple[Chunk, ...]
    replaced: dict[str, int]


def finish(privacy: Privacy, roster: Roster, unfinished: Unfinished) -> bytes:
    """Finish one document; the result is packed, see :func:`unpack`."""
    card = unpack_card(unfinished.card)
    assert isinstance(card, Card)  # refused files are not finished
    reading = unpack_body(unfinished.body, card)
    place = unfinished.place
    redactor = Redactor(privacy.policy, roster, privacy.key.encode())
    redaction = redactor.redact([card.title, *(block.text for block in reading.blocks)])
    title, *texts = redaction.texts
    blocks = [
        Block(block.kind, text, block.level, block.page) for block, text in zip(reading.blocks, texts, strict=True)
    ]
    text, spans = assemble(blocks)
    document = Document(
        doc_id=doc_id(place.source_path),
        version=card.version,
        source_path=place.source_path,
        doc_class=reading.doc_class,
        format=reading.format,
        title=title[:200],
        text=text,
        language=reading.language,
        valid_from=card.valid_from,
        valid_to=place.valid_to,
        superseded_by=doc_id(place.replaced_by) if place.replaced_by else None,
        duplicate_of=doc_id(place.duplicate_of) if place.duplicate_of else None,
        acl=place.access.groups,
        tenant=place.access.tenant,
        sha256=place.sha256,
        defects=tuple(sorted({*reading.defects, *_relations(place)})),
    )
    chunks = [] if place.duplicate_of else chunk(document, spans, count_tokens)
    return _packed(document, chunks, dict(Counter(span.kind for span in redaction.spans)))


def doc_id(source_path: str) -> str:
    """The identity of a document: from its path below the root."""
    return hashlib.sha256(source_path.encode()).hexdigest()[:16]


def _relations(place: Place) -> list[str]:
    codes = []
    if place.duplicate_of:
        codes.append("exact_duplicate" if place.exact else "near_duplicate")
    if place.replaced_by:
        codes.append("superseded")
    return codes


def _packed(document: Document, chunks: list[Chunk], replaced: dict[str, int]) -> bytes:
    row = {
        "document": document.model_dump(mode="json"),
        "chunks": [found.model_dump(mode="json") for found in chunks],
        "replaced": dict(sorted(replaced.items())),
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def unpack(data: bytes) -> Finished:
    """The rows :func:`finish` packed."""
    row: dict[str, Any] = json.loads(data)
    return Finished(
        Document.model_validate(row["document"]),
        tuple(Chunk.model_validate(found) for found in row["chunks"]),
        row["replaced"],
    )
