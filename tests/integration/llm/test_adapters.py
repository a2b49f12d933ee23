"""LoRA adapters and formats on the real SmolLM2, with PEFT and transformers as the reference."""

from datetime import date

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from labkit.errors import InputError, ModelMismatch
from labkit.llm.constrain import Lines, Quotations, Speller
from labkit.llm.endpoint import serving
from labkit.llm.engine import TransformersEngine
from labkit.llm.http import HttpChat
from labkit.llm.local import LocalChat
from labkit.llm.lora import CARD, WEIGHTS, AdapterCard
from labkit.models import file_sha256, resolve
from labkit.schema import RequestContext, TokenBudget
from labkit.settings import Settings

ASK = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
CONFIGS = {
    "attention": LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
    "some-layers": LoraConfig(
        r=8,
        lora_alpha=16,
        use_rslora=True,
        target_modules=["q_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        layers_to_transform=[0, 7, 29],
    ),
}


def ctx(**limits):
    return RequestContext(as_of=date(2026, 1, 1), **limits)


@pytest.fixture(scope="module")
def files():
    return resolve("smollm2-135m-instruct", Settings().home)


@pytest.fixture(scope="module")
def chat(files):
    return LocalChat(files, device="cpu", threads=1)


@pytest.fixture(scope="module")
def prompt(chat):
    return chat._text.encode(ASK)


@pytest.fixture(scope="module")
def folders(files, tmp_path_factory):
    """Two adapters with random matrices, large enough to change what the model says."""
    made = {}
    for seed, (name, config) in enumerate(CONFIGS.items()):
        torch.manual_seed(seed)
        base = AutoModelForCausalLM.from_pretrained(files.path, dtype=torch.float32)
        model = get_peft_model(base, config)
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                torch.nn.init.normal_(parameter, std=0.12)
        made[name] = tmp_path_factory.mktemp("adapters") / name
        model.save_pretrained(made[name])
    return made


@pytest.fixture(scope="module")
def references(files, folders, prompt):
    """Logits after the prompt, and eight greedy tokens, by PEFT in float32."""
    found = {}
    for name, folder in folders.items():
        base = AutoModelForCausalLM.from_pretrained(files.path, dtype=torch.float32)
        model = PeftModel.from_pretrained(base, folder).eval()
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, -1].numpy()
            tokens = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False
            )
        found[name] = logits, tokens[0, len(prompt) :].tolist()
    return found


@pytest.mark.parametrize("name", CONFIGS)
def test_an_adapted_decoder_equals_peft(name, chat, folders, references, prompt):
    adapter = chat.adapted(folders[name]).adapter
    decoder = chat._base.engine()
    logits, tokens = references[name]
    ours = decoder.logits(prompt, adapter)
    assert abs(ours - logits).max() < 1e-2
    assert abs(ours - decoder.logits(prompt)).max() > 1  # else the test could not tell an adapter from none
    assert list(decoder.generate(prompt, 8, adapter))[: len(tokens)] == tokens


def test_one_base_serves_its_adapters_in_turn(chat, folders):
    views = {name: chat.adapted(folder) for name, folder in folders.items()}
    assert all(view._base is chat._base for view in views.values())
    plain = chat.chat(ASK, max_tokens=8, ctx=ctx()).text
    first = {name: view.chat(ASK, max_tokens=8, ctx=ctx()).text for name, view in views.items()}
    assert len({plain, *first.values()}) == 3
    assert chat.chat(ASK, max_tokens=8, ctx=ctx()).text == plain
    for name, view in reversed(views.items()):
        assert view.chat(ASK, max_tokens=8, ctx=ctx()).text == first[name]


def test_the_transformers_engine_switches_adapters_too(files, chat, folders, references, prompt):
    engine = TransformersEngine(files.path, "cpu", 1)
    engine._model = engine._model.float()
    plain = list(engine.generate(prompt, 8))
    for name in (*CONFIGS, *CONFIGS):
        adapter = chat.adapted(folders[name]).adapter
        tokens = references[name][1]
        assert list(engine.generate(prompt, 8, adapter))[: len(tokens)] == tokens
        assert list(engine.generate(prompt, 8)) == plain
        continuations = [chat._text.encode_piece(text) for text in ("yes", "no", "The capital of France is Paris.")]
        assert engine.log_probabilities(prompt, continuations, adapter) == pytest.approx(
            chat._base.engine().log_probabilities(prompt, continuations, adapter), abs=0.02
        )


