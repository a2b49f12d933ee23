"""Which chain of relations a question asks for: *who leads the team that maintains the machine in INC-2031?*

The data dictionary says which chains can begin at a kind of thing: incident.product, product.team, team.lead. A small
model over the encoder's token states scores them all, in two ways that are added: each relation looks for the token
that speaks for it, and each token, as much as it counts, looks for the relation of the chain that explains it. Counting
what points at a thing (*how many parts fit the Heron picker*) is a chain of one step, of :attr:`Schema.tallies`.
``python -m labkit.tune.chains`` trains the model; the file is pinned by its hash. It was trained for the data
dictionary that ships and refuses others.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ModelError, ModelMismatch
from labkit.graph.schema import Schema

FILE = Path(__file__).with_name("chains.npz")
SHA256 = "5b4ffe525e1bfbb2460722004ad665d6cdbbc787fc5f0e4e036038a41ca27e40"

LONGEST = 4
"""Relations in a chain."""

Array = NDArray[np.float32]


class Chain(NamedTuple):
    """Steps from a thing to what is asked for, and how likely they are meant, 0 to 1."""

    steps: tuple[str, ...]
    probability: float


def chains_from(kind: str, schema: Schema) -> list[tuple[str, ...]]:
    """All chains that can begin at a kind, none through the same kind twice."""
    found: list[tuple[str, ...]] = []

    def follow(here: str, steps: tuple[str, ...], kinds: frozenset[str]) -> None:
        for name, relation in schema.relation.items():
            if relation.subject == here:
                found.append((*steps, name))
                if relation.object and relation.object not in kinds and len(steps) + 1 < LONGEST:
                    follow(relation.object, (*steps, name), kinds | {relation.object})

    follow(kind, (), frozenset({kind}))
    return found + [(step,) for step, by in schema.tallies.items() if schema.relation[by].object == kind]


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learned; n steps, d numbers per token state.

    Attributes:
        steps: their names, in the order of the rows.
        speaks: float32 (n, d + 1), a step's sign of being spoken for by a token, the last column added to it.
        explains: float32 (n, d + 1), how well a step explains a token.
        counts: float32 (d,), how much a token counts.
        length: float32 (LONGEST,), added for a chain's length.
        share: how much explaining weighs against speaking.
    """

    steps: tuple[str, ...]
    speaks: Array
    explains: Array
    counts: Array
    length: Array
    share: float

    def to_bytes(self) -> bytes:
        """As a NumPy archive in half precision."""
        buffer = io.BytesIO()
        half: dict[str, Any] = {
            name: getattr(self, name).astype(np.float16) for name in ("speaks", "explains", "counts", "length")
        }
        np.savez(buffer, steps=np.array(self.steps), share=np.float32(self.share), **half)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Weights:
        """From the bytes of :meth:`to_bytes`."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            floats = {name: arrays[name].astype(np.float32) for name in ("speaks", "explains", "counts", "length")}
            return cls(steps=tuple(map(str, arrays["steps"])), share=float(arrays["share"]), **floats)


class ChainModel:
    """Scores chains for a question.

    Args:
        weights: what was learned.
        schema: the data dictionary.

    Raises:
        ModelError: the dictionary has a relation the weights were not trained for.
    """

    def __init__(self, weights: Weights, schema: Schema) -> None:
        place = {step: at for at, step in enumerate(weights.steps)}
        self._weights = weights
        self._chains = {kind: chains_from(kind, schema) for kind in schema.kind}
        unknown = {step for chains in self._chains.values() for chain in chains for step in chain} - place.keys()
        if unknown:
            raise ModelError(
                f"The chain model was not trained for {len(unknown)} steps of this data dictionary", where=min(unknown),
                todo="Write phrasings for them and train it with `python -m labkit.tune.chains`.",
            )  # fmt: skip
        self._members = {kind: _members(chains, place) for kind, chains in self._chains.items()}

    @classmethod
    def shipped(cls, schema: Schema) -> ChainModel:
        """The one that came with labkit.

        Raises:
            ModelError: the file is missing, or does not fit the dictionary.
            ModelMismatch: it is not the pinned one.
        """
        return cls(_shipped(FILE, SHA256), schema)

    def chains(self, states: Array, kind: str, n: int) -> list[Chain]:
        """The n likeliest chains from a thing of a kind, likeliest first.

        Args:
            states: the question's token states, float32 (tokens, d).
            kind: of the thing the question names.
            n: how many.
        """
        chains = self._chains.get(kind, [])
        if not chains or not len(states):
            return []
        scores = self._scores(states, self._members[kind])
        likely = np.exp(scores - scores.max())
        likely /= likely.sum()
        return [Chain(chains[at], float(likely[at])) for at in np.argsort(-likely, kind="stable")[:n]]

    def _scores(self, states: Array, members: NDArray[np.bool_]) -> Array:
        weights = self._weights
        spoken = (states @ weights.speaks[:, :-1].T + weights.speaks[:, -1]).max(axis=0)  # (steps,)
        explained = states @ weights.explains[:, :-1].T + weights.explains[:, -1]  # (tokens, steps)
        count = states @ weights.counts
        count = np.exp(count - count.max())
        best = np.where(members[None], explained[:, None, :], -np.inf).max(axis=2)  # (tokens, chains)
        scores = members @ spoken + weights.share * (count / count.sum()) @ best
        return np.asarray(scores + weights.length[members.sum(axis=1) - 1], np.float32)


def _members(chains: list[tuple[str, ...]], place: dict[str, int]) -> NDArray[np.bool_]:
    members = np.zeros((len(chains), len(place)), bool)
    for row, chain in enumerate(chains):
        members[row, [place[step] for step in chain]] = True
    return members


@lru_cache(maxsize=2)
def _shipped(file: Path, sha256: str) -> Weights:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The chain model cannot be read ({error})", where=file.name, todo="Reinstall labkit."
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelMismatch("The chain model is not the pinned one", where=file.name, todo="Reinstall labkit.")
    return Weights.from_bytes(data)
