"""What the generator knows about each file of a world, beside what ingestion made of the same file.

Reads ``truth/*.jsonl`` of a world and the tables of :mod:`labkit.ingest`; knows nothing about scores.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.bench.world import rows
from labkit.ingest import read_chunks, read_documents, read_quarantine
from labkit.schema import Chunk, Document, Quarantined


@dataclass(frozen=True, slots=True)
class Personal:
    """``text`` stands at ``[start:end]`` of the clean text; policy says ``keep`` or ``redact``."""

    start: int
    end: int
    label: str
    action: str
    text: str


@dataclass(frozen=True, slots=True)
class Clean:
    """What a perfect parser reads: the text, where its tables are, and who is named."""

    text: str
    tables: tuple[tuple[int, int], ...] = ()
    personal: tuple[Personal, ...] = ()


@dataclass(slots=True)
class Case:
    """One file: what is true about it, and what ingestion said. Exactly one of the last two should be set."""

    path: str
    doc_id: str
    sha256: str
    format: str = ""
    defects: frozenset[str] = frozenset()
    must_refuse: str = ""
    """The reason for which it belongs in quarantine, '' when it is readable."""
    group: str = ""
    near: bool = False
    superseded_by: str = ""
    """``doc_id`` of the world, not of ingestion."""
    clean: Clean | None = None
    document: Document | None = None
    chunks: list[Chunk] = field(default_factory=list)
    quarantined: Quarantined | None = None


def read_cases(world: Path, tables: Path) -> list[Case]:
    """Every file of a world with its truth and its fate, by path."""
    cases = {case.path: case for case in _true_cases(world)}
    by_id = {}
    for document in read_documents(tables):
        if document.source_path in cases:
            cases[document.source_path].document = document
            by_id[document.doc_id] = cases[document.source_path]
    for chunk in read_chunks(tables):
        if chunk.doc_id in by_id:
            by_id[chunk.doc_id].chunks.append(chunk)
    for refused in read_quarantine(tables):
        if refused.source_path in cases:
            cases[refused.source_path].quarantined = refused
    return [cases[path] for path in sorted(cases)]


def _true_cases(world: Path) -> Iterator[Case]:
    truth = world / "truth"
    personal: defaultdict[str, list[Personal]] = defaultdict(list)
    for row in rows(truth / "pii.jsonl"):
        personal[row.pop("doc_id")].append(Personal(**row))
    texts = {row["doc_id"]: row for row in rows(truth / "texts.jsonl")}
    for row in rows(truth / "documents.jsonl"):
        text = texts.get(row["doc_id"])
        yield Case(
            path=row["path"],
            doc_id=row["doc_id"],
            sha256=row["sha256"],
            format=row.get("format", ""),
            defects=frozenset(defect["kind"] for defect in row["defects"]),
            must_refuse=row["reason"] if row["expected"] == "quarantine" else "",
            group=row["duplicate_group"],
            near=row["near_duplicate"],
            superseded_by=row.get("superseded_by", ""),
            clean=_clean(text, personal[row["doc_id"]]) if text and row["expected"] == "document" else None,
        )


def _clean(row: dict[str, Any], personal: list[Personal]) -> Clean:
    return Clean(row["text"], tuple((start, end) for start, end in row["tables"]), tuple(personal))
