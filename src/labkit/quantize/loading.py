"""Reads a folder back, whoever wrote it, as a model that transformers can run in this process.

What runs is not always what was written. bitsandbytes and torchao compute with their own kernels here, so their speed
and memory are real. GPTQ, AWQ, round-to-nearest and GGUF are *read by reference*: their weights are restored to bf16,
so what they answer is right to the last rounding while memory and speed are those of bf16. W8A8 multiplies the
integers that vLLM would multiply, slowly. :attr:`Loaded.engine` says which, so that no table shows a speed that nobody
would get. Serving engines are not known here: :mod:`labkit.quantize.serving` asks them.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import ModelError
from labkit.models import go_offline
from labkit.quantize import grid
from labkit.quantize.checkpoint import ADAPTER, load_tensor, read_config, read_record, stored
from labkit.quantize.onload import require

REFERENCE = "reference: restored to bf16"
INTEGERS = "reference: integer products in PyTorch"


@dataclass(slots=True)
class Loaded:
    """A model ready to run.

    Attributes:
        model: a transformers causal language model in ``eval()``.
        tokenizer: of the same folder.
        method: what made the folder, ``bf16`` for one nobody quantized.
        engine: whose arithmetic runs here.
    """

    model: Any
    tokenizer: Any
    method: str
    engine: str

    @property
    def own_arithmetic(self) -> bool:
        """False where it is read by reference, so that memory and speed say nothing about the method."""
        return self.engine not in (REFERENCE, INTEGERS)

    @property
    def restored(self) -> bool:
        """Whether its linear layers are ordinary ones that hold all of its weights."""
        return (self.engine == REFERENCE or self.method == "bf16") and not hasattr(self.model, "peft_config")

    @property
    def bytes(self) -> int:
        """Memory that the weights take as they are loaded, scales and tables counted, shared tensors once."""
        return sum(held(self.model).values())


def load(folder: Path) -> Loaded:
    """Load a checkpoint or anything :mod:`labkit.quantize` made of one.

    Raises:
        ModelError: a file is missing or damaged, or no reader here knows what made it.
        ConfigError: the package that made it is not installed.
    """
    go_offline()
    from peft import PeftModel
    from transformers import AutoTokenizer

    from labkit.tune.recipe import quiet

    record = read_record(folder)
    method = record.method if record else "bf16"
    reader = _READERS.get(method)
    if reader is None:
        raise ModelError(f"Nothing here reads what {method} makes", where=folder.name,
                         todo=f"There are readers for {', '.join(_READERS)}.")  # fmt: skip
    try:
        with quiet():
            model, engine = reader(folder)
            tokenizer = AutoTokenizer.from_pretrained(folder)
            if (folder / ADAPTER).is_dir():
                model = PeftModel.from_pretrained(model, folder / ADAPTER)
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise ModelError(f"The {method} folder cannot be loaded: {error}".splitlines()[0], where=folder.name,
                         todo="Quantize again.") from error  # fmt: skip
    gc.collect()
    return Loaded(model.eval(), tokenizer, method, engine)


def held(model: Any) -> dict[int, int]:
    """Address and size of every piece of memory that a model's weights, buffers and tables lie in."""
    found: dict[int, int] = {}
    for tensor in _tensors(model):
        storage = tensor.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
    return found


def _tensors(model: Any) -> Iterator[Any]:
    for module in model.modules():
        for tensor in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            yield from _plain(tensor)
            # bitsandbytes keeps scales beside the parameter, not in it.
            for extra in (getattr(tensor, "SCB", None), *_state(getattr(tensor, "quant_state", None))):
                if extra is not None:
                    yield extra


def _plain(tensor: Any) -> Iterator[Any]:
    """A tensor that owns memory, or those that a tensor of torchao is made of."""
    if hasattr(tensor, "__tensor_flatten__") and type(tensor).__module__.startswith("torchao"):
        for name in tensor.__tensor_flatten__()[0]:
            yield from _plain(getattr(tensor, name))
    else:
        yield tensor


def _state(state: Any) -> Iterator[Any]:
    if state is None:
        return
    for name in ("absmax", "code", "offset"):
        if hasattr(getattr(state, name, None), "untyped_storage"):
            yield getattr(state, name)
    yield from _state(getattr(state, "state2", None))


def _by_transformers(engine: str, package: str = "torch") -> Callable[[Path], tuple[Any, str]]:
    def read(folder: Path) -> tuple[Any, str]:
        require(package)
        import torch
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, device_map="cpu"), engine

    return read


def _bitsandbytes(folder: Path) -> tuple[Any, str]:
    # It warns at every product that bf16 is cast to fp16: some 200 lines a token.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    return _by_transformers("bitsandbytes", "bitsandbytes")(folder)


def _gguf(folder: Path) -> tuple[Any, str]:
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    from labkit.quantize.ggml import FILE

    with contextlib.redirect_stderr(io.StringIO()):  # a progress bar that no setting silences
        model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=FILE, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
    return model, REFERENCE


def _packed(folder: Path) -> tuple[Any, str]:
    tensors = {tensor.name: load_tensor(tensor) for tensor in stored(folder)}
    for name in [name for name in tensors if name.endswith(".qweight")]:
        layer = name.removesuffix(".qweight")
        parts = {part: tensors.pop(f"{layer}.{part}") for part in ("qweight", "qzeros", "scales", "g_idx")}
        tensors[f"{layer}.weight"] = grid.unpack(parts).restored()
    return with_weights(folder, tensors), REFERENCE


def _awq(folder: Path) -> tuple[Any, str]:
    tensors = {tensor.name: load_tensor(tensor) for tensor in stored(folder)}
    group = read_config(folder)["quantization_config"]["group_size"]
    for name in [name for name in tensors if name.endswith(".qweight")]:
        layer = name.removesuffix(".qweight")
        parts = {part: tensors.pop(f"{layer}.{part}") for part in ("qweight", "qzeros", "scales")}
        tensors[f"{layer}.weight"] = grid.unpack_awq(parts, group).restored()
    return with_weights(folder, tensors), REFERENCE


def _integers(folder: Path) -> tuple[Any, str]:
    from labkit.quantize.integer import attach

    return attach(folder), INTEGERS


def with_weights(folder: Path, tensors: dict[str, Any]) -> Any:
    """A bf16 model of the folder's config with these weights.

    Raises:
        ModelError: one that the model needs is missing, or one fits nowhere.
    """
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    read_config(folder)  # says what is wrong with it, if anything
    config = AutoConfig.from_pretrained(folder)
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # or transformers would look for the library that it names
    model, report = LlamaForCausalLM.from_pretrained(
        None, config=config, state_dict={name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()},
        dtype=torch.bfloat16, output_loading_info=True,
    )  # fmt: skip
    if wrong := [*report["missing_keys"], *report["unexpected_keys"], *report["mismatched_keys"]]:
        raise ModelError(f"Weights do not fit the model: {wrong[0]}", where=folder.name, todo="Quantize again.")
    return model


_READERS: dict[str, Callable[[Path], tuple[Any, str]]] = {
    "bf16": _by_transformers("PyTorch bf16"),
    "int8": _bitsandbytes,
    "nf4": _bitsandbytes,
    "torchao_int8": _by_transformers("torchao", "torchao"),
    "gptq": _packed,
    "nearest": _packed,
    "awq": _awq,
    "gguf": _gguf,
    "w8a8": _integers,
}
