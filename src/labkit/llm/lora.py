"""LoRA adapters as PEFT saves them, read into NumPy: small changes to a chat model's linear layers.

An adapted layer computes x @ W.T + (x @ A.T) @ B.T * scale, so the base weights W stay as they are and serve every
adapter at once. Only what this sum expresses is accepted; DoRA, biases and adapted embeddings are refused, because
leaving a part of an adapter out would answer wrongly without saying so. It does not know what the adapter is good
for, nor how it was trained.

LoRA: Hu et al. 2021; the rank-stabilised scale: Kalajdzievski 2023; format: PEFT, "Checkpoint format".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ConfigDict, ValidationError

from labkit.errors import ModelError, ModelMismatch
from labkit.llm.weights import Array, read_tensors
from labkit.models import ModelFiles, file_sha256
from labkit.schema import Record

CARD, CONFIG, WEIGHTS = "labkit.json", "adapter_config.json", "adapter_model.safetensors"
"""The files of an adapter's folder."""

LowRank = tuple[Array, Array]
"""What is added to a linear layer: A (rank, inputs), and B (outputs, rank) already times the scale."""

_TENSOR = re.compile(
    r"base_model\.model\.model\.layers\.(?P<layer>\d+)"
    r"\.(?:self_attn\.(?=[qkvo]_)|mlp\.(?=[gud]))(?P<part>q|k|v|o|gate|up|down)_proj\.lora_(?P<side>[AB])\.weight"
)
_EXTENSIONS = (  # of PEFT's LoRA: set to anything but nothing they change what the two matrices mean
    "alora_invocation_tokens", "alpha_pattern", "arrow_config", "fan_in_fan_out", "kasa_config", "layer_replication",
    "lora_bias", "modules_to_save", "monteclora_config", "rank_pattern", "target_parameters", "trainable_token_indices",
    "use_bdlora", "use_dora", "use_qalora", "velora_config",
)  # fmt: skip
_STARTS = (True, False, "gaussian", None)  # the other ways to start an adapter change the base weights as well


