"""A quantized base with its adapter beside it in 16 bits, instead of a merged model that is rounded.

Merging first and rounding afterwards can undo an adapter (:mod:`labkit.quantize.change`): its change is a fraction of
a step. Rounding the base and leaving the adapter apart costs a percent more bytes and keeps the change whole; it is
how QLoRA trains, and how one base serves several tasks. The base pays whatever its rounding costs. Which adapter
belongs to which base is for the caller to check (:func:`labkit.llm.lora.read_lora`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from labkit.errors import InputError, ModelError
from labkit.models import file_sha256
from labkit.quantize.checkpoint import ADAPTER, Record, write_record

_FILES = ("adapter_config.json", "adapter_model.safetensors")


def beside(make: Callable[[Path, Path], Record], base: Path, adapter: Path, out: Path) -> Record:
    """Quantize a base and put an adapter into the same folder.

    Args:
        make: a method of this room, with whatever it needs bound: ``lambda a, b: gguf(a, b, weights="Q4_1")``.
        base: the bf16 checkpoint that the adapter was trained on.
        adapter: folder of a PEFT adapter.
        out: folder to make; the adapter is in its sub-folder ``adapter``.

    Raises:
        InputError: ``out`` exists.
        ModelError: the adapter lacks a file, or whatever ``make`` raises.
    """
    if missing := [name for name in _FILES if not (adapter / name).is_file()]:
        raise ModelError(f"The adapter lacks {missing[0]}", where=adapter.name, todo="Name a folder that peft wrote.")
    if out.exists():
        raise InputError("The folder is there already", where=out.name, todo="Name another one or remove it.")
    begun = out.with_name(f".{out.name}-begun")
    shutil.rmtree(begun, ignore_errors=True)
    try:
        record = make(base, begun)
        (begun / ADAPTER).mkdir()
        for name in _FILES:
            shutil.copy2(adapter / name, begun / ADAPTER / name)
        record = replace(record, details=record.details | {"adapter_sha256": file_sha256(adapter / _FILES[1])})
        write_record(begun, record)
        begun.rename(out)
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    return record
