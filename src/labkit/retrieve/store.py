"""The contract every store fulfils, and the limits of a search.

A store holds chunks with their vectors and full text, and searches both under the filters of a request. It does not
embed text, fuse results or know which encoder made the vectors. One suite of contract tests runs on every store.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from labkit.errors import InputError
from labkit.schema import Chunk, Hit, RequestContext

_PADDING = re.compile(r"(?<![\d.])0+(?=\d)")

MAX_QUERY_CHARS = 8_000
"""A longer question is a pasted document: it is refused rather than cut without saying so."""

MAX_K = 10_000
"""Most hits one search may ask for."""


@runtime_checkable
class Store(Protocol):
    """Chunks, their vectors and their text, searchable under a request's access and date.

    Both searches return only chunks of ``ctx.tenant`` that share a group with ``ctx.groups`` and are in force on
    ``ctx.as_of``, filtered before ranking: k hits come back whenever k chunks qualify and match. Hits are ordered by
    falling score, ties by chunk id.
    """

    def upsert(self, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        """Add chunks, replacing those with the same ``chunk_id``; all of them or, on an error, none."""
        ...

    def delete(self, doc_ids: Iterable[str]) -> int:
        """Remove every chunk of these documents; returns how many chunks went."""
        ...

    def search_dense(self, vector: NDArray[np.float32], k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks whose vectors are most similar; the score is the cosine."""
        ...

    def search_lexical(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k chunks that match the query's words best; the score is BM25. No shared word, no hit."""
        ...

    def count(self) -> int:
        """How many chunks it holds."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, in no particular order."""
        ...


def search_text(chunk: Chunk) -> str:
    """What is embedded and searched for a chunk: its file's name, its heading path, then its text.

    A passage under *Torque > Gripper* in ``E-417.md`` often names none of the three; readers see where it stands and
    so must search.
    """
    return f"{place(chunk)}\n{chunk.text}"


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
