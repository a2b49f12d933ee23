"""W8A8 for vLLM: weights in 8-bit rows, activations rounded to 8 bits token by token while the model runs.

The folder is a compressed-tensors checkpoint (format ``int-quantized``): of each linear layer an int8 matrix and one
scale for each output; the rest stays bf16. Scales are the largest absolute weight over 127, without calibration. How
fast integer products are is the engine's matter; the products here are exact and slow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labkit.quantize.checkpoint import (
    Checkpoint,
    Record,
    load_tensor,
    stored,
    write_config,
    write_record,
    writing,
)

_LEVELS = 127


def w8a8(source: Path, out: Path) -> Record:
    """Write a compressed-tensors checkpoint with 8-bit weights and dynamic 8-bit activations.

    Source: the compressed-tensors documentation and vLLM's *INT8 W8A8* page; rounding by token as in Z. Yao et al.,
    *ZeroQuant*, NeurIPS 2022.

    Raises:
        ModelError: the source is no checkpoint that can be quantized, or the disk is full.
        InputError: ``out`` exists.
    """
    import torch
    from safetensors.torch import save_file

    checkpoint = Checkpoint(source)
    record = Record("w8a8", 8, 0, "compressed-tensors", checkpoint.sha256, {"activations": "8 bits, token by token"})
    linears = set(checkpoint.linears)
    with writing(out, checkpoint, checkpoint.bytes) as scratch:
        tensors: dict[str, Any] = {}
        for name in checkpoint.tensors:
            weight = checkpoint.read(name)
            if name in linears:
                tensors[name], scales = rounded(weight)
                tensors[f"{name}_scale"] = scales.to(torch.bfloat16)
            else:
                tensors[name] = weight.to(torch.bfloat16)
        save_file(tensors, scratch / "model.safetensors", metadata={"format": "pt"})
        write_config(scratch, checkpoint.config | {"quantization_config": _config()})
        write_record(scratch, record)
    return record


def rounded(values: Any) -> tuple[Any, Any]:
    """int8 rows (n, m) and their scales (n, 1), which are what bf16 can hold, so that nothing is rounded twice."""
    import torch

    scales = (values.abs().amax(-1, keepdim=True).float() / _LEVELS).clamp(min=1e-12).to(torch.bfloat16).float()
    return (values.float() / scales).round().clamp(-_LEVELS - 1, _LEVELS).to(torch.int8), scales


def attach(folder: Path) -> Any:
    """The folder as a transformers model whose linear layers multiply integers.

    Raises:
        ModelError: the weights do not fit the config.
    """
    import torch

    from labkit.quantize.loading import with_weights

    tensors = {tensor.name: load_tensor(tensor) for tensor in stored(folder)}
    scales = {name: tensors.pop(f"{name}_scale") for name in list(tensors) if f"{name}_scale" in tensors}
    model = with_weights(folder, tensors)  # integers up to 127 are exact in bf16
    for name, scale in scales.items():
        place, _, last = name.removesuffix(".weight").rpartition(".")
        layer = _layer()(tensors[name].to(torch.int8), scale)
        setattr(model.get_submodule(place), last, layer)
    return model


def _layer() -> Any:
    import torch

    class IntegerLinear(torch.nn.Module):  # type: ignore[misc]
        """A linear layer with int8 weights (outputs, inputs) that rounds what it is given token by token."""

        def __init__(self, weight: Any, scale: Any) -> None:
            super().__init__()
            self.register_buffer("weight", weight)
            self.register_buffer("scale", scale)

        def forward(self, given: Any) -> Any:
            tokens = given.reshape(-1, given.shape[-1])
            codes, steps = rounded(tokens)
            products = torch._int_mm(codes, self.weight.T)
            made = products.float() * steps * self.scale.float().T
            return made.to(given.dtype).reshape(*given.shape[:-1], -1)

    return IntegerLinear


def _config() -> dict[str, Any]:
    shared = {"num_bits": 8, "type": "int", "symmetric": True, "group_size": None, "block_structure": None,
              "actorder": None}  # fmt: skip
    return {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "quantization_status": "compressed",
        "global_compression_ratio": None,
        "kv_cache_scheme": None,
        "ignore": ["lm_head"],
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {**shared, "strategy": "channel", "dynamic": False, "observer": "minmax"},
                "input_activations": {**shared, "strategy": "token", "dynamic": True, "observer": None},
                "output_activations": None,
            }
        },
    }
