"""Which layers deserve 8 bits: each is rounded to 4 alone, and what that does to the model's predictions is measured.

The measure is the divergence of the next-token distribution from the unrounded model's, averaged over a few hundred
tokens. It needs no labels and is far less noisy than a difference of two perplexities. Layers are then bought back to
8 bits where a byte saves most. Divergences of single layers are added as if they did not interact; whether the mixture
is worth its bytes is for :mod:`labkit.quantize.report` to measure on other text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import InputError
from labkit.models import go_offline
from labkit.quantize import ggml
from labkit.quantize.calibrated import windows
from labkit.quantize.checkpoint import Checkpoint
from labkit.quantize.job import Progress

TOKENS = 256
"""Tokens of a scan: one pass over them for each linear layer."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What 4 bits in one layer cost.

    Attributes:
        name: the layer's weight.
        divergence: Kullback-Leibler divergence in nats a token.
        more_bytes: what 8 bits would take on top.
    """

    name: str
    divergence: float
    more_bytes: int


def scan(
    source: Path, texts: Sequence[str], *, tokens: int = TOKENS, weights: ggml.Type = "Q4_1",
    progress: Progress | None = None,
) -> list[Cost]:  # fmt: skip
    """Round one linear layer after another and measure.

    Args:
        source: the fine-tuned checkpoint.
        texts: what the model reads, up to ``tokens`` in all; not the texts a result is reported on.
        tokens: at most so many.
        weights: the 4-bit type that is tried.
        progress: told after each layer.

    Raises:
        InputError: there is no text.
        ModelError: the source cannot be quantized.
    """
    go_offline()
    import torch
    from transformers import AutoModelForCausalLM

    from labkit.tune.recipe import quiet

    checkpoint = Checkpoint(source)
    checkpoint.check_group(ggml.BLOCK)
    read = _enough(windows(checkpoint, texts), tokens)
    # float32: rounding in bf16 would drown what one layer does.
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    before = [_log_probabilities(model, ids) for ids in read]
    parameters = dict(model.named_parameters())
    costs: list[Cost] = []
    for name in checkpoint.linears:
        with _replaced(parameters[name], ggml.rounded(parameters[name].detach(), weights)):
            found = sum(_divergence(old, _log_probabilities(model, ids)) for old, ids in zip(before, read, strict=True))
        more = round(checkpoint.tensors[name].count * (ggml.BITS["Q8_0"] - ggml.BITS[weights]) / 8)
        costs.append(Cost(name, found / sum(map(len, read)), more))
        if progress:
            progress(len(costs), len(checkpoint.linears))
    return costs


def choose(costs: Sequence[Cost], budget: int) -> list[str]:
    """The layers to keep at 8 bits: those that save the most divergence a byte, while ``budget`` bytes last.

    Raises:
        InputError: the budget is negative.
    """
    if budget < 0:
        raise InputError(f"The budget is {budget} bytes", todo="4 bits alone are larger than that allows.")
    kept: list[str] = []
    for cost in sorted(costs, key=lambda cost: (-cost.divergence / cost.more_bytes, cost.name)):
        if cost.divergence > 0 and cost.more_bytes <= budget:
            kept.append(cost.name)
            budget -= cost.more_bytes
    return kept


def _enough(windows: list[list[int]], tokens: int) -> list[list[int]]:
    taken: list[list[int]] = []
    for ids in windows:
        left = tokens - sum(map(len, taken))
        if left <= 1:
            break
        taken.append(ids[:left])
    return taken


def _log_probabilities(model: Any, ids: list[int]) -> Any:
    import torch

    with torch.inference_mode():
        return model(torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1)


def _divergence(before: Any, after: Any) -> float:
    return float((before.exp() * (before - after)).sum())


@contextmanager
def _replaced(parameter: Any, values: Any) -> Iterator[None]:
    kept = parameter.data
    parameter.data = values
    try:
        yield
    finally:
        parameter.data = kept
