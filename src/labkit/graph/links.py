"""Hops over passages nobody made a data dictionary for: from a passage to those that name what it names.

A passage is linked to the one whose title it mentions, back to those that mention its own, and to those that share a
rare name with it. The best passages for a question lend their neighbours a part of their score, and a passage whose
title stands in the question gets some too; then passages are chosen so that they answer together
(:mod:`labkit.retrieve.coverage`). Names are titles and capitalised phrases: other scripts, and languages that write
every noun with a capital, are not served by it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import numpy as np

from labkit.llm import Embedder
from labkit.retrieve.coverage import covering
from labkit.retrieve.index import Index
from labkit.retrieve.late import Array, LateInteraction
from labkit.retrieve.rerank import LATE, RERANKED, Question, Reranker
from labkit.retrieve.rewrite import Rewriter
from labkit.retrieve.search import Search
from labkit.retrieve.store import check_search
from labkit.retrieve.terms import FUNCTION_WORDS
from labkit.schema import Chunk, Hit, RequestContext

SEEDS, COOLING = 5, 0.1
"""Passages that lend, and the difference of scores at which one lends 1/e of what the best does."""

LENT, TITLED = 0.3, 0.2
"""The most a passage can be lent, for a name that nothing else has; what a title that stands in the question counts."""

TO_TITLE, FROM_TITLE, SHARED = 2.0, 0.5, 1.0
"""What a link counts: to the passage whose title is mentioned, back from it, and by a shared name. These constants and
those above were chosen among mixes that were nearly equal on MuSiQue's 100 questions."""

COMMON = 40
"""Passages that may have a name; one that more have links nothing."""

_PHRASE = re.compile(
    r"[A-ZÀ-Þ][\w’'.-]*(?: (?:(?:and|of|the|for|&|de|la|van|in) )?(?:[A-ZÀ-Þ][\w’'.-]*|\d+))*"
)  # fmt: skip
_REMARK = re.compile(r" \([^)]*\)$")
_SHORTEST_TITLE = 4  # letters of a title that is looked for in a question


class Links:
    """The names in chunks.

    Args:
        chunks: all of them.
    """

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self.chunks = {chunk.chunk_id: chunk for chunk in chunks}
        self.titles = {chunk_id: _title(chunk) for chunk_id, chunk in self.chunks.items()}
        self._names = {
            chunk_id: frozenset({*_names(chunk.text), self.titles[chunk_id]}) for chunk_id, chunk in self.chunks.items()
        }
        having = Counter(name for names in self._names.values() for name in names)
        self._having: defaultdict[str, list[str]] = defaultdict(list)
        for chunk_id, names in self._names.items():
            for name in names:
                if 1 < having[name] <= COMMON:
                    self._having[name].append(chunk_id)
        self._titled: defaultdict[str, list[str]] = defaultdict(list)
        for chunk_id, title in self.titles.items():
            self._titled[title].append(chunk_id)
        self._longest = max((len(title.split()) for title in self._titled), default=0)

    def titled_in(self, question: str) -> Iterator[str]:
        """The chunks whose title stands in a question."""
        words = _plain(question).split()
        for start in range(len(words)):
            for end in range(start + 1, min(len(words), start + self._longest) + 1):
                title = " ".join(words[start:end])
                if len(title) >= _SHORTEST_TITLE:
                    yield from self._titled.get(title, ())

    def from_(self, chunk_id: str, asked: str) -> Iterator[tuple[str, float]]:
        """Neighbours of a chunk and how strong the link is, 0 to :data:`TO_TITLE`; some come more than once.

        A name that the question itself has links nothing new, unless it is a title.
        """
        for name in self._names[chunk_id]:
            others = self._having.get(name, ())
            rare = math.log(len(self.chunks) / max(1, len(others))) / math.log(max(2, len(self.chunks)))
            for other in others:
                if other != chunk_id:
                    if self.titles[other] == name:
                        yield other, TO_TITLE * rare
                    elif self.titles[chunk_id] == name:
                        yield other, FROM_TITLE * rare
                    elif name not in asked:
                        yield other, SHARED * rare


