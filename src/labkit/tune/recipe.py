"""How an adapter is trained: the numbers, in one place, and the model they are applied to.

The default is QLoRA (Dettmers et al. 2023): the base in 4-bit NF4, frozen; low-rank changes (LoRA: Hu et al. 2021) on
every linear layer of the upper two thirds of the model. Below them nothing is learned, so there is no way back through
them and none of their activations to keep. Full fine-tuning and LoRA on the unquantized base are the same code with
another ``method``.

It knows models and not what they are trained on.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from labkit.errors import ConfigError, InputError

Method = Literal["full", "lora", "qlora"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h

_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of a training run.

    Attributes:
        method: what is trained: all weights, low-rank changes, or those over a 4-bit base.
        rank: columns of the low-rank changes.
        alpha: their scale is alpha / rank.
        from_layer: the first layer that is changed (LoRA only).
        rate: peak learning rate; cosine to zero, with a warm-up of a twentieth of the steps.
        batch: conversations in a step.
        epochs: passes over the data.
        steps: ends earlier; 0 for no limit.
        longest: conversations of more tokens are left out.
        seed: of order and initial weights.
    """

    method: Method = "qlora"
    rank: int = 6
    alpha: int = 24
    from_layer: int = 10
    rate: float = 2e-3
    batch: int = 8
    epochs: float = 1.0
    steps: int = 0
    longest: int = 768
    seed: int = 6

    def __post_init__(self) -> None:
        for name in ("rank", "alpha", "batch", "longest"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}", where="Recipe", todo="Give at least 1.")
        if not 0 < self.rate < 1 or self.epochs <= 0:
            raise InputError("The learning rate lies between 0 and 1, epochs above 0", where="Recipe")


def trainable(folder: Path, recipe: Recipe, device: str = "cpu", start: Path | None = None) -> Any:
    """The model of a folder, made ready to be trained by a recipe.

    Args:
        folder: a checkpoint with safetensors and ``config.json``.
        recipe: how it is to be trained.
        device: ``cpu`` or ``cuda``.
        start: an adapter to go on from, of the recipe's rank and layers; None starts with one that changes nothing.

    Returns:
        A transformers model for ``full``, else a PEFT model around one.

    Raises:
        ConfigError: ``from_layer`` leaves nothing to train.
    """
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(recipe.seed)  # LoRA's left matrices start at random
    dtype = compute_dtype(device)
    with quiet():
        quantization = _nf4(dtype) if recipe.method == "qlora" else None
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, quantization_config=quantization)
    if device != "cpu" and quantization is None:
        model = model.to(device)
    model.config.use_cache = False
    if recipe.method == "full":
        return model
    if recipe.method == "qlora":
        keep_gradients_true(model)
    if start is not None:
        return PeftModel.from_pretrained(model, start, is_trainable=True)
    layers = model.config.num_hidden_layers
    if not 0 <= recipe.from_layer < layers:
        raise ConfigError(f"from_layer is {recipe.from_layer}, the model has {layers} layers", where="Recipe")
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        target_modules=list(_LINEAR),
        layers_to_transform=list(range(recipe.from_layer, layers)),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def keep_gradients_true(model: Any) -> None:
    """Keep bitsandbytes from repacking 4-bit weights for a fast forward pass that has no way back.

    On CPUs with AVX512-BF16 the first forward pass in evaluation mode repacks them, and every gradient after it is
    wrong without an error (measured: cosine 0.1 with the true one). Call before any forward pass.
    """
    import bitsandbytes

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def keep_memory() -> None:
    """Tell glibc to keep freed memory, for the rest of the process; elsewhere nothing happens.

    A training step frees and takes back the same gigabytes; given to the kernel in between, every page is zeroed and
    mapped anew (measured: 185,000 page faults a second, a quarter of all CPU time).
    """
    import ctypes
    import sys

    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # musl has none
        for option, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1)):
            libc.mallopt(option, value)


def compute_dtype(device: str) -> torch.dtype:
    """What is computed in: bfloat16 where the hardware multiplies it fast (CUDA, AMX), else float32.

    AVX512-BF16 alone does not count: on such a machine bfloat16 products took 1.9 times as long as float32 ones.
    """
    fast = device != "cpu" or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def shares(model: Any) -> tuple[int, int]:
    """How many parameters are trained and how many there are; a 4-bit parameter counts once."""
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(_count(p) for p in model.parameters())
    return trained, total


def _count(parameter: Any) -> int:
    state = getattr(parameter, "quant_state", None)
    return int(state.shape.numel()) if state is not None else int(parameter.numel())


def _nf4(dtype: torch.dtype) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of loading, nor bitsandbytes' word on a kernel package that CPUs can do without."""
    import logging

    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    noisy = logging.getLogger("bitsandbytes.backends.cpu.ops")
    before = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="bitsandbytes")
            yield
    finally:
        noisy.setLevel(before)
        transformers_logging.enable_progress_bar()
