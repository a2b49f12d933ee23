"""Reads safetensors files into NumPy. It does not know which model they belong to.

Format: https://huggingface.co/docs/safetensors, "Format".
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labkit.errors import ModelError

Array = NDArray[np.float32]


def read_safetensors(folder: Path) -> dict[str, Array]:
    """All tensors of a folder's safetensors files, as float32.

    Raises:
        ModelError: a file is damaged or holds a type that is not a float.
    """
    tensors: dict[str, Array] = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors |= read_tensors(path)
    return tensors


def read_tensors(path: Path) -> dict[str, Array]:
    """All tensors of one safetensors file, as float32.

    bfloat16 is widened here because NumPy has no such type: its 16 bits are the upper half of a float32.

    Raises:
        ModelError: the file is damaged or holds a type that is not a float.
    """
    where = f"{path.parent.name}/{path.name}"
    tensors: dict[str, Array] = {}
    try:
        raw = np.memmap(path, dtype=np.uint8, mode="r")
        (size,) = struct.unpack("<Q", raw[:8].tobytes())
        header = json.loads(raw[8 : 8 + size].tobytes())
        for name, info in header.items():
            if name == "__metadata__":
                continue
            begin, end = info["data_offsets"]
            data = raw[8 + size + begin : 8 + size + end]
            if len(data) != end - begin:
                raise ModelError("Truncated safetensors file", where=where)
            tensors[name] = _as_float32(data, info["dtype"], name).reshape(info["shape"])
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError("Damaged safetensors file", where=where, todo="Copy or save it again.") from error
    return tensors


def _as_float32(data: NDArray[np.uint8], dtype: str, name: str) -> Array:
    match dtype:
        case "F32":
            return data.view(np.float32)
        case "F16":
            return data.view(np.float16).astype(np.float32)
        case "BF16":
            wide = data.view(np.uint16).astype(np.uint32)
            wide <<= 16
            return wide.view(np.float32)
        case "I64":  # position ids that old BERT checkpoints carry
            return data.view(np.int64).astype(np.float32)
    raise ModelError(f"Tensor {name} has type {dtype}", todo="Save the model as bf16, fp16 or fp32.")
