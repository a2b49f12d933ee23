"""A model folder as quantization sees it: read tensor by tensor, and written so that half of one is never seen.

A source is what `save_pretrained` writes for a Llama-type model: ``config.json``, ``*.safetensors``, a tokenizer. What
a method makes of it is a folder with the same tokenizer and :data:`RECORD` beside the weights, which says what was
done. This module does not know how anything is rounded.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError

from labkit.errors import InputError, ModelError
from labkit.models import file_sha256

RECORD = "quantized.json"
"""Written into every folder that a method here makes."""

ADAPTER = "adapter"
"""Sub-folder with an adapter that belongs to the weights, if there is one."""

Kind = Literal["embedding", "attention", "mlp", "norm", "head", "bias"]

_LINEAR = re.compile(r"model\.layers\.\d+\.(self_attn|mlp)\.(?:q|k|v|o|gate|up|down)_proj\.weight")
_BESIDE = ("*.json", "*.jinja", "*.model", "*.txt")  # tokenizer and generation settings
_WEIGHTS = ("*.safetensors", "*.gguf")
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
          "F8_E4M3": 1, "F8_E5M2": 1}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """One stored tensor: its name, shape, stored type as safetensors names it, and file."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: Path

    @property
    def count(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Its size on disk."""
        return self.count * _BYTES[self.dtype]


@dataclass(frozen=True, slots=True)
class Record:
    """What made a quantized folder.

    Attributes:
        method: name of the function, e.g. ``gptq``.
        bits: of most weights.
        group: weights that share a scale; 0 where a whole row does.
        engine: what the folder is written for.
        source_sha256: of the weights it was made from.
        details: whatever else was chosen or seen: act-order, calibration texts and tokens, layers kept at 8 bits.
    """

    method: str
    bits: int
    group: int
    engine: str
    source_sha256: str
    details: dict[str, Any] = field(default_factory=dict)


class Checkpoint:
    """A Llama-type model in full or half precision.

    Args:
        folder: where it lies.

    Raises:
        ModelError: something is missing, it is of another architecture, or it is quantized already.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = read_config(folder)
        if not (folder / "tokenizer.json").is_file():
            raise ModelError("tokenizer.json is missing", where=folder.name,
                             todo="Save model and tokenizer into one folder.")  # fmt: skip
        if "LlamaForCausalLM" not in self.config.get("architectures", ()):
            raise ModelError(f"The model is a {self.config.get('architectures')}", where=folder.name,
                             todo="Quantization here knows LlamaForCausalLM.")  # fmt: skip
        if "quantization_config" in self.config or (folder / RECORD).is_file():
            raise ModelError("The model is quantized already", where=folder.name,
                             todo="Start from the checkpoint that was fine-tuned, in bf16.")  # fmt: skip
        self.tensors = {tensor.name: tensor for tensor in stored(folder)}
        if not self.tensors:
            raise ModelError("There are no *.safetensors", where=folder.name, todo="Save it with save_pretrained().")
        odd = {tensor.dtype for tensor in self.tensors.values()} - {"BF16", "F16", "F32"}
        if odd:
            raise ModelError(f"Weights are stored as {', '.join(sorted(odd))}", where=folder.name,
                             todo="Start from bf16, fp16 or fp32.")  # fmt: skip

    @property
    def linears(self) -> list[str]:
        """Names of the weights of the decoder's linear layers, in the order of the layers."""
        return sorted((name for name in self.tensors if _LINEAR.fullmatch(name)), key=natural)

    @property
    def bytes(self) -> int:
        """Size of all tensors on disk."""
        return sum(tensor.bytes for tensor in self.tensors.values())

    @cached_property
    def sha256(self) -> str:
        """Of the weight files, in the order of their names."""
        files = sorted({tensor.file for tensor in self.tensors.values()})
        return "-".join(file_sha256(file) for file in files) if len(files) > 1 else file_sha256(files[0])

    def read(self, name: str) -> Any:
        """One tensor as PyTorch float32."""
        return load_tensor(self.tensors[name]).float()

    def check_group(self, group: int) -> None:
        """Refuse a group size before hours are spent on it.

        Raises:
            InputError: it does not divide the inputs of every linear layer, or is no multiple of 8.
        """
        widths = sorted({self.tensors[name].shape[1] for name in self.linears})
        bad = [width for width in widths if group < 8 or group % 8 or width % group]
        if bad:
            fit = [size for size in (16, 32, 64, 128, 256) if all(width % size == 0 for width in widths)]
            raise InputError(
                f"Groups of {group} do not divide layers with {' and '.join(map(str, bad))} inputs",
                where=self.folder.name, todo=f"These do: {', '.join(map(str, fit))}.",
            )  # fmt: skip


def kind_of(name: str) -> Kind:
    """Which part of a model a tensor belongs to.

    Raises:
        ModelError: the name is none of a Llama-type model.
    """
    if match := _LINEAR.fullmatch(name):
        return "mlp" if match[1] == "mlp" else "attention"
    if name.endswith(".bias"):
        return "bias"
    if name == "model.embed_tokens.weight":
        return "embedding"
    if name == "lm_head.weight":
        return "head"
    if name.endswith("norm.weight"):
        return "norm"
    raise ModelError(f"Nothing is known of a tensor named {name}", todo="Quantization here knows Llama-type models.")


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a folder.

    Raises:
        ModelError: there is none, or it is no JSON object.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"config.json cannot be read ({type(error).__name__})", where=folder.name,
                         todo="Name a folder that save_pretrained() wrote.") from error  # fmt: skip
    if not isinstance(config, dict):
        raise ModelError("config.json is no object", where=folder.name)
    return config


