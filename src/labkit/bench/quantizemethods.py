"""The rows of the benchmark of quantization: names, and what makes the folder of each.

AWQ is not among them: it takes too long for a benchmark (:func:`labkit.quantize.awq`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from labkit.bench.quantizetexts import Texts
from labkit.quantize import Record, beside, calculator, gguf, gptq, int8, nearest, nf4, sensitivity, torchao_int8, w8a8
from labkit.quantize.checkpoint import Checkpoint, weight_bytes

Make = Callable[[Path, Path], Record]

SIZE_4 = 0.45
"""Largest size beside bf16 at which a method counts as one of 4 bits."""


def methods(read: Texts, source: Path, home: Path, seed: int) -> dict[str, Make]:
    """Row name to what makes its folder from the fine-tuned model."""
    found: dict[str, Make] = {
        "int8": int8,
        "torchao_int8": torchao_int8,
        "w8a8": w8a8,
        "gguf_q8_0": lambda a, b: gguf(a, b, weights="Q8_0"),
        "nf4": nf4,
        "nearest_g32": lambda a, b: nearest(a, b, group=32),
        "gguf_q4_1": _q4_1,
        "gguf_q4_1_throughout": lambda a, b: gguf(a, b, weights="Q4_1", embeddings="Q4_1"),
        "gguf_mixed": lambda a, b: gguf(a, b, weights="Q4_1", keep=sensitive(a, read.scan, home)),
        "gptq_g32": lambda a, b: gptq(a, b, read.calibration["in_domain"], group=32, seed=seed),
        "gptq_g64": lambda a, b: gptq(a, b, read.calibration["in_domain"], group=64, seed=seed),
    }
    if "generic" in read.calibration:
        found["gptq_g32_generic"] = lambda a, b: gptq(a, b, read.calibration["generic"], group=32, seed=seed)
    return found


def beside_methods(adapter: Path) -> dict[str, Make]:
    """The same for the base with the adapter beside it: the change is kept whole, the base is rounded."""
    return {
        "nf4_beside": lambda a, b: beside(nf4, a, adapter, b),
        "gguf_q4_1_beside": lambda a, b: beside(_q4_1, a, adapter, b),
    }  # fmt: skip


def control_methods(read: Texts, home: Path) -> dict[str, Make]:
    """The same for the model without a grid: 4-bit methods that take seconds, and the mixture."""
    return {
        "off_grid_nf4": nf4,
        "off_grid_nearest_g32": lambda a, b: nearest(a, b, group=32),
        "off_grid_gguf_q4_1": _q4_1,
        "off_grid_gguf_mixed": lambda a, b: gguf(a, b, weights="Q4_1", keep=sensitive(a, read.scan, home)),
    }


def sensitive(source: Path, read: Sequence[str], home: Path) -> list[str]:
    """The layers that 8 bits are spent on, as far as :data:`SIZE_4` allows; what a scan found is kept."""
    checkpoint = Checkpoint(source)
    kept = home / f"sensitivity-{checkpoint.sha256[:12]}.json"
    if kept.is_file():
        costs = [sensitivity.Cost(*row) for row in json.loads(kept.read_text(encoding="utf-8"))]
    else:
        costs = sensitivity.scan(source, read)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps([(c.name, c.divergence, c.more_bytes) for c in costs]), encoding="utf-8")
    at_4_bits = calculator.weights(checkpoint.config, calculator.SCHEMES["gguf_q4_1"])
    # What a file holds beside its weights is known to 0.1 %.
    return sensitivity.choose(costs, int(SIZE_4 * weight_bytes(source) - 1.002 * at_4_bits))


def _q4_1(source: Path, out: Path) -> Record:
    return gguf(source, out, weights="Q4_1")