class AdapterCard(Record):
    """What an adapter was made from and for; ``labkit.tune`` writes it beside the weights.

    Fields beyond these are kept (``model_extra``).
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    task: str
    base_sha256: str
    """:attr:`labkit.models.ModelFiles.sha256` of the base."""
    base: str = ""
    """Name of the base, for people."""
    prompt: str = ""
    """Version of the prompt it was trained with."""
    world_versions: tuple[str, ...] = ()
    sha256: dict[str, str]
    """Hash of each file of the folder, the weights at least."""


@dataclass(frozen=True, slots=True, eq=False)
class Lora:
    """An adapter that fits its base.

    Attributes:
        task: what it was trained for, or its folder's name.
        folder: where it lies.
        sha256: of the file of its weights.
        changes: (layer, part) → what is added there; a part is q, k, v, o, gate, up or down.
        card: None for an adapter that labkit did not make.
    """

    task: str
    folder: Path
    sha256: str
    changes: Mapping[tuple[int, str], LowRank]
    card: AdapterCard | None

    @property
    def version(self) -> str:
        """Task and short hash, e.g. ``answer@1f0c9a2b``."""
        return f"{self.task}@{self.sha256[:8]}"


def read_card(folder: Path) -> AdapterCard | None:
    """The card of an adapter's folder; None if it has none.

    Raises:
        ModelError: the card cannot be read or lacks a field.
    """
    try:
        return AdapterCard.model_validate_json((folder / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise ModelError(
            f"The adapter's card cannot be read ({str(error).splitlines()[0]})",
            where=f"{folder.name}/{CARD}",
            todo="Train the adapter again, or remove the card to use it unchecked.",
        ) from error


def read_lora(folder: Path, base: ModelFiles) -> Lora:
    """Read an adapter and check that it belongs to ``base``.

    Raises:
        ModelError: the folder holds no LoRA adapter, or one that is damaged or more than LoRA.
        ModelMismatch: its card names another base or other bytes, or its matrices do not fit the base's layers.
    """
    rank, scale = _rank_and_scale(folder)
    card, digest = read_card(folder), file_sha256(folder / WEIGHTS)
    if card is not None:
        _require_stated(card, folder, base)
    pairs: dict[tuple[int, str], dict[str, Array]] = {}
    for name, tensor in read_tensors(folder / WEIGHTS).items():
        found = _TENSOR.fullmatch(name)
        if found is None:
            raise ModelError(
                f"The adapter changes {name.removeprefix('base_model.model.')}",
                where=folder.name,
                todo="Target linear layers only: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj.",
            )
        if not np.isfinite(tensor).all():
            raise ModelError(f"{name} holds NaN or infinity", where=folder.name, todo="Train it at a lower rate.")
        pairs.setdefault((int(found["layer"]), found["part"]), {})[found["side"]] = tensor
    if not pairs:
        raise ModelError("The adapter changes nothing", where=f"{folder.name}/{WEIGHTS}")
    shapes = _shapes(base)
    changes = {}
    for place, pair in sorted(pairs.items()):
        _require_fit(place, pair, rank, shapes, folder)
        changes[place] = (np.ascontiguousarray(pair["A"]), pair["B"] * np.float32(scale))
    return Lora(card.task if card else folder.name, folder, digest, changes, card)


def _rank_and_scale(folder: Path) -> tuple[int, float]:
    """The rank, and what the product of the matrices is multiplied by, if the configuration is plain LoRA."""
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            todo = "Save it with PEFT's save_pretrained(), as safetensors."
            raise ModelError(f"The adapter lacks {file}", where=folder.name, todo=todo)
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        kind, rank, alpha = config.get("peft_type"), config.get("r"), config.get("lora_alpha")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError("The configuration cannot be read", where=f"{folder.name}/{CONFIG}") from error
    extensions = [name for name in _EXTENSIONS if config.get(name)]
    if config.get("bias", "none") != "none":
        extensions.append("bias")
    if config.get("init_lora_weights") not in _STARTS:
        extensions.append("init_lora_weights")
    if kind != "LORA" or extensions:
        what = f"LoRA with {', '.join(extensions)}" if kind == "LORA" else str(kind)
        todo = "Train plain LoRA, or merge the adapter into the base and use the result as a model."
        raise ModelError(f"The adapter is {what}, which is not supported", where=folder.name, todo=todo)
    if type(rank) is not int or rank < 1 or not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise ModelError(f"r is {rank!r} and lora_alpha {alpha!r}", where=f"{folder.name}/{CONFIG}")
    return rank, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _require_stated(card: AdapterCard, folder: Path, base: ModelFiles) -> None:
    if card.base_sha256 != base.sha256:
        made_for = f"{card.base} ({card.base_sha256[:12]}…)" if card.base else f"the base {card.base_sha256[:12]}…"
        raise ModelMismatch(
            f"The adapter {card.task} was made for {made_for}, not for {base.name} ({base.sha256[:12]}…)",
            where=folder.name,
            todo="Use it with its own base, or train it again on this one.",
        )
    for file in sorted({WEIGHTS, *card.sha256}):
        stated = card.sha256.get(file, "none")
        found = file_sha256(folder / file) if (folder / file).is_file() else "none"
        if stated != found:
            raise ModelMismatch(
                f"{file} has sha256 {found[:12]}, its card says {stated[:12]}",
                where=folder.name,
                todo="Copy or train the adapter again.",
            )


def _shapes(base: ModelFiles) -> dict[tuple[int, str], tuple[int, int]]:
    """(outputs, inputs) of every linear layer of the base."""
    config = json.loads((base.path / "config.json").read_text(encoding="utf-8"))
    try:
        width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
        size = config.get("head_dim") or width // heads
        queries, keys = heads * size, config.get("num_key_value_heads", heads) * size
        parts = {
            "q": (queries, width), "k": (keys, width), "v": (keys, width), "o": (width, queries),
            "gate": (inner, width), "up": (inner, width), "down": (width, inner),
        }  # fmt: skip
        return {(layer, part): parts[part] for layer in range(config["num_hidden_layers"]) for part in parts}
    except KeyError as error:
        raise ModelError(f"Not a base with Llama's layers: it has no {error}", where=base.name) from error


def _require_fit(
    place: tuple[int, str],
    pair: Mapping[str, Array],
    rank: int,
    shapes: Mapping[tuple[int, str], tuple[int, int]],
    folder: Path,
) -> None:
    name = f"{place[1]}_proj of layer {place[0]}"
    if pair.keys() != {"A", "B"}:
        raise ModelError(f"The adapter has only one matrix for {name}", where=folder.name)
    if place not in shapes:
        raise ModelMismatch(f"The base has no {name}", where=folder.name, todo="Use the adapter with its own base.")
    outputs, inputs = shapes[place]
    if pair["A"].shape != (rank, inputs) or pair["B"].shape != (outputs, rank):
        raise ModelMismatch(
            f"A {pair['A'].shape} and B {pair['B'].shape} are not of rank {rank} for {name}, {outputs} by {inputs}",
            where=folder.name,
            todo="Use the adapter with the base it was trained on.",
        )
