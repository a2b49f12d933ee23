"""A run leaves a whole adapter or nothing, and goes on where it was killed."""

import errno
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from labkit.errors import ConfigError, InputError, ModelError
from labkit.llm.lora import WEIGHTS, read_lora
from labkit.models import ModelFiles
from labkit.tune import train as module
from labkit.tune.dialogue import Dialogue, Turn
from labkit.tune.recipe import trainable
from labkit.tune.train import train


def test_an_adapter_is_left_with_a_card_that_says_what_it_is(base, dialogues, small, tmp_path):
    trained = train(base, dialogues, tmp_path / "answer", small, notes={"data_sha256": "abc"})
    lora = read_lora(trained.folder, base)
    assert (lora.card.task, lora.card.base_sha256, lora.card.world_versions) == (
        "answer", base.sha256, ("world-0", "world-1"),
    )  # fmt: skip
    assert lora.card.notes == {"data_sha256": "abc", "steps": "5"}
    assert {layer for layer, _ in lora.changes} == {0, 1}
    assert 0 < trained.trained < trained.parameters
    assert not (trained.folder / "README.md").exists()


def test_what_is_learned_lowers_the_loss(base, dialogues, small, tmp_path):
    trained = train(base, dialogues, tmp_path / "answer", replace(small, epochs=8))
    first, *_, last = trained.losses.values()
    assert last < first - 0.3


def test_what_is_trained_over_a_4_bit_base_is_float32(base, dialogues, small, tmp_path, monkeypatch):
    kept = {}

    def trainer(model, *others):
        made = original(model, *others)
        kept.update({name: p.dtype for name, p in model.named_parameters() if p.requires_grad})
        return made

    original = module._trainer
    monkeypatch.setattr(module, "_trainer", trainer)
    train(base, dialogues, tmp_path / "answer", replace(small, method="qlora", steps=1))
    assert set(kept.values()) == {torch.float32}


@pytest.mark.parametrize("killed_after", [4, 7], ids=["first-epoch", "second-epoch"])
def test_a_run_that_was_killed_ends_with_the_same_weights(base, dialogues, small, tmp_path, monkeypatch, killed_after):
    from transformers import TrainerCallback

    class Kill(TrainerCallback):
        def on_step_end(self, args, state, control, **others):
            if state.global_step == killed_after:
                raise KeyboardInterrupt

    monkeypatch.setattr(module, "_SAVED_EVERY", 3)
    recipe = replace(small, epochs=2)  # ten steps
    whole = train(base, dialogues, tmp_path / "whole", recipe, checkpoints=tmp_path / "a").folder
    kept = module.stop_at_nan
    monkeypatch.setattr(module, "stop_at_nan", Kill)
    with pytest.raises(KeyboardInterrupt):
        train(base, dialogues, tmp_path / "resumed", recipe, checkpoints=tmp_path / "b")
    assert not (tmp_path / "resumed").exists()
    monkeypatch.setattr(module, "stop_at_nan", kept)
    resumed = train(base, dialogues, tmp_path / "resumed", recipe, checkpoints=tmp_path / "b").folder
    expected, found = load_file(whole / WEIGHTS), load_file(resumed / WEIGHTS)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_step(base, dialogues, small, tmp_path):
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(base.path)
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[3, 5] = float("nan")
    broken = tmp_path / "broken"
    model.save_pretrained(broken)
    for file in base.path.glob("token*"):
        (broken / file.name).write_bytes(file.read_bytes())
    for file in base.path.glob("*.jinja"):
        (broken / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match=r"(loss|grad_norm) is nan at step \d+\."):
        train(ModelFiles("broken", broken, "1" * 64), dialogues, tmp_path / "out", replace(small, epochs=3))
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_trained_is_refused_before_anything_is_loaded(base, dialogues, small, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "trainable", lambda *_: pytest.fail("the model was loaded"))
    judge = Dialogue("judge", (Turn("x", "no"),), "w")
    with pytest.raises(InputError, match="not 2"):
        train(base, [*dialogues, judge], tmp_path / "out", small)
    with pytest.raises(InputError, match="not 0"):
        train(base, [], tmp_path / "out", small)
    with pytest.raises(InputError, match="No conversation has at most 9 tokens"):
        train(base, dialogues, tmp_path / "out", replace(small, longest=9))
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="already there"):
        train(base, dialogues, tmp_path / "there", small)


def test_layers_the_model_does_not_have_are_refused(base, small):
    with pytest.raises(ConfigError, match="from_layer is 2, the model has 2 layers"):
        trainable(base.path, replace(small, from_layer=2))


def test_a_full_disk_leaves_no_half_adapter(base, dialogues, small, tmp_path, monkeypatch):
    from peft import PeftModel

    def full(self, folder, **options):
        (folder / WEIGHTS).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PeftModel, "save_pretrained", full)
    place = tmp_path / "adapters"
    with pytest.raises(OSError, match="No space left"):
        train(base, dialogues, place / "answer", replace(small, steps=1))
    assert list(place.iterdir()) == []


def test_full_fine_tuning_leaves_a_model(base, dialogues, small, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trained = train(base, dialogues, tmp_path / "whole", replace(small, method="full", rate=1e-3, steps=2))
    assert trained.trained == trained.parameters
    before, after = (AutoModelForCausalLM.from_pretrained(folder) for folder in (base.path, trained.folder))
    assert not torch.equal(before.lm_head.weight, after.lm_head.weight)
    assert AutoTokenizer.from_pretrained(trained.folder).chat_template
