"""The plain loop and trl's compute the same."""

from dataclasses import replace

import pytest
import torch

from labkit.errors import InputError
from labkit.tune.dialogue import dataset_rows
from labkit.tune.handloop import by_hand, by_trl, rate_at, replies_only
from labkit.tune.recipe import trainable


def changes(model):
    return torch.cat([p.detach().flatten() for name, p in model.named_parameters() if "lora_B" in name])


@pytest.mark.parametrize("trl", [{}, {"every_position": True, "recompute": True}], ids=["replies", "defaults"])
def test_losses_and_weights_are_those_of_trl(base, dialogues, tokenizer, small, trl):
    rows = dataset_rows(dialogues, tokenizer, 300)[:4] * 2
    recipe = replace(small, steps=4)
    hand, peer = (trainable(base.path, recipe) for _ in range(2))
    ours = by_hand(hand, rows, recipe, pad=tokenizer.pad_token_id)
    theirs = by_trl(peer, rows, recipe, tokenizer, **trl)
    assert ours.losses == pytest.approx(theirs.losses, rel=1e-4)
    assert changes(hand).abs().max() > 0.01, "something was learned"
    assert torch.allclose(changes(hand), changes(peer), atol=1e-4)
    assert len(ours.seconds) == len(theirs.seconds) == 4
    assert ours.losses[2] < ours.losses[0], "the same rows again, one step later"


def test_only_positions_with_a_label_reach_the_last_matrix_and_only_while_asked(base, dialogues, tokenizer, small):
    from trl.kernels.chunked_logprob import ChunkedLogProbFunction as Fused
    from trl.trainer import utils

    rows = dataset_rows(dialogues, tokenizer, 300)[:2]
    learned = sum(label != -100 for row in rows for label in row["labels"][1:])
    seen = []

    def counting(hidden, *others):
        seen.append(len(hidden))
        return Fused.apply(hidden, *others)

    kept, utils._ChunkedLogProbFunction = utils._ChunkedLogProbFunction, type("Counting", (), {"apply": counting})
    try:
        for every in (False, True):
            recipe = replace(small, steps=1)
            by_trl(trainable(base.path, recipe), rows, recipe, tokenizer, every_position=every)
    finally:
        utils._ChunkedLogProbFunction = kept
    assert seen == [learned, 2 * (max(len(row["input_ids"]) for row in rows) - 1)]
    before = utils._use_triton
    with replies_only():
        assert utils._use_triton is not before
    assert utils._use_triton is before


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_the_rate_is_that_of_transformers(steps):
    import math

    from transformers import get_cosine_schedule_with_warmup

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    schedule = get_cosine_schedule_with_warmup(optimizer, math.ceil(0.05 * steps), steps)
    for step in range(steps):
        assert rate_at(step, steps, 1e-3) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_too_few_rows_are_refused(base, dialogues, tokenizer, small):
    rows = dataset_rows(dialogues, tokenizer, 300)
    with pytest.raises(InputError, match="10 rows are 5 steps, not 6"):
        by_hand(None, rows, replace(small, steps=6), pad=0)
    with pytest.raises(InputError, match="0 rows"):
        by_hand(None, [], small, pad=0)
