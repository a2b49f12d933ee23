"""Gradients through 4-bit weights are those of the same weights in full precision."""

import pytest
import torch

from labkit.models import resolve
from labkit.settings import Settings
from labkit.tune import recipe as module
from labkit.tune.dialogue import Dialogue, Turn, encode
from labkit.tune.recipe import Recipe, trainable

pytestmark = pytest.mark.slow

TALK = Dialogue(
    "answer", (Turn("[1] Crosswater is run by Edna Marsh.\n\nQuestion: Who runs it?", "Edna Marsh [1]"),), "w"
)


@pytest.fixture(scope="module")
def smollm():
    return resolve("smollm2-135m-instruct", Settings().home)


def randomised(model):
    """The adapter with both matrices filled, the same in every model: at the start one is zero and hides the other."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    return model


def gradients(model, encoded):
    """Of all matrices of the adapter in one row, after a forward pass in evaluation mode, as a held-out score makes."""
    ids, labels = torch.tensor([encoded.input_ids]), torch.tensor([encoded.labels])
    with torch.no_grad():
        model.eval()(input_ids=ids)
    model.train()(input_ids=ids, labels=labels).loss.backward()
    return torch.cat([p.grad.flatten().float() for n, p in sorted(model.named_parameters()) if "lora_" in n])


def dequantized(folder, quantized):
    """The same model with its 4-bit weights written out in float32."""
    import bitsandbytes

    plain = trainable(folder, Recipe(method="lora"))
    weights = {name: module for name, module in plain.named_modules() if isinstance(module, torch.nn.Linear)}
    for name, layer in quantized.named_modules():
        if isinstance(layer, bitsandbytes.nn.Linear4bit):
            packed = layer.weight
            full = bitsandbytes.functional.dequantize_4bit(packed.data, packed.quant_state)
            weights[name].weight.data = full.float()
    return plain


def cosine(one, other):
    return torch.nn.functional.cosine_similarity(one, other, dim=0).item()


def test_gradients_are_true_and_the_guard_is_what_keeps_them_so(smollm, monkeypatch):
    from transformers import AutoTokenizer

    encoded = encode(TALK, AutoTokenizer.from_pretrained(smollm.path))
    guarded = randomised(trainable(smollm.path, Recipe()))
    truth = gradients(randomised(dequantized(smollm.path, guarded)), encoded)
    assert truth.norm() > 0
    assert cosine(gradients(guarded, encoded), truth) > 0.99

    from bitsandbytes.functional import has_avx512bf16

    if not has_avx512bf16():
        pytest.skip(
            "gradients are true here; the trap is only on CPUs with AVX512-BF16, where the guard would be tested"
        )
    monkeypatch.setattr(module, "keep_gradients_true", lambda model: None)
    assert cosine(gradients(randomised(trainable(smollm.path, Recipe())), encoded), truth) < 0.9
