"""Files with a truth and a fate, made by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from labkit.bench.truth import Case, Clean, Personal
from labkit.schema import Chunk, Document, Quarantined


def marked(text: str, *spans: tuple[str, str, str]) -> Clean:
    """A clean text with personal data: (words, label, action), each at its first place after the one before."""
    found, at = [], 0
    for words, label, action in spans:
        start = text.index(words, at)
        at = start + len(words)
        found.append(Personal(start, at, label, action, words))
    return Clean(text, personal=tuple(found))


def document(path: str, text: str, **more: Any) -> Document:
    """A stored document whose id is its path."""
    fields = {"doc_id": path, "source_path": path, "format": "text", "title": text[:10], "text": text, "sha256": ""}
    return Document(**(fields | more))


@pytest.fixture
def case() -> Callable[..., Case]:
    """Makes a readable file that became a document: ``case("a.txt", text, clean, group="g", …)``."""

    def make(path: str, text: str = "words", clean: Clean | None = None, stored: dict[str, Any] | None = None,
             heading: tuple[str, ...] = (), **truth: Any) -> Case:  # fmt: skip
        said = document(path, text, **(stored or {}))
        chunk = Chunk(chunk_id=path, doc_id=path, source_path=path, ordinal=0, text=text, start=0, end=len(text),
                      tokens=1, content_hash="", heading_path=heading)  # fmt: skip
        truth = {"doc_id": f"true-{path}", "sha256": path} | truth
        return Case(path=path, clean=clean or Clean(text), document=said, chunks=[chunk], **truth)

    return make


@pytest.fixture
def refused() -> Callable[..., Case]:
    """Makes a file that went to quarantine."""

    def make(path: str, reason: str, must_refuse: str) -> Case:
        row = Quarantined(source_path=path, reason=reason, message="", sha256="")
        clean = None if must_refuse else Clean("words")
        return Case(path, f"true-{path}", path, must_refuse=must_refuse, clean=clean, quarantined=row)

    return make
