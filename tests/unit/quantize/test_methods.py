"""What each method that needs no other environment writes, read back."""

import json

import pytest
import torch

from labkit.errors import InputError, ModelError
from labkit.quantize import beside, ggml, gguf, grid, load, nearest, w8a8
from labkit.quantize.change import change_kept
from labkit.quantize.checkpoint import Checkpoint, load_tensor, stored, weight_bytes
from labkit.quantize.integer import rounded
from labkit.quantize.offgrid import off_grid


def said(folder, ids):
    with torch.inference_mode():
        return load(folder).model(ids).logits[0].float()


def near(found, expected):
    return float((found - expected).norm() / expected.norm())


def test_the_source_itself_is_loaded(tiny, ids, logits):
    loaded = load(tiny)
    assert (loaded.method, loaded.own_arithmetic) == ("bf16", True)
    assert loaded.bytes == Checkpoint(tiny).bytes + 4 * 8 * 2  # and the rotary table: 8 float32, kept twice
    assert near(said(tiny, ids), logits) < 0.05


def test_round_to_nearest_is_read_with_the_rounded_weights(tiny, tmp_path, ids, logits):
    nearest(tiny, tmp_path / "out")
    loaded = load(tmp_path / "out")
    name = "model.layers.1.mlp.down_proj.weight"
    expected = grid.nearest(Checkpoint(tiny).read(name), 32).restored().to(torch.bfloat16)
    assert torch.equal(loaded.model.get_parameter(name), expected)
    assert not loaded.own_arithmetic
    assert 0.01 < near(said(tmp_path / "out", ids), logits) < 0.6


def test_gguf_is_read_back_by_transformers_with_heads_in_order(tiny, tmp_path, tokenizer_file, ids, logits):
    gguf(tiny, tmp_path / "out", weights="Q8_0", tokenizer=tokenizer_file)
    loaded = load(tmp_path / "out")
    for name in [*Checkpoint(tiny).linears, "model.embed_tokens.weight"]:
        expected = ggml.rounded(Checkpoint(tiny).read(name), "Q8_0").to(torch.bfloat16)
        assert torch.equal(loaded.model.get_parameter(name), expected), name
    assert near(said(tmp_path / "out", ids), logits) < 0.12  # heads out of order: above 0.5


def test_a_gguf_file_mixes_types_as_told(tiny, tmp_path, tokenizer_file):
    kept = "model.layers.0.self_attn.v_proj.weight"
    record = gguf(tiny, tmp_path / "out", weights="Q4_1", keep=[kept], tokenizer=tokenizer_file)
    from gguf import GGUFReader

    reader = GGUFReader(tmp_path / "out" / ggml.FILE)
    types = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert types["blk.0.attn_v.weight"] == "Q8_0"
    assert types["blk.1.attn_v.weight"] == "Q4_1"
    assert types["token_embd.weight"] == "Q8_0"
    assert types["blk.0.attn_norm.weight"] == "F32"
    assert record.details["kept_at_8_bits"] == [kept]
    assert reader.fields["tokenizer.ggml.tokens"].contents()[5] == "w5"


def test_gguf_refuses_a_layer_that_is_not_there_and_a_foreign_tokenizer(tiny, tmp_path, tokenizer_file):
    with pytest.raises(InputError, match="no linear layer"):
        gguf(tiny, tmp_path / "out", weights="Q4_1", keep=["model.layers.9.mlp.up_proj.weight"],
             tokenizer=tokenizer_file)  # fmt: skip
    with pytest.raises(ModelError, match="vocabulary"):
        gguf(tiny, tmp_path / "out", weights="Q4_1", tokenizer=ggml.packaged())
    assert not list(tmp_path.iterdir())


def test_w8a8_multiplies_integers_as_the_formula_says(tiny, tmp_path, ids, logits):
    w8a8(tiny, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())["quantization_config"]
    assert (config["quant_method"], config["format"]) == ("compressed-tensors", "int-quantized")
    found = {tensor.name: tensor for tensor in stored(tmp_path / "out")}
    name = "model.layers.0.mlp.up_proj.weight"
    assert (found[name].dtype, found[f"{name}_scale"].shape) == ("I8", (96, 1))
    loaded = load(tmp_path / "out")
    given = torch.randn(1, 5, 64, generator=torch.Generator().manual_seed(2)).to(torch.bfloat16)
    weight, scale = load_tensor(found[name]).double(), load_tensor(found[f"{name}_scale"]).double()
    codes, steps = rounded(given[0])
    expected = ((codes.double() * steps.double()) @ (weight * scale).T).to(torch.bfloat16)
    assert torch.equal(loaded.model.model.layers[0].mlp.up_proj(given)[0], expected)
    assert near(said(tmp_path / "out", ids), logits) < 0.1


