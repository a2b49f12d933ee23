"""Ask a system the world's questions and grade what comes back.

The system under test is the default pipeline or any :class:`~labkit.schema.Answerer`. Questions are sampled evenly
over types where there are more than the profile allows time for.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from tqdm import tqdm

from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.evaluate.corpus import Corpus, asked_by, gold_paths, prepare_world, read_questions
from labkit.evaluate.grading import Grade, grade
from labkit.evaluate.statistics import mean_interval, proportion_interval
from labkit.llm import embedder
from labkit.models import resolve
from labkit.pipeline import build_pipeline
from labkit.schema import Answer, Answerer
from labkit.world.chance import stream
from labkit.world.questions import Question

LIMITS = {"ci": 90, "laptop": 450, "gpu": 100_000}
"""Questions asked, by profile of the settings, where the caller sets no limit."""


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Measure a system on a split of a world."""
    settings = options.settings
    corpus = prepare_world(
        settings, embedder(settings), seed=options.seed, pack_dir=options.pack, profile=options.profile
    )
    manifest = corpus.manifest()
    assert corpus.world is not None
    assert manifest is not None
    system = options.system or build_pipeline(corpus.index, settings, world=manifest.world_version)
    limit = options.limit or LIMITS[settings.profile]
    questions = sample(read_questions(corpus.world, options.split), limit, options.seed)
    graded = ask_all(system, questions, corpus)
    local = settings.chat_url is None
    result = BenchResult(
        bench="answer",
        profile=options.profile,
        seed=options.seed,
        pack=manifest.pack,
        split=options.split,
        world_version=manifest.world_version,
        data_sha256=manifest.sha256,
        model_sha256=resolve(settings.chat_model, settings.home).sha256 if local else "",
        figures=figures([g for g, _ in graded], options.seed),
    )
    texts = {q.question_id: q for q in questions}
    rows = [
        {**asdict(g), "right": g.right, "system": options.system_name, "profile": options.profile,
         "seed": options.seed, "split": options.split, "world_version": manifest.world_version,
         "question": texts[g.question_id].text, "value": texts[g.question_id].value,
         "answer": a.text, "degraded": list(a.degraded), "cited": [c.source_path for c in a.citations]}
        for g, a in graded
    ]  # fmt: skip
    return result, rows


def sample(questions: Sequence[Question], limit: int, seed: int) -> list[Question]:
    """At most ``limit`` questions, evenly over types as far as they go, the same for a seed; in id order."""
    by_type: defaultdict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_type[question.type].append(question)
    for name, group in by_type.items():
        stream(seed, "sample", name).shuffle(group)
    chosen: list[Question] = []
    while len(chosen) < limit and any(by_type.values()):
        for name in sorted(by_type):
            if by_type[name] and len(chosen) < limit:
                chosen.append(by_type[name].pop())
    return sorted(chosen, key=lambda question: question.question_id)


def ask_all(
    system: Answerer, questions: Sequence[Question], corpus: Corpus, *, progress: bool = True
) -> list[tuple[Grade, Answer]]:
    """Ask every question as its asker, on its day, and grade the answers."""
    assert corpus.world is not None
    paths = gold_paths(corpus.world)
    graded = []
    for question in tqdm(questions, desc="asking", unit="question", disable=not progress):
        started = time.perf_counter()
        answer = system.ask(question.text, asked_by(question))
        seconds = time.perf_counter() - started
        graded.append((grade(question, answer, gold_of(question, paths), seconds), answer))
    return graded


def gold_of(question: Question, paths: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The files that state any of the question's facts; ``paths`` is from :func:`labkit.evaluate.corpus.gold_paths`."""
    return frozenset().union(*(paths.get(fact_id, frozenset()) for fact_id in question.facts))


def figures(grades: Sequence[Grade], seed: int) -> dict[str, Figure]:
    """The headline figures, then the share answered rightly by question type."""
    answerable = [g for g in grades if g.answerable]
    abstained = [g for g in grades if g.abstained]
    unanswerable = [g for g in grades if not g.answerable]
    answered = [g for g in answerable if g.value_correct]
    found = {
        "answers_right": _share([g.right for g in grades]),
        "value_correct": _share([g.value_correct for g in answerable]),
        "citation_correct": _share([g.citation_correct for g in answered]),
        "abstention_precision": _share([not g.answerable for g in abstained]),
        "abstention_recall": _share([g.abstained for g in unanswerable]),
        "money_lost_per_100": _money([g.money_lost for g in grades], seed),
    }
    for type_ in sorted({g.type for g in grades}):
        found[f"right_{type_}"] = _share([g.right for g in grades if g.type == type_])
    seconds = [g.seconds for g in grades]
    for name, quantile in (("p50_s", 50), ("p99_s", 99)):
        value = float(np.percentile(seconds, quantile)) if seconds else None
        found[name] = Figure(value=value, unit="s", n=len(seconds), direction="lower")
    return found


def _share(values: Sequence[bool]) -> Figure:
    if not values:
        return Figure(value=None, n=0, direction="higher", status="skipped: no question of this kind")
    hits = sum(values)
    interval = proportion_interval(hits, len(values))
    return Figure(value=hits / len(values), n=len(values), ci95=interval, direction="higher")


def _money(lost: Sequence[float], seed: int) -> Figure:
    interval = mean_interval(lost, seed)
    scaled = (interval[0] * 100, interval[1] * 100) if interval else None
    value = 100 * sum(lost) / len(lost) if lost else None
    return Figure(value=value, unit="EUR", n=len(lost), ci95=scaled, direction="lower")
