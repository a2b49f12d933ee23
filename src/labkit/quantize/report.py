"""One row for each folder: bytes on disk and in memory, perplexity in and out of domain, task score, tokens a second.

Every row is compared with the first, the model in bf16, on the same texts and questions. Perplexity ratios are paired
text by text; task scores question by question, and each kind of question (negations, say) has a row of its own. Speed
and memory are stated only where the method's own arithmetic ran. What the task is, and which texts are in domain, is
the caller's: this module is handed a function and two lists.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit.errors import InputError
from labkit.evaluate.statistics import difference_interval
from labkit.quantize.checkpoint import weight_bytes
from labkit.quantize.loading import Loaded, load
from labkit.quantize.perplexity import Loss, Perplexity, losses, perplexity, ratio

NEW_TOKENS = 48
PROMPT = "<|im_start|>user\nName three things that a warehouse robot must never do.<|im_end|>\n<|im_start|>assistant\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of the task: its id, its kind (``negation``, ``lookup`` …) and whether the answer was right."""

    question_id: str
    kind: str
    right: bool


Task = Callable[[Loaded], Sequence[Asked]]
"""Asks a loaded model the questions of a task; the same ones in the same order for every model."""


@dataclass(frozen=True, slots=True)
class Score:
    """Right answers of one kind of question.

    Attributes:
        share: of right answers.
        n: questions.
        change: share less that of the first row.
        ci95: of the change, paired by question; None where no answer changed.
    """

    share: float
    n: int
    change: float
    ci95: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one folder.

    Attributes:
        name: of the row.
        method: what made the folder, ``bf16`` for the first.
        engine: whose arithmetic ran.
        disk_bytes: of the weight files, embeddings counted.
        memory_bytes: of the loaded weights; None where they were restored to bf16 to be measured.
        size_ratio: disk bytes over the first row's.
        perplexity: by domain.
        ratio: of perplexities to the first row's, by domain.
        tokens_per_s: new tokens a second, one answer at a time; None as ``memory_bytes``.
        scores: of the task, by kind of question, ``all`` first; empty where no task was given.
    """

    name: str
    method: str
    engine: str
    disk_bytes: int
    memory_bytes: int | None
    size_ratio: float
    perplexity: dict[str, Perplexity]
    ratio: dict[str, Perplexity]
    tokens_per_s: float | None
    scores: dict[str, Score] = field(default_factory=dict)


@dataclass(slots=True)
class Report:
    """Measures folder after folder against the first one.

    Attributes:
        texts: domain to the texts that are read.
        tokens: of each domain, at least so many are predicted where the texts have them.
        task: asks each model its questions, if given.
        seed: of the bootstrap.
        rows: what was measured so far.
        losses: of each row, the losses of each domain's texts.
        asked: of each row, the questions and how they were answered.
    """

    texts: Mapping[str, Sequence[str]]
    tokens: int = 20_000
    task: Task | None = None
    seed: int = 0
    rows: list[Row] = field(default_factory=list)
    losses: dict[str, dict[str, list[Loss]]] = field(default_factory=dict)
    asked: dict[str, Sequence[Asked]] = field(default_factory=dict)

    def add(self, name: str, folder: Path) -> Row:
        """Load a folder, measure it and append its row. The first must be the model in bf16.

        Raises:
            InputError: the first is quantized, or the task asked other questions than before.
            ModelError: the folder cannot be loaded, or its losses are not finite.
        """
        loaded = load(folder)
        if not self.rows and loaded.method != "bf16":
            raise InputError("The first row must be the model in bf16", where=name, todo="Add the source first.")
        found = {
            domain: losses(loaded.model, loaded.tokenizer, texts, tokens=self.tokens)
            for domain, texts in self.texts.items()
        }
        self.losses[name] = found
        self.asked[name] = self.task(loaded) if self.task else ()
        first = next(iter(self.losses))
        size = weight_bytes(folder)
        row = Row(
            name=name, method=loaded.method, engine=loaded.engine, disk_bytes=size,
            memory_bytes=loaded.bytes if loaded.own_arithmetic else None,
            size_ratio=size / self.rows[0].disk_bytes if self.rows else 1.0,
            perplexity={domain: perplexity(some, self.seed) for domain, some in found.items()},
            ratio={domain: ratio(self.losses[first][domain], some, self.seed) for domain, some in found.items()},
            tokens_per_s=speed(loaded) if loaded.own_arithmetic else None,
            scores=scores(self.asked[first], self.asked[name], self.seed),
        )  # fmt: skip
        self.rows.append(row)
        del loaded
        gc.collect()
        return row

    def table(self) -> str:
        """For people: one line for each row."""
        domains = list(self.texts)
        head = ["", "MB", "size", *(f"perplexity {domain}" for domain in domains), "tokens/s", "right", "engine"]
        lines = [head]
        for row in self.rows:
            score = row.scores.get("all")
            lines.append([
                row.name, f"{row.disk_bytes / 1e6:.0f}", f"{row.size_ratio:.3f}",
                *(f"{row.perplexity[domain].value:.2f} ({row.ratio[domain].value:.3f}×)" for domain in domains),
                "" if row.tokens_per_s is None else f"{row.tokens_per_s:.0f}",
                "" if score is None else f"{score.share:.3f}", row.engine,
            ])  # fmt: skip
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        return "\n".join(
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines
        )


def speed(loaded: Loaded, *, tokens: int = NEW_TOKENS) -> float:
    """New tokens a second, greedy, one answer at a time, after one that warms up."""
    ids = loaded.tokenizer(PROMPT, return_tensors="pt", add_special_tokens=False)

    def answer(count: int) -> float:
        began = time.perf_counter()
        loaded.model.generate(**ids, max_new_tokens=count, min_new_tokens=count, do_sample=False,
                              pad_token_id=loaded.model.config.eos_token_id)  # fmt: skip
        return time.perf_counter() - began

    answer(4)
    return tokens / answer(tokens)


def scores(before: Sequence[Asked], after: Sequence[Asked], seed: int) -> dict[str, Score]:
    """Shares of right answers and their change, for all questions and for each kind.

    Raises:
        InputError: the two lists are not of the same questions.
    """
    if [one.question_id for one in before] != [one.question_id for one in after]:
        raise InputError("The task did not ask every model the same questions", todo="Ask them in one order.")
    kinds = sorted({one.kind for one in after})
    found = {}
    for kind in ["all", *kinds] if after else []:
        pairs = [(old.right, new.right) for old, new in zip(before, after, strict=True) if kind in ("all", new.kind)]
        old, new = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
        share = sum(new) / len(new)
        found[kind] = Score(share, len(new), share - sum(old) / len(old), difference_interval(old, new, seed))
    return found
