"""Preferences: the right reply beside the wrong one a model would rather give, and training on the difference (DPO).

Supervised tuning shows what to say. Direct preference optimisation (Rafailov et al. 2023) also shows what not to: of
two replies to the same passages the right one shall become likelier than the wrong one, by how likely each was before.
The wrong replies are those a reader of these passages gives: another value that stands there, an answer where there is
none, silence where there is one, the right value out of a passage that does not hold it.

The model it was before is a frozen copy of the adapter beside the trained one; the base exists once. trl makes it.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from labkit.errors import InputError
from labkit.llm.lora import CARD, CONFIG, WEIGHTS, read_card, read_lora
from labkit.llm.tasks import ABSTENTION, Quote, answered, numbered, prompt_of
from labkit.models import ModelFiles, file_sha256, go_offline
from labkit.tune.context import Context, Readable
from labkit.tune.handloop import replies_only
from labkit.tune.recipe import Recipe, quiet, shares, trainable
from labkit.tune.train import Trained, halve, stop_at_nan, whole_folder

RECIPE = Recipe(rate=5e-5)
"""A fortieth of the rate of supervised tuning: what is known already shall be sharpened, not learned anew."""


class Pair(NamedTuple):
    """Two replies to the same question over the same passages.

    Attributes:
        user: passages and question, as the ``answer`` task puts them.
        chosen: the right reply.
        rejected: a wrong one.
        kind: what is wrong with it: ``value``, ``citation`` (the passage named), ``invented`` or ``silent``.
        source: version of the world, or ``invented``.
    """

    user: str
    chosen: str
    rejected: str
    kind: str
    source: str

    def row(self) -> dict[str, list[dict[str, str]]]:
        """In trl's format: ``prompt``, ``chosen`` and ``rejected``, each a list of messages."""
        system = dict(prompt_of("answer").parts)["system"]
        prompt = [{"role": "system", "content": system}, {"role": "user", "content": self.user}]
        replies = {"chosen": self.chosen, "rejected": self.rejected}
        return {"prompt": prompt, **{key: [{"role": "assistant", "content": said}] for key, said in replies.items()}}


@dataclass(frozen=True, slots=True)
class Preferred:
    """What came of a run.

    Attributes:
        trained: the adapter's folder, losses and sizes.
        accuracies: step → share of the pairs since the last logged step whose right reply gained on the wrong one.
    """

    trained: Trained
    accuracies: Mapping[int, float]


def pairs(contexts: Iterable[Context], rng: random.Random) -> list[Pair]:
    """One pair a context, of a kind drawn from those it allows; contexts that allow none are left out."""
    found = []
    for context in contexts:
        ways = [pair for kind in _KINDS if (pair := kind(context, rng)) is not None]
        if ways:
            found.append(rng.choice(ways))
    return found


def train_dpo(
    base: ModelFiles, adapter: Path, pairs: Sequence[Pair], out: Path, recipe: Recipe = RECIPE, *, beta: float = 0.1,
    device: str = "cpu", report_to: Sequence[str] = (), run_name: str = "", notes: Mapping[str, str] | None = None,
) -> Preferred:  # fmt: skip
    """Train an adapter further on preferences and save it as a new one, with a card.

    Args:
        base: the model the adapter is of.
        adapter: folder of the adapter to start from; it stays as it is.
        pairs: what is preferred to what.
        out: the folder to make; must not exist.
        recipe: rate, batch, epochs or steps, longest, seed; rank and layers are the adapter's.
        beta: how dear it is to move away from the adapter started from; small is cheap.
        device: ``cpu`` or ``cuda``.
        report_to: trl's trackers, such as ``wandb``.
        run_name: what trackers call the run.
        notes: what else the card should say.

    Raises:
        InputError: there are no pairs, or none short enough; ``out`` exists; the adapter has no card.
        ModelError: the adapter cannot be read; the loss became infinite or no number.
        ModelMismatch: the adapter is of another base.
    """
    if out.exists():
        raise InputError("The folder is already there", where=out.name, todo="Remove it, or name another.")
    read_lora(adapter, base)
    card = read_card(adapter)
    if card is None:
        raise InputError("The adapter has no card", where=adapter.name, todo="Train it with labkit.tune.train.")
    go_offline()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base.path)
    rows = [row for row in (pair.row() for pair in pairs) if _length(row, tokenizer) <= recipe.longest]
    if not rows:
        raise InputError(f"No pair has at most {recipe.longest} tokens", where="train_dpo", todo="Give it more.")
    recipe = _as_adapter(recipe, adapter)
    model = trainable(base.path, recipe, device, start=adapter)
    trained, parameters = shares(model)
    with tempfile.TemporaryDirectory() as nothing_kept, quiet(), replies_only():
        trainer = _trainer(model, tokenizer, rows, recipe, beta, device, report_to, run_name, nothing_kept)
        result = trainer.train()
    logged = [row for row in trainer.state.log_history if "loss" in row]
    with whole_folder(out) as scratch:
        model.save_pretrained(scratch, selected_adapters=["default"])
        (scratch / "README.md").unlink(missing_ok=True)
        halve(scratch / WEIGHTS)
        new = card.model_copy(
            update={
                "world_versions": tuple(sorted({*card.world_versions, *(pair.source for pair in pairs)})),
                "sha256": {file: file_sha256(scratch / file) for file in (WEIGHTS, CONFIG)},
                "preferred": {
                    **(notes or {}), "pairs": str(len(rows)), "beta": str(beta), "rate": str(recipe.rate),
                    "steps": str(result.global_step), "from": card.sha256[WEIGHTS],
                },
            }
        )  # fmt: skip
        (scratch / CARD).write_text(new.model_dump_json(indent=1) + "\n", encoding="utf-8")
    losses = {int(row["step"]): float(row["loss"]) for row in logged}
    tokens = sum(_length(row, tokenizer) for row in rows)
    return Preferred(
        Trained(out, losses, trained, parameters, tokens, float(result.metrics["train_runtime"])),
        {int(row["step"]): float(row["rewards/accuracies"]) for row in logged},
    )


