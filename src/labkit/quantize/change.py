"""How much of what fine-tuning changed is still there after rounding.

An adapter moves a weight by far less than a step of a 4-bit grid. If the base lay on that grid, rounding moves the
weight back: the folder holds the base again and its perplexity looks well, while what was learned is gone. The figure
here sees that; whether the answers suffer is for the task score to say.
"""

from __future__ import annotations

from pathlib import Path

from labkit.errors import InputError
from labkit.quantize.checkpoint import Checkpoint
from labkit.quantize.loading import Loaded


def change_kept(base: Path, tuned: Path, loaded: Loaded) -> float:
    """The part of the change in the linear layers' weights that a quantized model kept: 1 all, 0 none.

    The projection of (quantized - base) on (tuned - base). Rounding that knows nothing of the base adds noise to all
    directions alike and leaves it near 1.

    Args:
        base: the checkpoint before fine-tuning.
        tuned: the checkpoint that was quantized.
        loaded: what came of it, read by reference (its weights are restored).

    Raises:
        InputError: fine-tuning changed nothing, or the weights of ``loaded`` are not restored ones.
        ModelError: a checkpoint cannot be read.
    """
    if not loaded.restored:
        raise InputError(f"The weights of {loaded.method} are not restored when they are loaded",
                         todo="Compare folders that are read by reference.")  # fmt: skip
    before, after = Checkpoint(base), Checkpoint(tuned)
    kept = whole = 0.0
    for name in after.linears:
        start = before.read(name)
        change = after.read(name) - start
        kept += float((change * (loaded.model.get_parameter(name).detach().float() - start)).sum())
        whole += float(change.square().sum())
    if whole == 0.0:
        raise InputError("The two checkpoints have the same weights", where=tuned.name,
                         todo="Name the base and the fine-tuned checkpoint.")  # fmt: skip
    return kept / whole
