"""Chooses what the model gets to read: few passages, each cut to the sentences nearest the question.

A small model answers better, and a CPU sooner, from three short passages than from ten long ones. It knows nothing
about whether the passages answer the question; :mod:`labkit.pipeline.abstain` judges that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.llm import Embedder
from labkit.llm.tasks import Shown
from labkit.llm.weights import Array
from labkit.retrieve.store import search_text
from labkit.retrieve.text import Sentence, contains, identifiers, says_something, sentences
from labkit.schema import Chunk, Hit, RequestContext

PASSAGES = 3
"""How many passages the model reads."""

PASSAGE_TOKENS = 100
"""Longest passage, in the encoder's tokens: three of them are read in well under a second on two cores."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What is shown of a chunk: some adjacent sentences of it, or a single one.

    Attributes:
        chunk: where it comes from.
        sentences: those shown; offsets are within ``chunk.text``.
        closeness: of each of these sentences to the question, as its selector compares them; -1 for headings.
        similarity: cosine of the question with the nearest of what was compared of the chunk.
    """

    chunk: Chunk
    sentences: tuple[Sentence, ...]
    closeness: tuple[float, ...]
    similarity: float

    @property
    def text(self) -> str:
        """The shown part of the chunk's text."""
        return self.chunk.text[self.sentences[0].start : self.sentences[-1].end]

    @property
    def context(self) -> str:
        """Everything known about what it speaks of."""
        return context(self.chunk)


class Selector:
    """Picks the best hits, those that name the question's identifiers first, and cuts them.

    Args:
        embedder: compares the question with sentences.
        passages: how many to return at most.
        passage_tokens: how long each may be.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        passages: int = PASSAGES,
        passage_tokens: int = PASSAGE_TOKENS,
    ) -> None:
        self._embedder = embedder
        self.passages, self.passage_tokens = passages, passage_tokens

    def __call__(self, question: str, hits: Sequence[Hit], ctx: RequestContext) -> list[Passage]:
        """The best passages, best first."""
        wanted = identifiers(question)
        named = [sum(contains(identifier, context(hit.chunk)) for identifier in wanted) for hit in hits]
        order = sorted(range(len(hits)), key=lambda rank: (-named[rank], rank))
        if any(named):  # what names none of them is about something else
            order = [rank for rank in order if named[rank]]
        chunks = [hits[rank].chunk for rank in order[: self.passages]]
        cut = [sentences(chunk.text) for chunk in chunks]
        # The heading is part of what a sentence says: "Restart the controller" of which product?
        texts = [f"{_heading(chunk)}{s.text}" for chunk, parts in zip(chunks, cut, strict=True) for s in parts]
        vectors = self._embedder.encode([question, *texts], ctx)
        similarities = iter(vectors[1:] @ vectors[0])
        found: list[Passage] = []
        for chunk, parts in zip(chunks, cut, strict=True):
            scores = np.array([next(similarities) for _ in parts], np.float32)
            similarity = float(scores.max(initial=-1.0))
            # A heading is near every question about its section and answers none.
            scores[[not says_something(part, chunk.heading_path) for part in parts]] = -1.0
            if scores.max(initial=-1.0) < 0:
                continue
            first, last = self._window(parts, scores)
            closeness = tuple(float(score) for score in scores[first:last])
            found.append(Passage(chunk, tuple(parts[first:last]), closeness, similarity))
        return sorted(found, key=lambda passage: -passage.similarity)

    def _window(self, parts: list[Sentence], scores: Array) -> tuple[int, int]:
        """From where to where: the nearest sentence and its neighbours, the nearer side first, while they fit."""
        lengths = [self._embedder.count_tokens(part.text) for part in parts]
        first = last = int(scores.argmax())
        room = self.passage_tokens - lengths[first]
        while True:
            before = first - 1 if first > 0 and lengths[first - 1] <= room else None
            after = last + 1 if last + 1 < len(parts) and lengths[last + 1] <= room else None
            if before is None and after is None:
                return first, last + 1
            if after is None or (before is not None and scores[before] > scores[after]):
                first -= 1
                room -= lengths[first]
            else:
                last += 1
                room -= lengths[last]


def shown(passage: Passage) -> Shown:
    """A passage as a tuned model is shown it: under its headings, or its file's path where it has none."""
    return Shown(" > ".join(passage.chunk.heading_path) or passage.chunk.source_path, passage.text)


def context(chunk: Chunk) -> str:
    """Everything known about what a chunk speaks of: source file, headings and the whole of its text."""
    return f"{chunk.source_path}\n{search_text(chunk)}"


def _heading(chunk: Chunk) -> str:
    return f"{chunk.heading_path[-1]}: " if chunk.heading_path else ""
