"""A Llama decoder in NumPy: token ids in, next token ids out.

Why it exists: importing transformers' Llama takes seconds, and one-token steps spend most of their time in Python.
This reads the same safetensors, needs no torch, and yields the same greedy tokens (a test compares both). It is for
one request at a time on a CPU; batches, GPUs, sampling and other architectures belong to transformers or a server.

It knows nothing about text, prompts or stop tokens. Architecture: Touvron et al. 2023 (Llama); rotary positions: Su
et al. 2021; grouped key/value heads: Ainslie et al. 2023.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ModelError

Array = NDArray[np.float32]

_PREFILL_BLOCK = 256  # positions per forward pass: bounds the size of the attention scores


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

    def generate(self, prompt: Sequence[int], max_tokens: int) -> Iterator[int]:
        """Yield the most likely next token, up to ``max_tokens`` times; the caller decides when to stop.

        ``prompt`` and ``max_tokens`` together must fit ``context``.
        """
        cache = _Cache(len(self._layers), self._kv_heads, len(prompt) + max_tokens, self._head_dim)
        for start in range(0, len(prompt), _PREFILL_BLOCK):
            hidden = self._forward(prompt[start : start + _PREFILL_BLOCK], cache)
        for _ in range(max_tokens):
            token = int(np.argmax(self._head @ _rms_norm(hidden[-1], self._norm, self._eps)))
            yield token
            hidden = self._forward([token], cache)

    def logits(self, ids: Sequence[int]) -> Array:
        """Scores of every token after the last of ``ids``, shape (vocabulary,)."""
        cache = _Cache(len(self._layers), self._kv_heads, len(ids), self._head_dim)
        hidden = self._forward(ids, cache)
        scores: Array = self._head @ _rms_norm(hidden[-1], self._norm, self._eps)
        return scores

    def _forward(self, ids: Sequence[int], cache: _Cache) -> Array:
        """Hidden states (n, width) of ``ids``, which follow what is in the cache."""
        start, n = cache.length, len(ids)
        cos, sin = self._rotation(np.arange(start, start + n, dtype=np.float32))
        # Position i may look at every cached position and at the new ones up to itself.
        future = np.triu(np.ones((n, n), bool), 1) if n > 1 else None
        x: Any = self._embeddings[np.asarray(ids)]
        for index, layer in enumerate(self._layers):
            x = x + self._attend(_rms_norm(x, layer.input_norm, self._eps), layer, index, cache, cos, sin, future)
            y = _rms_norm(x, layer.post_norm, self._eps)
            gate = y @ layer.gate.T
            with np.errstate(over="ignore"):  # exp of a very negative gate is inf, and the gate 0, as it should be
                gate = gate / (1.0 + np.exp(-gate))
            x = x + (gate * (y @ layer.up.T)) @ layer.down.T
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
        q, k, v = (
            (x @ weight.T).reshape(n, -1, self._head_dim).swapaxes(0, 1) for weight in (layer.q, layer.k, layer.v)
        )
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
        return cast("Array", mixed.swapaxes(0, 1).reshape(n, -1) @ layer.o.T)

    def _rotation(self, positions: Array) -> tuple[Array, Array]:
        exponents = np.arange(0, self._head_dim, 2, dtype=np.float32) / self._head_dim
        angles = np.outer(positions, 1.0 / self._theta**exponents)
        angles = np.concatenate([angles, angles], axis=-1)
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def read_safetensors(folder: Path) -> dict[str, Array]:
    """All tensors of a folder's safetensors files, as float32.

    bfloat16 is widened here because NumPy has no such type: its 16 bits are the upper half of a float32.

    Raises:
        ModelError: a file is damaged or holds a type that is not a float.
    """
    tensors: dict[str, Array] = {}
    for path in sorted(folder.glob("*.safetensors")):
        raw = np.memmap(path, dtype=np.uint8, mode="r")
        try:
            (size,) = struct.unpack("<Q", raw[:8].tobytes())
            header = json.loads(raw[8 : 8 + size].tobytes())
        except (struct.error, ValueError) as error:
            raise ModelError("Damaged safetensors header", where=f"{folder.name}/{path.name}") from error
        for name, info in header.items():
            if name == "__metadata__":
                continue
            begin, end = info["data_offsets"]
            data = raw[8 + size + begin : 8 + size + end]
            if len(data) != end - begin:
                raise ModelError("Truncated safetensors file", where=f"{folder.name}/{path.name}")
            tensors[name] = _as_float32(data, info["dtype"], name).reshape(info["shape"])
    return tensors


def _as_float32(data: NDArray[np.uint8], dtype: str, name: str) -> Array:
    match dtype:
        case "F32":
            return data.view(np.float32)
        case "F16":
            return data.view(np.float16).astype(np.float32)
        case "BF16":
            wide = data.view(np.uint16).astype(np.uint32)
            wide <<= 16
            return wide.view(np.float32)
        case "I64":  # position ids that old BERT checkpoints carry
            return data.view(np.int64).astype(np.float32)
    raise ModelError(f"Tensor {name} has type {dtype}", todo="Save the model as bf16, fp16 or fp32.")


@dataclass(frozen=True, slots=True)
class _Layer:
    q: Array
    k: Array
    v: Array
    o: Array
    gate: Array
    up: Array
    down: Array
    input_norm: Array
    post_norm: Array

    @classmethod
    def read(cls, tensors: dict[str, Array], index: int) -> _Layer:
        at = f"model.layers.{index}."
        attention = [tensors[f"{at}self_attn.{part}_proj.weight"] for part in "qkvo"]
        mlp = [tensors[f"{at}mlp.{part}_proj.weight"] for part in ("gate", "up", "down")]
        norms = [tensors[f"{at}{part}_layernorm.weight"] for part in ("input", "post_attention")]
        return cls(*attention, *mlp, *norms)


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


def _rms_norm(x: Array, weight: Array, eps: float) -> Array:
    size = np.sqrt(np.mean(x * x, axis=-1, keepdims=True, dtype=np.float32) + np.float32(eps))
    return cast("Array", x / size * weight)


def _rotate(x: Array, cos: Array, sin: Array) -> Array:
    half = x.shape[-1] // 2
    turned = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
    return cast("Array", x * cos + turned * sin)
