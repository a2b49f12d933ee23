"""A Llama decoder in NumPy: token ids in, next token ids out.

Why it exists: importing transformers' Llama takes seconds, and one-token steps spend most of their time in Python.
This reads the same safetensors, needs no torch, and yields the same greedy tokens (a test compares both). It is for
one request at a time on a CPU; batches, GPUs, sampling and other architectures belong to transformers or a server.
A request may bring a LoRA adapter (Hu et al. 2021): it is added while computing, so one copy of the weights serves all.

It knows nothing about text, prompts or stop tokens. Architecture: Touvron et al. 2023 (Llama); rotary positions: Su
et al. 2021; grouped key/value heads: Ainslie et al. 2023.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ModelError
from labkit.llm.weights import Array, read_safetensors

if TYPE_CHECKING:
    from labkit.llm.lora import Lora, LowRank

Choose = Callable[[Array], int]
"""Picks the next token from the scores of all, shape (vocabulary,)."""

_PREFILL_BLOCK = 256  # positions per forward pass: bounds the size of the attention scores
_FEW, _BLOCK = 12, 32  # positions, and rows of a weight multiplied by them at a time


def is_supported(config: dict[str, Any]) -> bool:
    """Whether this decoder computes exactly the model a ``config.json`` describes."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return (
        config.get("model_type") == "llama"
        and rope.get("rope_type", rope.get("type", "default")) == "default"
        and not config.get("attention_bias", False)
        and not config.get("mlp_bias", False)
        and config.get("hidden_act", "silu") == "silu"
        and "quantization_config" not in config
    )


