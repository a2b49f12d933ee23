"""Chunks by structure: sections are never mixed, rows never cut, paragraphs packed up to a token budget.

A chunk is a verbatim stretch of the document, ``document.text[start:end]``; nothing but white space lies between one
chunk and the next. Its headings are kept beside it as a path, so that the encoder can be given both. This module counts
tokens through a function it is given and knows no tokenizer.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labkit.ingest.parse import Block, Kind
from labkit.schema import Chunk, Document

Count = Callable[[str], int]
"""The number of tokens of a text; for text joined by white space the numbers must add up."""

BUDGET = 220
"""Tokens in a chunk. The default encoder reads 256; the rest is for its marks and the heading path."""

_CHARS_PER_TOKEN = 8
"""Text denser than this per counted token is weighed by its length: an endless word counts as one unknown token."""
_ROW_BUDGETS = 4
"""A row longer than this many budgets is cut after all, at its cells: no encoder or prompt could take it whole."""
_SENTENCE = re.compile(r"""[.!?…。！？]["'”’)\]]*(?:\s+|(?<=[。！？]))(?=["'“‘(\[]*[^\Wa-z_])""")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|No|Nr|Fig|Sec|Dr|Mr|Mrs|Ms|St|approx|resp|Rev|Art|z\.B|bzw|ca)|\b[A-Z])\.$"
)
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Span:
    """Where a block lies in the document's text, and the headings above it."""

    kind: Kind
    start: int
    end: int
    heading_path: tuple[str, ...]
    page: int | None


@dataclass(frozen=True, slots=True)
class _Unit:
    """The smallest stretch that is not cut: a sentence, a row, a line of code, a list item that fits."""

    start: int
    end: int
    cost: int


def assemble(blocks: list[Block]) -> tuple[str, list[Span]]:
    """Put blocks together to the document's text; list items are joined by one newline, all else by two."""
    parts: list[str] = []
    spans: list[Span] = []
    path: list[tuple[int, str]] = []
    at = 0
    for index, block in enumerate(blocks):
        if index:
            gap = "\n" if block.kind == "item" == blocks[index - 1].kind else "\n\n"
            parts.append(gap)
            at += len(gap)
        if block.kind == "heading":
            path = [entry for entry in path if entry[0] < block.level]
            path.append((block.level, " ".join(block.text.split())))
        titles = tuple(title for _, title in path) + (("quoted reply",) if block.kind == "reply" else ())
        spans.append(Span(block.kind, at, at + len(block.text), titles, block.page))
        parts.append(block.text)
        at += len(block.text)
    return "".join(parts), spans


def chunk(document: Document, spans: list[Span], count: Count, budget: int = BUDGET) -> list[Chunk]:
    """Cut a document into chunks of at most ``budget`` tokens; only a single table row may be longer.

    Args:
        document: gives text, identity, access and dates.
        spans: its blocks, as :func:`assemble` returns them.
        count: counts tokens.
        budget: tokens per chunk, at least 8.
    """
    seen: Counter[str] = Counter()
    chunks: list[Chunk] = []
    for ordinal, (start, end, span) in enumerate(_pack(document.text, spans, count, max(8, budget))):
        text = document.text[start:end]
        content_hash = hashlib.sha256(text.encode()).hexdigest()
        # Place is the occurrence of this very text, so an insertion elsewhere leaves the id alone.
        place = f"{content_hash}\0{document.doc_id}\0{seen[content_hash]}"
        seen[content_hash] += 1
        chunks.append(
            Chunk(
                chunk_id=hashlib.sha256(place.encode()).hexdigest()[:24],
                doc_id=document.doc_id,
                source_path=document.source_path,
                doc_class=document.doc_class,
                ordinal=ordinal,
                text=text,
                start=start,
                end=end,
                page=span.page,
                heading_path=_path(document.title, span.heading_path),
                lang=document.language,
                valid_from=document.valid_from,
                valid_to=document.valid_to,
                acl=document.acl,
                tenant=document.tenant,
                tokens=count(text),
                content_hash=content_hash,
            )
        )
    return chunks