def _value(context: Context, rng: random.Random) -> Pair | None:
    """Another value that stands in the passages, quoted as it stands there."""
    facts = _asked_for(context, rng)
    for fact in facts:
        others = [one for one in context.facts if not _alike(one.value, fact.value)]
        likely = [one for one in others if one.value in fact.rivals] or others  # of the same relation, if there is one
        if likely:
            return _of_fact(context, fact, answered(*_said(rng.choice(likely))), "value", rng)
    return None


def _citation(context: Context, rng: random.Random) -> Pair | None:
    """The right value, said to stand in a passage that does not hold it."""
    for fact in _asked_for(context, rng):
        others = [place for place, shown in enumerate(context.passages, 1) if fact.value not in shown.text]
        if others:
            wrong = Quote(rng.choice(others), fact.value)
            return _of_fact(context, fact, answered(fact.value, [wrong]), "citation", rng)
    return None


def _invented(context: Context, rng: random.Random) -> Pair | None:
    """What somebody who guesses would say, where the passages do not tell."""
    quoted = {one.value: one for one in context.facts}
    unanswered = [(question, quoted[guess]) for question, guess in context.absent if guess in quoted]
    own = context.asked
    if own is not None and not own.value and own.wrong in quoted:
        unanswered.append((own.text, quoted[own.wrong]))
    if not unanswered:
        return None
    question, guessed = rng.choice(unanswered)
    return _pair(context, question, ABSTENTION, answered(*_said(guessed)), "invented")


def _silent(context: Context, rng: random.Random) -> Pair | None:
    """Silence where there is an answer: without it, abstaining more would always pay."""
    facts = _asked_for(context, rng)
    return _of_fact(context, facts[0], ABSTENTION, "silent", rng) if facts else None


_KINDS: tuple[Callable[[Context, random.Random], Pair | None], ...] = (_value, _citation, _invented, _silent)


def _pair(context: Context, question: str, chosen: str, rejected: str, kind: str) -> Pair:
    user = prompt_of("answer").messages(passages=numbered(context.passages), question=question)[1]["content"]
    return Pair(user, chosen, rejected, kind, context.source)


def _of_fact(context: Context, fact: Readable, rejected: str, kind: str, rng: random.Random) -> Pair:
    return _pair(context, rng.choice(list(fact.questions)), answered(*_said(fact)), rejected, kind)


def _said(fact: Readable) -> tuple[str, tuple[Quote, ...]]:
    """A value as it is first written, and where."""
    return fact.quotes[0].words, fact.quotes[:1]


def _asked_for(context: Context, rng: random.Random) -> list[Readable]:
    """The facts somebody can ask for, in random order."""
    facts = [fact for fact in context.facts if fact.questions]
    return rng.sample(facts, len(facts))


def _alike(one: str, other: str) -> bool:
    """Whether a value is part of another: then neither is plainly wrong."""
    return one.casefold() in other.casefold() or other.casefold() in one.casefold()


def _as_adapter(recipe: Recipe, adapter: Path) -> Recipe:
    config = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
    first = min(config["layers_to_transform"] or [0])
    return replace(recipe, method="qlora", rank=config["r"], alpha=config["lora_alpha"], from_layer=first)


def _length(row: Mapping[str, list[dict[str, str]]], tokenizer: Any) -> int:
    """Tokens of the prompt with the longer reply."""
    texts = [tokenizer.apply_chat_template(row["prompt"] + row[key], tokenize=False) for key in ("chosen", "rejected")]
    return max(len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts)


def _trainer(
    model: Any, tokenizer: Any, rows: Sequence[Mapping[str, Any]], recipe: Recipe, beta: float, device: str,
    report_to: Sequence[str], run_name: str, nothing_kept: str,
) -> Any:  # fmt: skip
    from trl import DPOConfig, DPOTrainer

    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    config = DPOConfig(
        output_dir=nothing_kept, beta=beta, max_steps=recipe.steps or -1, num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch, learning_rate=recipe.rate, lr_scheduler_type="cosine",
        weight_decay=0.0, max_length=None, gradient_checkpointing=False, bf16=False, optim="adamw_torch",
        use_cpu=device == "cpu", dataloader_pin_memory=False, seed=recipe.seed, data_seed=recipe.seed,
        report_to=list(report_to), run_name=run_name or None, logging_steps=5, logging_nan_inf_filter=False,
        save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    trainer = DPOTrainer(
        model=model, args=config, train_dataset=Dataset.from_list([dict(row) for row in rows]),
        processing_class=tokenizer, callbacks=[stop_at_nan()],
    )  # fmt: skip
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # trl made those over 4-bit weights bfloat16
    return trainer
