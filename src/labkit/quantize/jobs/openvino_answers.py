"""Answers prompts with a GGUF file that OpenVINO GenAI reads. Runs in the lab's environment."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def do(request: dict[str, Any], tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Load the GGUF file in ``folder`` and answer ``prompts`` greedily, one after another."""
    import openvino_genai

    began = time.perf_counter()
    model = openvino_genai.LLMPipeline(str(next(Path(request["folder"]).glob("*.gguf"))), "CPU")
    ready = time.perf_counter() - began
    seconds, made, texts = 0.0, 0, []
    for index, prompt in enumerate(request["prompts"]):
        began = time.perf_counter()
        reply = model.generate([prompt], max_new_tokens=request["tokens"], do_sample=False, apply_chat_template=False)
        seconds += time.perf_counter() - began
        made += reply.perf_metrics.get_num_generated_tokens()
        texts.append(reply.texts[0])
        tell(index + 1, len(request["prompts"]))
    return {"version": openvino_genai.__version__, "device": "cpu", "texts": texts, "ready_s": ready,
            "tokens_per_s": made / seconds}  # fmt: skip
