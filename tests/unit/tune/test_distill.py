"""A student has its teacher's layers, learns its replies, and goes on where it was killed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from labkit.errors import InputError, ModelError
from labkit.llm.decoder import Decoder
from labkit.tune import distill as module
from labkit.tune import recipe as recipe_module
from labkit.tune import student as student_module
from labkit.tune.dialogue import Dialogue, Turn, dataset_rows
from labkit.tune.distill import Imitation, distill, divergence, replied
from labkit.tune.recipe import Recipe
from labkit.tune.student import RECORD, influence, most_influential, student

FULL = Recipe(method="full", rate=3e-3, batch=2)


@pytest.fixture(autouse=True)
def _float32(monkeypatch):
    """The same arithmetic on every machine."""
    for one in (recipe_module, student_module):
        monkeypatch.setattr(one, "compute_dtype", lambda device: torch.float32)


@pytest.fixture(scope="module")
def teacher(tokenizer, tmp_path_factory):
    """Four layers with random weights, large enough to have opinions."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
        pad_token_id=2, initializer_range=0.1,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("models") / "teacher"
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def small(teacher, tmp_path_factory):
    return student(teacher, [0, 1, 3], tmp_path_factory.mktemp("students") / "small")


@pytest.fixture(scope="module")
def rows(tokenizer):
    """Four conversations of two turns."""
    words = ["Who", "runs", "the", "yard", "at", "dusk"]
    return dataset_rows(
        [
            Dialogue("answer", (Turn(" ".join(words[: n + 1]), f"{words[n]} [{n}]"), Turn("And?", "No.")), "w")
            for n in range(4)
        ],
        tokenizer, 400,
    )  # fmt: skip


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def logits(folder, ids):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].numpy()


def test_a_student_has_the_layers_it_was_given_and_everything_else(teacher, small, tokenizer):
    theirs, ours = weights(teacher), weights(small)
    part = "mlp.down_proj.weight"
    for new, old in enumerate([0, 1, 3]):
        assert torch.equal(ours[f"model.layers.{new}.{part}"], theirs[f"model.layers.{old}.{part}"])
    assert torch.equal(ours["model.embed_tokens.weight"], theirs["model.embed_tokens.weight"])
    assert sum("down_proj" in name for name in ours) == 3
    record = json.loads((small / RECORD).read_text())
    assert record["keep"] == [0, 1, 3]
    ids = tokenizer("The yard at dusk.")["input_ids"]
    assert Decoder(small).logits(ids) == pytest.approx(logits(small, ids)[-1], abs=1e-4)


def test_a_student_with_all_layers_is_its_teacher(teacher, tmp_path):
    whole = student(teacher, range(4), tmp_path / "whole")
    assert Decoder(whole).logits([5, 6, 7]).tolist() == Decoder(teacher).logits([5, 6, 7]).tolist()