def test_off_the_grid_the_model_says_the_same_and_q4_1_is_no_longer_free(tiny, tmp_path, ids):
    """On the grid, as SmolLM2 comes: rounded to Q4_1 once, then taken for a model in bf16."""
    import shutil

    from safetensors.torch import save_file

    source = Checkpoint(tiny)
    tensors = {name: source.read(name) for name in source.tensors}
    tensors |= {name: ggml.rounded(tensors[name], "Q4_1") for name in source.linears}
    on = shutil.copytree(tiny, tmp_path / "on")
    save_file({n: t.to(torch.bfloat16) for n, t in tensors.items()}, on / "model.safetensors", {"format": "pt"})
    off_grid(on, tmp_path / "off")
    assert near(said(tmp_path / "off", ids), said(on, ids)) < 0.12

    def loss(folder):
        weights = [Checkpoint(folder).read(name) for name in Checkpoint(folder).linears]
        return max(near(ggml.rounded(weight, "Q4_1"), weight) for weight in weights)

    assert loss(on) < 0.005
    assert loss(tmp_path / "off") > 0.05


def test_what_fine_tuning_changed_is_found_again_or_not(tiny, tmp_path, tokenizer_file):
    """A base on Q4_1's grid and a change far below a step: Q8_0 keeps it, Q4_1 goes back to the base."""
    import shutil

    from safetensors.torch import save_file

    source = Checkpoint(tiny)
    tensors = {name: source.read(name) for name in source.tensors}
    tensors |= {name: ggml.rounded(tensors[name], "Q4_1") for name in source.linears}
    made = torch.Generator().manual_seed(0)
    moved = tensors | {
        name: tensors[name] + 0.005 * torch.randn(tensors[name].shape, generator=made) for name in source.linears
    }
    for name, some in {"base": tensors, "tuned": moved}.items():
        folder = shutil.copytree(tiny, tmp_path / name)
        save_file({n: t.to(torch.bfloat16) for n, t in some.items()}, folder / "model.safetensors", {"format": "pt"})
    kept = {}
    for weights in ("Q8_0", "Q4_1"):
        gguf(tmp_path / "tuned", tmp_path / weights, weights=weights, tokenizer=tokenizer_file)
        kept[weights] = change_kept(tmp_path / "base", tmp_path / "tuned", load(tmp_path / weights))
    assert change_kept(tmp_path / "base", tmp_path / "tuned", load(tmp_path / "tuned")) == pytest.approx(1)
    assert kept["Q8_0"] == pytest.approx(1, abs=0.1)
    assert kept["Q4_1"] < 0.7
    with pytest.raises(InputError, match="same weights"):
        change_kept(tiny, tiny, load(tiny))


@pytest.fixture(scope="module")
def adapter(tiny, tmp_path_factory):
    """An adapter that changes what the tiny model says."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    torch.manual_seed(3)
    config = LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    folder = tmp_path_factory.mktemp("adapter") / "adapter"
    get_peft_model(LlamaForCausalLM.from_pretrained(tiny, dtype=torch.float32), config).save_pretrained(folder)
    return folder


def test_an_adapter_beside_a_rounded_base_is_kept_whole(tiny, tmp_path, tokenizer_file, adapter, ids, logits):
    from peft import PeftModel
    from transformers import LlamaForCausalLM

    def make(source, out):
        return gguf(source, out, weights="Q8_0", tokenizer=tokenizer_file)

    record = beside(make, tiny, adapter, tmp_path / "out")
    make(tiny, tmp_path / "plain")
    more = weight_bytes(tmp_path / "out") - weight_bytes(tmp_path / "plain")
    assert more == (adapter / "adapter_model.safetensors").stat().st_size
    assert record.details["adapter_sha256"]
    tuned = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(tiny, dtype=torch.float32), adapter)
    with torch.inference_mode():
        expected = tuned(ids).logits[0]
    assert near(expected, logits) > 0.3
    assert near(said(tmp_path / "out", ids), expected) < 0.15
    assert not load(tmp_path / "out").restored
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "plain"]


def test_half_an_adapter_is_refused_and_a_failure_leaves_nothing(tiny, tmp_path, adapter):
    with pytest.raises(ModelError, match="adapter_config"):
        beside(nearest, tiny, tmp_path, tmp_path / "out")

    def fails(source, out):
        nearest(source, out)
        raise ModelError("the disk is full")

    with pytest.raises(ModelError, match="full"):
        beside(fails, tiny, adapter, tmp_path / "out")
    assert not list(tmp_path.iterdir())
