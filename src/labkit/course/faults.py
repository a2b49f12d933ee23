"""Ways to break a search on purpose: a small library for drills and tests.

A fault wraps the real store and changes what reaches it or what comes back; nothing is patched, so the same fault
serves any retriever and any store. Each says in a sentence what is broken and decides whether a question shows it, by
comparing what the broken and the whole search find. What breaks an evaluation stands in
:mod:`labkit.course.examfaults`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from labkit.errors import InputError
from labkit.retrieve.store import MAX_K, Rows, Store, TokenVectors, search_terms
from labkit.retrieve.terms import terms
from labkit.retrieve.text import identifiers
from labkit.schema import Chunk, Hit, RequestContext
from labkit.world.chance import END

TOP = 5
"""Hits an operator looks at; evidence must change these."""

RESTARTED = END - timedelta(days=365)
"""The day the stopped clock shows."""

LAST_RUN = END - timedelta(days=92)
"""The last day whose documents are in the stale index."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that can be wrong with a system, as a drill asks for it.

    Attributes:
        code: what the learner names it by.
        cause: what is wrong, in a sentence.
        proof: which evidence shows it and no other cause.
        hints: what a wrong answer costs, the vaguest first.
    """

    code: str
    cause: str
    proof: str
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoreFault(Fault):
    """A fault of the search.

    Attributes:
        broken: makes the broken store of a whole one.
        shows: whether a question proves it, given the hits of the broken and the whole search, best first, at least
            :data:`TOP` and better fifty of each.
    """

    broken: Callable[[Store], Store]
    shows: Callable[[str, Sequence[Hit], Sequence[Hit], RequestContext], bool]


AnyFault = TypeVar("AnyFault", bound=Fault)


def named(code: str, faults: Sequence[AnyFault]) -> AnyFault:
    """The fault of that code.

    Raises:
        InputError: there is none.
    """
    for fault in faults:
        if fault.code == code:
            return fault
    raise InputError(f"There is no cause {code!r}", todo=f"There are: {', '.join(fault.code for fault in faults)}.")


class Wrapped:
    """A store that passes everything on; implements :class:`labkit.retrieve.store.Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def upsert(
        self, chunks: Sequence[Chunk], vectors: NDArray[np.float32], tokens: Sequence[TokenVectors] | None = None
    ) -> None:
        """As the store's."""
        self._store.upsert(chunks, vectors, tokens)

    def delete(self, doc_ids: Iterable[str]) -> int:
        """As the store's."""
        return self._store.delete(doc_ids)

    def search_dense(self, vector: NDArray[np.float32], k: int, ctx: RequestContext) -> list[Hit]:
        """As the store's."""
        return self._store.search_dense(vector, k, ctx)

    def search_lexical(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """As the store's."""
        return self._store.search_lexical(query, k, ctx)

    def token_vectors(self, chunk_ids: Sequence[str]) -> list[TokenVectors]:
        """As the store's."""
        return self._store.token_vectors(chunk_ids)

    def count(self) -> int:
        """As the store's."""
        return self._store.count()

    def chunks(self) -> Iterator[Chunk]:
        """As the store's."""
        return self._store.chunks()

    def rows(self) -> Iterator[Rows]:
        """As the store's."""
        return self._store.rows()


class LexicalOff(Wrapped):
    """The search by words finds nothing and says nothing about it."""

    def search_lexical(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """Nothing."""
        return []


class DigitsDropped(Wrapped):
    """The search by words does not get the digits of the question, as behind an analyzer that keeps letters only."""

    def search_lexical(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """As the store's, for the question without its digits."""
        return self._store.search_lexical("".join(c for c in query if not c.isdigit()), k, ctx)


class ClockStopped(Wrapped):
    """Requests carry no later day than ``day``.

    Args:
        store: what is searched.
        day: the last day the clock knew.
    """

    def __init__(self, store: Store, day: date = RESTARTED) -> None:
        super().__init__(store)
        self._day = day

    def search_dense(self, vector: NDArray[np.float32], k: int, ctx: RequestContext) -> list[Hit]:
        """As the store's, on that day."""
        return self._store.search_dense(vector, k, self._then(ctx))

    def search_lexical(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """As the store's, on that day."""
        return self._store.search_lexical(query, k, self._then(ctx))

    def _then(self, ctx: RequestContext) -> RequestContext:
        return replace(ctx, as_of=min(ctx.as_of, self._day))


class StaleIndex(Wrapped):
    """What came into force after ``day`` is not there; what it superseded is withdrawn all the same.

    Args:
        store: what is searched.
        day: the last day whose documents are in.
    """

    def __init__(self, store: Store, day: date = LAST_RUN) -> None:
        super().__init__(store)
        self._day = day

    def search_dense(self, vector: NDArray[np.float32], k: int, ctx: RequestContext) -> list[Hit]:
        """As the store's, without the new."""
        return self._old(lambda n: self._store.search_dense(vector, n, ctx), k)

    def search_lexical(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """As the store's, without the new."""
        return self._old(lambda n: self._store.search_lexical(query, n, ctx), k)

    def _old(self, search: Callable[[int], list[Hit]], k: int) -> list[Hit]:
        """The first k old hits; asks for more until there are k or no more come."""
        n = k
        while True:
            hits = search(n)
            old = [hit for hit in hits if not in_force_after(hit, self._day)]
            if len(old) >= k or len(hits) < n or n == MAX_K:
                return old[:k]
            n = min(4 * n, MAX_K)


def in_force_after(hit: Hit, day: date) -> bool:
    """Whether the passage came into force later than ``day``."""
    return hit.chunk.valid_from is not None and hit.chunk.valid_from > day


def superseded(hit: Hit, ctx: RequestContext) -> bool:
    """Whether the passage no longer holds on the request's day."""
    return hit.chunk.valid_to is not None and hit.chunk.valid_to <= ctx.as_of


def _ids(hits: Sequence[Hit]) -> set[str]:
    return {hit.chunk.chunk_id for hit in hits}


def _lexical_off(question: str, broken: Sequence[Hit], whole: Sequence[Hit], ctx: RequestContext) -> bool:
    """A passage that words put among the first is gone from there, and nothing else came by words."""
    by_words = [hit for hit in whole[:TOP] if "lexical" in hit.why]
    return bool(_ids(by_words) - _ids(broken[:TOP])) and not any("lexical" in hit.why for hit in broken)


def _digits_dropped(question: str, broken: Sequence[Hit], whole: Sequence[Hit], ctx: RequestContext) -> bool:
    """A passage that holds an identifier of the question sank on the lexical path and left the first."""
    wanted = {found[0] for code in identifiers(question) if any(c.isdigit() for c in code) and (found := terms(code))}
    ranks = {hit.chunk.chunk_id: hit.why.get("lexical") for hit in broken}
    for hit in whole[:TOP]:
        before, after = hit.why.get("lexical"), ranks.get(hit.chunk.chunk_id)
        named = wanted.intersection(search_terms(hit.chunk))
        if named and before is not None and (after is None or after > before) and _sank(hit, broken, whole):
            return True
    return False


def _sank(hit: Hit, broken: Sequence[Hit], whole: Sequence[Hit]) -> bool:
    at = [other.chunk.chunk_id for other in broken]
    place = next(n for n, other in enumerate(whole) if other.chunk.chunk_id == hit.chunk.chunk_id)
    return hit.chunk.chunk_id not in at or at.index(hit.chunk.chunk_id) > place


def _clock_stopped(question: str, broken: Sequence[Hit], whole: Sequence[Hit], ctx: RequestContext) -> bool:
    """A passage that no longer holds is among the first."""
    return any(superseded(hit, ctx) for hit in broken[:TOP]) and not any(superseded(hit, ctx) for hit in whole[:TOP])


def _stale_index(question: str, broken: Sequence[Hit], whole: Sequence[Hit], ctx: RequestContext) -> bool:
    """A passage of the last weeks that belongs among the first is nowhere, and nothing withdrawn took its place."""
    new = [hit for hit in whole[:TOP] if in_force_after(hit, LAST_RUN)]
    return bool(_ids(new) - _ids(broken)) and not any(superseded(hit, ctx) for hit in broken)


STORE_FAULTS: tuple[StoreFault, ...] = (
    StoreFault(
        code="lexical_off",
        cause="The search by words finds nothing; only the search by meaning answers.",
        proof="a question whose passage is found by its words, and now is not: no hit names the path `lexical`",
        hints=(
            "Look at why each hit was found, not only at what was found.",
            "Two paths feed the ranking. Count how often each is named.",
        ),
        broken=LexicalOff,
        shows=_lexical_off,
    ),
    StoreFault(
        code="digits_dropped",
        cause="The search by words loses the digits of a question, so that E-417 and E-471 read the same.",
        proof="a question with a code or number in it, whose passage sinks although both paths still find something",
        hints=(
            "Some questions are answered as well as ever. What do the others have in common?",
            "Ask for the same thing once by its code or part number and once by its name.",
        ),
        broken=DigitsDropped,
        shows=_digits_dropped,
    ),
    StoreFault(
        code="clock_stopped",
        cause="The service takes a day a year ago for today, and serves what was in force then.",
        proof="a question that brings up a passage whose last day has passed",
        hints=(
            "Read the dates of the hits.",
            "A passage holds from its first day until the day before its second. Find one that no longer does.",
        ),
        broken=ClockStopped,
        shows=_clock_stopped,
    ),
    StoreFault(
        code="stale_index",
        cause="The last run withdrew what was superseded and never wrote the new: the newest documents are missing.",
        proof="a question about a document of the last weeks that is in the folder and never among the hits",
        hints=(
            "Look for what is not there.",
            "Take the newest files in the folder of documents and ask what stands in them.",
        ),
        broken=StaleIndex,
        shows=_stale_index,
    ),
)
"""What can be wrong in the first drill."""
