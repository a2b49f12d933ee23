"""How surprised a model is by text: the loss of every token, text by text, and what follows from it.

A text is cut into windows that fit the model; every token of a window but its first is predicted from those before it
in the window. Perplexity is the exponential of the mean loss over all tokens. Two models are compared on the same
texts: the ratio of their perplexities has a much narrower interval than either has, because texts differ more than
models do. What the texts are, and how many are enough, is the caller's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.errors import InputError, ModelError
from labkit.evaluate.statistics import statistic_interval

WINDOW = 512


@dataclass(frozen=True, slots=True)
class Loss:
    """What one text cost: the sum of its tokens' losses in nats, and how many tokens were predicted."""

    nats: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Perplexity:
    """A perplexity, or a ratio of two.

    Attributes:
        value: the point estimate.
        ci95: bootstrap over texts; None for a single text.
        tokens: predicted tokens it rests on.
        texts: independent texts it rests on.
    """

    value: float
    ci95: tuple[float, float] | None
    tokens: int
    texts: int


def losses(model: Any, tokenizer: Any, texts: Sequence[str], *, tokens: int | None = None) -> list[Loss]:
    """The loss of each text.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer; nothing is added to a text.
        texts: what is read, in this order.
        tokens: stop at the end of the text in which this many predicted tokens were reached; all texts if None.

    Raises:
        InputError: no text has two tokens.
        ModelError: a loss is not finite: the weights are damaged, or rounded beyond use.
    """
    found: list[Loss] = []
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        parts = [ids[start : start + WINDOW] for start in range(0, len(ids), WINDOW)]
        costs = [_window(model, part) for part in parts if len(part) > 1]
        if costs:
            found.append(Loss(sum(cost.nats for cost in costs), sum(cost.tokens for cost in costs)))
        if tokens is not None and sum(loss.tokens for loss in found) >= tokens:
            break
    if not found:
        raise InputError("There is no text to measure perplexity on", todo="Give texts of at least two tokens.")
    if not all(math.isfinite(loss.nats) for loss in found):
        raise ModelError("The model's loss is not a finite number", todo="Quantize again, with more bits or groups.")
    return found


def perplexity(losses: Sequence[Loss], seed: int = 0) -> Perplexity:
    """Perplexity over all texts, with an interval from resampled texts."""
    return _estimate([(loss.nats, loss.tokens) for loss in losses], seed)


def ratio(before: Sequence[Loss], after: Sequence[Loss], seed: int = 0) -> Perplexity:
    """Perplexity of ``after`` over that of ``before``, paired text by text.

    Raises:
        InputError: the two were not measured on the same texts.
    """
    if [loss.tokens for loss in before] != [loss.tokens for loss in after]:
        raise InputError("The two models were not measured on the same texts", todo="Use one tokenizer and one list.")
    pairs = [(new.nats - old.nats, new.tokens) for old, new in zip(before, after, strict=True)]
    return _estimate(pairs, seed)


def _estimate(rows: list[tuple[float, int]], seed: int) -> Perplexity:
    def value(some: Sequence[Any]) -> float:
        return math.exp(sum(nats for nats, _ in some) / sum(count for _, count in some))

    tokens = sum(count for _, count in rows)
    return Perplexity(value(rows), statistic_interval(rows, value, seed), tokens, len(rows))


def _window(model: Any, ids: list[int]) -> Loss:
    import torch

    with torch.inference_mode():
        given = torch.tensor([ids], device=model.device)
        # bf16 has three digits: the logarithm of a sum over 49,152 words needs more.
        logits = model(given, use_cache=False).logits[0, :-1].float()
        nats = torch.nn.functional.cross_entropy(logits, given[0, 1:], reduction="sum")
    return Loss(float(nats), len(ids) - 1)
