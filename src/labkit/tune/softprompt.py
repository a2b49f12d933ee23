"""Prompt tuning, for comparison: nothing of the model changes, only a few vectors put before every conversation.

Lester et al. 2021 learn the embeddings of a prompt instead of writing one: twenty vectors of 576 numbers are a
ten-thousandth of this model. They found it to equal tuning all weights from ten billion parameters on, and to be far
behind below; here one sees how far. peft puts the vectors in front, :func:`labkit.tune.handloop.by_trl` trains.

The rate is not swept; vectors want a higher one than matrices do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from labkit.errors import InputError
from labkit.models import ModelFiles, go_offline
from labkit.tune.dialogue import Dialogue, dataset_rows
from labkit.tune.handloop import by_trl
from labkit.tune.recipe import Recipe, compute_dtype, quiet, shares

RECIPE = Recipe(rate=3e-2)


@dataclass(frozen=True, slots=True)
class SoftPrompt:
    """A model with a learned prompt.

    Attributes:
        model: of peft; ``generate`` puts the vectors before what it is given.
        losses: of each step, over the replies.
        trained: parameters that were trained.
        parameters: all parameters.
        seconds: of each step.
    """

    model: Any
    losses: Sequence[float]
    trained: int
    parameters: int
    seconds: Sequence[float]


def tune_prompt(
    base: ModelFiles, dialogues: Sequence[Dialogue], recipe: Recipe = RECIPE, *, vectors: int = 20, device: str = "cpu"
) -> SoftPrompt:
    """Learn a prompt from conversations, in the order given.

    Args:
        base: the model, which stays as it is.
        dialogues: what is learned.
        recipe: rate, batch, steps, longest and seed; the rest is about matrices.
        vectors: length of the prompt, in tokens.
        device: ``cpu`` or ``cuda``.

    Raises:
        InputError: no conversation is short enough, or there are fewer than the steps need.
    """
    go_offline()
    from peft import PromptTuningConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base.path)
    rows = dataset_rows(dialogues, tokenizer, recipe.longest)
    if not rows:
        raise InputError(f"No conversation has at most {recipe.longest} tokens", where="tune_prompt")
    torch.manual_seed(recipe.seed)  # the vectors start as those of random words
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(base.path, dtype=compute_dtype(device)).to(device)
    start = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=vectors, prompt_tuning_init="SAMPLE_VOCAB")
    model = get_peft_model(model, start)
    trained, parameters = shares(model)
    looped = by_trl(model, rows, recipe, tokenizer)
    return SoftPrompt(model, looped.losses, trained, parameters, looped.seconds)
