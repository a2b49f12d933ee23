"""Answers prompts with a GPTQ or AWQ checkpoint that gptqmodel loads. Runs in the environment ``quantize``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any


def do(request: dict[str, Any], tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Load ``folder`` and answer ``prompts`` greedily, one after another."""
    os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")  # see gptqmodel_rounds
    import gptqmodel
    import torch
    from transformers import AutoTokenizer

    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    began = time.perf_counter()
    model = gptqmodel.GPTQModel.load(request["folder"], device=device)
    tokenizer = AutoTokenizer.from_pretrained(request["folder"])
    ready, seconds, made, texts = time.perf_counter() - began, 0.0, 0, []
    for index, prompt in enumerate(request["prompts"]):
        given = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).to(device)
        began = time.perf_counter()
        ids = model.generate(**given, max_new_tokens=request["tokens"], do_sample=False)[0]
        seconds += time.perf_counter() - began
        new = ids[given["input_ids"].shape[1] :]
        made += len(new)
        texts.append(tokenizer.decode(new, skip_special_tokens=True))
        tell(index + 1, len(request["prompts"]))
    return {"version": gptqmodel.__version__, "device": device, "texts": texts, "ready_s": ready,
            "tokens_per_s": made / seconds}  # fmt: skip
