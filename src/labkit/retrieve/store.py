"""The contract every store fulfils, and the limits of a search.

A store holds chunks with their vectors and full text, and searches both under the filters of a request. It does not
embed text, fuse results or know which encoder made the vectors. One suite of contract tests runs on every store.
Words are the business of :mod:`labkit.retrieve.terms`: stores index and match its terms as they are, split at spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from labkit.errors import InputError
from labkit.retrieve.terms import terms
from labkit.schema import Chunk, Hit, RequestContext

_PADDING = re.compile(r"(?<![\d.])0+(?=\d)")

TokenVectors = NDArray[np.int8]
"""(tokens, width): unit vectors times 127, rounded."""

MAX_QUERY_CHARS = 8_000
"""A longer question is a pasted document: it is refused rather than cut without saying so."""

MAX_K = 10_000
"""Most hits one search may ask for."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some chunks with all that was computed for them: what moves from one store to another.

    Attributes:
        chunks: n of them.
        vectors: float32 (n, dimensions), unit length.
        tokens: for each chunk its token vectors, int8 (t, width); (0, width) where none were computed.
    """

    chunks: Sequence[Chunk]
    vectors: NDArray[np.float32]
    tokens: Sequence[TokenVectors]


@runtime_checkable
class Store(Protocol):
    """Chunks, their vectors and their text, searchable under a request's access, date and filters.

    Both searches return only chunks of ``ctx.tenant`` that share a group with ``ctx.groups``, are in force on
    ``ctx.as_of`` and pass ``ctx.filters``, filtered before ranking: k hits come back whenever k chunks qualify and
    match. Hits are ordered by falling score, ties by chunk id.
    """

    def upsert(
        self, chunks: Sequence[Chunk], vectors: NDArray[np.float32], tokens: Sequence[TokenVectors] | None = None
    ) -> None:
        """Add chunks, replacing those with the same ``chunk_id``; all of them or, on an error, none.

        Args:
            chunks: n of them.
            vectors: one each, float32 (n, dimensions), unit length.
            tokens: one list of token vectors each, or None if there are none.
        """
        ...

    def delete(self, doc_ids: Iterable[str]) -> int:
        """Remove every chunk of these documents; returns how many chunks went."""
        ...

    def search_dense(self, vector: NDArray[np.float32], k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks whose vectors are most similar; the score is the cosine."""
        ...

    def search_lexical(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks that share terms with the query, best first; the score is BM25. No shared term, no hit."""
        ...

    def token_vectors(self, chunk_ids: Sequence[str]) -> list[TokenVectors]:
        """The token vectors of these chunks, in their order; of length 0 where a chunk or its vectors are not there."""
        ...

    def count(self) -> int:
        """How many chunks it holds."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, in no particular order."""
        ...

    def rows(self) -> Iterator[Rows]:
        """Everything it holds, batch by batch; as of one moment where the store can (Weaviate cannot)."""
        ...


def search_text(chunk: Chunk) -> str:
    """What is embedded and searched for a chunk: its file's name, its heading path, then its text.

    A passage under *Torque > Gripper* in ``E-417.md`` often names none of the three; readers see where it stands and
    so must search.
    """
    return f"{place(chunk)}\n{chunk.text}"


HEADING_WEIGHT = 2
"""How often a word of a chunk's place counts: BM25F's weight of a field (Robertson, Zaragoza and Taylor 2004)."""


def search_terms(chunk: Chunk) -> list[str]:
    """The terms a chunk is found by: those of its place, as often as they weigh, then those of its text."""
    return terms(place(chunk)) * HEADING_WEIGHT + terms(chunk.text)


def place(chunk: Chunk) -> str:
    """Where a chunk stands: its file's name, without the zeros that pad numbers in one, and its headings."""
    name = _PADDING.sub("", PurePosixPath(chunk.source_path).stem)
    return " > ".join((name, *chunk.heading_path))


def check_search(query: str, k: int) -> str:
    """The question without surrounding space.

    Raises:
        InputError: it is empty or too long, or k is out of range.
    """
    query = query.strip()
    if not query:
        raise InputError("The question is empty", todo="Ask something.")
    if len(query) > MAX_QUERY_CHARS:
        raise InputError(
            f"The question has {len(query):,} characters, {MAX_QUERY_CHARS:,} is the most",
            todo="Ask in a few sentences; add long texts to the corpus instead.",
        )
    check_k(k)
    return query


def check_k(k: int) -> None:
    """Refuse a number of hits that makes no sense.

    Raises:
        InputError: k is not between 1 and MAX_K.
    """
    if not 1 <= k <= MAX_K:
        raise InputError(f"k is {k}", todo=f"Ask for 1 to {MAX_K:,} passages.")
