"""The operations of a BERT encoder in PyTorch, with products in the precision this CPU is quickest at.

bfloat16 halves what a product reads and, with AMX or AVX-512 BF16, computes several times as much per cycle. A CPU
without it would emulate it slowly; it gets int8 for the three larger products of a layer: weights rounded once per
output feature, inputs per token, sums exact, the rest in float32. Vectors of all precisions belong in one index: tests
bound the cosine to float32. Those of int8 depend slightly on the batch, whose texts share one zero point.

Source of the int8 product: FBGEMM (Khudia et al. 2021), through PyTorch's dynamic quantization.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labkit.llm.bert import Backend
from labkit.llm.weights import Array

_PACKING = threading.Lock()
"""Filters of warnings belong to the process: two threads that set and restore them would undo each other's."""


@lru_cache(maxsize=1)
def fastest() -> Backend:
    """The quickest of PyTorch's precisions on this CPU.

    ``ATEN_CPU_CAPABILITY``, PyTorch's own switch for trying older CPUs, is honoured: below AVX-512 no bfloat16.
    """
    able = _capabilities()
    if "avx512_bf16" in able:
        return "bf16"
    return "int8" if "avx2" in able and "x86" in torch.backends.quantized.supported_engines else "fp32"


def _capabilities() -> frozenset[str]:
    """Names of the instruction sets that may be used, as PyTorch calls them."""
    able = {name for name, value in torch.cpu.get_capabilities().items() if value is True}
    allowed = os.environ.get("ATEN_CPU_CAPABILITY", "").lower()
    if allowed in ("avx2", "default"):
        able = {name for name in able if not name.startswith(("avx512", "amx", "avx10", "avx_vnni"))}
    return frozenset(able - {"avx2"} if allowed == "default" else able)


class TorchOps:
    """The operations of :class:`labkit.llm.bert.Ops`, safe to share. Weights are converted on first use, by several
    threads at worst.

    Args:
        weights: the encoder's; those of its layers are copied in the precision asked for, embeddings are not.
        backend: ``fp32``, ``bf16`` or ``int8``.
    """

    def __init__(self, weights: Mapping[str, Array], backend: Backend) -> None:
        self._dtype = torch.bfloat16 if backend == "bf16" else torch.float32
        self._int8 = backend == "int8"
        self._weights = weights
        self._kept: dict[tuple[str, ...], Any] = {}

    def enter(self, x: Array) -> Any:
        """The embedded tokens as a tensor."""
        return torch.from_numpy(x).to(self._dtype)

    def leave(self, x: Any) -> Array:
        """The hidden states as float32."""
        states: Array = x.float().numpy()
        return states

    def linear(self, x: Any, names: Sequence[str]) -> Any:
        """x times each named weight plus its bias, side by side in the last axis."""
        key = tuple(names)
        # Queries, keys and values stay in float32: int8 saves little there and costs half of all the accuracy lost.
        rounded = self._int8 and len(names) == 1
        if key not in self._kept:
            weight = self._read(names, "weight")
            self._kept[key] = (_packed(weight) if rounded else weight), self._read(names, "bias")
        weight, bias = self._kept[key]
        if not rounded:
            return torch.nn.functional.linear(x, weight, bias)
        # A few tokens have features fifteen times as large as the rest; one scale for all would round these away.
        scale = torch.maximum(x.amax(-1, keepdim=True), -x.amin(-1, keepdim=True)).clamp_min(1e-9)
        return torch.addcmul(bias, torch.ops.quantized.linear_dynamic(x / scale, weight), scale)

    def layer_norm(self, x: Any, name: str, eps: float) -> Any:
        """Layer normalisation over the last axis; PyTorch sums in float32."""
        if (name,) not in self._kept:
            self._kept[name,] = self._read([name], "weight"), self._read([name], "bias")
        return torch.nn.functional.layer_norm(x, x.shape[-1:], *self._kept[name,], eps)

    def attention(self, q: Any, k: Any, v: Any, padding: NDArray[np.bool_] | None) -> Any:
        """Softmax attention; padding is not looked at."""
        seen = None if padding is None else torch.from_numpy(~padding)[:, None, None, :]
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)

    def gelu(self, x: Any) -> Any:
        """GELU with the error function."""
        return torch.nn.functional.gelu(x)

    def _read(self, names: Sequence[str], part: str) -> torch.Tensor:
        """A parameter of several layers, one under the other."""
        return torch.from_numpy(np.concatenate([self._weights[f"{name}.{part}"] for name in names])).to(self._dtype)


def _packed(weight: torch.Tensor) -> Any:
    """A weight for ``quantized.linear_dynamic``: symmetric int8, one scale per output feature.

    Without VNNI the CPU adds two neighbouring products in 16 bits, which 255 * 127 * 2 would overflow; weights of 7
    bits cannot.
    """
    levels = 63 if _capabilities().isdisjoint({"avx512_vnni", "avx_vnni"}) else 127
    scales = weight.abs().amax(1).clamp_min(1e-12) / levels
    zeros = torch.zeros(len(weight), dtype=torch.long)
    with _PACKING, warnings.catch_warnings():
        # PyTorch 2.13 announces that these tensors will go, and offers no other int8 product for CPUs yet.
        warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", category=UserWarning)
        rounded = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
    return torch.ops.quantized.linear_prepack(rounded, None)
