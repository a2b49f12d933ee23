"""Chooses what a tuned model reads: single sentences from anywhere in the best hits, the likeliest first.

A sentence with its title says what a passage says in a fifth of the words, so a small model reads a handful of them
sooner and tells them apart better than three passages of a hundred tokens (docs/tuning.md). Late
interaction compares each with the question; a hit's own place counts too, for the retriever saw the whole passage. It
knows nothing about whether a sentence answers the question: that is what the reader has learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from labkit.llm import Embedder, TokenEmbedder
from labkit.llm.weights import Array
from labkit.pipeline.select import Passage, context, shown
from labkit.retrieve.late import LateInteraction
from labkit.retrieve.store import TokenVectors
from labkit.retrieve.text import contains, identifiers, says_something, sentences
from labkit.schema import Hit, RequestContext

STATEMENTS = 6
"""How many sentences the model reads."""

READ_HITS = 8
"""Hits whose sentences are compared."""

RANK = 0.04
"""What each place further down the hits takes from a similarity; chosen on dev questions of one world."""

_KEPT = 10_000  # sentences whose vectors are kept: the same ones are compared with many questions


class _Read(NamedTuple):
    """A sentence as it is compared: its tokens, and all of it."""

    tokens: TokenVectors
    vector: Array


class StatementSelector:
    """Picks the sentences nearest a question; where hits name its identifiers, out of those alone.

    Args:
        embedder: compares the question with sentences; by their tokens, if it shows them.
        statements: how many to return at most.
        late: the comparison by tokens; None takes the shipped one.
    """

    def __init__(
        self, embedder: Embedder, *, statements: int = STATEMENTS, late: LateInteraction | None = None
    ) -> None:
        self._embedder, self.statements = embedder, statements
        self._late = (late or LateInteraction.shipped()) if isinstance(embedder, TokenEmbedder) else None
        self._read: dict[str, _Read] = {}

    def __call__(self, question: str, hits: Sequence[Hit], ctx: RequestContext) -> list[Passage]:
        """Passages of one sentence each, best first; what two hits say in the same words is there once."""
        return self.ranked(question, hits, ctx)[: self.statements]

    def ranked(self, question: str, hits: Sequence[Hit], ctx: RequestContext) -> list[Passage]:
        """All sentences of the best hits, best first."""
        wanted = identifiers(question)
        # Where some hits name the question's identifiers, the others are about something else.
        named = [any(contains(one, context(hit.chunk)) for one in wanted) for hit in hits]
        hits = [hit for hit, names in zip(hits, named, strict=True) if names or not any(named)]
        found: dict[tuple[str, str], tuple[int, Passage]] = {}
        for rank, hit in enumerate(hits[:READ_HITS]):
            for sentence in sentences(hit.chunk.text):
                if says_something(sentence, hit.chunk.heading_path):
                    passage = Passage(hit.chunk, (sentence,), (0.0,), 0.0)
                    found.setdefault(shown(passage), (rank, passage))
        if not found:
            return []
        scores, cosines = self._compared(question, [f"{title}\n{text}" for title, text in found], ctx)
        order = scores - RANK * np.array([rank for rank, _ in found.values()], np.float32)
        passages = [passage for _, passage in found.values()]
        return [
            Passage(passages[place].chunk, passages[place].sentences, (float(scores[place]),), float(cosines[place]))
            for place in np.argsort(-order, kind="stable")
        ]

    def _compared(self, question: str, texts: Sequence[str], ctx: RequestContext) -> tuple[Array, Array]:
        """How well each text answers to the question, and its cosine with it, float32 (texts,) each."""
        if self._late is None or not isinstance(self._embedder, TokenEmbedder):
            vectors = self._embedder.encode([question, *texts], ctx)
            cosines = np.asarray(vectors[1:] @ vectors[0], np.float32)
            return cosines, cosines
        known = self._read  # replaced as a whole, never changed: other threads read it too
        new = [text for text in texts if text not in known]
        asked, *encoded = self._embedder.encode_tokens([question, *new], ctx)
        known = known | {
            text: _Read(self._late.token_vectors(one.states), one.vector)
            for text, one in zip(new, encoded, strict=True)
        }
        found = [known[text] for text in texts]
        if new:
            self._read = dict(islice(known.items(), max(0, len(known) - _KEPT), None))
        (states,) = self._late.asker(self._embedder).encode_tokens([question], ctx)
        cosines = np.array([one.vector @ asked.vector for one in found], np.float32)
        return self._late.scores(states.states, [one.tokens for one in found]), cosines