class LinkRetriever:
    """Implements :class:`labkit.schema.Retriever`.

    Args:
        flat: the retriever that knows no links.
        links: of the same chunks.
    """

    def __init__(self, flat: Reranker, links: Links) -> None:
        self._flat, self._links = flat, links

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k best chunks; ``why`` says ``link`` for those that were lent something.

        Raises:
            InputError: the question is empty or too long, or k is out of range.
        """
        query = check_search(query, k)
        question = self._flat.encode(query, ctx)
        candidates = self._flat.candidates(query, question.vector, k, ctx)
        with ctx.trace.span("retrieve.link"):
            hits = {hit.chunk.chunk_id: hit for hit in candidates.hits[:RERANKED]}
            first = dict(zip(hits, candidates.first(question.distrust).tolist(), strict=False))
            least = min(first.values(), default=0.0)
            for chunk_id in self._links.titled_in(query):
                self._admit(chunk_id, hits, ctx)
            scores = self._scores(question, list(hits), first, least, query)
            lent = self._lent(scores, _plain(query), ctx)
            for chunk_id in sorted(lent.keys() - hits.keys()):
                self._admit(chunk_id, hits, ctx)
            scores |= self._scores(question, [c for c in hits if c not in scores], first, least, query)
            ids = list(hits)
            whole = np.array([scores[c] + LENT * lent.get(c, 0.0) for c in ids], np.float32)
            order, worth = covering(whole, self._flat.matches(question, ids))
        by_link = {chunk_id: place for place, chunk_id in enumerate(sorted(lent, key=lambda c: -lent[c]), 1)}
        return [
            Hit.model_construct(
                chunk=hits[ids[i]].chunk, score=score,
                why=hits[ids[i]].why | ({"link": by_link[ids[i]]} if ids[i] in by_link else {}),
            )
            for i, score in zip(order[:k], worth, strict=False)
        ]  # fmt: skip

    def _admit(self, chunk_id: str, hits: dict[str, Hit], ctx: RequestContext) -> None:
        chunk = self._links.chunks[chunk_id]
        if chunk_id not in hits and ctx.sees(chunk):
            hits[chunk_id] = Hit.model_construct(chunk=chunk, score=0.0, why={})

    def _scores(
        self, question: Question, chunk_ids: list[str], first: dict[str, float], least: float, query: str
    ) -> dict[str, float]:
        """What chunks count without links."""
        if not chunk_ids:
            return {}
        late: Array = self._flat.matches(question, chunk_ids).scores
        titled = set(self._links.titled_in(query))
        return {
            chunk_id: LATE * float(score) + first.get(chunk_id, least) + TITLED * (chunk_id in titled)
            for chunk_id, score in zip(chunk_ids, late, strict=True)
        }

    def _lent(self, scores: dict[str, float], asked: str, ctx: RequestContext) -> dict[str, float]:
        """Chunk id → what the strongest link lends it."""
        seeds = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))[:SEEDS]
        lent: dict[str, float] = {}
        for seed in seeds:
            share = math.exp((scores[seed] - scores[seeds[0]]) / COOLING)
            for other, strength in self._links.from_(seed, asked):
                if ctx.sees(self._links.chunks[other]):
                    lent[other] = max(lent.get(other, 0.0), share * strength)
        return lent


def link_retriever(index: Index, embedder: Embedder) -> Search:
    """Retrieval along links over an index; questions are corrected and split as by default.

    Raises:
        InputError: the encoder does not show its tokens.
    """
    flat = Reranker(index.store, embedder, LateInteraction.shipped())
    return Search(LinkRetriever(flat, Links(index.store.chunks())), Rewriter(index.vocabulary))


def _title(chunk: Chunk) -> str:
    return _plain(_REMARK.sub("", PurePosixPath(chunk.source_path).stem))


def _names(text: str) -> Iterator[str]:
    for match in _PHRASE.finditer(text):
        words = match[0].strip(" .").split()
        while words and words[0].lower() in FUNCTION_WORDS:
            words.pop(0)
        name = _plain(" ".join(words))
        if len(name) > 2:
            yield name


def _plain(text: str) -> str:
    """Lower case, without marks inside words; one space between words."""
    return " ".join(re.sub(r"[’'.,?!:;\"()]", "", unicodedata.normalize("NFC", text).lower()).split())
