"""Round-to-nearest in groups, stored as a GPTQ checkpoint: the naive peer that a calibrated method has to beat.

Same bits, same bytes, same readers as GPTQ; only the choice between the two neighbours of a weight differs, and here
nothing is known of what the layer is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labkit.quantize import grid
from labkit.quantize.checkpoint import Checkpoint, Record, write_config, write_record, writing


def nearest(source: Path, out: Path, *, group: int = 32) -> Record:
    """Round each linear layer to 4 bits in groups of inputs (asymmetric, half-precision scales).

    Raises:
        InputError: ``group`` does not divide a layer's inputs, or ``out`` exists.
        ModelError: the source is no checkpoint that can be quantized, or the disk is full.
    """
    import torch
    from safetensors.torch import save_file

    checkpoint = Checkpoint(source)
    checkpoint.check_group(group)
    record = Record("nearest", grid.BITS, group, "gptq", checkpoint.sha256)
    linears = set(checkpoint.linears)
    with writing(out, checkpoint, checkpoint.bytes) as scratch:
        tensors: dict[str, Any] = {}
        for name in checkpoint.tensors:
            weight = checkpoint.read(name)
            if name in linears:
                packed = grid.pack(grid.nearest(weight, group))
                tensors |= {f"{name.removesuffix('weight')}{part}": value for part, value in packed.items()}
            else:
                tensors[name] = weight.to(torch.bfloat16)
        save_file(tensors, scratch / "model.safetensors", metadata={"format": "pt"})
        write_config(scratch, checkpoint.config | {"quantization_config": layout(group)})
        write_record(scratch, record)
    return record


def layout(group: int) -> dict[str, Any]:
    """What ``config.json`` says about a GPTQ checkpoint, so that AutoGPTQ, gptqmodel and vLLM read it."""
    return {
        "quant_method": "gptq", "bits": grid.BITS, "group_size": group, "desc_act": False, "sym": False,
        "lm_head": False, "checkpoint_format": "gptq", "pack_dtype": "int32",
    }  # fmt: skip
