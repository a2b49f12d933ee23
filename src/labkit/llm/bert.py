"""The forward pass of a BERT encoder, written once and run by NumPy or by PyTorch.

NumPy answers a question without the seconds it takes to import PyTorch; PyTorch encodes a corpus faster. Both read
the same safetensors and give the same sentence embedding: mean over tokens, then unit length (Reimers and Gurevych
2019). It knows nothing about text. Architecture: Devlin et al. 2018.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ModelError
from labkit.llm.decoder import Array, read_safetensors

if TYPE_CHECKING:
    from pathlib import Path

Backend = Literal["numpy", "torch"]

_GELU_ROWS = 32


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
        tensors = {name.removeprefix("bert."): tensor for name, tensor in read_safetensors(folder).items()}
        if "embeddings.word_embeddings.weight" not in tensors:
            raise ModelError("The checkpoint lacks its word embeddings", where=folder.name)
        self._weights: dict[Backend, dict[str, Any]] = {"numpy": tensors}

    def embed(self, ids: NDArray[np.int64], mask: NDArray[np.int64], backend: Backend) -> Array:
        """Unit vectors (n, width) of n token sequences.

        Args:
            ids: (n, length) token ids, padded.
            mask: (n, length), 1 for tokens and 0 for padding.
            backend: what runs it.
        """
        if backend == "numpy":
            return _unit(self._pool(_NumpyOps(), self._weights["numpy"], ids, mask))
        import torch

        if "torch" not in self._weights:
            self._weights["torch"] = {
                name: torch.from_numpy(np.array(tensor)) for name, tensor in self._weights["numpy"].items()
            }
        with torch.inference_mode():
            pooled = self._pool(_TorchOps(), self._weights["torch"], torch.from_numpy(ids), torch.from_numpy(mask))
            return _unit(pooled.numpy())

    def _pool(self, ops: _NumpyOps | _TorchOps, weights: dict[str, Any], ids: Any, mask: Any) -> Any:
        n, length = ids.shape

        def linear(x: Any, name: str) -> Any:
            return ops.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

        def norm(x: Any, name: str) -> Any:
            return ops.layer_norm(x, weights[f"{name}.weight"], weights[f"{name}.bias"], self._eps)

        def heads(x: Any) -> Any:  # (n, heads, length, head_dim)
            return x.reshape(n, length, self._heads, -1).swapaxes(1, 2)

        x = weights["embeddings.word_embeddings.weight"][ids]
        x = x + weights["embeddings.position_embeddings.weight"][:length]
        x = x + weights["embeddings.token_type_embeddings.weight"][0]
        x = norm(x, "embeddings.LayerNorm")
        padding = ops.floats(1 - mask)[:, None, None, :] * -1e9  # added to the scores of padding
        for layer in range(self._layers):
            at = f"encoder.layer.{layer}"
            q, k, v = (heads(linear(x, f"{at}.attention.self.{part}")) for part in ("query", "key", "value"))
            mixed = ops.attention(q, k, v, padding).swapaxes(1, 2).reshape(n, length, self.width)
            x = norm(x + linear(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
            inner = ops.gelu(linear(x, f"{at}.intermediate.dense"))
            x = norm(x + linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        kept = ops.floats(mask)[:, :, None]
        return (x * kept).sum(1) / kept.sum(1)


class _NumpyOps:
    """The operations whose spelling differs, in NumPy."""

    def floats(self, x: Any) -> Any:
        return x.astype(np.float32)

    def linear(self, x: Any, weight: Any, bias: Any) -> Any:
        # One large product instead of one per sequence.
        flat = x.reshape(-1, x.shape[-1]) @ weight.T
        flat += bias
        return flat.reshape(*x.shape[:-1], -1)

    def layer_norm(self, x: Any, weight: Any, bias: Any, eps: float) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + eps) * weight + bias

    def attention(self, q: Any, k: Any, v: Any, padding: Any) -> Any:
        scores = q @ k.swapaxes(2, 3) * np.float32(q.shape[-1] ** -0.5) + padding.astype(np.float32)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        return scores / scores.sum(-1, keepdims=True) @ v

    def gelu(self, x: Any) -> Any:
        rows = x.reshape(-1, x.shape[-1])
        for start in range(0, len(rows), _GELU_ROWS):  # in place, in pieces that stay in the cache
            part = rows[start : start + _GELU_ROWS]
            part *= 0.5 * (1.0 + _erf(part * np.float32(0.5**0.5)))
        return x


class _TorchOps:
    """The same in PyTorch."""

    def floats(self, x: Any) -> Any:
        return x.float()

    def linear(self, x: Any, weight: Any, bias: Any) -> Any:
        import torch

        return torch.nn.functional.linear(x, weight, bias)

    def layer_norm(self, x: Any, weight: Any, bias: Any, eps: float) -> Any:
        import torch

        return torch.nn.functional.layer_norm(x, weight.shape, weight, bias, eps)

    def attention(self, q: Any, k: Any, v: Any, padding: Any) -> Any:
        import torch

        return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=padding)

    def gelu(self, x: Any) -> Any:
        import torch

        return torch.nn.functional.gelu(x)


def _erf(x: Any) -> Any:
    """The error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26); NumPy has none."""
    size = np.abs(x)
    t = 1.0 / (1.0 + np.float32(0.3275911) * size)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1.0 - poly * np.exp(-size * size))


def _unit(x: Any) -> Array:
    unit: Array = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit
