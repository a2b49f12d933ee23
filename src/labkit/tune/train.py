"""Trains an adapter with trl and leaves a folder with a card: what it is for, of which base, learned from what.

A run that was killed goes on from its last checkpoint and ends with the same weights. A loss that is no number stops
it at once. The folder appears by a rename when it is whole. It knows how to train and not what to learn or whether
that worked; :mod:`labkit.bench.tune` measures.
"""

from __future__ import annotations

import math
import random
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labkit.errors import InputError, ModelError
from labkit.llm.lora import CARD, CONFIG, WEIGHTS, AdapterCard, read_lora
from labkit.llm.tasks import Task, prompt_of
from labkit.models import ModelFiles, file_sha256, go_offline
from labkit.tune.dialogue import Dialogue, dataset_rows
from labkit.tune.handloop import WARM_UP, replies_only
from labkit.tune.recipe import Recipe, keep_memory, quiet, shares, trainable

_SAVED_EVERY = 50  # steps
_GROUPED = 50  # batches within which rows of like length stand together


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a run.

    Attributes:
        folder: the adapter, or the whole model after full fine-tuning.
        losses: step → loss over the replies, as logged.
        trained: parameters that were trained.
        parameters: all parameters.
        tokens: of the data, replies and all, once.
        seconds: of the training loop.
    """

    folder: Path
    losses: Mapping[int, float]
    trained: int
    parameters: int
    tokens: int
    seconds: float


def train(
    base: ModelFiles,
    dialogues: Sequence[Dialogue],
    out: Path,
    recipe: Recipe | None = None,
    *,
    device: str = "cpu",
    start: Path | None = None,
    report_to: Sequence[str] = (),
    run_name: str = "",
    checkpoints: Path | None = None,
    notes: Mapping[str, str] | None = None,
) -> Trained:
    """Train on conversations and save what was learned.

    Args:
        base: the model to start from.
        dialogues: what it learns; of one task.
        out: the folder to make; must not exist.
        recipe: default: :class:`~labkit.tune.recipe.Recipe`.
        device: ``cpu`` or ``cuda``.
        start: an adapter to go on from; None begins anew.
        report_to: trl's trackers, such as ``wandb``.
        run_name: what trackers call the run.
        checkpoints: where the state is kept while training, and taken up from if some is there; None keeps none.
        notes: what else the card should say, such as the hash of the data.

    Raises:
        InputError: no conversation, of several tasks, or none short enough; ``out`` exists.
        ModelError: the loss became infinite or no number; ``start`` is no adapter.
        ModelMismatch: ``start`` was made for another base.
    """
    recipe = recipe or Recipe()
    tasks = {dialogue.task for dialogue in dialogues}
    if len(tasks) != 1:
        raise InputError(f"An adapter learns one task, not {len(tasks)}", where="train", todo="Give it conversations.")
    if out.exists():
        raise InputError("The folder is already there", where=out.name, todo="Remove it, or name another.")
    if start is not None:
        notes = {**(notes or {}), "started_from": read_lora(start, base).version}
    go_offline()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base.path)
    rows = dataset_rows(dialogues, tokenizer, recipe.longest)
    if not rows:
        raise InputError(f"No conversation has at most {recipe.longest} tokens", todo="Raise Recipe.longest.")
    keep_memory()
    model = trainable(base.path, recipe, device, start)
    trained, parameters = shares(model)
    with tempfile.TemporaryDirectory() as nothing_kept:
        trainer = _trainer(model, tokenizer, rows, recipe, device, report_to, run_name, checkpoints, nothing_kept)
        resume = checkpoints is not None and any(checkpoints.glob("checkpoint-*"))
        with quiet(), replies_only():
            result = trainer.train(resume_from_checkpoint=resume)
    if not math.isfinite(result.training_loss):
        raise ModelError("Training went astray after the last look", todo="Lower the learning rate.")
    losses = {int(row["step"]): float(row["loss"]) for row in trainer.state.log_history if "loss" in row}
    task = tasks.pop()
    with whole_folder(out) as scratch:
        model.save_pretrained(scratch)
        if recipe.method == "full":
            tokenizer.save_pretrained(scratch)
        else:
            (scratch / "README.md").unlink(missing_ok=True)  # peft's template, all of it to be filled in
            halve(scratch / WEIGHTS)
            card = _card(task, base, recipe, dialogues, scratch, {**(notes or {}), "steps": str(result.global_step)})
            (scratch / CARD).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    tokens = sum(len(row["input_ids"]) for row in rows)
    return Trained(out, losses, trained, parameters, tokens, float(result.metrics["train_runtime"]))


def in_order(lengths: Sequence[int], steps: int, recipe: Recipe) -> list[int]:
    """Positions of the rows in the order they are learned from, ``steps * batch`` of them.

    Every pass is shuffled anew; within some fifty batches rows of like length stand together, so that little is filled
    up, and those batches are shuffled. Transformers' own grouping draws from the global random stream, which a resumed
    run has not used in the same way.
    """
    found: list[int] = []
    size, passes = _GROUPED * recipe.batch, 0
    while len(found) < steps * recipe.batch:
        rng = random.Random(f"{recipe.seed} {passes}")
        places = rng.sample(range(len(lengths)), len(lengths))
        for start in range(0, len(places), size):
            group = sorted(places[start : start + size], key=lambda place: -lengths[place])
            some = [group[at : at + recipe.batch] for at in range(0, len(group), recipe.batch)]
            found += [place for batch in rng.sample(some, len(some)) for place in batch]
        passes += 1
    return found[: steps * recipe.batch]


def halve(file: Path) -> None:
    """Rewrite an adapter's weights as float16: half the bytes, and a rounding far below what training leaves open."""
    from safetensors.torch import load_file, save_file

    save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to fill that takes the name ``out`` when all went well, and is gone otherwise."""
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield scratch
        scratch.chmod(0o755)  # mkdtemp makes private folders
        scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _trainer(
    model: Any, tokenizer: Any, rows: Sequence[dict[str, list[int]]], recipe: Recipe, device: str,
    report_to: Sequence[str], run_name: str, checkpoints: Path | None, nothing_kept: str,
) -> Any:  # fmt: skip
    from trl import SFTConfig, SFTTrainer

    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    steps = recipe.steps or math.ceil(recipe.epochs * len(rows) / recipe.batch)
    ordered = in_order([len(row["input_ids"]) for row in rows], steps, recipe)
    config = SFTConfig(
        output_dir=str(checkpoints or nothing_kept),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch,
        learning_rate=recipe.rate,
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(WARM_UP * steps),
        weight_decay=0.0,
        train_sampling_strategy="sequential",  # in the order of in_order
        max_length=None,
        # Recomputing activations saves memory that 135M parameters do not need, for half as much time again (handloop).
        gradient_checkpointing=False,
        bf16=False,
        optim="adamw_torch",
        use_cpu=device == "cpu",
        dataloader_pin_memory=False,
        seed=recipe.seed,
        data_seed=recipe.seed,
        report_to=list(report_to),
        run_name=run_name or None,
        logging_steps=max(1, min(10, steps // 12)),
        logging_nan_inf_filter=False,
        save_strategy="no" if checkpoints is None else "steps",
        save_steps=_SAVED_EVERY,
        save_total_limit=2,
    )
    data = Dataset.from_list([rows[place] for place in ordered])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of trl about the options above, which are meant
        trainer = SFTTrainer(
            model=model, args=config, train_dataset=data, processing_class=tokenizer, callbacks=[stop_at_nan()]
        )
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            # trl made those over 4-bit weights bfloat16, where small steps get lost.
            parameter.data = parameter.data.float()
    return trainer


def stop_at_nan() -> Any:
    """A callback of transformers that raises ModelError when loss or gradient is no number."""
    from transformers import TrainerCallback

    class StopAtNan(TrainerCallback):  # type: ignore[misc]
        """Stops where going on would only make it worse."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
            for name in ("loss", "grad_norm"):
                value = float((logs or {}).get(name, 0.0))
                if not math.isfinite(value):
                    raise ModelError(
                        f"Training went astray: {name} is {value}",
                        where=f"step {state.global_step}",
                        todo="Lower the learning rate, or look at the conversations of the last ten steps.",
                    )

    return StopAtNan()


def _card(
    task: Task, base: ModelFiles, recipe: Recipe, dialogues: Sequence[Dialogue], folder: Path, notes: Mapping[str, str]
) -> AdapterCard:
    return AdapterCard(
        task=task,
        base=base.name,
        base_sha256=base.sha256,
        prompt=prompt_of(task).version,
        world_versions=tuple(sorted({dialogue.source for dialogue in dialogues})),
        recipe={name: str(value) for name, value in asdict(recipe).items()},
        notes=dict(notes),
        sha256={file: file_sha256(folder / file) for file in (WEIGHTS, CONFIG)},
    )
