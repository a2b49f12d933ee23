"""Whatever is guessed, the reply is that of plain decoding; tiny models with random weights."""

import json
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from labkit.errors import InputError
from labkit.llm import speculate
from labkit.llm.decoder import Decoder
from labkit.llm.lora import Lora
from labkit.llm.speculate import Draft, PromptLookup, Speculation

WORDS = 40
CONFIG = {
    "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4, "rms_norm_eps": 1e-5,
    "num_key_value_heads": 2, "num_hidden_layers": 2, "max_position_embeddings": 128, "rope_theta": 10_000.0,
    "vocab_size": WORDS, "tie_word_embeddings": False,
}  # fmt: skip
PARTS = {
    "self_attn.q_proj": (16, 16), "self_attn.k_proj": (8, 16), "self_attn.v_proj": (8, 16),
    "self_attn.o_proj": (16, 16), "mlp.gate_proj": (24, 16), "mlp.up_proj": (24, 16), "mlp.down_proj": (16, 24),
}  # fmt: skip


def write(folder, seed, twins=False):
    """A checkpoint; with ``twins`` every word has another that scores the same but for rounding."""
    rng = np.random.default_rng(seed)
    head = rng.normal(size=(WORDS, 16)).astype(np.float32)
    if twins:
        head[1::2] = head[::2] * np.float32(1 + 1e-6)
    tensors = {
        "model.embed_tokens.weight": rng.normal(size=(WORDS, 16)).astype(np.float32),
        "lm_head.weight": head,
        "model.norm.weight": np.ones(16, np.float32),
    }
    for layer in range(2):
        at = f"model.layers.{layer}."
        for part, shape in PARTS.items():
            tensors[f"{at}{part}.weight"] = (rng.normal(size=shape) * 0.4).astype(np.float32)
        for norm in ("input", "post_attention"):
            tensors[f"{at}{norm}_layernorm.weight"] = np.ones(16, np.float32)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return Decoder(folder)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("model"), 0)


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    return write(tmp_path_factory.mktemp("twins"), 1, twins=True)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return write(tmp_path_factory.mktemp("other"), 2)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    rng = np.random.default_rng(3)
    change = rng.normal(size=(2, 16)).astype(np.float32), rng.normal(size=(16, 2)).astype(np.float32)
    return Lora("answer", tmp_path_factory.getbasetemp(), "0" * 64, {(1, "q"): change, (0, "o"): change}, None)


class Says:
    """Guesses what it was told to, call by call, then nothing."""

    def __init__(self, guesses):
        self._guesses = iter(guesses)

    def propose(self, ids, most):
        return next(self._guesses, [])


class Knows:
    """Knows the whole text; every ``wrong``-th of its tokens is made another."""

    def __init__(self, text, k, wrong=0):
        self._text, self._k, self._wrong = text, k, wrong

    def propose(self, ids, most):
        return [
            (token + 1) % WORDS if self._wrong and at % self._wrong == 0 else token
            for at, token in enumerate(self._text[len(ids) :][: self._k], len(ids))
        ]


class Rising:
    """Picks the best token above its last pick, or above 0: a choice that remembers."""

    def __init__(self):
        self.last = 0

    def __call__(self, scores):
        self.last = self.last + 1 + int(np.argmax(scores[self.last + 1 :])) if self.last < WORDS - 6 else 1
        return self.last


prompts = st.lists(st.integers(0, WORDS - 1), min_size=1, max_size=30)
guesses = st.lists(st.lists(st.integers(0, WORDS - 1), max_size=9), max_size=20)


@settings(max_examples=60, deadline=None)
@given(prompts, guesses, st.integers(1, 20), st.booleans(), st.booleans(), st.booleans())
def test_any_guess_leaves_the_reply_as_it_is(
    decoder, twins, adapter, prompt, guesses, length, close, adapted, constrained
):
    model, lora = (twins if close else decoder), (adapter if adapted else None)
    plain = list(model.generate(prompt, length, lora, Rising() if constrained else None))
    speculation = Speculation(model, Says(guesses))
    assert list(speculation.generate(prompt, length, lora, Rising() if constrained else None)) == plain
    tally = speculation.tally
    assert tally.tokens == length
    assert tally.accepted <= tally.proposed
    assert tally.passes - tally.repeated == length - 1 - tally.accepted


@settings(max_examples=40, deadline=None)
@given(prompts, st.integers(1, 20), st.integers(1, 6), st.integers(0, 4), st.booleans())
def test_a_good_guess_leaves_it_too(decoder, twins, prompt, length, k, wrong, close):
    model = twins if close else decoder
    plain = list(model.generate(prompt, length))
    speculation = Speculation(model, Knows([*prompt, *plain], k, wrong))
    assert list(speculation.generate(prompt, length)) == plain


