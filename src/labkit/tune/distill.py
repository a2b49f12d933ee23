"""Teaches a student (:mod:`labkit.tune.student`) to reply as its teacher does.

Two ways to teach. At the level of logits the student is held to the teacher's whole distribution at every token of a
reply, softened by a temperature (Hinton et al. 2015). At the level of sequences it learns the replies that the teacher
itself writes (Kim and Rush 2016): :func:`replied` puts them in the place of the labels.

Why not trl 1.16: its DistillationTrainer only knows what the student samples itself at every step, which a model that
has just lost a third of its layers cannot write and a CPU cannot wait for; GKDTrainer (experimental) has this loss with
``lmbda=0, beta=0``, but scores every token of the prompt with both models, gigabytes for replies of ten tokens.

It does not know whether the student is good enough; ``labkit bench decode`` measures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn import functional

from labkit.errors import InputError, ModelError
from labkit.llm.decoder import Decoder
from labkit.models import go_offline
from labkit.settings import Settings, get_settings
from labkit.tune.dialogue import IGNORED, dataset_rows
from labkit.tune.handloop import CLIP, Row, rate_at
from labkit.tune.recipe import Recipe, trainable
from labkit.tune.student import (
    LAYERS,
    RECORD,
    influence,
    loaded,
    most_influential,
    require_absent,
    student,
    weights_sha256,
    written,
)

LONGEST_REPLY = 160
"""Tokens after which a teacher that does not end its reply is no longer listened to: more than a reader is given."""

_SAVED_EVERY = 25  # steps
_LOOKED_AT = 24  # conversations that layers are chosen by

Level = Literal["logits", "sequences"]


@dataclass(frozen=True, slots=True)
class Imitation:
    """What a student is held to.

    Attributes:
        soft: weight of the teacher's distribution; the labels have the rest.
        temperature: logits of both are divided by it before they are compared, the gradient multiplied by its square.
    """

    soft: float = 0.9
    temperature: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.soft <= 1 or not self.temperature > 0:
            raise InputError(
                f"soft is {self.soft}, temperature {self.temperature}", where="Imitation", todo="Take 0 to 1, above 0."
            )


@dataclass(frozen=True, slots=True)
class Distilled:
    """What came of it.

    Attributes:
        folder: the student, a plain checkpoint.
        losses: of each step, before it.
        seconds: of the training loop, without steps that were taken up from a state.
    """

    folder: Path
    losses: list[float]
    seconds: float


def replied(teacher: Decoder, row: Row, *, longest: int = LONGEST_REPLY) -> dict[str, list[int]] | None:
    """A conversation with the teacher's own greedy replies in the place of the labels.

    The label is read in one pass, and stays as far as the teacher would have written the same, as in
    :mod:`labkit.llm.speculate`. The user's next question follows the teacher's reply.

    Args:
        teacher: the fine-tuned model.
        row: an encoded conversation; each of its replies ends with the end mark.
        longest: tokens of a reply; where a longer one would begin, the conversation ends.

    Returns:
        The encoded conversation; None where the first reply does not end.
    """
    ids: list[int] = []
    labels: list[int] = []
    turns = list(_turns(row))
    reading = teacher.reading(len(row["input_ids"]) + longest * len(turns))
    for shown, label in turns:
        scores = reading.read([*shown, *label], scored=len(label) + 1)
        written = scores[:-1].argmax(axis=-1).tolist()
        agreed = next((at for at, (a, b) in enumerate(zip(written, label, strict=True)) if a != b), len(label))
        said = written[: agreed + 1]
        if agreed < len(label):
            reading.back_to(len(ids) + len(shown) + agreed)
            while said[-1] != label[-1] and len(said) < longest:
                said.append(int(reading.read(said[-1:])[0].argmax()))
            reading.read(said[-1:])
        if said[-1] != label[-1]:
            break
        ids += [*shown, *said]
        labels += [IGNORED] * len(shown) + said
    return {"input_ids": ids, "labels": labels} if ids else None


def distill(
    teacher: Path, student: Path, rows: Sequence[Row], out: Path, recipe: Recipe, imitation: Imitation | None = None, *,
    device: str = "cpu", state: Path | None = None,
) -> Distilled:  # fmt: skip
    """Teach a student and write it as a plain checkpoint in bfloat16.

    Args:
        teacher: the fine-tuned model.
        student: what :func:`student` made.
        rows: encoded conversations, from :func:`labkit.tune.dialogue.dataset_rows` or :func:`replied`.
        out: the folder to make.
        recipe: method (low-rank changes are added to the weights in the end), rate, batch, epochs, steps, seed.
        imitation: default: :class:`Imitation`; for sequences ``Imitation(soft=0)``, and no teacher runs.
        device: ``cpu`` or ``cuda``.
        state: a file where the state is kept while training, and taken up from if it is there.

    Raises:
        InputError: no rows, ``out`` exists, ``student`` is none, a method that leaves no plain checkpoint, different
            vocabularies, or a ``state`` of another run.
        ModelError: the loss or its gradient became infinite or no number.
    """
    imitation = imitation or Imitation()
    require_absent(out)
    if not rows:
        raise InputError("There is no conversation to learn from", where="distill")
    if recipe.method == "qlora":
        raise InputError("A student in 4 bits is no plain checkpoint", where="Recipe", todo="Take full or lora.")
    if not (student / RECORD).is_file():
        raise InputError(f"The student has no {RECORD}", where=student.name, todo="Make it with student().")
    made_from = json.loads((student / RECORD).read_text(encoding="utf-8"))
    go_offline()
    told = loaded(teacher, device) if imitation.soft else None
    model = trainable(student, recipe, device)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model  # of PEFT
    if told is not None and told.config.vocab_size != inner.config.vocab_size:
        raise InputError("Teacher and student have different vocabularies", todo="Make the student from this teacher.")
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.float()  # bfloat16 would lose small steps
    optimizer = torch.optim.AdamW(trained, lr=recipe.rate, weight_decay=0.0)
    batches = list(_batches(rows, recipe))
    run = _digest([rows, asdict(recipe), asdict(imitation), weights_sha256(teacher), weights_sha256(student)])
    losses = _take_up(state, run, trained, optimizer) if state and state.is_file() else []
    model.train()
    began = time.monotonic()
    for step in range(len(losses), len(batches)):
        loss = _loss(inner, told, batches[step], imitation)
        loss.backward()
        length = torch.nn.utils.clip_grad_norm_(trained, CLIP)
        if not math.isfinite(loss.item()) or not math.isfinite(float(length)):
            raise ModelError(
                f"Distillation went astray: the loss is {loss.item()}, its gradient {float(length)}",
                where=f"step {step}",
                todo="Lower the learning rate, or look at the conversations of this step.",
            )
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, len(batches), recipe.rate)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if state and len(losses) % _SAVED_EVERY == 0:
            _keep(state, run, trained, optimizer, losses)
    seconds = time.monotonic() - began
    whole = model.merge_and_unload() if inner is not model else model
    whole.config.use_cache = True  # off while training
    taught = {"recipe": asdict(recipe), "imitation": asdict(imitation), "steps": len(losses)}
    written(whole.to(torch.bfloat16), student, out, {**made_from, **taught})
    return Distilled(out, losses, seconds)


def student_folder(settings: Settings) -> Path:
    """Where ``python -m labkit.tune.distill`` leaves the student of the shipped ``answer`` adapter."""
    from labkit.tune.merge import merged_answer_model

    teacher = merged_answer_model(settings)
    return teacher.with_name(f"{teacher.name}-student")


def _loss(model: Any, teacher: Any | None, batch: Sequence[Row], imitation: Imitation) -> torch.Tensor:
    """Mean over the reply tokens of a batch; hidden states of all other tokens never reach the last matrix."""
    ids, labels, mask = _padded(batch, model.lm_head.weight.device)
    following = labels[:, 1:]
    learned = following != IGNORED
    given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
    logits = model.lm_head(model.model(**given).last_hidden_state[:, :-1][learned]).float()
    loss = (1 - imitation.soft) * functional.cross_entropy(logits, following[learned])
    if teacher is None:
        return loss
    with torch.no_grad():
        wanted = teacher.lm_head(teacher.model(**given).last_hidden_state[:, :-1][learned]).float()
    return loss + imitation.soft * divergence(logits, wanted, imitation.temperature)


def divergence(logits: torch.Tensor, wanted: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL divergence of the student's softened distribution from the teacher's, times the square of the temperature.

    Args:
        logits: of the student, (tokens, vocabulary).
        wanted: of the teacher, the same shape.
        temperature: both are divided by it.

    Returns:
        Nats, mean over tokens. Hinton et al. 2015, section 2: the square keeps the gradient's size.
    """
    ours, theirs = (functional.log_softmax(one / temperature, dim=-1) for one in (logits, wanted))
    return functional.kl_div(ours, theirs, reduction="batchmean", log_target=True) * temperature**2


