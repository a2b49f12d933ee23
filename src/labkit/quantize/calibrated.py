"""GPTQ and AWQ: methods that look at what the layers are given before they round.

Both are gptqmodel's, which runs in an environment of its own (:mod:`labkit.quantize.job`). This end checks what can be
checked in a second, turns texts into tokens with the model's own tokenizer, and sees to it that the folder appears
only when it is whole. Which texts to calibrate with is a question for measurement, not for this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from labkit.errors import InputError
from labkit.quantize import job
from labkit.quantize.checkpoint import Checkpoint, Record, write_record, writing

Order = Literal["static", "moving", "none"]

WINDOW = 512
"""Tokens that the model reads at a time during calibration."""

_SHORTEST = 16  # gptqmodel leaves shorter ones out, with a warning in a log that nobody reads
_SCRIPT = "gptqmodel_rounds"


def gptq(
    source: Path, out: Path, texts: Sequence[str], *, group: int = 32, order: Order = "static", symmetric: bool = True,
    seed: int = 0, timeout_s: float = 3600.0, progress: job.Progress | None = None,
) -> Record:  # fmt: skip
    """Round one input after another to 4 bits and let the inputs not yet rounded make up for the error.

    Source: E. Frantar et al., *GPTQ: accurate post-training quantization for generative pre-trained transformers*,
    ICLR 2023.

    Args:
        source: the fine-tuned checkpoint.
        out: folder to make: the layout AutoGPTQ, gptqmodel, transformers and vLLM read.
        texts: what the model reads during calibration, cut into windows of :data:`WINDOW` tokens.
        group: inputs that share a scale.
        order: which inputs are rounded first. ``static``: those with the largest activations, groups as they are
            stored (gptqmodel's group-aware reordering); ``moving``: the same with groups along that order
            (``desc_act``), which AutoGPTQ reads and vLLM 0.32 no longer does; ``none``: as they are stored.
        symmetric: no zero points; vLLM reads nothing else.
        seed: for the library's random choices.
        timeout_s: seconds after which the job is ended.
        progress: told after each decoder layer.

    Raises:
        InputError: ``group`` does not divide a layer's inputs, there is no text, or ``out`` exists.
        ConfigError: the environment ``quantize`` is not built.
        ModelError: the source cannot be quantized, the job failed, or the disk is full.
        DeadlineExceeded: it took longer than ``timeout_s``.
    """
    chosen = {"method": "gptq", "order": order, "symmetric": symmetric}
    return _job(source, out, texts, group, chosen, seed, timeout_s, progress)


def awq(
    source: Path, out: Path, texts: Sequence[str], *, group: int = 32, seed: int = 0, timeout_s: float = 7200.0,
    progress: job.Progress | None = None,
) -> Record:  # fmt: skip
    """Scale up the inputs with large activations before rounding to 4 bits, and scale down what produces them.

    Takes about ten times as long as :func:`gptq`. Source: J. Lin et al., *AWQ: activation-aware weight quantization*,
    MLSys 2024.

    Raises:
        InputError, ConfigError, ModelError, DeadlineExceeded: as :func:`gptq`.
    """
    return _job(source, out, texts, group, {"method": "awq", "symmetric": False}, seed, timeout_s, progress)


def _job(
    source: Path, out: Path, texts: Sequence[str], group: int, chosen: dict[str, Any], seed: int, timeout_s: float,
    progress: job.Progress | None,
) -> Record:  # fmt: skip
    checkpoint = Checkpoint(source)
    checkpoint.check_group(group)
    python = job.python_of("quantize")
    read = windows(checkpoint, texts)
    with writing(out, checkpoint, checkpoint.bytes) as scratch:
        request = chosen | {
            "source": str(source.resolve()), "out": str(scratch.resolve()), "group": group, "seed": seed,
            "calibration": read,
        }  # fmt: skip
        log = out.parent / f"{out.name}.log"
        found = job.run(python, _SCRIPT, request, log=log, timeout_s=timeout_s, progress=progress)
        details = {key: chosen[key] for key in ("order", "symmetric") if key in chosen} | {
            "calibration_windows": len(read), "calibration_tokens": sum(map(len, read)),
            "gptqmodel": found["gptqmodel"],
        }  # fmt: skip
        record = Record(chosen["method"], 4, group, "gptqmodel", checkpoint.sha256, details)
        write_record(scratch, record)
    return record


def windows(checkpoint: Checkpoint, texts: Sequence[str]) -> list[list[int]]:
    """Texts as token ids, at most :data:`WINDOW` at a time; pieces too short to calibrate with are left out.

    Raises:
        InputError: nothing is left.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(checkpoint.folder / "tokenizer.json"))
    found = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        found += [ids[start : start + WINDOW] for start in range(0, len(ids), WINDOW)]
    found = [ids for ids in found if len(ids) >= _SHORTEST]
    if not found:
        raise InputError("There is no text to calibrate with", where=checkpoint.folder.name,
                         todo=f"Give texts of at least {_SHORTEST} tokens.")  # fmt: skip
    return found
