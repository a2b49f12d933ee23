"""A few vectors in front of every conversation, and nothing else, are learned."""

from dataclasses import replace

import pytest

from labkit.errors import InputError
from labkit.tune.softprompt import RECIPE, tune_prompt


def test_only_the_vectors_are_trained_and_the_loss_falls(base, dialogues):
    found = tune_prompt(base, dialogues * 4, replace(RECIPE, batch=5), vectors=3)
    assert found.trained == 3 * 64
    assert {name for name, p in found.model.named_parameters() if p.requires_grad} == {
        "prompt_encoder.default.embedding.weight"
    }
    assert len(found.losses) == len(found.seconds) == 8
    assert sum(found.losses[-2:]) < sum(found.losses[:2])


def test_nothing_to_learn_from_is_refused(base, dialogues):
    with pytest.raises(InputError, match="No conversation has at most 9 tokens"):
        tune_prompt(base, dialogues, replace(RECIPE, longest=9))
