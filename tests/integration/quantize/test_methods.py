"""Methods of the lab's own environment on SmolLM2: size as predicted, close to bf16, still answering."""

from importlib.util import find_spec

import pytest
import torch

from labkit.quantize import gguf, int8, load, nearest, nf4, torchao_int8, w8a8
from labkit.quantize.calculator import SCHEMES, weights
from labkit.quantize.checkpoint import read_config, weight_bytes
from labkit.quantize.perplexity import losses, ratio

# name → method, size beside bf16 at most, perplexity beside bf16 at most (on 180 tokens: an interval is wide)
METHODS = {
    "int8": (int8, 0.62, 1.1),
    "torchao_int8": (torchao_int8, 0.62, 1.05),
    "w8a8": (w8a8, 0.62, 1.1),
    "nf4": (nf4, 0.45, 1.6),
    "gptq_g32": (lambda a, b: nearest(a, b, group=32), 0.45, 1.6),
    "gguf_q8_0": (lambda a, b: gguf(a, b, weights="Q8_0"), 0.55, 1.02),
    "gguf_q4_1": (lambda a, b: gguf(a, b, weights="Q4_1"), 0.38, 1.001),  # its own grid
    "gguf_q4_1_throughout": (lambda a, b: gguf(a, b, weights="Q4_1", embeddings="Q4_1"), 0.33, 1.2),
}


@pytest.fixture(scope="module")
def before(source, texts):
    loaded = load(source)
    return losses(loaded.model, loaded.tokenizer, texts)


@pytest.mark.parametrize("name", METHODS)
def test_a_method(name, source, texts, before, prompt, tmp_path):
    if name == "torchao_int8" and find_spec("torchao") is None:
        pytest.skip("torchao is not installed")
    method, size, worse = METHODS[name]
    method(source, tmp_path / "out")
    written = weight_bytes(tmp_path / "out")
    assert weights(read_config(source), SCHEMES[name]) == pytest.approx(written, rel=0.02)
    assert written / weight_bytes(source) <= size
    loaded = load(tmp_path / "out")
    if loaded.own_arithmetic:
        assert loaded.bytes == pytest.approx(written, rel=0.02)
    found = ratio(before, losses(loaded.model, loaded.tokenizer, texts))
    assert 0.9 < found.value <= worse
    given = loaded.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        ids = loaded.model.generate(**given, max_new_tokens=12, do_sample=False)[0]
    assert "Paris" in loaded.tokenizer.decode(ids[given["input_ids"].shape[1] :])
