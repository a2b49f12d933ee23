"""Which layers are found sensitive, and which of them the bytes are spent on."""

import shutil

import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaForCausalLM

from labkit.errors import InputError
from labkit.quantize import ggml
from labkit.quantize.calibrated import windows
from labkit.quantize.checkpoint import Checkpoint
from labkit.quantize.sensitivity import Cost, choose, scan


def test_each_layer_is_rounded_alone(tiny, tmp_path, texts):
    source = Checkpoint(tiny)
    free, one = "model.layers.0.mlp.gate_proj.weight", "model.layers.1.self_attn.v_proj.weight"
    tensors = {name: source.read(name) for name in source.tensors}
    tensors[free] = torch.zeros_like(tensors[free])
    folder = shutil.copytree(tiny, tmp_path / "copy")
    save_file({n: t.to(torch.bfloat16) for n, t in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    told = []
    costs = {cost.name: cost for cost in scan(folder, texts, tokens=50, progress=lambda *at: told.append(at))}
    assert list(costs) == Checkpoint(folder).linears
    assert told[-1] == (14, 14)
    assert costs[free].divergence == pytest.approx(0, abs=1e-6)
    assert costs[one].more_bytes == round(32 * 64 * (ggml.BITS["Q8_0"] - ggml.BITS["Q4_1"]) / 8)

    (ids,) = torch.tensor(windows(Checkpoint(folder), texts[:1]))[:, :50]
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        before = model(ids[None]).logits[0]
        model.get_parameter(one).copy_(ggml.rounded(tensors[one], "Q4_1"))
        after = model(ids[None]).logits[0]
    expected = torch.nn.functional.kl_div(
        after.log_softmax(-1), before.log_softmax(-1), log_target=True, reduction="batchmean"
    )
    assert costs[one].divergence == pytest.approx(float(expected), rel=1e-3)


def test_bytes_go_where_they_save_most():
    costs = [Cost("wide", 0.9, 100), Cost("dear", 0.6, 10), Cost("cheap", 0.1, 10), Cost("free", 0.0, 1)]
    assert choose(costs, 10) == ["dear"]
    assert choose(costs, 30) == ["dear", "cheap"]  # wide does not fit; what is left goes to the next
    assert choose(costs, 1000) == ["dear", "cheap", "wide"]
    assert choose(costs, 0) == []
    with pytest.raises(InputError):
        choose(costs, -1)


def test_nothing_to_read_is_refused(tiny):
    with pytest.raises(InputError, match="calibrate"):
        scan(tiny, ["w1 w2"])