def stored(folder: Path) -> Iterator[Tensor]:
    """Every tensor of the folder's safetensors files, from their headers alone.

    Source: the format as the safetensors project documents it: 8 bytes of length, a JSON header, the data.

    Raises:
        ModelError: a file is cut off or none of the format.
    """
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with file.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                header = json.loads(stream.read(length))
            header.pop("__metadata__", None)
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
            if file.stat().st_size != 8 + length + end:
                raise ValueError("it is cut off")
        except (ValueError, struct.error, OverflowError, MemoryError) as error:
            raise ModelError(f"{file.name} is damaged: {error}", where=folder.name,
                             todo="Write the checkpoint again.") from error  # fmt: skip
        for name, entry in header.items():
            yield Tensor(name, tuple(entry["shape"]), entry["dtype"], file)


def load_tensor(tensor: Tensor) -> Any:
    """One tensor as PyTorch has it, in its stored type."""
    from safetensors import safe_open

    with safe_open(tensor.file, framework="pt") as opened:
        return opened.get_tensor(tensor.name)


def natural(name: str) -> tuple[str | int, ...]:
    """Sort key with layer 2 before layer 10."""
    return tuple(int(part) if part.isdigit() else part for part in name.split("."))


def weight_bytes(folder: Path) -> int:
    """Bytes on disk of the weight files: embeddings, scales, headers and an adapter counted, the tokenizer not."""
    return sum(file.stat().st_size for pattern in _WEIGHTS for file in folder.rglob(pattern))


def read_record(folder: Path) -> Record | None:
    """What made the folder; None for a checkpoint no method here made.

    Raises:
        ModelError: the record is damaged.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ModelError(f"{RECORD} is damaged: {error}", where=folder.name, todo="Quantize again.") from error


@contextmanager
def writing(out: Path, source: Checkpoint, need: int) -> Iterator[Path]:
    """A scratch folder beside ``out`` with the source's tokenizer in it, renamed to ``out`` if all went well.

    Args:
        out: the folder to make.
        source: whose config and tokenizer go along.
        need: bytes the weights will take; refused at once where the disk has less.

    Raises:
        InputError: ``out`` is there already.
        ModelError: the disk has no room, now or later; nothing is left behind.
    """
    from labkit.tune.train import whole_folder  # imports torch, which sizes can be computed without

    if out.exists():
        raise InputError("The folder is there already", where=out.name, todo="Name another one or remove it.")
    out.parent.mkdir(parents=True, exist_ok=True)
    room = shutil.disk_usage(out.parent).free
    if room < need:
        raise ModelError(f"The disk has {room / 1e6:.0f} MB left, {need / 1e6:.0f} MB are needed", where=out.name,
                         todo="Make room or name a folder on another disk.")  # fmt: skip
    try:
        with whole_folder(out) as scratch:
            for pattern in _BESIDE:
                for file in source.folder.glob(pattern):
                    if not file.name.endswith("index.json"):  # of shards that are not copied
                        shutil.copy2(file, scratch / file.name)
            yield scratch
    except (OSError, SafetensorError) as error:  # the second is what safetensors makes of the first
        raise ModelError(
            f"The checkpoint could not be written: {error}", where=out.name,
            todo="Make room on the disk and quantize again; nothing was left behind.",
        ) from error  # fmt: skip


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Replace ``config.json``."""
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def write_record(folder: Path, record: Record) -> None:
    """Say what made the folder."""
    (folder / RECORD).write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
