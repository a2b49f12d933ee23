"""Late interaction: compares a question with a passage token by token, from vectors computed when it was indexed.

Each token of the question looks for its best match among the passage's tokens; the score is the weighted mean of these
matches (ColBERT: Khattab and Zaharia 2020), half of it over the whole passage and half within the window that matches
best, for a fact is stated in one place. A passage's token vectors are the encoder's own last hidden states, projected
by a small matrix, so it costs one pass of the encoder when it is indexed and one small product per question. The
question is read by the same encoder with an :class:`~labkit.llm.adapter.Adapter`, which ``python -m labkit.tune.late``
trains. The file is pinned by its hash. It does not know which passages to compare; :mod:`labkit.retrieve.rerank` does.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ModelError, ModelMismatch
from labkit.llm import TokenEmbedder
from labkit.llm.adapter import Adapter
from labkit.retrieve.store import TokenVectors

FILE = Path(__file__).with_name("late.npz")
SHA256 = "c974fa5a4b4b2d3f0009b073adfa7204f6b2c3ce02b2de0c2426794a32a7ef57"

BLOCK = 16
"""Tokens of a passage in half a window; windows overlap by half."""

Array = NDArray[np.float32]
_SCALE = 127.0


@dataclass(frozen=True, slots=True)
class Matches:
    """How the tokens of a question are matched by some passages.

    Attributes:
        weights: float32 (tokens,), how much each token counts; they sum to 1.
        best: float32 (tokens, passages), each token's best match in each passage, -1 to 1.
        near: float32 (passages,), the weighted mean of the matches within the window that matches best.
    """

    weights: Array
    best: Array
    near: Array

    @property
    def scores(self) -> Array:
        """How well each passage answers to the question: -1 to 1, float32 (passages,)."""
        return np.asarray((self.weights @ self.best + self.near) / 2, np.float32)


@dataclass(frozen=True, slots=True)
class LateInteraction:
    """The trained adapter and projections.

    Attributes:
        encoder: name of the encoder whose token states it reads.
        adapter: what the encoder changes to read a question.
        query: float32 (width, dimensions), projects the question's states.
        document: float32 (width, dimensions), projects a passage's states.
        weight: float32 (dimensions,), how much a token of the question matters.
        fingerprint: changes whenever token vectors or scores would.
    """

    encoder: str
    adapter: Adapter
    query: Array
    document: Array
    weight: Array
    fingerprint: str = ""

    @classmethod
    def shipped(cls) -> LateInteraction:
        """The one that came with labkit.

        Raises:
            ModelError: the file is missing.
            ModelMismatch: it is not the pinned one.
        """
        return _shipped(FILE, SHA256)

    @classmethod
    def from_bytes(cls, data: bytes) -> LateInteraction:
        """From the bytes of :meth:`to_bytes`; the fingerprint is their hash."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls(
                encoder=str(arrays["encoder"]),
                adapter=Adapter.from_arrays(arrays),
                query=arrays["query"].astype(np.float32),
                document=arrays["document"].astype(np.float32),
                weight=arrays["weight"].astype(np.float32),
                fingerprint=hashlib.sha256(data).hexdigest()[:12],
            )

    def to_bytes(self) -> bytes:
        """As a NumPy archive in half precision."""
        arrays = {"query": self.query, "document": self.document, "weight": self.weight, **self.adapter.to_arrays()}
        buffer = io.BytesIO()
        half: dict[str, Any] = {name: array.astype(np.float16) for name, array in arrays.items()}
        np.savez(buffer, encoder=np.array(self.encoder), **half)
        return buffer.getvalue()

    def asker(self, embedder: TokenEmbedder) -> TokenEmbedder:
        """The encoder as it reads questions.

        Raises:
            ModelError: its weights have other names or shapes than those of the trained one.
        """
        return embedder.adapted(self.adapter)

    def token_vectors(self, states: Array) -> TokenVectors:
        """A passage's token states (tokens, dimensions) as what is stored: int8 (tokens, width)."""
        projected = _unit(_unit(states) @ self.document.T)
        return np.asarray(np.rint(projected * _SCALE), np.int8)

    def matches(self, states: Array, passages: Sequence[TokenVectors]) -> Matches:
        """How passages match a question's token states (tokens, dimensions), read by :meth:`asker`.

        A passage without token vectors matches with 0; so does every passage if the question has no tokens.
        """
        normed = _unit(states)
        weights = _softmax(normed @ self.weight)
        best, near = np.zeros((len(states), len(passages)), np.float32), np.zeros(len(passages), np.float32)
        present = [i for i, vectors in enumerate(passages) if len(vectors)]
        if present and len(states):
            stacked = np.concatenate([passages[i] for i in present]).astype(np.float32)
            similar = _unit(normed @ self.query.T) @ stacked.T / _SCALE
            lengths = np.array([len(passages[i]) for i in present])
            best[:, present], near[present] = _strongest(similar, lengths, weights)
        return Matches(weights, best, near)

    def scores(self, states: Array, passages: Sequence[TokenVectors]) -> Array:
        """How well each passage answers to a question's token states: -1 to 1, float32 (passages,)."""
        return self.matches(states, passages).scores


def _strongest(similar: Array, lengths: NDArray[np.intp], weights: Array) -> tuple[Array, Array]:
    """Of similarities (tokens, all passages' tokens): the best per passage, and the best window's weighted mean."""
    ends = np.cumsum(lengths)
    starts = ends - lengths
    counts = -(-lengths // BLOCK)
    first = np.cumsum(counts) - counts  # of each passage among all blocks
    inner = np.arange(counts.sum()) - np.repeat(first, counts)
    blocks = np.maximum.reduceat(similar, np.repeat(starts, counts) + BLOCK * inner, axis=1)
    best = np.maximum.reduceat(blocks, first, axis=1)
    last = np.repeat(counts, counts) - 1 == inner
    # A window is a block and the next of the same passage; the last of several is in the window before.
    following = np.roll(blocks, -1, axis=1)
    following[:, last] = blocks[:, last]
    near = np.maximum.reduceat(weights @ np.maximum(blocks, following), first)
    return best, near


@lru_cache(maxsize=1)
def _shipped(file: Path, sha256: str) -> LateInteraction:
    try:
        data = file.read_bytes()
    except OSError as error:
        todo = "Install labkit again, or train it: python -m labkit.tune.late"
        raise ModelError("The reranker's weights are missing", where=file.name, todo=todo) from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        todo = "Restore the file, or pin its hash in labkit/retrieve/late.py."
        raise ModelMismatch(
            f"Not the pinned weights: {found[:12]}… instead of {sha256[:12]}…", where=file.name, todo=todo
        )
    return LateInteraction.from_bytes(data)


def _unit(rows: Array) -> Array:
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-9), np.float32)


def _softmax(logits: Array) -> Array:
    raised = np.exp(logits - logits.max(initial=-np.inf))
    return np.asarray(raised / raised.sum(), np.float32) if len(logits) else np.zeros(0, np.float32)
