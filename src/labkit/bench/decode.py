"""What speculation and a smaller model are worth: the same replies, how much sooner, and what a student gets right.

Questions are put with the passages that answer them among others, as the ``answer`` task is put, to the fine-tuned
model in :mod:`labkit.llm.decoder`, in its format. Plain decoding is the peer. Two ratios are told apart: of the time
after the first token, which is all that speculation can shorten, and of the whole request, most of which is spent
reading the prompt. ``--method FOLDER`` names a student; else the one that ``python -m labkit.tune.distill`` leaves is
taken if it is there.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure, share
from labkit.bench.tunedanswer import GOLD
from labkit.errors import BenchError
from labkit.evaluate.corpus import built_world
from labkit.evaluate.grading import value_correct
from labkit.evaluate.statistics import statistic_interval
from labkit.llm.constrain import Quotations, Speller, Vocabulary
from labkit.llm.decoder import Decoder
from labkit.llm.engine import engine
from labkit.llm.speculate import Draft, PromptLookup, Proposer, Speculation, Tally
from labkit.llm.tasks import cited, numbered, prompt_of
from labkit.pipeline.reader import MAX_TOKENS
from labkit.quantize.checkpoint import Checkpoint, stored
from labkit.tune.context import Context
from labkit.tune.distill import student_folder
from labkit.tune.merge import merged_answer_model
from labkit.tune.retrieved import Contexts
from labkit.world.build import read_manifest
from labkit.world.questions import Question

LIMITS = {"ci": 4, "laptop": 30, "gpu": 100}
"""Questions of a type, by profile of the settings, where the caller sets no limit."""
_PASSES = 9  # of each size that are timed
_POSITIONS = (2, 4, 6)
_NO_STUDENT = "skipped: there is no student; make one with `python -m labkit.tune.distill`"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the passages as they are shown, and the prompt with both."""

    question: Question
    passages: list[str]
    prompt: list[int]


@dataclass(frozen=True, slots=True)
class Reply:
    """Tokens without the end mark, seconds until the first and from there to the last."""

    tokens: list[int]
    first_s: float
    rest_s: float


