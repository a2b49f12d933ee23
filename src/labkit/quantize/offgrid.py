"""The same model on no grid: a control for weights that somebody rounded to 4 bits before.

SmolLM2-135M is packaged as Q4_1, so its bf16 checkpoint holds sixteen values for each block of 32 weights, and an
adapter merged into it moves them little. Rounding such a model to Q4_1 again finds its own grid and looks free. Here
every input of every linear layer is scaled by a random factor and what produces that input by its inverse: the
normalisation before it, the value rows before the output projection, the up rows before the down projection. The model
computes the same up to rounding in bf16, tensors keep their shapes and nearly their spread, and neighbours in a block
no longer share a grid. What a method costs here is what it costs a model that was never rounded. Whether the control
is fair shows in methods whose levels were not the packaged ones (NF4): they cost about the same before and after.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from labkit.errors import ModelError
from labkit.quantize.checkpoint import Checkpoint, write_config, writing

SPREAD = 1.4
"""Factors lie between 1 / SPREAD and SPREAD, evenly in their logarithm."""

_READS = {"self_attn": ("q_proj", "k_proj", "v_proj"), "mlp": ("gate_proj", "up_proj")}
_NORMS = {"self_attn": "input_layernorm", "mlp": "post_attention_layernorm"}


def off_grid(source: Path, out: Path, *, seed: int = 0) -> None:
    """Write the model with random factors moved between its tensors, as a plain bf16 checkpoint.

    Source: the per-channel scaling of SmoothQuant (G. Xiao et al., ICML 2023) and AWQ, with random factors.

    Args:
        source: a Llama-type checkpoint without biases.
        out: folder to make.
        seed: of the factors.

    Raises:
        ModelError: the source is no such checkpoint, or the disk is full.
        InputError: ``out`` exists.
    """
    import torch
    from safetensors.torch import save_file

    checkpoint = Checkpoint(source)
    if any(name.endswith(".bias") for name in checkpoint.tensors):
        raise ModelError("The model has biases", where=source.name, todo="Use one without, such as SmolLM2.")
    made = torch.Generator().manual_seed(seed)
    with writing(out, checkpoint, checkpoint.bytes) as scratch:
        tensors = {name: checkpoint.read(name) for name in checkpoint.tensors}
        for layer in range(checkpoint.config["num_hidden_layers"]):
            _move(tensors, f"model.layers.{layer}", checkpoint.config, made)
        rounded = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()}
        save_file(rounded, scratch / "model.safetensors", metadata={"format": "pt"})
        write_config(scratch, checkpoint.config)


def _move(tensors: dict[str, Any], layer: str, config: dict[str, Any], made: Any) -> None:
    for part, names in _READS.items():
        norm = f"{layer}.{_NORMS[part]}.weight"
        factors = _factors(tensors[norm].shape[0], made)
        tensors[norm] /= factors
        for name in names:
            tensors[f"{layer}.{part}.{name}.weight"] *= factors
    values, output = f"{layer}.self_attn.v_proj.weight", f"{layer}.self_attn.o_proj.weight"
    factors = _factors(tensors[values].shape[0], made)
    tensors[values] /= factors[:, None]
    # Query heads that share a value head read the same rows.
    shared = config["num_attention_heads"] // config["num_key_value_heads"]
    heads = factors.reshape(config["num_key_value_heads"], 1, -1).expand(-1, shared, -1)
    tensors[output] *= heads.reshape(-1)
    up, down = f"{layer}.mlp.up_proj.weight", f"{layer}.mlp.down_proj.weight"
    factors = _factors(tensors[up].shape[0], made)
    tensors[up] /= factors[:, None]
    tensors[down] *= factors


def _factors(count: int, made: Any) -> Any:
    import torch

    return torch.exp((2 * torch.rand(count, generator=made) - 1) * math.log(SPREAD))
