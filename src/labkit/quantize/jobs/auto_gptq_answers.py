"""Answers prompts with a GPTQ checkpoint that auto_gptq itself loads. Runs in the environment ``legacy``.

auto-gptq 0.7.1 is archived. It quantizes on CUDA only; without CUDA it reads a checkpoint and multiplies in plain
PyTorch. Where even that fails, what it read and why it stopped is the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import metadata
from typing import Any


def do(request: dict[str, Any], tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Load ``folder``, say what was read, and answer ``prompts`` greedily as far as that goes."""
    import torch
    from auto_gptq import AutoGPTQForCausalLM, BaseQuantizeConfig
    from transformers import PreTrainedTokenizerFast

    config = BaseQuantizeConfig.from_pretrained(request["folder"])
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    began = time.perf_counter()
    model = AutoGPTQForCausalLM.from_quantized(
        request["folder"], device=device, use_safetensors=True, inject_fused_attention=False, inject_fused_mlp=False,
        disable_exllama=device == "cpu", disable_exllamav2=device == "cpu", torch_dtype=torch.float32,
    )  # fmt: skip
    quantized = sum(hasattr(module, "qweight") for module in model.modules())
    found: dict[str, Any] = {
        "version": metadata.version("auto-gptq"), "device": device, "texts": [], "tokens_per_s": None,
        "ready_s": time.perf_counter() - began,
        "note": f"read {quantized} layers of {config.bits} bits in groups of {config.group_size}",
    }  # fmt: skip
    # By its file: the class that transformers 5 names in the configuration does not exist in the one here.
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{request['folder']}/tokenizer.json")
    began, made = time.perf_counter(), 0
    try:
        for index, prompt in enumerate(request["prompts"]):
            given = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"].to(device)
            ids = model.generate(input_ids=given, max_new_tokens=request["tokens"], do_sample=False)[0]
            new = ids[given.shape[1] :]
            made += len(new)
            found["texts"].append(tokenizer.decode(new, skip_special_tokens=True))
            tell(index + 1, len(request["prompts"]))
        found["tokens_per_s"] = made / (time.perf_counter() - began)
    except (RuntimeError, NotImplementedError, NameError) as error:  # a kernel that exists on CUDA only
        if device != "cpu":
            raise
        found["note"] += f"; running it needs CUDA ({type(error).__name__}: {error})"[:200]
    return found
