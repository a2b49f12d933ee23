"""How many bytes a model takes, computed from its ``config.json``: weights in each scheme, and the cache per token.

The shape of a Llama-type decoder decides its parameters; a scheme decides bits by kind of parameter, with what a
group's scale and zero point take spread over its weights. Headers of files (under 0.1 %), activations, and what a
server reserves are not known here. Checked against every folder this room makes:
``tests/integration/quantize/test_calculator.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.errors import InputError

BF16 = 16.0
SHAPES: dict[str, dict[str, Any]] = {
    "llama-2-7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
                   "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32000,
                   "tie_word_embeddings": False},
    "mistral-7b-v0.3": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
                        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32768,
                        "tie_word_embeddings": False},
    "llama-3.1-70b": {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
                      "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 128256,
                      "tie_word_embeddings": False},
}  # fmt: skip
"""What the published ``config.json`` of these models says (Touvron 2023, Jiang 2023, Dubey 2024)."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """How many numbers a model has, by kind.

    Attributes:
        linear: in the decoder's linear layers: what every scheme makes smaller.
        rows: outputs of those layers: what schemes with a scale for each output count.
        columns: inputs of those layers: GPTQ's layout notes the group of each.
        embedding: the input embeddings.
        head: the output layer where it is not the embeddings again, else 0.
        norm: of normalisations; always kept in full.
    """

    linear: int
    rows: int
    columns: int
    embedding: int
    head: int
    norm: int

    @property
    def total(self) -> int:
        """All of them; tied embeddings once."""
        return self.linear + self.embedding + self.head + self.norm


@dataclass(frozen=True, slots=True)
class Scheme:
    """Bits by kind of parameter.

    Attributes:
        linear: of a weight in the decoder, its share of scales and zero points included.
        row: more bits for each output of a linear layer.
        column: more bits for each input of one.
        embedding: of an embedding, and of a weight of the output layer.
        norm: of a normalisation's weight.
        token: of an entry of the vocabulary, where the file holds the tokenizer, too.
    """

    linear: float
    row: float = 0.0
    column: float = 0.0
    embedding: float = BF16
    norm: float = BF16
    token: float = 0.0


def grouped(bits: int, group: int, *, scale: int = 16, zero: int = 0) -> float:
    """Bits of a weight where ``group`` of them share a scale of ``scale`` bits and a zero point of ``zero``."""
    return bits + (scale + zero) / group


_TOKEN = 36.0 * 8  # its piece, type and merge rule with their lengths, as measured on SmolLM2's 49,152

SCHEMES: dict[str, Scheme] = {
    "bf16": Scheme(BF16),
    "int8": Scheme(8, row=32),  # bitsandbytes: a float32 scale for each output
    "torchao_int8": Scheme(8, row=32),
    "w8a8": Scheme(8, row=16),
    # 64 weights share an 8-bit scale, 256 of those a float32: "double quantization"
    "nf4": Scheme(4 + 8 / 64 + 32 / (64 * 256)),
    "gptq_g32": Scheme(grouped(4, 32, zero=4), column=32),
    "gptq_g64": Scheme(grouped(4, 64, zero=4), column=32),
    "gptq_g128": Scheme(grouped(4, 128, zero=4), column=32),
    "awq_g32": Scheme(grouped(4, 32, zero=4)),
    "awq_g128": Scheme(grouped(4, 128, zero=4)),
    "gguf_q8_0": Scheme(8.5, embedding=8.5, norm=32, token=_TOKEN),
    "gguf_q4_1": Scheme(5, embedding=8.5, norm=32, token=_TOKEN),
    "gguf_q4_1_throughout": Scheme(5, embedding=5, norm=32, token=_TOKEN),
}
"""The methods of this room; an entry's name says the group where there is a choice."""


def parameters(config: Mapping[str, Any]) -> Parameters:
    """Count a Llama-type model's parameters from its config.

    Raises:
        InputError: a field is missing or no positive integer.
    """
    width, inner, layers = (
        _of(config, "hidden_size"),
        _of(config, "intermediate_size"),
        _of(config, "num_hidden_layers"),
    )
    heads, vocabulary = _of(config, "num_attention_heads"), _of(config, "vocab_size")
    kv_heads = _of(config, "num_key_value_heads") if "num_key_value_heads" in config else heads
    head = config.get("head_dim") or width // heads
    queries, keys = heads * head, kv_heads * head
    tied = bool(config.get("tie_word_embeddings", False))
    return Parameters(
        linear=layers * (2 * width * queries + 2 * width * keys + 3 * width * inner),
        rows=layers * (queries + 2 * keys + width + 2 * inner + width),
        columns=layers * (5 * width + queries + inner),
        embedding=vocabulary * width,
        head=0 if tied else vocabulary * width,
        norm=(2 * layers + 1) * width,
    )


def weights(config: Mapping[str, Any], scheme: Scheme) -> int:
    """Bytes of the weights in a scheme.

    Raises:
        InputError: as :func:`parameters`.
    """
    count = parameters(config)
    bits = (
        count.linear * scheme.linear
        + count.rows * scheme.row
        + count.columns * scheme.column
        + (count.embedding + count.head) * scheme.embedding
        + count.norm * scheme.norm
        + _of(config, "vocab_size") * scheme.token
    )
    return round(bits / 8)


def cache_per_token(config: Mapping[str, Any], *, bits: float = BF16) -> int:
    """Bytes of keys and values that one token leaves in the cache, all layers together.

    Raises:
        InputError: as :func:`parameters`.
    """
    heads = _of(config, "num_attention_heads")
    kv_heads = _of(config, "num_key_value_heads") if "num_key_value_heads" in config else heads
    head = config.get("head_dim") or _of(config, "hidden_size") // heads
    return round(2 * _of(config, "num_hidden_layers") * kv_heads * head * bits / 8)


def _of(config: Mapping[str, Any], name: str) -> int:
    value = config.get(name)
    if not isinstance(value, int) or value < 1:
        raise InputError(f"{name} is {value!r}", where="config.json", todo="Give the config of a Llama-type model.")
    return value
