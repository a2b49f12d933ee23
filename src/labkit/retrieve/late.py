"""Late interaction: compares a question with a passage token by token, from vectors computed when it was indexed.

Each token of the question looks for its best match among the passage's tokens; the weighted mean of these matches is
the score (ColBERT: Khattab and Zaharia 2020). The token vectors are the encoder's own last hidden states, projected by
two small matrices; the question's is what ``python -m labkit.tune.late`` trains on the generated enterprise. So a
passage costs one pass of the encoder at indexing time and one small product at query time. The file is pinned by its
hash. It does not know which passages to compare; :mod:`labkit.retrieve.rerank` does.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ModelError, ModelMismatch
from labkit.retrieve.store import TokenVectors

FILE = Path(__file__).with_name("late.npz")
SHA256 = "30ebdb40933861cdf00580b8ad60232c933151e4aa35dca8b68dea82fbe7a945"

Array = NDArray[np.float32]
_SCALE = 127.0


@dataclass(frozen=True, slots=True)
class LateInteraction:
    """The trained projections.

    Attributes:
        encoder: name of the encoder whose token states it reads.
        query: float32 (width, dimensions), projects the question's states.
        document: float32 (width, dimensions), projects a passage's states.
        weight: float32 (dimensions,), how much a token of the question matters.
        fingerprint: changes whenever token vectors or scores would.
    """

    encoder: str
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
                query=arrays["query"].astype(np.float32),
                document=arrays["document"].astype(np.float32),
                weight=arrays["weight"].astype(np.float32),
                fingerprint=hashlib.sha256(data).hexdigest()[:12],
            )

    def to_bytes(self) -> bytes:
        """As a NumPy archive in half precision."""
        buffer = io.BytesIO()
        half = {name: getattr(self, name).astype(np.float16) for name in ("query", "document", "weight")}
        np.savez(buffer, encoder=np.array(self.encoder), **half)
        return buffer.getvalue()

    def token_vectors(self, states: Array) -> TokenVectors:
        """A passage's token states (tokens, dimensions) as what is stored: int8 (tokens, width)."""
        projected = _unit(_unit(states) @ self.document.T)
        return np.asarray(np.rint(projected * _SCALE), np.int8)

    def scores(self, states: Array, passages: Sequence[TokenVectors]) -> Array:
        """How well each passage answers to a question's token states (tokens, dimensions): -1 to 1, float32.

        A passage without token vectors scores 0; so does every passage if the question has no tokens.
        """
        found = np.zeros(len(passages), np.float32)
        present = [i for i, vectors in enumerate(passages) if len(vectors)]
        if not present or not len(states):
            return found
        normed = _unit(states)
        logits = normed @ self.weight
        weights = np.exp(logits - logits.max())
        weights /= weights.sum()
        stacked = np.concatenate([passages[i] for i in present]).astype(np.float32)
        similar = _unit(normed @ self.query.T) @ stacked.T / _SCALE
        starts = np.cumsum([0, *(len(passages[i]) for i in present[:-1])])
        found[present] = weights @ np.maximum.reduceat(similar, starts, axis=1)
        return found


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
