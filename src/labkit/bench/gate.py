"""How often the regression gate cries wolf, and how often it sees a drop of five points.

Real rows first: the pipeline without its chat model answers the questions of a split by quoting, and its choice of
the sentence is sampled as a language model samples tokens, once per seed. Runs of different seeds are runs of the same
system. Then pairs are simulated: a split's worth of questions is drawn from the rows with replacement, a baseline and
a candidate of different seeds; for a planted drop, five per cent of all answers, right ones, are made wrong. The gate
that is judged is :func:`labkit.evaluate.gate.compare`, called as the command line calls it.

``_max_noise`` is the worst a noisy system can do at this level of quality: the candidate's outcome on a question tells
nothing about the baseline's beyond the type of question.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tqdm import tqdm

from labkit.bench.answer import LIMITS, gold_of, sample
from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.errors import BenchError
from labkit.evaluate.corpus import Corpus, asked_by, gold_paths, prepare_world, read_questions
from labkit.evaluate.gate import compare
from labkit.evaluate.grading import Grade, grade
from labkit.evaluate.statistics import proportion_interval
from labkit.llm import Embedder, embedder
from labkit.pipeline.abstain import EvidenceRule
from labkit.pipeline.attribute import quote
from labkit.pipeline.pipeline import ABSTENTION, HITS
from labkit.pipeline.select import Passage, Selector
from labkit.retrieve import open_index, plain_retriever
from labkit.schema import Answer
from labkit.world.chance import stream
from labkit.world.questions import Question

PAIRS = 1000
"""Simulated pairs of runs per figure."""
SEEDS = 6
TEMPERATURE = 0.1
"""Of sampling sentences: their scores lie between 0 and 2."""
PLANTED = 0.05
_STATED = ("right", "citation_correct", "money_lost")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of one question under every seed, and what a wrong answer to it costs."""

    grades: tuple[Grade, ...]
    cost_if_wrong: float


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Measure false alarms and caught drops.

    Raises:
        BenchError: a system was given, or it answers too few questions rightly to take five points away.
    """
    if options.system is not None:
        raise BenchError("`bench gate` measures the gate, not a system", todo="Leave out --system.")
    settings = options.settings
    encoder = embedder(settings)
    corpus = prepare_world(settings, encoder, seed=options.seed, pack_dir=options.pack, profile=options.profile)
    manifest = corpus.manifest()
    assert manifest is not None
    assert corpus.world is not None
    questions = read_questions(corpus.world, options.split)
    asked = sample(questions, options.limit or LIMITS[settings.profile], options.seed)
    outcomes = real_outcomes(asked, corpus, encoder, options.seed)
    types = [question.type for question in questions if question.type in outcomes]
    figures = _described(outcomes, types)
    rows: Rows = []
    for noise in ("", "_max_noise"):
        for name, drop in (("false_alarms", 0.0), ("caught", PLANTED)):
            found = simulate(outcomes, types, drop, PAIRS, options.seed, independent=bool(noise))
            rows += [{"figure": name + noise, **row} for row in found]
            stopped = sum(row["stopped"] for row in found)
            figures[name + noise] = Figure(
                value=stopped / PAIRS, n=PAIRS, ci95=proportion_interval(stopped, PAIRS),
                direction="higher" if drop else "lower",
            )  # fmt: skip
    result = BenchResult(
        bench="gate",
        profile=options.profile,
        seed=options.seed,
        pack=manifest.pack,
        split=options.split,
        world_version=manifest.world_version,
        data_sha256=manifest.sha256,
        figures=figures,
    )
    return result, rows


def real_outcomes(
    questions: Sequence[Question], corpus: Corpus, encoder: Embedder, seed: int
) -> dict[str, list[Outcomes]]:
    """Ask every question once, quote once per seed, and grade; by question type."""
    assert corpus.world is not None
    paths = gold_paths(corpus.world)
    retriever = plain_retriever(open_index(corpus.index, encoder), encoder)
    select, judge = Selector(encoder), EvidenceRule()
    found: defaultdict[str, list[Outcomes]] = defaultdict(list)
    for question in tqdm(questions, desc="asking", unit="question"):
        ctx = asked_by(question)
        passages = select(question.text, retriever.search(question.text, HITS, ctx), ctx)
        answerable = judge(question.text, passages).answerable
        grades = []
        for number in range(SEEDS):
            rng = stream(seed, "gate", number, question.question_id)
            answer = quoted(question.text, passages, rng) if answerable else Answer(text=ABSTENTION, abstained=True)
            grades.append(grade(question, answer, gold_of(question, paths), 0.0))
        found[question.type].append(Outcomes(tuple(grades), question.cost_if_wrong))
    return dict(found)


def quoted(question: str, passages: Sequence[Passage], rng: random.Random) -> Answer:
    """A quote sampled at :data:`TEMPERATURE`: the best one after Gumbel noise is a draw from the softmax."""
    noisy = [
        replace(passage, closeness=tuple(
            max(0.0, score - TEMPERATURE * math.log(rng.expovariate(1.0))) if score >= 0 else score  # headings stay out
            for score in passage.closeness
        ))
        for passage in passages
    ]  # fmt: skip
    support = quote(question, noisy)
    if support is None:
        return Answer(text=ABSTENTION, abstained=True)
    return Answer(text=support.citation.quote, citations=(support.citation,))


def simulate(
    outcomes: Mapping[str, Sequence[Outcomes]], types: Sequence[str], drop: float, pairs: int, seed: int,
    *, independent: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """Simulated pairs of runs, each judged by the gate.

    Args:
        outcomes: real ones, by question type.
        types: of the questions of a run, one entry per question.
        drop: share of a run's answers that are made wrong in the candidate.
        pairs: how many pairs.
        seed: of the simulation.
        independent: draw the candidate's outcome from another question of the type than the baseline's.

    Raises:
        BenchError: too few answers are right for the drop.
    """
    rows = []
    for number in range(pairs):
        rng = stream(seed, "gate pairs", number, drop, independent)
        before, after, costs = [], [], []
        for place, type_ in enumerate(types):
            old = rng.choice(outcomes[type_])
            new = rng.choice(outcomes[type_]) if independent else old
            first, second = rng.sample(range(SEEDS), 2)
            before.append(_row(place, old.grades[first]))
            after.append(_row(place, new.grades[second]))
            costs.append(new.cost_if_wrong)
        _plant(after, costs, round(drop * len(types)), rng)
        report = compare(before, after, intervals=False, seed=number)
        right = report.changes[0]
        rows.append(
            {"pair": number, "change": right.change, "p_value": right.p_value, "stopped": not report.passed}
        )  # fmt: skip
    return rows


def _row(place: int, graded: Grade) -> dict[str, Any]:
    return {"question_id": str(place), **{name: getattr(graded, name) for name in _STATED}}


def _plant(rows: Sequence[dict[str, Any]], costs: Sequence[float], count: int, rng: random.Random) -> None:
    right = [place for place, row in enumerate(rows) if row["right"]]
    if count > len(right):
        raise BenchError(f"Only {len(right)} answers are right, {count} were to be spoilt", todo="Ask more questions.")
    for place in rng.sample(right, count):
        rows[place].update(right=False, citation_correct=False, money_lost=costs[place])


def _described(outcomes: Mapping[str, Sequence[Outcomes]], types: Sequence[str]) -> dict[str, Figure]:
    """What the simulation rests on: weighted by type as a run is."""

    def mean(of: Mapping[str, float]) -> float:
        return sum(of[type_] for type_ in types) / len(types)

    right = {t: sum(g.right for o in group for g in o.grades) / (len(group) * SEEDS) for t, group in outcomes.items()}
    differ = {
        t: sum(_differing([g.right for g in o.grades]) for o in group) / len(group) for t, group in outcomes.items()
    }
    asked = sum(len(group) for group in outcomes.values())
    return {
        "questions_per_run": Figure(value=float(len(types)), unit="questions"),
        "answers_right": Figure(value=mean(right), n=asked, direction="higher"),
        "seeds_disagree": Figure(value=mean(differ), n=asked, direction="none"),
    }


def _differing(values: Sequence[bool]) -> float:
    """The share of pairs of runs that differ."""
    hits, n = sum(values), len(values)
    return 2 * hits * (n - hits) / (n * (n - 1))