class Text:
    """The model's chat template, end mark and vocabulary."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer
        from transformers import AutoTokenizer

        self._template = AutoTokenizer.from_pretrained(folder)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.end: int = self._template.eos_token_id
        self._vocabulary = Vocabulary(self._tokenizer, frozenset({self.end}))

    def prompt(self, question: str, context: Context) -> list[int]:
        """Token ids of the ``answer`` task."""
        messages = prompt_of("answer").messages(passages=numbered(context.passages), question=question)
        text = self._template.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def speller(self, passages: Sequence[str]) -> Speller:
        """Holds one reply to the format of the task."""
        return Speller(self._vocabulary, Quotations(passages))

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of a reply."""
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Measure on a split of a world.

    Raises:
        BenchError: the chat model is none that the NumPy decoder computes, or ``--method`` names no folder.
        ModelError, ModelMismatch: the fine-tuned model or the student cannot be used.
    """
    settings = options.settings
    folder = merged_answer_model(settings)
    model = engine(folder, "cpu", settings.threads)
    if not isinstance(model, Decoder):
        raise BenchError("Speculation is measured with the NumPy decoder", where=settings.chat_model,
                         todo="Choose a plain Llama, such as smollm2-135m-instruct.")  # fmt: skip
    small = _student(options)
    world = Contexts(settings, options.seed, options.split, pack_dir=options.pack, profile=options.profile)
    text = Text(folder)
    asked = list(_asked(world, text, options.limit or LIMITS[settings.profile], options.seed))
    figures, rows = measure(model, text, asked, Decoder(small) if small else None, seed=options.seed)
    if small:
        size = _parameters(small) / _parameters(folder)
        figures["student_size_ratio"] = Figure(value=size, direction="lower", peer="parameters of the teacher")
    manifest = read_manifest(built_world(settings, seed=options.seed, pack_dir=options.pack, profile=options.profile))
    return BenchResult(
        bench="decode", profile=options.profile, seed=options.seed, pack=manifest.pack, split=options.split,
        world_version=manifest.world_version, data_sha256=manifest.sha256, model_sha256=Checkpoint(folder).sha256,
        figures=figures,
    ), rows  # fmt: skip


def measure(
    model: Decoder, text: Text, asked: Sequence[Asked], small: Decoder | None, *, seed: int
) -> tuple[dict[str, Figure], Rows]:
    """Figures, and a row for each question and method.

    Args:
        model: whose replies they are.
        text: its tokenizer.
        asked: the questions.
        small: the student, if there is one: it drafts, and answers alone.
        seed: of bootstraps.
    """
    proposers: dict[str, Proposer] = {"prompt_lookup": PromptLookup()}
    if small:
        proposers["draft"] = Draft(small)
    rows: Rows = []
    for one in tqdm(asked, desc="decode", unit="question"):
        plain = _reply(model, one, text)
        right = _right(one, text, plain)
        for method, proposer in proposers.items():
            speculation = Speculation(model, proposer)
            reply = _reply(speculation, one, text)
            rows.append(_row(one, method, plain, reply, speculation.tally) | {"right": right})
        if small:
            reply = _reply(small, one, text)
            row = _row(one, "student", plain, reply, Tally(passes=len(reply.tokens)))
            rows.append(row | {"right": right, "student_right": _right(one, text, reply)})
    figures = figures_of(rows, seed)
    if asked:
        figures |= pass_costs(model, asked[0].prompt)
    return figures, rows


def figures_of(rows: Rows, seed: int) -> dict[str, Figure]:
    """Sums over all questions, with intervals from resampled questions."""
    by = {method: [row for row in rows if row["method"] == method] for method in ("prompt_lookup", "draft", "student")}
    verified = by["prompt_lookup"] + by["draft"]
    found = {"speculation_identical": share(sum(bool(row["identical"]) for row in verified), len(verified))}
    for method in ("prompt_lookup", "draft"):
        ratios = {
            "speed_ratio": ("plain_s", "seconds", "plain decoding, from the first token on"),
            "request_ratio": ("plain_request_s", "request_s", "plain decoding, prompt and all"),
            "acceptance": ("accepted", "proposed", "guessed tokens"),
            "passes_ratio": ("passes", "plain_passes", "passes of plain decoding"),
        }
        for name, (above, below, peer) in ratios.items():
            figure = _ratio(by[method], above, below, seed)
            direction = "lower" if name == "passes_ratio" else "higher"
            found[f"{method}_{name}"] = figure.model_copy(update={"peer": peer, "direction": direction})
    student = by["student"]
    found["student_size_ratio"] = Figure(value=None, direction="lower", status=_NO_STUDENT)
    found["student_task_ratio"] = _ratio(student, "student_right", "right", seed).model_copy(
        update={"peer": "right answers of the teacher"}
    )
    found["student_speed_ratio"] = _ratio(student, "plain_s_per_token", "s_per_token", seed).model_copy(
        update={"peer": "seconds a token of the teacher"}
    )
    return found


def pass_costs(model: Decoder, prompt: Sequence[int]) -> dict[str, Figure]:
    """What a pass over several positions costs beside a pass over one: a guess has to earn that back."""
    reading = model.reading(len(prompt) + max(_POSITIONS))
    reading.read(prompt)
    seconds: dict[int, list[float]] = {positions: [] for positions in (1, *_POSITIONS)}
    for _ in range(_PASSES):
        for positions, some in seconds.items():  # in turn, so that all meet the same disturbances
            reading.back_to(len(prompt))
            start = time.perf_counter()
            reading.read(prompt[:positions], scored=positions)
            some.append(time.perf_counter() - start)
    one = statistics.median(seconds[1])
    return {
        f"pass_cost_{positions}": Figure(
            value=statistics.median(seconds[positions]) / one, n=_PASSES, direction="lower", peer="a pass over one"
        )
        for positions in _POSITIONS
    }


def _student(options: Options) -> Path | None:
    if options.method == "flat":
        folder = student_folder(options.settings)
        return folder if folder.is_dir() else None
    folder = Path(options.method)
    if not folder.is_dir():
        raise BenchError("There is no student", where=folder.name, todo="Name the folder of one with --method.")
    return folder


def _parameters(folder: Path) -> int:
    return sum(tensor.count for tensor in stored(folder))


def _asked(world: Contexts, text: Text, limit: int, seed: int) -> Iterator[Asked]:
    """Questions of each type with the passages that answer them among others."""
    rng = random.Random(seed)
    for kind in GOLD:
        asked = 0
        some = [question for question in world.questions if question.type == kind]
        for question in rng.sample(some, len(some)):
            context = world.gold(question, rng) if asked < limit else None
            if context is None or context.asked is None or not context.asked.value:
                continue
            asked += 1
            yield Asked(question, [one.text for one in context.passages], text.prompt(question.text, context))


def _reply(model: Decoder | Speculation, one: Asked, text: Text) -> Reply:
    tokens: list[int] = []
    start = first = time.perf_counter()
    for token in model.generate(one.prompt, MAX_TOKENS, None, text.speller(one.passages)):
        if not tokens:
            first = time.perf_counter()
        tokens.append(token)
        if token == text.end:
            break
    return Reply(tokens, first - start, time.perf_counter() - first)


def _right(one: Asked, text: Text, reply: Reply) -> bool:
    return value_correct(one.question, cited(text.decode(reply.tokens), len(one.passages)).text)


def _row(one: Asked, method: str, plain: Reply, reply: Reply, tally: Tally) -> dict[str, Any]:
    later = max(1, len(reply.tokens) - 1), max(1, len(plain.tokens) - 1)
    return {
        "question_id": one.question.question_id, "type": one.question.type, "method": method,
        "prompt_tokens": len(one.prompt), "tokens": len(reply.tokens), "identical": reply.tokens == plain.tokens,
        "proposed": tally.proposed, "accepted": tally.accepted, "passes": tally.passes, "repeated": tally.repeated,
        "plain_passes": len(plain.tokens) - 1, "seconds": reply.rest_s, "plain_s": plain.rest_s,
        "request_s": reply.first_s + reply.rest_s, "plain_request_s": plain.first_s + plain.rest_s,
        "s_per_token": reply.rest_s / later[0], "plain_s_per_token": plain.rest_s / later[1],
    }  # fmt: skip


def _ratio(rows: Rows, above: str, below: str, seed: int) -> Figure:
    """A ratio of sums over questions, with its interval; skipped where there is no row or nothing below the line."""

    def value(some: Sequence[Any]) -> float | None:
        total = sum(row[below] for row in some)
        return sum(row[above] for row in some) / total if total else None

    if not rows:
        return Figure(value=None, n=0, direction="higher", status=_NO_STUDENT)
    if (found := value(rows)) is None:
        return Figure(value=None, n=len(rows), direction="higher", status=f"skipped: {below} is 0 in all rows")
    return Figure(value=found, n=len(rows), ci95=statistic_interval(rows, value, seed), direction="higher")