class Decoder:
    """The weights of a Llama model as float32, and its forward pass.

    Args:
        folder: holds ``config.json`` and safetensors.

    Raises:
        ModelError: the folder holds another architecture, or weights are missing.
    """

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not is_supported(config):
            raise ModelError(f"Not a plain Llama model: {config.get('model_type')}", where=folder.name)
        self.context: int = config["max_position_embeddings"]
        self._heads: int = config["num_attention_heads"]
        self._kv_heads: int = config.get("num_key_value_heads", self._heads)
        self._head_dim: int = config.get("head_dim") or config["hidden_size"] // self._heads
        self._eps: float = config["rms_norm_eps"]
        self._theta: float = (config.get("rope_parameters") or {}).get("rope_theta") or config["rope_theta"]
        tensors = read_safetensors(folder)
        try:
            self._layers = [_Layer.read(tensors, i) for i in range(config["num_hidden_layers"])]
            self._embeddings = tensors["model.embed_tokens.weight"]
            self._norm = tensors["model.norm.weight"]
            tied = config.get("tie_word_embeddings", False)
            self._head = self._embeddings if tied else tensors["lm_head.weight"]
        except KeyError as error:
            raise ModelError(f"The checkpoint lacks {error}", where=folder.name) from error
        self.vocabulary = len(self._head)

    def generate(
        self, prompt: Sequence[int], max_tokens: int, adapter: Lora | None = None, choose: Choose | None = None
    ) -> Iterator[int]:
        """Yield the next token up to ``max_tokens`` times; the caller decides when to stop.

        ``prompt`` and ``max_tokens`` together must fit ``context``. Without ``choose`` it is the most likely token.
        """
        reading, ids = self.reading(len(prompt) + max_tokens, adapter), prompt
        for _ in range(max_tokens):
            scores = reading.read(ids)[0]
            token = int(np.argmax(scores)) if choose is None else choose(scores)
            yield token
            ids = [token]

    def logits(self, ids: Sequence[int], adapter: Lora | None = None) -> Array:
        """Scores of every token after the last of ``ids``, shape (vocabulary,)."""
        return cast("Array", self.reading(len(ids), adapter).read(ids)[0])

    def log_probabilities(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: Lora | None = None
    ) -> list[float]:
        """Natural logarithm of the probability that each continuation follows ``prompt``, which is read once."""
        reading = self.reading(len(prompt) + max(map(len, continuations)), adapter)
        first = reading.read(prompt)
        found = []
        for tokens in continuations:
            reading.back_to(len(prompt))  # forget the continuation before
            scores = first.astype(np.float64)
            if len(tokens) > 1:
                scores = np.concatenate([scores, reading.read(tokens[:-1], scored=len(tokens) - 1)])
            scores -= scores.max(axis=-1, keepdims=True)
            chosen = scores[np.arange(len(tokens)), np.asarray(tokens)]
            found.append(float((chosen - np.log(np.exp(scores).sum(axis=-1))).sum()))
        return found

    def reading(self, positions: int, adapter: Lora | None = None) -> Reading:
        """Begin to read a text of at most ``positions`` tokens, which must fit ``context``."""
        layers = self._adapted(adapter)
        return Reading(self, layers, _Cache(len(layers), self._kv_heads, positions, self._head_dim))

    def _adapted(self, adapter: Lora | None) -> list[_Layer]:
        if adapter is None:
            return self._layers
        changes: dict[int, dict[str, LowRank]] = {}
        for (layer, part), change in adapter.changes.items():
            changes.setdefault(layer, {})[part] = change
        return [layer.adapted(changes.get(index, {})) for index, layer in enumerate(self._layers)]

    def _scores(self, hidden: Array) -> Array:
        """Scores (…, vocabulary) of the tokens that may follow hidden states (…, width)."""
        return _product(_rms_norm(hidden, self._norm, self._eps), self._head)

    def _forward(self, ids: Sequence[int], layers: Sequence[_Layer], cache: _Cache) -> Array:
        """Hidden states (n, width) of ``ids``, which follow what is in the cache."""
        start, n = cache.length, len(ids)
        cos, sin = self._rotation(np.arange(start, start + n, dtype=np.float32))
        # Position i may look at every cached position and at the new ones up to itself.
        future = np.triu(np.ones((n, n), bool), 1) if n > 1 else None
        x: Any = self._embeddings[np.asarray(ids)]
        for index, layer in enumerate(layers):
            x = x + self._attend(_rms_norm(x, layer.input_norm, self._eps), layer, index, cache, cos, sin, future)
            y = _rms_norm(x, layer.post_norm, self._eps)
            gate: Any = layer.gate(y)
            with np.errstate(over="ignore"):  # exp of a very negative gate is inf, and the gate 0, as it should be
                gate = gate / (1.0 + np.exp(-gate))
            x = x + layer.down(gate * layer.up(y))
        cache.length += n
        return cast("Array", x)

    def _attend(
        self,
        x: Array,
        layer: _Layer,
        index: int,
        cache: _Cache,
        cos: Array,
        sin: Array,
        future: NDArray[np.bool_] | None,
    ) -> Array:
        n, groups = len(x), self._heads // self._kv_heads
        q, k, v = (part(x).reshape(n, -1, self._head_dim).swapaxes(0, 1) for part in (layer.q, layer.k, layer.v))
        q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
        keys, values = cache.append(index, k, v)
        # (kv heads, queries of a group, head_dim) against that group's one key/value head.
        q = q.reshape(self._kv_heads, groups * n, self._head_dim)
        scores = (q @ keys.swapaxes(1, 2)) * np.float32(self._head_dim**-0.5)
        if future is not None:
            scores.reshape(self._kv_heads, groups, n, -1)[..., -n:][..., future] = -np.inf
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ values).reshape(self._heads, n, self._head_dim)
        return layer.o(cast("Array", mixed.swapaxes(0, 1).reshape(n, -1)))

    def _rotation(self, positions: Array) -> tuple[Array, Array]:
        exponents = np.arange(0, self._head_dim, 2, dtype=np.float32) / self._head_dim
        angles = np.outer(positions, 1.0 / self._theta**exponents)
        angles = np.concatenate([angles, angles], axis=-1)
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


