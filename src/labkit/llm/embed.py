"""Text in, unit vectors out: MiniLM in this process, or an embedding endpoint.

Vectors of different encoders must never meet in one index, so every embedder states a ``fingerprint`` that the index
is stamped with.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from labkit.errors import EndpointError
from labkit.llm.adapter import Adapter
from labkit.llm.bert import Backend, Bert, pool
from labkit.llm.weights import Array

if TYPE_CHECKING:
    from pathlib import Path

    from labkit.models import ModelFiles
    from labkit.schema import RequestContext
    from labkit.settings import Settings

MAX_TOKENS = 256
"""Tokens of a text that all-MiniLM-L6-v2 was trained to see; the rest is cut, as sentence-transformers does."""

_BATCH_TOKENS = 2048  # padding included; more needs memory and saves no time on a CPU
_BATCH_LEAST = 256  # tokens from here on are worth another core
_BULK_TOKENS = 4_000  # from here on importing PyTorch pays for itself
_TORCH_TOKENS = 41  # from here on PyTorch is quicker once it is imported; a question is shorter and stays exact
_PROGRESS_FROM = 2_000


@runtime_checkable
class Embedder(Protocol):
    """What turns text into vectors.

    Attributes:
        name: for people and for answers' versions.
        fingerprint: changes whenever the vectors would.
    """

    name: str
    fingerprint: str

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str], ctx: RequestContext | None = None) -> Array:
        """Unit vectors, float32 (n, dimensions), in the order of ``texts``."""
        ...

    def count_tokens(self, text: str) -> int:
        """How many of its tokens a text takes, uncut."""
        ...


class Encoded(NamedTuple):
    """One text, encoded.

    Attributes:
        vector: float32 (dimensions,), unit length: what ``encode`` gives.
        ids: (tokens,) of its tokens, without the two that frame it.
        states: float32 (tokens, dimensions), their last hidden states, not normalised.
    """

    vector: Array
    ids: NDArray[np.int32]
    states: Array


@runtime_checkable
class TokenEmbedder(Protocol):
    """What an embedder may do besides: the vectors of single tokens, for late interaction (Khattab and Zaharia 2020).

    It does not extend :class:`Embedder`, so that ``isinstance`` looks at no property: ``dimensions`` of an endpoint
    would ask the endpoint.
    """

    def encode_tokens(self, texts: Sequence[str], ctx: RequestContext | None = None) -> list[Encoded]:
        """Vector and token states of each text, in the order of ``texts``."""
        ...

    def adapted(self, adapter: Adapter) -> TokenEmbedder:
        """The same embedder with changed weights.

        Raises:
            ModelError: the adapter belongs to another encoder.
        """
        ...


def embedder(settings: Settings) -> Embedder:
    """The embedder of ``settings``: the endpoint if ``embed_url`` is set, else the weights of ``embed_model``.

    Raises:
        ModelError: the weights cannot be found.
        ModelMismatch: they are not the pinned ones.
    """
    if settings.embed_url:
        return HttpEmbedder(settings.embed_url, model=settings.embed_model, api_key=settings.embed_api_key)
    from labkit.models import resolve

    return LocalEmbedder(resolve(settings.embed_model, settings.home), threads=settings.threads)


class LocalEmbedder:
    """A BERT sentence encoder in this process. Safe to share between threads.

    Args:
        files: from :func:`labkit.models.resolve`.
        threads: CPU cores of bulk encoding; 0 leaves the library's choice.
        backend: what computes; None takes NumPy for a question and PyTorch, in the precision this CPU is quickest
            at, for many tokens.
    """

    def __init__(self, files: ModelFiles, *, threads: int = 0, backend: Backend | None = None) -> None:
        from tokenizers import Tokenizer

        self.name = files.version
        self.fingerprint = f"{files.version}/mean/{MAX_TOKENS}"
        self._bert = _bert(files.path)
        self._threads, self._backend = threads, backend
        self._tokenizer = Tokenizer.from_file(str(files.path / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, texts: Sequence[str], ctx: RequestContext | None = None) -> Array:
        """Unit vectors, float32 (n, dimensions), in the order of ``texts``. Text beyond 256 tokens is not seen."""
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for batch, _, mask, states in self._batches(texts, ctx):
            vectors[batch] = pool(states, mask)
        return vectors

    def encode_tokens(self, texts: Sequence[str], ctx: RequestContext | None = None) -> list[Encoded]:
        """Vector and token states of each text, in the order of ``texts``, from one pass.

        A thousand texts of a hundred tokens take 154 MB: ask for what is used before the next.
        """
        encoded: dict[int, Encoded] = {}
        for batch, ids, mask, states in self._batches(texts, ctx):
            for i, vector, row, length, of in zip(batch, pool(states, mask), ids, mask.sum(1), states, strict=True):
                inner = slice(1, length - 1)
                # Copies: a view would keep the whole batch, padding included.
                encoded[i] = Encoded(vector, row[inner].astype(np.int32), of[inner].copy())
        return [encoded[i] for i in range(len(texts))]

    def adapted(self, adapter: Adapter) -> LocalEmbedder:
        """The same embedder with changed weights, and a fingerprint of its own.

        Raises:
            ModelError: the adapter belongs to another encoder.
        """
        other = copy.copy(self)
        other._bert = self._bert.adapted(adapter)
        other.fingerprint = f"{self.fingerprint}/{adapter.fingerprint}"
        return other

    def _batches(
        self, texts: Sequence[str], ctx: RequestContext | None
    ) -> Iterator[tuple[list[int], NDArray[np.int64], NDArray[np.int64], Array]]:
        """Positions in ``texts``, padded token ids, mask and states of one batch after the other."""
        tokens = [_clip(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]
        lengths = [len(row) for row in tokens]
        backend = self._backend or self._choose(sum(lengths))
        with tqdm(total=len(texts), unit="text", desc="encode", disable=len(texts) < _PROGRESS_FROM) as bar:
            for batch, (ids, mask, states) in self._computed(tokens, lengths, backend):
                if ctx is not None:
                    ctx.check()
                yield batch, ids, mask, states
                bar.update(len(batch))

    def _computed(
        self, tokens: Sequence[list[int]], lengths: Sequence[int], backend: Backend
    ) -> Iterator[tuple[list[int], tuple[NDArray[np.int64], NDArray[np.int64], Array]]]:
        """Batches with their padded token ids, mask and states; those of PyTorch on all cores, a batch on each."""

        def states(batch: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
            ids, mask = _pad([tokens[i] for i in batch])
            return ids, mask, self._bert.states(ids, mask, backend)

        if backend == "numpy":  # a question goes ahead in its own thread
            yield from ((batch, states(batch)) for batch in _by_length(lengths, _BATCH_TOKENS))
            return
        from labkit.llm.cores import cores

        available = cores(self._threads)
        limit = max(_BATCH_LEAST, min(_BATCH_TOKENS, -(-sum(lengths) // available.size)))
        yield from available.map(states, _by_length(lengths, limit))

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._bert.width

    def count_tokens(self, text: str) -> int:
        """How many tokens a text takes, uncut, without the two that frame it."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _choose(self, tokens: int) -> Backend:
        if tokens < (_TORCH_TOKENS if "torch" in sys.modules else _BULK_TOKENS):
            return "numpy"
        from labkit.llm.precision import fastest

        return fastest()


