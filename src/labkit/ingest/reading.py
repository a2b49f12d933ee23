"""What one file says before the rest of the corpus is known, and the card of it that is kept in memory.

A :class:`Reading` depends on the file's bytes and the kind its name claims, on nothing else: two equal files have one
reading, wherever they lie. It holds the text before redaction. A :class:`Card` is the little of it that decides about
duplicates, versions and people; ten thousands of them fit in memory.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from labkit.ingest.parse import Block
from labkit.pii import Evidence
from labkit.schema import Format


@dataclass(frozen=True, slots=True)
class Card:
    """The part of a reading that the whole corpus is judged by."""

    title: str
    number: str = ""
    """The number or name the document gives itself (``MA-1234``), by which its versions know each other."""
    version: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    replaces: tuple[str, ...] = ()
    """Numbers of documents it says it replaces."""
    replaced_by: tuple[str, ...] = ()
    words: int = 0
    text_hash: str = ""
    """Equal for equal words, whatever the format and layout."""
    signature: bytes = b""
    """MinHash of its shingles; see :mod:`labkit.ingest.duplicates`."""
    evidence: Evidence = field(default_factory=Evidence)
    """What it says about who is who."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that could be read."""

    format: Format
    card: Card
    blocks: tuple[Block, ...]
    doc_class: str = ""
    language: str = ""
    defects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that could not be read: the reason code and a message for people."""

    reason: str
    message: str


def pack_card(card: Card) -> bytes:
    """A card as bytes."""
    row = {
        "title": card.title,
        "number": card.number,
        "version": card.version,
        "from": card.valid_from.isoformat() if card.valid_from else "",
        "to": card.valid_to.isoformat() if card.valid_to else "",
        "replaces": card.replaces,
        "replaced_by": card.replaced_by,
        "words": card.words,
        "text_hash": card.text_hash,
        "signature": card.signature.hex(),
        "evidence": card.evidence.model_dump(mode="json", exclude_defaults=True),
    }
    return _packed(row)


def pack_refusal(refusal: Refusal) -> bytes:
    """A refusal as bytes; it stands where a card would."""
    return _packed({"reason": refusal.reason, "message": refusal.message})


def unpack_card(data: bytes) -> Card | Refusal:
    """What :func:`pack_card` or :func:`pack_refusal` was given."""
    row = _unpacked(data)
    if "reason" in row:
        return Refusal(row["reason"], row["message"])
    return Card(
        title=row["title"],
        number=row["number"],
        version=row["version"],
        valid_from=date.fromisoformat(row["from"]) if row["from"] else None,
        valid_to=date.fromisoformat(row["to"]) if row["to"] else None,
        replaces=tuple(row["replaces"]),
        replaced_by=tuple(row["replaced_by"]),
        words=row["words"],
        text_hash=row["text_hash"],
        signature=bytes.fromhex(row["signature"]),
        evidence=Evidence.model_validate(row["evidence"]),
    )


def pack_body(reading: Reading) -> bytes:
    """A reading without its card as bytes."""
    blocks = [(block.kind, block.text, block.level, block.page) for block in reading.blocks]
    row = {
        "format": reading.format,
        "blocks": blocks,
        "class": reading.doc_class,
        "language": reading.language,
        "defects": reading.defects,
    }
    return _packed(row)


def unpack_body(data: bytes, card: Card) -> Reading:
    """The reading :func:`pack_body` was given, its card put back. The signature is not needed any more and left out."""
    row = _unpacked(data)
    return Reading(
        format=row["format"],
        card=replace(card, signature=b""),
        blocks=tuple(Block(kind, text, level, page) for kind, text, level, page in row["blocks"]),
        doc_class=row["class"],
        language=row["language"],
        defects=tuple(row["defects"]),
    )


def _packed(row: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode(), 1)


def _unpacked(data: bytes) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(zlib.decompress(data))
    return row