def _padded(batch: Sequence[Row], device: Any) -> list[torch.Tensor]:
    """Token ids, labels and attention mask of a batch, each (rows, longest row)."""
    columns = [
        ([list(row["input_ids"]) for row in batch], 0),
        ([list(row["labels"]) for row in batch], IGNORED),
        ([[1] * len(row["input_ids"]) for row in batch], 0),
    ]
    pad = torch.nn.utils.rnn.pad_sequence
    return [pad(list(map(torch.tensor, some)), True, filler).to(device) for some, filler in columns]


def _batches(rows: Sequence[Row], recipe: Recipe) -> Iterator[list[Row]]:
    """As many as there are steps: epoch after epoch in random order, rows of about the same length together."""
    left = recipe.steps or math.ceil(recipe.epochs * len(rows) / recipe.batch)
    rng = random.Random(recipe.seed)
    while left > 0:
        mixed = sorted(rng.sample(list(rows), len(rows)), key=lambda row: len(row["input_ids"]))
        batches = [mixed[start : start + recipe.batch] for start in range(0, len(mixed), recipe.batch)]
        yield from rng.sample(batches, len(batches))[:left]
        left -= len(batches)


def _turns(row: Row) -> Iterator[tuple[list[int], list[int]]]:
    """What is shown before each reply of a conversation, and the reply with its end mark."""
    shown: list[int] = []
    reply: list[int] = []
    for token, label in zip(row["input_ids"], row["labels"], strict=True):
        if label == IGNORED and reply:
            yield shown, reply
            shown, reply = [], []
        (shown if label == IGNORED else reply).append(token)
    if reply:
        yield shown, reply


def _keep(state: Path, run: str, trained: Sequence[Any], optimizer: Any, losses: Sequence[float]) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    scratch = state.with_suffix(".new")
    weights = [parameter.data for parameter in trained]
    torch.save({"run": run, "weights": weights, "optimizer": optimizer.state_dict(), "losses": list(losses)}, scratch)
    scratch.replace(state)


def _take_up(state: Path, run: str, trained: Sequence[Any], optimizer: Any) -> list[float]:
    kept = torch.load(state, map_location=trained[0].device, weights_only=True)
    if kept["run"] != run:
        raise InputError("The state is of another run", where=state.name, todo="Remove it, or name another file.")
    for parameter, weight in zip(trained, kept["weights"], strict=True):
        parameter.data.copy_(weight)
    optimizer.load_state_dict(kept["optimizer"])
    losses: list[float] = kept["losses"]
    return losses


def _digest(things: Any) -> str:
    return hashlib.sha256(json.dumps(things, default=dict).encode()).hexdigest()


def main() -> None:
    """Make the student of the shipped ``answer`` adapter: an hour on two cores, minutes on a GPU."""
    go_offline()
    from transformers import AutoTokenizer

    from labkit.tune.datasets import build
    from labkit.tune.merge import merged_answer_model

    parser = argparse.ArgumentParser(prog="python -m labkit.tune.distill", description=main.__doc__)
    parser.add_argument("--level", choices=("logits", "sequences"), default="logits")
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--steps", type=int, default=0, help="ends earlier; 0 goes over all conversations")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    settings, recipe = get_settings(), Recipe(method="full", rate=3e-4, steps=options.steps)
    teacher, out = merged_answer_model(settings), student_folder(settings)
    tokenizer = AutoTokenizer.from_pretrained(teacher)
    rows: Sequence[Row] = dataset_rows(build("answer", settings), tokenizer, recipe.longest)
    start = out.with_name(f"{teacher.name}-{options.layers}-layers")
    if not start.is_dir():
        student(teacher, most_influential(influence(teacher, rows[:_LOOKED_AT]), options.layers), start)
    if options.level == "sequences":
        decoder = Decoder(teacher)
        rows = [row for row in (replied(decoder, row) for row in rows[: options.steps * recipe.batch or None]) if row]
    imitation = Imitation(soft=0.0) if options.level == "sequences" else Imitation()
    state = settings.home / "training" / f"{out.name}-{options.level}.pt"
    made = distill(teacher, start, rows, out, recipe, imitation, device=options.device, state=state)
    print(f"{made.folder}: loss {made.losses[0]:.2f} to {made.losses[-1]:.2f}, {made.seconds / 60:.0f} min")  # noqa: T201


if __name__ == "__main__":
    main()
