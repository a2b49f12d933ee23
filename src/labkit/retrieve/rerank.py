"""Retrieval by words and by meaning, reranked by late interaction.

The two paths give candidates and a first score each; late interaction compares the best of them with the question
token by token. The three signals are added, and the best are chosen so that they answer the question together
(:mod:`labkit.retrieve.coverage`). The dense signal counts less the more words of the question the encoder does not
know, for it guesses at *INC-3347* and at invented names. What neither path found is not found here either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.errors import InputError
from labkit.llm import Embedder, TokenEmbedder
from labkit.retrieve.coverage import covering
from labkit.retrieve.fuse import convex_fusion, scaled
from labkit.retrieve.late import Array, LateInteraction, Matches
from labkit.retrieve.store import MAX_K, Store, check_search
from labkit.schema import Hit, RequestContext

_WORD = re.compile(r"[^\W_]+")

DEPTH = 100
"""Hits taken from each path, at least."""

WEIGHTS = {"dense": 0.4, "lexical": 0.6}
"""Of the fusion that chooses the candidates."""

DENSE, DENSE_LEAST, DISTRUST = 1.0, -0.3, 10.0
"""What a cosine counts: DENSE less DISTRUST times the share of unfamiliar words, and never below DENSE_LEAST. That the
least is below 0 was found on dev questions, beside late interaction, which reads the same states token by token."""

LEXICAL, LATE = 0.4, 2.0
"""What scaled BM25 and late interaction count. These constants were chosen on dev questions of three generated worlds;
among mixes that were nearly equal there, MuSiQue's figures had been seen."""

RERANKED = 50
"""Candidates compared token by token."""


def unfamiliar(question: str, embedder: Embedder) -> float:
    """Share of a question's words that the encoder sees in pieces or as figures: identifiers, names it never read."""
    words = _WORD.findall(question)
    broken: int = sum(word.isdigit() or embedder.count_tokens(word) > 1 for word in words)
    return broken / max(1, len(words))


class Candidates:
    """The hits of both paths, and what each path thought of them.

    Cosines are comparable between questions and stay as they are: close together where the encoder cannot tell
    passages apart, as with names it never read. BM25 is not, and is scaled to 0 to 1.

    Attributes:
        hits: fused, best first; ``why`` holds the ranks.
        dense: cosine of each hit; where the dense path did not find it, that of the last hit it found.
        lexical: scaled BM25 of each hit, 0 where the lexical path did not find it.
    """

    def __init__(self, lists: Mapping[str, Sequence[Hit]], k: int) -> None:
        self.hits = convex_fusion(lists, k, weights=WEIGHTS)
        dense, lexical = lists["dense"], lists["lexical"]
        self.dense = self._scores(dense, [hit.score for hit in dense], dense[-1].score if dense else 0.0)
        self.lexical = self._scores(lexical, scaled(lexical), 0.0)

    def first(self, distrust: float) -> NDArray[np.float32]:
        """What both paths count together, for a question with that share of unfamiliar words."""
        dense = max(DENSE_LEAST, DENSE - DISTRUST * distrust)
        return np.asarray(dense * self.dense + LEXICAL * self.lexical, np.float32)

    def _scores(self, found: Sequence[Hit], scores: Sequence[float], absent: float) -> NDArray[np.float32]:
        known = {hit.chunk.chunk_id: score for hit, score in zip(found, scores, strict=True)}
        return np.array([known.get(hit.chunk.chunk_id, absent) for hit in self.hits], np.float32)


class Question(NamedTuple):
    """A question as the encoder sees it.

    Attributes:
        vector: float32 (dimensions,).
        states: its token states, float32 (tokens, dimensions).
        adapted: its token states as late interaction reads it.
        distrust: share of unfamiliar words.
    """

    vector: Array
    states: Array
    adapted: Array
    distrust: float


class Reranker:
    """Implements :class:`labkit.schema.Retriever`.

    Args:
        store: holds chunks, vectors and token vectors.
        embedder: the encoder both were made with; it shows its tokens.
        late: the projections they were made with.
        depth: hits taken from each path, if k is not larger.
        reranked: how many candidates are compared token by token; the others keep their fused order behind them.
        remembered: questions whose encoding is kept, for those that are asked again.

    Raises:
        InputError: the encoder does not show its tokens.
        ModelError: the adapter of ``late`` does not fit it.
    """

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        late: LateInteraction,
        *,
        depth: int = DEPTH,
        reranked: int = RERANKED,
        remembered: int = 256,
    ) -> None:
        if not isinstance(embedder, TokenEmbedder):
            raise InputError(f"{embedder.name} does not show its tokens", todo="Fuse the two paths without reranking.")
        self._store, self._late, self._depth, self._reranked = store, late, depth, reranked

        plain, asker = embedder, late.asker(embedder)

        @lru_cache(maxsize=remembered)
        def encode(text: str) -> Question:
            one = plain.encode_tokens([text])[0]
            adapted = asker.encode_tokens([text])[0].states
            return Question(one.vector, np.asarray(one.states, np.float32), adapted, unfamiliar(text, embedder))

        self._encode = encode

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k best chunks; a question beyond the encoder's 256 tokens counts by its start.

        Raises:
            InputError: the question is empty or too long, or k is out of range.
        """
        query = check_search(query, k)
        ctx.check()
        question = self.encode(query, ctx)
        candidates = self.candidates(query, question.vector, k, ctx)
        ctx.check()
        with ctx.trace.span("retrieve.rerank"):
            return self._ranked(candidates, question)[:k]

    def encode(self, query: str, ctx: RequestContext) -> Question:
        """The question as the encoder sees it; remembered."""
        with ctx.trace.span("retrieve.encode"):
            return self._encode(query)

    def matches(self, question: Question, chunk_ids: Sequence[str]) -> Matches:
        """How chunks match a question, token by token."""
        return self._late.matches(question.adapted, self._store.token_vectors(chunk_ids))

    def candidates(self, query: str, vector: Array, k: int, ctx: RequestContext) -> Candidates:
        """What both paths find for a question and its vector."""
        depth = min(max(k, self._depth), MAX_K)
        with ctx.trace.span("retrieve.dense"):
            dense = self._store.search_dense(vector, depth, ctx)
        with ctx.trace.span("retrieve.lexical"):
            lexical = self._store.search_lexical(query, depth, ctx)
        return Candidates({"dense": dense, "lexical": lexical}, max(k, self._reranked))

    def _ranked(self, candidates: Candidates, question: Question) -> list[Hit]:
        head = candidates.hits[: self._reranked]
        matches = self.matches(question, [hit.chunk.chunk_id for hit in head])
        late = matches.scores
        order, scores = covering(candidates.first(question.distrust)[: len(head)] + LATE * late, matches)
        by_late = np.empty(len(head), int)
        by_late[np.argsort(-late, kind="stable")] = np.arange(1, len(head) + 1)
        ranked = [
            Hit.model_construct(chunk=head[i].chunk, score=score, why={**head[i].why, "late": int(by_late[i])})
            for i, score in zip(order, scores, strict=True)
        ]
        # Behind the reranked come the others, by a score below all of theirs.
        floor = ranked[-1].score if ranked else 0.0
        rest = candidates.hits[self._reranked :]
        behind = [hit.model_copy(update={"score": floor - 1.0 + hit.score - rest[0].score}) for hit in rest]
        return ranked + behind
