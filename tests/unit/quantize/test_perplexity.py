"""Losses of a model whose losses are known."""

import math
from types import SimpleNamespace

import pytest
import torch

from labkit.errors import InputError, ModelError
from labkit.quantize.perplexity import WINDOW, Loss, losses, perplexity, ratio


class Uniform:
    """Finds each of 50 words equally likely."""

    device = "cpu"
    bias = 0.0

    def __call__(self, ids, use_cache):
        self.longest = max(getattr(self, "longest", 0), ids.shape[1])
        return SimpleNamespace(logits=torch.full((1, ids.shape[1], 50), self.bias))


def words(text, **options):
    return {"input_ids": [int(word) for word in text.split()]}


def test_a_model_that_knows_nothing_is_as_perplexed_as_there_are_words():
    found = losses(Uniform(), words, ["1 2 3", "4 5"])
    assert [loss.tokens for loss in found] == [2, 1]
    assert perplexity(found).value == pytest.approx(50)


def test_long_texts_are_cut_and_each_window_loses_one_token():
    model = Uniform()
    (found,) = losses(model, words, [" ".join(["7"] * (2 * WINDOW + 1))])
    assert model.longest == WINDOW
    assert found.tokens == 2 * (WINDOW - 1)  # the rest of one token predicts nothing


def test_reading_stops_after_the_text_with_enough_tokens():
    assert len(losses(Uniform(), words, ["1 2 3"] * 10, tokens=5)) == 3


def test_nothing_to_read_and_losses_without_a_value_are_refused():
    with pytest.raises(InputError):
        losses(Uniform(), words, ["1", ""])
    broken = Uniform()
    broken.bias = math.nan
    with pytest.raises(ModelError, match="finite"):
        losses(broken, words, ["1 2"])


def test_a_ratio_is_paired_text_by_text():
    before = [Loss(10.0 * k, 10) for k in range(1, 9)]
    after = [Loss(loss.nats + 0.5, 10) for loss in before]
    found = ratio(before, after)
    assert found.value == pytest.approx(math.exp(0.05))
    assert found.ci95 == pytest.approx((found.value, found.value))  # texts differ, their change does not
    wide = perplexity(before).ci95
    assert wide is not None
    assert wide[1] / wide[0] > 5
    with pytest.raises(InputError, match="same texts"):
        ratio(before, after[1:])
