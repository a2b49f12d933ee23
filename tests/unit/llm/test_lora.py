"""Adapter folders, written here as PEFT writes them: what fits is read, everything else is refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from labkit.errors import ModelError, ModelMismatch
from labkit.llm.lora import CARD, CONFIG, WEIGHTS, AdapterCard, read_card, read_lora
from labkit.models import ModelFiles, file_sha256

BASE = {
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 3,
}
SHAPES = {"q": (8, 8), "k": (4, 8), "v": (4, 8), "o": (8, 8), "gate": (12, 8), "up": (12, 8), "down": (8, 12)}
PLAIN = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, "bias": "none", "init_lora_weights": True, "use_dora": False}


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(BASE))
    return ModelFiles("tiny", folder, "0123456789abcdef" * 4)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "mine"
    made.mkdir()
    write(made)
    return made


def key(part, side, layer=1):
    block = "self_attn" if part in "qkvo" else "mlp"
    return f"base_model.model.model.layers.{layer}.{block}.{part}_proj.lora_{side}.weight"


def matrices(parts=("q",), rank=2, layer=1):
    made = {}
    for at, part in enumerate(parts):
        outputs, inputs = SHAPES[part]
        made[key(part, "A", layer)] = np.full((rank, inputs), at + 1, np.float32)
        made[key(part, "B", layer)] = np.arange(outputs * rank, dtype=np.float32).reshape(outputs, rank)
    return made


def write(folder, tensors=None, **config):
    save_file(tensors if tensors is not None else matrices(), folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(PLAIN | config))


def write_card(folder, model, **fields):
    stated = {"task": "answer", "base_sha256": model.sha256, "sha256": {WEIGHTS: file_sha256(folder / WEIGHTS)}}
    (folder / CARD).write_text(json.dumps(stated | fields))


def test_every_linear_layer_of_some_layers_is_read(folder, base):
    write(folder, matrices(SHAPES, layer=0) | matrices(["down"], layer=2))
    lora = read_lora(folder, base)
    assert lora.changes.keys() == {(0, part) for part in SHAPES} | {(2, "down")}
    for (_, part), (a, b) in lora.changes.items():
        assert (b @ a).shape == SHAPES[part]
        assert a.dtype == b.dtype == np.float32


@pytest.mark.parametrize(("config", "scale"), [({}, 3.0), ({"use_rslora": True}, 6 / 2**0.5), ({"lora_alpha": 1}, 0.5)])
def test_the_scale_is_in_the_second_matrix(folder, base, config, scale):
    write(folder, **config)
    a, b = read_lora(folder, base).changes[1, "q"]
    assert np.array_equal(a, matrices()[key("q", "A")])
    assert np.allclose(b, matrices()[key("q", "B")] * scale)


def test_without_a_card_it_is_called_after_its_folder(folder, base):
    lora = read_lora(folder, base)
    assert (lora.card, lora.version) == (None, f"mine@{file_sha256(folder / WEIGHTS)[:8]}")


def test_the_card_names_it_and_keeps_what_else_it_says(folder, base):
    write_card(folder, base, prompt="cite@1", world_versions=["7-abc"], steps=80)
    lora = read_lora(folder, base)
    assert lora.version == f"answer@{lora.sha256[:8]}"
    assert lora.card == read_card(folder)
    assert (lora.card.prompt, lora.card.world_versions, lora.card.model_extra) == ("cite@1", ("7-abc",), {"steps": 80})
    assert AdapterCard.model_validate_json(lora.card.model_dump_json()) == lora.card


def test_another_base_is_refused_by_name(folder, base):
    write_card(folder, base, base="smollm2", base_sha256="f" * 64)
    with pytest.raises(ModelMismatch, match=r"answer was made for smollm2 \(ffffffffffff…\), not for tiny \(0123"):
        read_lora(folder, base)


def test_other_bytes_than_the_card_states_are_refused(folder, base):
    write_card(folder, base)
    write(folder, {name: tensor + 1 for name, tensor in matrices().items()})
    with pytest.raises(ModelMismatch, match=f"{WEIGHTS} has sha256"):
        read_lora(folder, base)


def test_a_card_that_states_the_configuration_guards_it(folder, base):
    hashes = {name: file_sha256(folder / name) for name in (WEIGHTS, CONFIG)}
    write_card(folder, base, sha256=hashes)
    read_lora(folder, base)
    write(folder, lora_alpha=600)
    with pytest.raises(ModelMismatch, match=f"{CONFIG} has sha256"):
        read_lora(folder, base)


def test_a_card_must_state_the_weights(folder, base):
    write_card(folder, base, sha256={})
    with pytest.raises(ModelMismatch, match="its card says none"):
        read_lora(folder, base)


@pytest.mark.parametrize("text", ["{", "[]", '{"task": "answer"}', '{"task": 1, "base_sha256": "", "sha256": {}}'])
def test_a_damaged_card_is_refused(folder, base, text):
    (folder / CARD).write_text(text)
    with pytest.raises(ModelError, match="card cannot be read"):
        read_lora(folder, base)


@pytest.mark.parametrize(
    "config",
    [
        {"peft_type": "IA3"},
        {"use_dora": True},
        {"bias": "all"},
        {"lora_bias": True},
        {"fan_in_fan_out": True},
        {"modules_to_save": ["lm_head"]},
        {"rank_pattern": {"q_proj": 4}},
        {"alpha_pattern": {"q_proj": 4}},
        {"init_lora_weights": "pissa"},
        {"trainable_token_indices": [1]},
    ],
)
def test_more_than_lora_is_refused(folder, base, config):
    write(folder, **config)
    with pytest.raises(ModelError, match="which is not supported"):
        read_lora(folder, base)


@pytest.mark.parametrize("config", [{"r": 0}, {"r": None}, {"r": "2"}, {"lora_alpha": None}, {"lora_alpha": "6"}])
def test_a_senseless_configuration_is_refused(folder, base, config):
    write(folder, **config)
    with pytest.raises(ModelError, match="r is"):
        read_lora(folder, base)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"base_model.model.lm_head.lora_A.weight": np.zeros((2, 8), np.float32)}, "changes lm_head"),
        (
            {key("q", "A").replace("self_attn", "mlp"): np.zeros((2, 8), np.float32)},
            "changes model.layers.1.mlp.q_proj",
        ),
        (
            {key("up", "A").replace("mlp", "self_attn"): np.zeros((2, 8), np.float32)},
            "changes model.layers.1.self_attn",
        ),
        ({"base_model.model.model.layers.1.self_attn.q_proj.lora_magnitude_vector": np.ones(8)}, "type F64"),
        ({key("k", "A"): np.zeros((2, 8), np.float32)}, "only one matrix for k_proj of layer 1"),
        ({key("q", "B"): np.full((8, 2), np.nan, np.float32)}, "NaN or infinity"),
    ],
)
def test_unknown_half_or_broken_matrices_are_refused(folder, base, extra, message):
    write(folder, matrices() | extra)
    with pytest.raises(ModelError, match=message):
        read_lora(folder, base)


@pytest.mark.parametrize(
    "tensors",
    [
        matrices(rank=3),
        matrices(layer=3),
        matrices() | {key("q", "A"): np.zeros((2, 9), np.float32)},
        matrices() | {key("q", "B"): np.zeros((16,), np.float32)},
    ],
)
def test_matrices_for_another_base_are_refused(folder, base, tensors):
    write(folder, tensors)
    with pytest.raises(ModelMismatch):
        read_lora(folder, base)


def test_nothing_to_add_is_refused(folder, base):
    write(folder, {})
    with pytest.raises(ModelError, match="changes nothing"):
        read_lora(folder, base)


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS])
@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"\xff" * 64])
def test_missing_and_damaged_files_are_refused(folder, base, file, content):
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(ModelError):
        read_lora(folder, base)


def test_a_truncated_file_is_refused(folder, base):
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-8])
    with pytest.raises(ModelError, match="Truncated"):
        read_lora(folder, base)
