"""Rounding to few levels in groups, and the layout in which GPTQ checkpoints store the result.

Weights of a linear layer are rows of outputs; ``group`` neighbouring inputs of a row share a scale and a zero point.
The layout is AutoGPTQ's (format ``gptq``): eight 4-bit numbers to an int32 along the inputs, zero points stored less
one, ``g_idx`` naming each input's group. Nothing here chooses what to round, and nothing looks at data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BITS = 4
LEVELS = 2**BITS
_IN_WORD = 32 // BITS
_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)  # place in the word of each of eight neighbouring outputs
_ONES = 0x11111111  # 1 in each of a word's eight places


@dataclass(frozen=True, slots=True)
class Rounded:
    """A matrix of 4-bit numbers.

    Attributes:
        codes: integers 0 to 15 (outputs, inputs), uint8.
        scales: (groups, outputs), float.
        zeros: the code that stands for 0, (groups, outputs), integer.
        of_input: the group of each input (inputs,), integer.
    """

    codes: Any
    scales: Any
    zeros: Any
    of_input: Any

    def restored(self) -> Any:
        """The weights it stands for, (outputs, inputs), float32."""
        scales, zeros = self.scales.float()[self.of_input], self.zeros.float()[self.of_input]
        return (self.codes.float().T - zeros).mul_(scales).T.contiguous()


def nearest(weight: Any, group: int) -> Rounded:
    """Round to nearest between the lowest and highest weight of each group (asymmetric, 0 kept exact).

    Args:
        weight: (outputs, inputs), float.
        group: must divide the inputs.
    """
    import torch

    outputs, inputs = weight.shape
    parts = weight.float().reshape(outputs, inputs // group, group)
    low, high = parts.amin(-1).clamp(max=0), parts.amax(-1).clamp(min=0)
    # The layout has no zero point 0 (see pack), so a group without weights below 0 has one level less.
    steps = torch.maximum((high - low) / (LEVELS - 1), high / (LEVELS - 2))
    # Scales are stored in half precision; rounding with the stored value keeps the error below half a step.
    scales = steps.half().float()
    scales = torch.where(scales > 0, scales, torch.ones_like(scales))
    zeros = (-low / scales).round().clamp(1, LEVELS - 1)
    codes = (parts / scales[..., None] + zeros[..., None]).round().clamp(0, LEVELS - 1)
    return Rounded(
        codes.reshape(outputs, inputs).to(torch.uint8), scales.T.half(), zeros.T.to(torch.int32),
        torch.arange(inputs) // group,
    )  # fmt: skip


def pack(rounded: Rounded) -> dict[str, Any]:
    """The four tensors AutoGPTQ stores for a layer: qweight, qzeros, scales, g_idx."""
    import torch

    return {
        "qweight": _packed(rounded.codes.T),
        # Stored less one, and one is added on reading: AutoGPTQ's convention, kept by all that read it. A zero point
        # of 0 would come back as 16 in some and as 0 in others.
        "qzeros": _packed((rounded.zeros - 1).T).T.contiguous(),
        "scales": rounded.scales.half().contiguous(),
        "g_idx": rounded.of_input.to(torch.int32),
    }


def unpack(stored: dict[str, Any]) -> Rounded:
    """What :func:`pack` stored, whoever wrote it.

    Source: AutoGPTQ 0.7.1, ``auto_gptq/nn_modules/qlinear/qlinear_cuda_old.py``.
    """
    # Added to the whole word, as gptqmodel took it off the whole word: a zero point of 0 borrowed from its neighbour.
    zeros = _unpacked(stored["qzeros"].T.long() + _ONES).T
    codes = _unpacked(stored["qweight"]).T.contiguous()
    return Rounded(codes, stored["scales"], zeros, stored["g_idx"].long())


def unpack_awq(stored: dict[str, Any], group: int) -> Rounded:
    """What AWQ checkpoints of version ``gemm`` store: eight outputs to an int32, in an order of their own.

    Source: AutoAWQ 0.2.9, ``awq/utils/packing_utils.py``.
    """
    import torch

    order = torch.tensor(_AWQ_ORDER)

    def numbers(words: Any) -> Any:
        columns = _unpacked(words.T).T  # (n, m * 8)
        return columns.reshape(columns.shape[0], -1, _IN_WORD)[:, :, order].reshape(columns.shape)

    codes = numbers(stored["qweight"]).T.contiguous()
    return Rounded(codes, stored["scales"], numbers(stored["qzeros"]), torch.arange(codes.shape[1]) // group)


def _packed(numbers: Any) -> Any:
    """(n, m) integers 0 to 15 to (n / 8, m) int32, the first in the lowest bits."""
    import torch

    words = numbers.to(torch.int64).reshape(-1, _IN_WORD, numbers.shape[1])
    shifts = torch.arange(0, 32, BITS).view(1, -1, 1)
    total = (words << shifts).sum(1)
    return torch.where(total >= 2**31, total - 2**32, total).to(torch.int32).contiguous()


def _unpacked(words: Any) -> Any:
    import torch

    shifts = torch.arange(0, 32, BITS).view(1, -1, 1)
    return ((words.long()[:, None, :] >> shifts) & (LEVELS - 1)).reshape(-1, words.shape[1]).to(torch.uint8)
