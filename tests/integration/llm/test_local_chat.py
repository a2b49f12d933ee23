"""SmolLM2 in this process, against transformers as the reference."""

import threading
import time
from datetime import date

import pytest

from labkit.errors import BudgetExceeded, Cancelled, DeadlineExceeded, InputError
from labkit.llm import chat_model
from labkit.llm.engine import TransformersEngine
from labkit.llm.local import LocalChat
from labkit.models import resolve
from labkit.schema import RequestContext, TokenBudget
from labkit.settings import Settings

ASK = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]


@pytest.fixture(scope="module")
def files():
    return resolve("smollm2-135m-instruct", Settings().home)


@pytest.fixture(scope="module")
def chat():
    model = chat_model(Settings(device="cpu"))
    model.load()
    return model


def ctx(**limits):
    return RequestContext(as_of=date(2026, 1, 1), **limits)


def test_it_answers_and_says_what_it_cost(chat):
    reply = chat.chat(ASK, ctx=ctx())
    assert "Paris" in reply.text
    assert reply.finish_reason == "stop"
    assert reply.usage.prompt_tokens > 20
    assert 0 < reply.usage.completion_tokens < 64
    assert chat.name == "smollm2-135m-instruct@b179c952"


def test_max_tokens_ends_it(chat):
    reply = chat.chat(ASK, max_tokens=3, ctx=ctx())
    assert (reply.usage.completion_tokens, reply.finish_reason) == (3, "length")


def test_streaming_gives_the_same_text_in_pieces(chat):
    pieces = list(chat.stream(ASK, ctx=ctx()))
    assert len(pieces) > 3
    assert "".join(pieces) == chat.chat(ASK, ctx=ctx()).text


def test_the_numpy_decoder_equals_transformers(chat, files):
    """Same weights in fp32: the same logits to rounding, and the same greedy tokens."""
    import torch

    reference = TransformersEngine(files.path, "cpu", 0)
    reference._model = reference._model.float()
    for text in (ASK[0]["content"], "List three uses of a torque wrench.", "Übersetze: 東京 → ?"):
        prompt = chat._text.encode([{"role": "user", "content": text}])
        with torch.inference_mode():
            wanted = reference._model(torch.tensor([prompt])).logits[0, -1].numpy()
        assert abs(chat._base.engine().logits(prompt) - wanted).max() < 1e-2
        assert list(chat._base.engine().generate(prompt, 12)) == list(reference.generate(prompt, 12))


def test_the_chat_template_equals_transformers(chat, files):
    from transformers import AutoTokenizer

    messages = [{"role": "system", "content": "Be brief."}, *ASK]
    tokenizer = AutoTokenizer.from_pretrained(files.path)
    wanted = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert chat._text.encode(messages) == wanted


def test_a_long_prompt_is_read_in_blocks_with_the_same_result(chat, monkeypatch):
    from labkit.llm import decoder

    prompt = chat._text.encode([{"role": "user", "content": "count the numbers " + " ".join(map(str, range(60)))}])
    whole = list(chat._base.engine().generate(prompt, 5))
    monkeypatch.setattr(decoder, "_PREFILL_BLOCK", 17)
    assert list(chat._base.engine().generate(prompt, 5)) == whole


def test_a_prompt_beyond_the_context_is_refused(chat):
    with pytest.raises(InputError, match=r"The prompt has \d+ tokens"):
        chat.chat([{"role": "user", "content": "word " * 9000}], ctx=ctx())


def test_a_request_stops_when_its_asker_leaves(chat):
    left = threading.Event()
    stream = chat.stream([{"role": "user", "content": "Tell me a long story."}], max_tokens=500, ctx=ctx(cancel=left))
    next(stream)
    left.set()
    with pytest.raises(Cancelled):
        list(stream)


def test_a_request_stops_at_its_deadline(chat):
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        chat.chat(
            [{"role": "user", "content": "Tell me a long story."}], max_tokens=2000, ctx=ctx(deadline=started + 0.5)
        )
    assert time.monotonic() - started < 60


def test_a_budget_too_small_is_refused_before_it_is_spent(chat):
    budget = TokenBudget(50)
    with pytest.raises(BudgetExceeded):
        chat.chat(ASK, ctx=ctx(budget=budget))
    assert budget.remaining == 50
    roomy = TokenBudget(500)
    reply = chat.chat(ASK, ctx=ctx(budget=roomy))
    assert roomy.remaining == 500 - reply.usage.prompt_tokens - reply.usage.completion_tokens


@pytest.mark.parametrize("messages", [[], [{"role": "wizard", "content": "x"}], [{"role": "user"}]])
def test_what_is_not_a_conversation_is_refused(chat, messages):
    with pytest.raises(InputError):
        chat.chat(messages, ctx=ctx())


def test_two_threads_get_the_answers_of_one(files):
    shared = LocalChat(files, device="cpu")
    texts = []
    threads = [threading.Thread(target=lambda: texts.append(shared.chat(ASK, ctx=ctx()).text)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 2
    assert texts[0] == texts[1]
    assert "Paris" in texts[0]