@pytest.mark.parametrize("keep", [[], [0, 4], [-1, 2], [2, 1], [1, 1]])
def test_layers_that_cannot_be_kept_are_refused(teacher, keep, tmp_path):
    with pytest.raises(InputError, match="Not layers of 4 to keep"):
        student(teacher, keep, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_layer_that_does_nothing_has_no_influence(teacher, rows, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(teacher)
    with torch.no_grad():
        model.model.layers[2].self_attn.o_proj.weight.zero_()
        model.model.layers[2].mlp.down_proj.weight.zero_()
    model.save_pretrained(tmp_path / "idle")
    AutoTokenizer.from_pretrained(teacher).save_pretrained(tmp_path / "idle")
    found = influence(tmp_path / "idle", rows)
    assert found[2] == pytest.approx(0, abs=1e-5)
    assert min(found[:2]) > 1e-3
    assert found[3] == 1
    assert most_influential(found, 3) == [0, 1, 3]


def test_the_divergence_is_that_of_trl_times_the_square_of_the_temperature(monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl.experimental.gkd import GKDTrainer

    rng = torch.Generator().manual_seed(0)
    ours, theirs = torch.randn(2, 5, 11, generator=rng)
    for temperature in (1.0, 3.0):
        peer = GKDTrainer.generalized_jsd_loss(ours[None], theirs[None], torch.zeros(1, 5), 0.0, temperature)
        assert divergence(ours, theirs, temperature) == pytest.approx(float(peer) * temperature**2, rel=1e-5)
    assert divergence(theirs, theirs, 2.0) == pytest.approx(0, abs=1e-6)


def test_the_replies_are_what_the_teacher_writes(teacher, rows):
    """The reference decodes every reply alone."""
    decoder, longest = Decoder(teacher), 12
    end = rows[0]["labels"][-1]
    found = 0
    for row in rows:
        said = replied(decoder, row, longest=longest)
        ids, wanted = [], []
        for shown, _ in module._turns(row):
            reply = []
            for token in decoder.generate([*ids, *shown], longest):
                reply.append(token)
                if token == end:
                    break
            if reply[-1] != end:
                break
            ids += [*shown, *reply]
            wanted += [-100] * len(shown) + reply
        assert said == ({"input_ids": ids, "labels": wanted} if ids else None)
        found += said is None
    assert found == len(rows), "a random teacher never ends: the next test has one that does"


def test_a_teacher_that_ends_is_followed_through_the_conversation(teacher, rows, monkeypatch):
    decoder = Decoder(teacher)
    end = rows[0]["labels"][-1]
    scores = decoder._scores

    def ending(hidden):
        found = scores(hidden)
        best = found.argmax(axis=-1)
        found[best % 5 == 0, end] = np.inf  # what would have been another token
        return found

    monkeypatch.setattr(decoder, "_scores", ending)
    for row in rows:
        said = replied(decoder, row, longest=40)
        if said is None:
            continue
        first = next(module._turns(row))[0]
        assert said["input_ids"][: len(first)] == first
        ids = []
        for shown, reply in module._turns(said):
            written = decoder.generate([*ids, *shown], len(reply))
            assert list(written) == reply
            assert reply.count(end) == 1
            ids += [*shown, *reply]
        assert ids == said["input_ids"]


def test_a_label_the_teacher_would_have_written_stays_in_one_pass(teacher, rows, monkeypatch):
    decoder, row = Decoder(teacher), rows[0]
    shown = next(module._turns(row))[0]
    reply = list(decoder.generate(shown, 5))
    own = {"input_ids": [*shown, *reply], "labels": [-100] * len(shown) + reply}
    passes = []
    forward = decoder._forward
    monkeypatch.setattr(decoder, "_forward", lambda ids, *others: passes.append(len(ids)) or forward(ids, *others))
    assert replied(decoder, own) == own
    assert passes == [len(shown) + 5]


@pytest.mark.parametrize("imitation", [Imitation(soft=1.0), Imitation(soft=0.0), Imitation(0.5, 4.0)])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_what_is_learned_lowers_the_loss(teacher, small, rows, tmp_path, imitation, method):
    recipe = replace(FULL, method=method, rank=4, alpha=8, from_layer=0, epochs=12)
    recipe = replace(recipe, rate=2e-2) if method == "lora" else recipe
    made = distill(teacher, small, rows, tmp_path / "out", recipe, imitation)
    assert len(made.losses) == 24
    assert sum(made.losses[-4:]) < 0.9 * sum(made.losses[:4])
    assert weights(made.folder).keys() == weights(small).keys()
    assert weights(made.folder)["model.layers.1.mlp.up_proj.weight"].dtype == torch.bfloat16
    record = json.loads((made.folder / RECORD).read_text())
    assert (record["keep"], record["steps"], record["recipe"]["method"]) == ([0, 1, 3], 24, method)
    assert json.loads((made.folder / "config.json").read_text())["use_cache"] is True
    Decoder(made.folder)


def test_softly_taught_it_comes_nearer_to_its_teacher(teacher, small, rows, tmp_path):
    made = distill(teacher, small, rows, tmp_path / "out", replace(FULL, epochs=12), Imitation(soft=1.0))
    places = [at for at, label in enumerate(rows[0]["labels"][1:]) if label != -100]

    def distance(folder):
        ours, theirs = (torch.tensor(logits(one, rows[0]["input_ids"])[places]) for one in (folder, teacher))
        return float(divergence(ours, theirs, 1.0))

    assert distance(made.folder) < 0.7 * distance(small)


def test_the_loss_of_a_padded_batch_is_that_of_its_rows(teacher, small, rows):
    ours, theirs = module.loaded(small), module.loaded(teacher)
    imitation = Imitation(0.7, 2.0)
    counts = [sum(label != -100 for label in row["labels"]) for row in rows]
    alone = [module._loss(ours, theirs, [row], imitation).item() for row in rows]
    wanted = sum(loss * count for loss, count in zip(alone, counts, strict=True)) / sum(counts)
    assert module._loss(ours, theirs, rows, imitation).item() == pytest.approx(wanted, rel=1e-4)


def test_a_run_that_was_killed_ends_with_the_same_weights(teacher, small, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SAVED_EVERY", 3)
    recipe, state = replace(FULL, epochs=4), tmp_path / "state.pt"  # eight steps
    whole = distill(teacher, small, rows, tmp_path / "whole", recipe)
    exact, calls = module._loss, []

    def killed(*given):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return exact(*given)

    monkeypatch.setattr(module, "_loss", killed)
    with pytest.raises(KeyboardInterrupt):
        distill(teacher, small, rows, tmp_path / "resumed", recipe, state=state)
    assert not (tmp_path / "resumed").exists()
    resumed = distill(teacher, small, rows, tmp_path / "resumed", recipe, state=state)
    assert len(calls) == 6 + 5, "three steps were taken up"
    assert resumed.losses == whole.losses
    expected, found = weights(whole.folder), weights(resumed.folder)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    with pytest.raises(InputError, match="The state is of another run"):
        distill(teacher, small, rows, tmp_path / "other", replace(recipe, rate=1e-4), state=state)


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_step(teacher, small, rows, tmp_path, monkeypatch):
    exact, calls = module._loss, []

    def broken(*given):
        calls.append(1)
        return exact(*given) * (float("nan") if len(calls) == 3 else 1.0)

    monkeypatch.setattr(module, "_loss", broken)
    with pytest.raises(ModelError, match=r"the loss is nan.* at step 2"):
        distill(teacher, small, rows, tmp_path / "out", replace(FULL, epochs=4))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_taught_is_refused_before_anything_is_loaded(teacher, small, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "loaded", lambda *_: pytest.fail("a model was loaded"))
    with pytest.raises(InputError, match="no conversation"):
        distill(teacher, small, [], tmp_path / "out", FULL)
    with pytest.raises(InputError, match="already there"):
        distill(teacher, small, rows, tmp_path, FULL)
    with pytest.raises(InputError, match="already there"):
        student(teacher, [0], tmp_path)
    with pytest.raises(InputError, match="in 4 bits is no plain checkpoint"):
        distill(teacher, small, rows, tmp_path / "out", replace(FULL, method="qlora"))
    with pytest.raises(InputError, match=r"has no student\.json at teacher"):
        distill(teacher, teacher, rows, tmp_path / "out", FULL)


@pytest.mark.parametrize("given", [{"soft": 1.1}, {"soft": -0.1}, {"temperature": 0.0}])
def test_an_imitation_that_makes_no_sense_is_refused(given):
    with pytest.raises(InputError, match="soft is"):
        Imitation(**given)
