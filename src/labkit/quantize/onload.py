"""Methods that transformers applies while it loads a model: bitsandbytes INT8 and NF4, torchao INT8.

They look at no data and take seconds. Embeddings stay in bf16, which a small model notices: they are a fifth of
SmolLM2-135M. The arithmetic of each is its library's; nothing here knows it.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from labkit.errors import ConfigError
from labkit.models import go_offline
from labkit.quantize.checkpoint import Checkpoint, Record, write_record, writing


def int8(source: Path, out: Path) -> Record:
    """8-bit rows with columns of outliers kept in 16 (LLM.int8()), by bitsandbytes.

    Source: T. Dettmers et al., *LLM.int8(): 8-bit matrix multiplication for transformers at scale*, NeurIPS 2022.

    Raises:
        ModelError: the source is no checkpoint that can be quantized, or the disk is full.
        InputError: ``out`` exists.
        ConfigError: bitsandbytes is not installed.
    """
    require("bitsandbytes")
    from transformers import BitsAndBytesConfig

    return _saved(source, out, BitsAndBytesConfig(load_in_8bit=True), "int8", bits=8, group=0, engine="bitsandbytes")


def nf4(source: Path, out: Path) -> Record:
    """The 4-bit type of QLoRA: 16 quantiles of a normal distribution, blocks of 64 with scales in 8 bits themselves.

    Source: T. Dettmers et al., *QLoRA: efficient finetuning of quantized LLMs*, NeurIPS 2023.

    Raises:
        ModelError, InputError, ConfigError: as :func:`int8`.
    """
    require("bitsandbytes")
    import torch
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_use_double_quant=True,
    )  # fmt: skip
    return _saved(source, out, config, "nf4", bits=4, group=64, engine="bitsandbytes")


def torchao_int8(source: Path, out: Path) -> Record:
    """8-bit rows, activations left alone (weight only), by torchao.

    Raises:
        ModelError, InputError: as :func:`int8`.
        ConfigError: torchao is not installed.
    """
    require("torchao")
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    config = TorchAoConfig(Int8WeightOnlyConfig(version=2))
    return _saved(source, out, config, "torchao_int8", bits=8, group=0, engine="torchao")


def _saved(source: Path, out: Path, config: Any, method: str, *, bits: int, group: int, engine: str) -> Record:
    checkpoint = Checkpoint(source)
    go_offline()
    import torch
    from transformers import AutoModelForCausalLM

    from labkit.tune.recipe import quiet

    with writing(out, checkpoint, checkpoint.bytes) as scratch, quiet():
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=torch.bfloat16, quantization_config=config, device_map="cpu"
        )
        model.save_pretrained(scratch)
        record = Record(method, bits, group, engine, checkpoint.sha256)
        write_record(scratch, record)
    return record


def require(package: str) -> None:
    """Refuse what needs a package that is not there.

    Raises:
        ConfigError: it is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"{package} is not installed", todo="Install the lab environment with `make env`.")
