"""Answers prompts with whatever vLLM makes of a folder's ``config.json``. Runs in a ``serve-…`` environment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def do(request: dict[str, Any], tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Load ``folder`` and answer ``prompts`` greedily, one after another."""
    import vllm
    from vllm.platforms import current_platform

    began = time.perf_counter()
    model = vllm.LLM(
        model=request["folder"], dtype="bfloat16", max_model_len=1024, max_num_seqs=4, enforce_eager=True, seed=0
    )
    ready = time.perf_counter() - began
    greedy = vllm.SamplingParams(temperature=0.0, max_tokens=request["tokens"])
    seconds, made, texts = 0.0, 0, []
    for index, prompt in enumerate(request["prompts"]):
        began = time.perf_counter()
        reply = model.generate([prompt], greedy, use_tqdm=False)[0].outputs[0]
        seconds += time.perf_counter() - began
        made += len(reply.token_ids)
        texts.append(reply.text)
        tell(index + 1, len(request["prompts"]))
    return {"version": vllm.__version__, "device": current_platform.device_type, "texts": texts, "ready_s": ready,
            "tokens_per_s": made / seconds}  # fmt: skip
