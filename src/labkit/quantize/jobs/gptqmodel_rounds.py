"""GPTQ or AWQ by gptqmodel 7.6, on token ids it is sent. Runs in the environment ``quantize``.

What the request means is known by :mod:`labkit.quantize.calibrated`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def do(request: dict[str, Any], tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Quantize the folder ``source`` into ``out``; tell after each decoder layer."""
    # Before the import: on two cores gptqmodel makes a pool of one worker, and a task waiting for another never ends.
    os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")
    import gptqmodel
    import torch
    from gptqmodel import BACKEND, GPTQModel, QuantizeConfig

    torch.manual_seed(request["seed"])
    chosen: dict[str, Any] = {"bits": 4, "group_size": request["group"], "sym": request["symmetric"], "device": "cpu",
                              "offload_to_disk": False}  # fmt: skip
    if request["method"] == "gptq":
        chosen |= {"quant_method": "gptq", "format": "gptq", "desc_act": request["order"] == "moving",
                   "act_group_aware": request["order"] == "static"}  # fmt: skip
    else:
        chosen |= {"quant_method": "awq", "format": "gemm"}
    model = GPTQModel.load(str(Path(request["source"]).resolve()), QuantizeConfig(**chosen))
    layers = model.model.config.num_hidden_layers
    done: set[int] = set()

    class Progress:
        def layer_complete(self, *, layer_idx: int, submodule_finalized: bool) -> None:
            done.add(layer_idx)
            tell(len(done), layers)

    model.layer_callback = Progress()
    read = [{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in request["calibration"]]
    # Left to itself it packs AWQ with a kernel that asks for CUDA.
    backend = BACKEND.AUTO if request["method"] == "gptq" else BACKEND.AWQ_TORCH
    out = Path(request["out"]).resolve()
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):  # it leaves a folder logs where it stands
        model.quantize(read, batch_size=1, backend=backend)
    model.save(str(out))
    return {"gptqmodel": gptqmodel.__version__}