@lru_cache(maxsize=1)
def _bert(folder: Path) -> Bert:
    """One copy of the weights for all embedders of this process; the encoder keeps nothing between two calls."""
    return Bert(folder)


class HttpEmbedder:
    """Embeddings from an OpenAI-compatible endpoint.

    Args:
        url: base URL ending in ``/v1``.
        model: the model's name there.
        api_key: sent as bearer token.
        timeout_s: longest wait for a single read.
        batch: texts per request.
    """

    def __init__(
        self, url: str, *, model: str, api_key: str = "not-needed", timeout_s: float = 120.0, batch: int = 64
    ) -> None:
        from labkit.llm.http import Endpoint

        self.name = self.fingerprint = model
        self._endpoint = Endpoint(url, api_key=api_key, timeout_s=timeout_s)
        self._batch = batch
        self._dimensions: int | None = None

    @property
    def dimensions(self) -> int:
        """Length of a vector; asks the endpoint the first time."""
        if self._dimensions is None:
            self._dimensions = self._request(["dimensions"], None).shape[1]
        return self._dimensions

    def encode(self, texts: Sequence[str], ctx: RequestContext | None = None) -> Array:
        """Unit vectors, float32 (n, dimensions), in the order of ``texts``.

        Raises:
            EndpointError: the server failed, or sent something else than one vector per text.
        """
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        parts = [
            self._request(texts[start : start + self._batch], ctx)
            for start in tqdm(
                range(0, len(texts), self._batch), unit="batch", desc="encode", disable=len(texts) < _PROGRESS_FROM
            )
        ]
        return np.concatenate(parts)

    def count_tokens(self, text: str) -> int:
        """An estimate: an endpoint does not show its tokenizer. Four characters to a token."""
        return -(-len(text) // 4)

    def _request(self, texts: Sequence[str], ctx: RequestContext | None) -> Array:
        reply = self._endpoint.call(
            "embedding",
            # Asked for explicitly: the client's default, base64, is not understood by every server.
            lambda timeout: self._endpoint.client.embeddings.create(
                model=self.name, input=list(texts), encoding_format="float", timeout=timeout
            ),
            ctx,
        )
        try:
            rows = sorted(reply.data, key=lambda row: row.index)
            vectors = np.asarray([row.embedding for row in rows], np.float32)
        except (AttributeError, TypeError, ValueError) as error:
            raise self._malformed("something that is not a list of vectors") from error
        norms = np.linalg.norm(vectors, axis=-1, keepdims=True) if vectors.ndim == 2 else np.zeros(1)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all() or (norms == 0).any():
            raise self._malformed(
                f"{len(vectors)} vectors for {len(texts)} texts, or vectors that are zero or not finite"
            )
        return np.asarray(vectors / norms, np.float32)

    def _malformed(self, what: str) -> EndpointError:
        return EndpointError(
            f"The embedding endpoint sent {what}", where=self._endpoint.url, todo="Check that it serves an encoder."
        )


def _clip(ids: list[int]) -> list[int]:
    """At most MAX_TOKENS, with the closing token kept."""
    return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]


def _by_length(lengths: Sequence[int], limit: int) -> Iterator[list[int]]:
    """Positions of texts in batches of at most ``limit`` tokens, the longest first.

    Sorted by length, a batch holds texts of similar length and hardly any padding.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > limit:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _pad(rows: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    length = max(map(len, rows))
    ids = np.zeros((len(rows), length), np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask
