"""A student before it has learned anything: a teacher without some of its layers, as a plain checkpoint.

Which layers can go is measured by what they do to a text (:func:`influence`). What is left replies badly until it is
taught; that is the business of :mod:`labkit.tune.distill`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from labkit.errors import InputError
from labkit.models import file_sha256, go_offline
from labkit.tune.handloop import Row
from labkit.tune.recipe import compute_dtype, quiet
from labkit.tune.train import whole_folder

RECORD = "student.json"
"""The file of a student's folder that says what it was made from and how."""
LAYERS = 18
"""Of SmolLM2's 30: 0.68 of its parameters, embeddings counted."""


def influence(teacher: Path, rows: Sequence[Row]) -> list[float]:
    """How much each layer turns what it is given: 1 - cosine of hidden states before and after, mean over tokens.

    The last layer counts as 1, the most: what follows it can make up for nothing. Men et al. 2024 ("ShortGPT").

    Args:
        teacher: a checkpoint.
        rows: encoded conversations to look at; a few dozen do.
    """
    model = loaded(teacher)
    found: list[list[float]] = []
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([list(row["input_ids"])])
            states = model.model(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states
            turns = [functional.cosine_similarity(a, b, dim=-1) for a, b in pairwise(states)]
            found.append([1 - float(turn.mean()) for turn in turns[:-1]])
    return [*(sum(layer) / len(rows) for layer in zip(*found, strict=True)), 1.0]


def most_influential(influences: Sequence[float], n: int) -> list[int]:
    """The ``n`` layers to keep, ascending."""
    return sorted(sorted(range(len(influences)), key=lambda layer: -influences[layer])[:n])


def student(teacher: Path, keep: Sequence[int], out: Path) -> Path:
    """Write a plain checkpoint that has some of a teacher's layers and everything else of it.

    Args:
        teacher: a checkpoint of a Llama.
        keep: the layers, from 0, ascending.
        out: the folder to make.

    Raises:
        InputError: there is no such layer, one comes twice or out of order, or ``out`` exists.
    """
    require_absent(out)
    layers = json.loads((teacher / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    if not keep or list(keep) != sorted(set(keep)) or not 0 <= keep[0] <= keep[-1] < layers:
        raise InputError(
            f"Not layers of {layers} to keep: {list(keep)}", todo="Name some from 0, ascending, each once."
        )
    go_offline()
    from transformers import AutoModelForCausalLM

    with quiet():
        model = AutoModelForCausalLM.from_pretrained(teacher, dtype="auto")
    model.model.layers = torch.nn.ModuleList([model.model.layers[layer] for layer in keep])
    model.config.num_hidden_layers = len(keep)
    written(model, teacher, out, {"teacher_sha256": weights_sha256(teacher), "keep": list(keep)})
    return out


def loaded(folder: Path, device: str = "cpu") -> Any:
    """A checkpoint ready to be read with, not trained."""
    go_offline()
    from transformers import AutoModelForCausalLM

    with quiet():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=compute_dtype(device)).to(device).eval()


def written(model: Any, tokenizer: Path, out: Path, record: Mapping[str, Any]) -> None:
    """Save a model as a plain checkpoint with the tokenizer of another folder and a record; whole or not at all."""
    from transformers import AutoTokenizer

    with quiet(), whole_folder(out) as scratch:
        model.save_pretrained(scratch)
        AutoTokenizer.from_pretrained(tokenizer).save_pretrained(scratch)
        (scratch / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def weights_sha256(folder: Path) -> str:
    """A hash of all weights of a checkpoint."""
    parts = "".join(file_sha256(file) for file in sorted(folder.glob("*.safetensors")))
    return hashlib.sha256(parts.encode()).hexdigest()


def require_absent(out: Path) -> None:
    """Raises InputError if the folder is there."""
    if out.exists():
        raise InputError("The folder is already there", where=out.name, todo="Remove it, or name another.")
