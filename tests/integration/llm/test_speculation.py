"""Speculation on the real SmolLM2: rounding stays far below what is doubted, and no token changes."""

import numpy as np
import pytest

from labkit.llm import speculate
from labkit.llm.constrain import Quotations
from labkit.llm.decoder import Decoder
from labkit.llm.local import LocalChat
from labkit.llm.lora import Lora
from labkit.llm.speculate import PromptLookup, Speculation
from labkit.llm.tasks import Shown, flat, numbered, prompt_of
from labkit.models import resolve
from labkit.schema import RequestContext
from labkit.settings import Settings

PASSAGES = [
    Shown("Sites", "The yard at Crosswater is run by Edna Marsh, who took over in May 2024. It has 42 robots."),
    Shown("Torque", "Tighten the wrist flange WF-1727 to 12 N·m. Do not use the older value of 18 N·m."),
]
QUESTIONS = ["Who runs the yard at Crosswater?", "How tight is the wrist flange WF-1727 to be?"]


@pytest.fixture(scope="module")
def files():
    return resolve("smollm2-135m-instruct", Settings().home)


@pytest.fixture(scope="module")
def chat(files):
    return LocalChat(files, device="cpu", threads=1)


@pytest.fixture(scope="module")
def decoder(chat):
    found = chat._base.engine()
    assert isinstance(found, Decoder)
    return found


@pytest.fixture(scope="module")
def adapter(files):
    """Random matrices, large enough to change what the model says."""
    rng = np.random.default_rng(0)
    changes = {
        (layer, "q"): tuple(
            rng.normal(size=shape).astype(np.float32) * scale for shape, scale in (((4, 576), 0.12), ((576, 4), 0.24))
        )
        for layer in range(0, 30, 3)
    }
    return Lora("answer", files.path, "0" * 64, changes, None)


def messages(question):
    return prompt_of("answer").messages(passages=numbered(PASSAGES), question=question)


def test_the_order_of_adding_moves_scores_far_less_than_is_doubted(chat, decoder):
    prompt = chat._text.encode(messages(QUESTIONS[0]))
    largest = 0.0
    for positions in (2, 4, 6, 9, 20):
        singly, at_once = decoder.reading(len(prompt) + 20), decoder.reading(len(prompt) + 20)
        singly.read(prompt)
        at_once.read(prompt)
        text = prompt[:positions]
        one_by_one = np.concatenate([singly.read([token]) for token in text])
        largest = max(largest, float(abs(at_once.read(text, scored=positions) - one_by_one).max()))
    assert largest < speculate.DOUBT / 10


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("adapted", [False, True])
def test_a_reply_is_that_of_plain_decoding(chat, decoder, adapter, question, adapted):
    prompt, lora = chat._text.encode(messages(question)), adapter if adapted else None
    plain = list(decoder.generate(prompt, 24, lora))
    speculation = Speculation(decoder, PromptLookup())
    assert list(speculation.generate(prompt, 24, lora)) == plain
    assert adapted or speculation.tally.accepted > 0


def test_a_chat_speaks_the_same_with_a_speculating_engine_and_a_format(files, chat, decoder):
    quick = LocalChat(files, device="cpu", threads=1)
    speculation = Speculation(decoder, PromptLookup())
    quick._base._engine = speculation
    form, ctx = Quotations([flat(one) for one in PASSAGES]), RequestContext()
    for question in QUESTIONS:
        plain = chat.chat(messages(question), max_tokens=24, ctx=ctx, constraint=form)
        assert quick.chat(messages(question), max_tokens=24, ctx=ctx, constraint=form) == plain
    assert speculation.tally.accepted > 0
