"""The training loop of :mod:`labkit.tune.train` written out, to see what a step is and what a trainer adds to it.

Both loops compute the same: the mean loss over the reply tokens of a batch (Trainer's ``num_items_in_batch``), AdamW
(Loshchilov and Hutter 2019), a cosine after a linear warm-up, gradients clipped to length 1. The hidden states of
everything that is no reply are dropped before the last matrix: SmolLM2's has 49,152 rows, a fifth of all its work.

trl 1.16 does that on CUDA only. Elsewhere its fused head (``trl.trainer.utils.add_fused_lm_head``) scores every
position, so that shapes stay alike for compilers that nobody runs here, and does it again on the way back;
:func:`replies_only` turns that off. Its other cost is ``gradient_checkpointing``, on by default: activations are
computed twice, and gradients go down to the embeddings although the lower layers learn nothing. Measured in CPU
seconds on SmolLM2 with conversations of 370 tokens, a step of trl over one by hand: as it comes 2.08, replies only
1.70, without checkpointing 1.61, with neither 1.11; the losses agree to four digits.

It keeps no checkpoint, stops at no NaN and logs nothing.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from labkit.errors import InputError
from labkit.tune.dialogue import IGNORED
from labkit.tune.recipe import Recipe

WARM_UP = 0.05
"""Share of the steps in which the rate rises, as in :mod:`labkit.tune.train`."""
CLIP = 1.0
"""Length that gradients are cut to (``max_grad_norm`` of transformers)."""

Row = Mapping[str, Sequence[int]]
"""``input_ids`` and ``labels`` of a conversation: an :class:`labkit.tune.dialogue.Encoded` as trl takes it."""


@dataclass(frozen=True, slots=True)
class Looped:
    """What a loop leaves behind.

    Attributes:
        losses: of each step, before it.
        seconds: of each step, from handing over a batch to the changed weights.
    """

    losses: list[float]
    seconds: list[float]

    @property
    def median(self) -> float:
        """Seconds of a middling step."""
        return sorted(self.seconds)[len(self.seconds) // 2]


def by_hand(model: Any, rows: Sequence[Row], recipe: Recipe, *, pad: int) -> Looped:
    """Train a model on rows in the order given, once.

    Args:
        model: from :func:`labkit.tune.recipe.trainable`; changed in place.
        rows: encoded conversations.
        recipe: rate, batch and, unless 0, the number of steps.
        pad: the token that fills up shorter rows.

    Raises:
        InputError: there are fewer rows than the steps need.
    """
    steps = _steps(rows, recipe)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model  # of PEFT
    device = inner.lm_head.weight.device
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=recipe.rate, weight_decay=0.0)
    found = Looped([], [])
    model.train()
    for step in range(steps):
        start = time.perf_counter()
        batch = rows[step * recipe.batch : (step + 1) * recipe.batch]
        ids, labels, mask = (one.to(device) for one in _padded(batch, pad))
        hidden = inner.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1]
        following = labels[:, 1:]
        learned = following != IGNORED
        logits = inner.lm_head(hidden[learned]).float()  # (reply tokens, vocabulary)
        loss = torch.nn.functional.cross_entropy(logits, following[learned])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, CLIP)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps, recipe.rate)
        optimizer.step()
        optimizer.zero_grad()
        found.losses.append(loss.item())
        found.seconds.append(time.perf_counter() - start)
    return found


def by_trl(
    model: Any, rows: Sequence[Row], recipe: Recipe, tokenizer: Any, *,
    recompute: bool = False, every_position: bool = False,
) -> Looped:  # fmt: skip
    """The same with trl's SFTTrainer, for comparison.

    Args:
        model: from :func:`labkit.tune.recipe.trainable`; changed in place.
        rows: encoded conversations, taken in this order.
        recipe: rate, batch and, unless 0, the number of steps.
        tokenizer: names the token that fills up shorter rows.
        recompute: computes activations again on the way back instead of keeping them, trl's default.
        every_position: scores prompts too, trl's way on CPUs.

    Raises:
        InputError: there are fewer rows than the steps need.
    """
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from datasets import Dataset

    steps = _steps(rows, recipe)
    found = Looped([], [])

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Notes when each step begins and ends, and its loss."""

        def on_step_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            self.start = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            found.seconds.append(time.perf_counter() - self.start)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
            if "loss" in logs:
                found.losses.append(float(logs["loss"]))

    on_cpu = next(model.parameters()).device.type == "cpu"
    with tempfile.TemporaryDirectory() as nothing_kept, replies_only(on=not every_position):
        config = SFTConfig(
            output_dir=nothing_kept, max_steps=steps, per_device_train_batch_size=recipe.batch,
            learning_rate=recipe.rate, lr_scheduler_type="cosine", warmup_steps=math.ceil(WARM_UP * steps),
            weight_decay=0.0, max_grad_norm=CLIP, train_sampling_strategy="sequential", max_length=None,
            gradient_checkpointing=recompute, bf16=False, optim="adamw_torch", use_cpu=on_cpu,
            dataloader_pin_memory=False, report_to=[], logging_steps=1, save_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        trainer = SFTTrainer(
            model=model, args=config, train_dataset=Dataset.from_list([dict(row) for row in rows]),
            processing_class=tokenizer, callbacks=[Clock()],
        )  # fmt: skip
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.float()  # trl made those over 4-bit weights bfloat16
        trainer.train()
    return found


@contextmanager
def replies_only(*, on: bool = True) -> Iterator[None]:
    """While this lasts, trl's fused head scores only positions with a label, on every device.

    The function that is replaced decides about nothing else in that module. The loss is the same: what is left out was
    multiplied by zero.
    """
    from trl.trainer import utils

    kept = utils._use_triton
    if on:
        utils._use_triton = lambda device: True
    try:
        yield
    finally:
        utils._use_triton = kept


def rate_at(step: int, steps: int, rate: float) -> float:
    """The learning rate of a step, from 0: a line up to ``rate`` in :data:`WARM_UP` of the steps, half a cosine down.

    The formula of ``transformers.get_cosine_schedule_with_warmup``; the first step of a warm-up has rate 0.
    """
    warm = math.ceil(WARM_UP * steps)
    if step < warm:
        return rate * step / warm
    return rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _steps(rows: Sequence[Row], recipe: Recipe) -> int:
    whole = math.ceil(len(rows) / recipe.batch)
    if not rows or recipe.steps > whole:
        raise InputError(f"{len(rows)} rows are {whole} steps, not {recipe.steps}", todo="Give more, or ask for fewer.")
    return recipe.steps or whole


def _padded(batch: Sequence[Row], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, labels and attention mask of a batch, each (rows, longest row)."""
    width = max(len(row["input_ids"]) for row in batch)
    ids = torch.full((len(batch), width), pad)
    labels = torch.full((len(batch), width), IGNORED)
    mask = torch.zeros(len(batch), width, dtype=torch.long)
    for place, row in enumerate(batch):
        length = len(row["input_ids"])
        ids[place, :length] = torch.tensor(row["input_ids"])
        labels[place, :length] = torch.tensor(row["labels"])
        mask[place, :length] = 1
    return ids, labels, mask