def test_right_guesses_save_their_passes(decoder):
    plain = list(decoder.generate([1, 2, 3], 13))
    speculation = Speculation(decoder, Knows([1, 2, 3, *plain], 3))
    assert list(speculation.generate([1, 2, 3], 13)) == plain
    tally = speculation.tally
    assert (tally.tokens, tally.proposed, tally.accepted, tally.passes, tally.repeated) == (13, 9, 9, 3, 0)


def test_what_rounding_could_change_is_settled_the_plain_way(twins, monkeypatch):
    """Scores of several positions are given an error here, larger than the gap between twins."""
    exact = twins._scores

    def rounded(hidden):
        error = 1e-3 * np.random.default_rng(len(hidden)).uniform(-1, 1, (len(hidden), WORDS))
        return exact(hidden) + (error if len(hidden) > 1 else 0)

    monkeypatch.setattr(twins, "_scores", rounded)

    def differing():
        found = 0
        for seed in range(12):
            prompt = np.random.default_rng(seed).integers(0, WORDS, 9).tolist()
            plain = list(twins.generate(prompt, 16))
            speculation = Speculation(twins, Knows([*prompt, *plain], 4))
            found += list(speculation.generate(prompt, 16)) != plain
            repeated.append(speculation.tally.repeated)
        return found

    repeated = []
    assert differing() == 0
    assert min(repeated) > 0
    monkeypatch.setattr(speculate, "DOUBT", 0.0)
    assert differing() > 0, "without doubts the error shows"


def test_a_reply_may_be_left_unfinished_and_the_next_is_right(decoder, other):
    speculation = Speculation(decoder, Draft(other, 3))
    for prompt in ([5, 6, 7], [5, 6, 9, 9]):
        plain = list(decoder.generate(prompt, 8))
        assert list(islice(speculation.generate(prompt, 30), 8)) == plain


@pytest.mark.parametrize("wrong", [-1, WORDS])
def test_a_token_the_model_does_not_have_is_refused(decoder, wrong):
    with pytest.raises(InputError, match=rf"guesses token {wrong}, the model has 40"):
        list(Speculation(decoder, Says([[wrong]])).generate([1], 5))


def test_lookup_copies_what_followed_the_longest_last_run():
    text = [1, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3]
    assert PromptLookup(ngram=3, k=2).propose(text, 9) == [4, 9]
    assert PromptLookup(ngram=2, k=2).propose(text, 9) == [5, 1], "the latest place of two"
    assert PromptLookup(ngram=5, k=9).propose(text, 3) == [4, 9, 2], "no more than is asked for"
    assert PromptLookup(ngram=3, k=4).propose([7, 7], 9) == [7], "no further than the text goes"
    for text in ([], [1], [1, 2, 3]):
        assert PromptLookup().propose(text, 9) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(prompts, min_size=1, max_size=6))
def test_a_draft_forgets_what_the_next_text_does_not_begin_with(other, texts):
    """Texts that share their beginning now and then, as they do after a rejected guess."""
    draft = Draft(other, 3)
    for text, before in zip(texts, [[], *texts], strict=False):
        joined = [*before[: len(before) // 2], *text]
        assert list(draft.propose(joined, 3)) == list(other.generate(joined, 3))
        assert list(draft.propose([*joined, 1], 2)) == list(other.generate([*joined, 1], 2))


def test_a_model_that_drafts_for_itself_is_always_right(decoder):
    speculation = Speculation(decoder, Draft(decoder, 4))
    assert list(speculation.generate([3, 1, 4], 16)) == list(decoder.generate([3, 1, 4], 16))
    assert speculation.tally.accepted == speculation.tally.proposed == 12


def test_a_draft_is_silent_where_its_context_ends(decoder):
    assert list(Draft(decoder, 4).propose([1] * 125, 9)) == []
    assert len(Draft(decoder, 4).propose([1] * 124, 9)) == 4


@pytest.mark.parametrize("make", [lambda _: PromptLookup(k=0), lambda _: PromptLookup(0), lambda d: Draft(d, 0)])
def test_a_guess_of_no_tokens_is_refused(decoder, make):
    with pytest.raises(InputError, match="is 0"):
        make(decoder)


def test_a_reading_taken_back_scores_as_one_that_never_went_there(decoder):
    reading = decoder.reading(20)
    reading.read([1, 2, 3, 4, 5])
    reading.back_to(2)
    assert len(reading) == 2
    assert reading.read([7, 8], scored=2) == pytest.approx(
        np.stack([decoder.logits([1, 2, 7]), decoder.logits([1, 2, 7, 8])]), abs=1e-4
    )