class Reading:
    """A text as far as it has been read: what was understood of it is kept, and its end can be taken back.

    Made by :meth:`Decoder.reading`.
    """

    def __init__(self, decoder: Decoder, layers: Sequence[_Layer], cache: _Cache) -> None:
        self._decoder, self._layers, self._cache = decoder, layers, cache

    def __len__(self) -> int:
        return self._cache.length

    def read(self, ids: Sequence[int], scored: int = 1) -> Array:
        """Read on, block by block.

        Args:
            ids: what comes next, at least one token.
            scored: how many of them are asked what may follow.

        Returns:
            Scores of every token after each of the last ``scored`` of ``ids``, shape (scored, vocabulary).
        """
        blocks = [ids[start : start + _PREFILL_BLOCK] for start in range(0, len(ids), _PREFILL_BLOCK)]
        hidden = np.concatenate([self._decoder._forward(block, self._layers, self._cache) for block in blocks])
        return self._decoder._scores(hidden[-scored:])

    def back_to(self, length: int) -> None:
        """Forget all but the first ``length`` tokens."""
        self._cache.length = length


class _Linear(NamedTuple):
    """A weight (outputs, inputs), and what the request's adapter adds to it."""

    weight: Array
    change: LowRank | None = None

    def __call__(self, x: Array) -> Array:
        y = _product(x, self.weight)
        if self.change is not None:
            a, b = self.change
            y += (x @ a.T) @ b.T
        return y


@dataclass(frozen=True, slots=True)
class _Layer:
    q: _Linear
    k: _Linear
    v: _Linear
    o: _Linear
    gate: _Linear
    up: _Linear
    down: _Linear
    input_norm: Array
    post_norm: Array

    @classmethod
    def read(cls, tensors: dict[str, Array], index: int) -> _Layer:
        at = f"model.layers.{index}."
        attention: list[Any] = [_Linear(tensors[f"{at}self_attn.{part}_proj.weight"]) for part in "qkvo"]
        mlp: list[Any] = [_Linear(tensors[f"{at}mlp.{part}_proj.weight"]) for part in ("gate", "up", "down")]
        norms = [tensors[f"{at}{part}_layernorm.weight"] for part in ("input", "post_attention")]
        return cls(*attention, *mlp, *norms)

    def adapted(self, changes: Mapping[str, LowRank]) -> _Layer:
        """The same weights with other changes beside them."""
        parts: dict[str, Any] = {part: _Linear(getattr(self, part).weight, change) for part, change in changes.items()}
        return replace(self, **parts) if parts else self


class _Cache:
    """Keys and values of the positions seen so far, one block per layer."""

    def __init__(self, layers: int, heads: int, positions: int, head_dim: int) -> None:
        self.length = 0
        self._keys = np.empty((layers, heads, positions, head_dim), np.float32)
        self._values = np.empty_like(self._keys)

    def append(self, layer: int, keys: Array, values: Array) -> tuple[Array, Array]:
        end = self.length + keys.shape[1]
        self._keys[layer, :, self.length : end] = keys
        self._values[layer, :, self.length : end] = values
        return self._keys[layer, :, :end], self._values[layer, :, :end]


def _product(x: Array, weight: Array) -> Array:
    """``x @ weight.T``, of x (n, inputs) and a weight (outputs, inputs).

    For two rows or more OpenBLAS first copies a large weight into another order, which takes longer than multiplying a
    few rows by it; blocks of it are small enough to be multiplied as they lie (measured for six rows: half the time).
    """
    outputs, inputs = weight.shape
    if 1 < len(x) <= _FEW and outputs % _BLOCK == 0:
        return cast("Array", (weight.reshape(-1, _BLOCK, inputs) @ x.T).reshape(outputs, -1).T)
    return cast("Array", x @ weight.T)


def _rms_norm(x: Array, weight: Array, eps: float) -> Array:
    size = np.sqrt(np.mean(x * x, axis=-1, keepdims=True, dtype=np.float32) + np.float32(eps))
    return cast("Array", x / size * weight)


def _rotate(x: Array, cos: Array, sin: Array) -> Array:
    half = x.shape[-1] // 2
    turned = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
    return cast("Array", x * cos + turned * sin)