def test_an_adapter_with_a_card_is_named_and_refused_by_another_base(chat, files, folders):
    folder = folders["attention"]
    stated = {WEIGHTS: file_sha256(folder / WEIGHTS)}
    card = AdapterCard(task="answer", base_sha256=files.sha256, sha256=stated)
    try:
        (folder / CARD).write_text(card.model_dump_json())
        view = chat.adapted(folder)
        assert view.name == f"smollm2-135m-instruct@b179c952+answer@{stated[WEIGHTS][:8]}"
        with pytest.raises(InputError, match="has an adapter already"):
            view.adapted(folder)
        (folder / CARD).write_text(card.model_copy(update={"base_sha256": "f" * 64}).model_dump_json())
        with pytest.raises(ModelMismatch, match="was made for the base ffffffffffff…, not for smollm2"):
            chat.adapted(folder)
    finally:
        (folder / CARD).unlink()


def test_scores_are_the_probabilities_of_the_choices(chat, prompt, files):
    choices = ["The capital of France is Paris.", "The capital of France is Rome.", "no"]
    budget = TokenBudget(1000)
    shares = chat.score(ASK, choices, ctx(budget=budget))
    assert sum(shares) == pytest.approx(1)
    assert shares[0] > 0.9
    assert budget.remaining < 1000 - len(prompt)
    model = AutoModelForCausalLM.from_pretrained(files.path, dtype=torch.float32)
    wanted = []
    for choice in choices:
        tokens = chat._text.encode_piece(choice)
        with torch.inference_mode():
            rows = model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        wanted.append(float(rows.gather(1, torch.tensor(tokens)[:, None]).sum()))
    weights = np.exp(np.array(wanted) - max(wanted))
    assert shares == pytest.approx((weights / weights.sum()).tolist(), rel=1e-2, abs=1e-9)


@pytest.mark.parametrize("choices", [[], ["yes", ""]])
def test_what_is_no_choice_is_refused(chat, choices):
    with pytest.raises(InputError, match="Not choices"):
        chat.score(ASK, choices, ctx())


def test_a_constrained_reply_is_in_its_format(chat):
    passage = "The Heron picker was renamed Egret in 2024. Ines Duarte leads the team at 20 N·m."
    lines = Lines(passage, ["renamed", "leads"])
    ask = [{"role": "user", "content": f"{passage}\nWrite lines: subject | relation | object"}]
    reply = chat.chat(ask, max_tokens=40, ctx=ctx(), constraint=lines)
    assert lines.viable(reply.text.encode())
    if reply.finish_reason == "stop":
        assert lines.complete(reply.text.encode())
    quotations = Quotations([passage])
    reply = chat.chat(ASK, max_tokens=40, ctx=ctx(), constraint=quotations)
    assert quotations.viable(reply.text.encode())
    assert "".join(chat.stream(ASK, max_tokens=40, ctx=ctx(), constraint=quotations)) == reply.text


def test_both_engines_write_the_same_in_a_format(files, chat, prompt):
    engine = TransformersEngine(files.path, "cpu", 1)
    engine._model = engine._model.float()
    texts = [
        [*one.generate(prompt, 6, None, Speller(chat._text.vocabulary, Lines("Paris is in France.", ["in"])))]
        for one in (engine, chat._base.engine())
    ]
    assert texts[0] == texts[1]


def test_model_names_choose_the_adapter_over_http(chat, folders):
    models = {"base": chat} | {name: chat.adapted(folder) for name, folder in folders.items()}
    wanted = {name: model.chat(ASK, max_tokens=5, ctx=ctx()) for name, model in models.items()}
    with serving(models) as url:
        for name in [*models, *reversed(models)]:
            assert HttpChat(url, model=name).chat(ASK, max_tokens=5, ctx=ctx()) == wanted[name]
        pieces = HttpChat(url, model="attention").stream(ASK, max_tokens=5, ctx=ctx())
        assert "".join(pieces) == wanted["attention"].text
