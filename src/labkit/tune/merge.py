"""An adapter added to its base for good: a plain checkpoint that knows one task, for whoever serves or quantizes it.

Serving several tasks from one base wants the adapters left apart (:meth:`labkit.llm.local.LocalChat.adapted`).
"""

from __future__ import annotations

from pathlib import Path

from labkit.llm.lora import read_lora
from labkit.llm.shipped import shipped
from labkit.llm.tasks import Task
from labkit.models import ModelFiles, go_offline, resolve
from labkit.settings import Settings
from labkit.tune.recipe import quiet
from labkit.tune.train import whole_folder


def merged(base: ModelFiles, adapter: Path, out: Path) -> Path:
    """Write the base with an adapter added to its weights, in bfloat16.

    The sum is formed in float32 and rounded once; the base's weights leave the grid they may have had.

    Raises:
        ModelError, ModelMismatch: the adapter cannot be used with this base.
    """
    read_lora(adapter, base)  # says what is wrong more clearly than a failed merge
    go_offline()
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet():
        model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32)
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload().to(torch.bfloat16)
        with whole_folder(out) as scratch:
            model.save_pretrained(scratch)
            AutoTokenizer.from_pretrained(base.path).save_pretrained(scratch)
    return out


def merged_model(settings: Settings, task: Task) -> Path:
    """The chat model of the settings with the shipped adapter of a task, made once below ``settings.home``.

    Raises:
        ModelError, ModelMismatch: the model or the adapter cannot be used.
    """
    base, adapter = resolve(settings.chat_model, settings.home), shipped(task)
    version = read_lora(adapter, base).version.replace("@", "-")
    out = settings.home / "models" / f"{base.name.replace('/', '-')}-{base.sha256[:8]}-{version}"
    return out if out.is_dir() else merged(base, adapter, out)


def merged_answer_model(settings: Settings) -> Path:
    """:func:`merged_model` of the ``answer`` task: what chapters 07 to 09 make smaller and serve."""
    return merged_model(settings, "answer")