def _pack(text: str, spans: list[Span], count: Count, budget: int) -> Iterator[tuple[int, int, Span]]:
    """Start, end and leading block of every chunk."""
    for headings, body in _sections(spans):
        lead = body[0] if body else headings[-1]
        units = [unit for span in (*headings, *body) for unit in _units(text, span, count, budget)]
        owners = [span for span in (*headings, *body) if span.kind != "heading"] or [lead]
        for start, end in _runs(units, budget):
            # The page and path of the first body block that reaches into this chunk.
            owner = next((span for span in owners if span.end > start), lead)
            page = next((span.page for span in (*headings, *body) if span.end > start), owner.page)
            yield start, end, Span(owner.kind, start, end, owner.heading_path, page)


def _path(title: str, headings: tuple[str, ...]) -> tuple[str, ...]:
    """The headings below the document's title, which many documents repeat as their first heading."""
    return headings if not title or (headings and headings[0] == title) else (title, *headings)


def _sections(spans: list[Span]) -> Iterator[tuple[list[Span], list[Span]]]:
    """Headings and the body under them. Headings without a body go with the section that follows."""
    headings: list[Span] = []
    body: list[Span] = []
    for span in spans:
        leaves = span.kind == "heading" or (body and span.heading_path != body[-1].heading_path)
        if body and leaves:
            yield headings, body
            headings, body = [], []
        (headings if span.kind == "heading" else body).append(span)
    if headings or body:
        yield headings, body


def _runs(units: list[_Unit], budget: int) -> Iterator[tuple[int, int]]:
    """Pack units in order into stretches within the budget, of even size where there are several."""
    total = sum(unit.cost for unit in units)
    target = total / max(1, -(-total // budget))
    start, end, cost = -1, -1, 0
    for unit in units:
        if start >= 0 and (cost + unit.cost > budget or cost >= target):
            yield start, end
            start, cost = -1, 0
        if start < 0:
            start = unit.start
        end, cost = unit.end, cost + unit.cost
    if start >= 0:
        yield start, end


def _units(text: str, span: Span, count: Count, budget: int) -> Iterator[_Unit]:
    """Cut a block where its kind allows, no finer than needed."""
    whole = _unit(text, span.start, span.end, count)
    rows = span.kind in ("table", "fields")
    if whole is None:
        return
    if whole.cost <= budget and not rows:
        yield whole
        return
    if rows or span.kind == "code":
        for start, end in _cut(text, span.start, span.end, re.compile("\n")):
            line = _unit(text, start, end, count)
            if line is not None and line.cost > (budget * _ROW_BUDGETS if rows else budget):
                yield from _finer(text, start, end, count, budget, (re.compile(r" \| "), _WORD_GAP))
            elif line is not None:
                yield line
        return
    yield from _finer(text, span.start, span.end, count, budget, (re.compile("\n"), _SENTENCE, _WORD_GAP))


_WORD_GAP = re.compile(r"\s+")


def _finer(
    text: str, start: int, end: int, count: Count, budget: int, cuts: tuple[re.Pattern[str], ...]
) -> Iterator[_Unit]:
    """Cut a stretch by the coarsest pattern that brings its pieces within the budget, the last resort being length."""
    unit = _unit(text, start, end, count)
    if unit is None:
        return
    if unit.cost <= budget:
        yield unit
    elif cuts:
        for piece_start, piece_end in _cut(text, start, end, cuts[0]):
            yield from _finer(text, piece_start, piece_end, count, budget, cuts[1:])
    else:
        size = max(1, budget // 2)  # at most one token a character and a half in any script met so far
        for at in range(unit.start, unit.end, size):
            if piece := _unit(text, at, min(at + size, unit.end), count):
                yield piece


def _cut(text: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Pieces between the matches; a match's own characters stay with the piece before it."""
    at = start
    for match in pattern.finditer(text, start, end):
        if pattern is _SENTENCE and _ABBREVIATION.search(text, max(at, match.start() - 8), match.start() + 1):
            continue
        if match.end() < end:
            yield at, match.end()
            at = match.end()
    yield at, end


def _unit(text: str, start: int, end: int, count: Count) -> _Unit | None:
    """The stretch without white space at its ends, weighed; None if nothing is left."""
    piece = text[start:end]
    end -= len(piece) - len(piece.rstrip())
    start += len(piece) - len(piece.lstrip())
    if start >= end:
        return None
    return _Unit(start, end, max(count(text[start:end]), -(-(end - start) // _CHARS_PER_TOKEN)))
