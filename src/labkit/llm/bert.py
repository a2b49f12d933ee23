"""The forward pass of a BERT encoder, written once and run by NumPy or by PyTorch.

NumPy answers a question without the seconds it takes to import PyTorch; PyTorch encodes a corpus faster. Both read
the same safetensors and give the same sentence embedding: mean over tokens, then unit length (Reimers and Gurevych
2019). It knows nothing about text. Architecture: Devlin et al. 2018.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ModelError
from labkit.llm.adapter import Adapter
from labkit.llm.weights import Array, read_safetensors

if TYPE_CHECKING:
    from pathlib import Path

Backend = Literal["numpy", "fp32", "bf16", "int8"]
"""What runs a forward pass: NumPy, or PyTorch with products in one of three precisions."""

_GELU_ROWS = 32
_TILE = 16  # output features per product of a short text
_ROWS = 40  # tokens per such product: rows * inner * _TILE below a million keeps OpenBLAS from packing
_FEW = 128  # tokens up to which tiles are worth it


class Ops(Protocol):
    """The operations of a forward pass whose spelling differs between libraries."""

    def enter(self, x: Array) -> Any:
        """The embedded tokens as this library's array."""

    def leave(self, x: Any) -> Array:
        """The hidden states as float32."""

    def linear(self, x: Any, names: Sequence[str]) -> Any:
        """x times each named weight plus its bias, side by side in the last axis."""

    def layer_norm(self, x: Any, name: str, eps: float) -> Any:
        """Layer normalisation over the last axis (Ba et al. 2016)."""

    def attention(self, q: Any, k: Any, v: Any, padding: NDArray[np.bool_] | None) -> Any:
        """Softmax attention, (n, heads, length, head_dim); True in ``padding`` (n, length) is not looked at."""

    def gelu(self, x: Any) -> Any:
        """x times the normal distribution function at x; may overwrite x."""


