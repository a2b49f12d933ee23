"""Smaller weights: one function per method, one report.

Each method takes a folder with a fine-tuned bf16 checkpoint and makes another folder; :func:`load` reads any of them.
"""

from labkit.quantize.beside import beside
from labkit.quantize.calibrated import awq, gptq
from labkit.quantize.checkpoint import Record
from labkit.quantize.ggml import gguf
from labkit.quantize.integer import w8a8
from labkit.quantize.loading import Loaded, load
from labkit.quantize.nearest import nearest
from labkit.quantize.onload import int8, nf4, torchao_int8

__all__ = [
    "Loaded", "Record", "awq", "beside", "gguf", "gptq", "int8", "load", "nearest", "nf4", "torchao_int8", "w8a8",
]  # fmt: skip
