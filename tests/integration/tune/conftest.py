"""A Llama of two layers with random weights, as a checkpoint, and conversations it can overfit."""

import pytest
import torch

from labkit.models import ModelFiles
from labkit.tune import recipe as recipe_module
from labkit.tune.dialogue import Dialogue, Turn
from labkit.tune.recipe import Recipe

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SMALL = Recipe(method="lora", rank=2, alpha=4, from_layer=0, rate=1e-2, batch=2)


@pytest.fixture(scope="session")
def tokenizer():
    """One token a byte, SmolLM2's marks."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({token: place for place, token in enumerate([*marks, *letters])}, []))
    made.add_special_tokens(marks)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    )


@pytest.fixture(scope="session")
def base(tokenizer, tmp_path_factory):
    """The checkpoint, as :func:`labkit.models.resolve` would hand it over."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
        pad_token_id=0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("models") / "tiny"
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ModelFiles("tiny", folder, "0" * 64)


@pytest.fixture(scope="session")
def dialogues():
    """Ten conversations of different lengths."""
    words = ["Who", "runs", "the", "yard", "at", "Crosswater", "on", "a", "wet", "day"]
    return [
        Dialogue("answer", (Turn(" ".join(words[: n + 1]), f"{words[n]} [{n}]", "fact"),), f"world-{n % 2}")
        for n in range(10)
    ]


@pytest.fixture
def small():
    """A recipe that takes seconds."""
    return SMALL


@pytest.fixture(autouse=True)
def _float32(monkeypatch):
    """The same arithmetic on every machine."""
    monkeypatch.setattr(recipe_module, "compute_dtype", lambda device: torch.float32)