class Bert:
    """A BERT encoder's weights.

    Args:
        folder: holds ``config.json`` and safetensors.

    Raises:
        ModelError: another architecture, or weights are missing.
    """

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
            raise ModelError(f"Not a plain BERT encoder: {config.get('model_type')}", where=folder.name)
        self.width: int = config["hidden_size"]
        self.positions: int = config["max_position_embeddings"]
        self._layers: int = config["num_hidden_layers"]
        self._heads: int = config["num_attention_heads"]
        self._eps: float = config["layer_norm_eps"]
        self._weights = {name.removeprefix("bert."): tensor for name, tensor in read_safetensors(folder).items()}
        if "embeddings.word_embeddings.weight" not in self._weights:
            raise ModelError("The checkpoint lacks its word embeddings", where=folder.name)
        self._ops: dict[Backend, Ops] = {"numpy": _NumpyOps(self._weights)}

    def adapted(self, adapter: Adapter) -> Bert:
        """The same encoder with changed weights; what does not change is shared.

        Raises:
            ModelError: the adapter belongs to another encoder.
        """
        other = copy.copy(self)
        other._weights = adapter.applied(self._weights)
        other._ops = {"numpy": _NumpyOps(other._weights)}
        return other

    def states(self, ids: NDArray[np.int64], mask: NDArray[np.int64], backend: Backend) -> Array:
        """Last hidden states, float32 (n, length, width), of n token sequences; those of padding mean nothing.

        Args:
            ids: (n, length) token ids, padded.
            mask: (n, length), 1 for tokens and 0 for padding.
            backend: what runs it. The first use of another than NumPy copies the layers' weights.
        """
        if backend == "numpy":
            return self._forward(self._ops["numpy"], ids, mask)
        import torch

        from labkit.llm.precision import TorchOps

        with torch.inference_mode():
            if backend not in self._ops:
                self._ops[backend] = TorchOps(self._weights, backend)
            return self._forward(self._ops[backend], ids, mask)

    def _forward(self, ops: Ops, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Array:
        n, length = ids.shape
        padding = None if mask.all() else mask == 0

        def heads(x: Any) -> Any:  # (n, heads, length, head_dim)
            return x.reshape(n, length, self._heads, -1).swapaxes(1, 2)

        x: Any = self._weights["embeddings.word_embeddings.weight"][ids]
        x += self._weights["embeddings.position_embeddings.weight"][:length]
        x += self._weights["embeddings.token_type_embeddings.weight"][0]
        x = ops.layer_norm(ops.enter(x), "embeddings.LayerNorm", self._eps)
        for layer in range(self._layers):
            at = f"encoder.layer.{layer}"
            qkv = ops.linear(x, [f"{at}.attention.self.{part}" for part in ("query", "key", "value")])
            q, k, v = (heads(qkv[..., i * self.width : (i + 1) * self.width]) for i in range(3))
            mixed = ops.attention(q, k, v, padding).swapaxes(1, 2).reshape(n, length, self.width)
            mixed = ops.linear(mixed, [f"{at}.attention.output.dense"])
            x = ops.layer_norm(x + mixed, f"{at}.attention.output.LayerNorm", self._eps)
            inner = ops.gelu(ops.linear(x, [f"{at}.intermediate.dense"]))
            x = ops.layer_norm(x + ops.linear(inner, [f"{at}.output.dense"]), f"{at}.output.LayerNorm", self._eps)
        return ops.leave(x)


def pool(states: Array, mask: NDArray[np.int64]) -> Array:
    """Unit vectors (n, width): the mean of each sequence's states (n, length, width) where the mask is 1."""
    # A product sums without an array of masked states.
    sums = (mask[:, None, :].astype(np.float32) @ states)[:, 0]
    unit: Array = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return unit


class _NumpyOps:
    """The operations in NumPy."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights

    def enter(self, x: Array) -> Array:
        return x

    def leave(self, x: Array) -> Array:
        return x

    def linear(self, x: Any, names: Sequence[str]) -> Any:
        flat = x.reshape(-1, x.shape[-1])  # one large product instead of one per sequence
        parts = [self._product(flat, self._weights[f"{name}.weight"]) for name in names]
        for part, name in zip(parts, names, strict=True):
            part += self._weights[f"{name}.bias"]
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return joined.reshape(*x.shape[:-1], -1)

    def _product(self, x: Array, weight: Array) -> Array:
        features, width = weight.shape
        if len(x) > _FEW or features % _TILE:
            product: Array = x @ weight.T
            return product
        # A few rows: OpenBLAS would spend most of the time copying the weights into its own layout, and wake threads
        # that spin while other processes want the cores. Products of tiles are too small for either.
        tiles = weight.reshape(-1, _TILE, width).swapaxes(1, 2)
        product = np.empty((len(x), features), np.float32)
        for start in range(0, len(x), _ROWS):
            part = np.matmul(x[start : start + _ROWS], tiles)  # (tiles, rows, _TILE)
            product[start : start + _ROWS] = part.swapaxes(0, 1).reshape(-1, features)
        return product

    def layer_norm(self, x: Any, name: str, eps: float) -> Any:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + eps) * weight + bias

    def attention(self, q: Any, k: Any, v: Any, padding: NDArray[np.bool_] | None) -> Any:
        scores = q @ k.swapaxes(2, 3) * np.float32(q.shape[-1] ** -0.5)
        if padding is not None:
            scores -= padding[:, None, None, :] * np.float32(1e9)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        return scores / scores.sum(-1, keepdims=True) @ v

    def gelu(self, x: Any) -> Any:
        rows = x.reshape(-1, x.shape[-1])
        for start in range(0, len(rows), _GELU_ROWS):  # in place, in pieces that stay in the cache
            part = rows[start : start + _GELU_ROWS]
            part *= 0.5 * (1.0 + _erf(part * np.float32(0.5**0.5)))
        return x


def _erf(x: Any) -> Any:
    """The error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26); NumPy has none."""
    size = np.abs(x)
    t = 1.0 / (1.0 + np.float32(0.3275911) * size)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1.0 - poly * np.exp(-size * size))
