"""Finds the sentence an answer rests on, or finds that there is none.

Small models cite badly, so the model is not asked for citations: the answer is compared with the sentences it was
given. An answer counts as supported when every number and identifier in it, and most of its content words, stand in
one sentence or two adjacent ones. Whether the *meaning* agrees (a lost "not") is a later chapter's detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.pipeline.select import Passage
from labkit.retrieve.text import (
    Sentence,
    contains,
    content_words,
    has_number,
    identifiers,
    is_front_matter,
    is_negative,
    is_rambling,
    share,
    wants_number,
)
from labkit.schema import Chunk, Citation

MIN_SUPPORT = 0.75
"""Share of the answer's content words, those of the question left out, that its evidence must contain."""


@dataclass(frozen=True, slots=True)
class Support:
    """The evidence for an answer: where it stands and the share of the answer's words it contains."""

    citation: Citation
    share: float


@dataclass(frozen=True, slots=True)
class Attributor:
    """Compares answers with the passages they were made from."""

    min_support: float = MIN_SUPPORT

    def __call__(self, question: str, answer: str, passages: Sequence[Passage]) -> Support | None:
        """The best evidence, or None when no sentence supports the answer."""
        if is_rambling(answer) or (wants_number(question) and not has_number(answer)):
            return None
        words = content_words(answer)
        # Repeating the question supports nothing: what counts is what the answer adds.
        added = words - content_words(question)
        exact = identifiers(answer)
        best: tuple[float, float, int, Support] | None = None
        for passage in _on_topic(question, passages):
            for first in range(len(passage.sentences)):
                for width in (1, 2):
                    window = passage.sentences[first : first + width]
                    if len(window) < width:
                        continue
                    start, end = window[0].start, window[-1].end
                    text = passage.chunk.text[start:end]
                    # What the document is about stands in its headings; the answer may name it.
                    known = "\n".join((*passage.chunk.heading_path, text))
                    if not all(contains(identifier, known) or contains(identifier, question) for identifier in exact):
                        continue
                    if is_negative(answer) != is_negative(text):
                        continue
                    found = content_words(text)
                    supported = share(added or words, found)
                    if supported < self.min_support or not found:
                        continue
                    citation = cite(passage.chunk, window[0], window[-1])
                    # Equal support: prefer more of the whole answer, then the shorter quote.
                    key = (supported, share(words, found), -(end - start))
                    if best is None or key > best[:3]:
                        best = (*key, Support(citation, supported))
        return best[3] if best else None


def quote(question: str, passages: Sequence[Passage]) -> Support | None:
    """The sentence of the passages that comes closest to answering, quoted as it stands; None if none can."""
    words = content_words(question)
    best: tuple[float, Support] | None = None
    for passage in _on_topic(question, passages):
        headings = content_words(" ".join(passage.chunk.heading_path))
        for position, (sentence, closeness) in enumerate(zip(passage.sentences, passage.closeness, strict=True)):
            # "There are three kinds:" says nothing without what follows.
            opens = sentence.text.endswith(":")
            last = passage.sentences[min(position + opens, len(passage.sentences) - 1)]
            text = passage.chunk.text[sentence.start : last.end]
            if closeness < 0 or text.endswith(":") or is_front_matter(text):
                continue
            if wants_number(question) and not has_number(text):
                continue
            score = closeness + share(words, headings | content_words(text))
            if best is None or score > best[0]:
                best = (score, Support(cite(passage.chunk, sentence, last), 1.0))
    return best[1] if best else None


def _on_topic(question: str, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that name most of the question's identifiers: the right sentence about the wrong part is wrong."""
    asked = identifiers(question)
    named = [sum(contains(identifier, passage.context) for identifier in asked) for passage in passages]
    return [passage for passage, count in zip(passages, named, strict=True) if count == max(named)]


def cite(chunk: Chunk, first: Sentence, last: Sentence) -> Citation:
    """The citation of adjacent sentences of a chunk, with offsets in its document."""
    return Citation(
        chunk_id=chunk.chunk_id,
        source_path=chunk.source_path,
        start=chunk.start + first.start,
        end=chunk.start + last.end,
        quote=chunk.text[first.start : last.end],
    )
