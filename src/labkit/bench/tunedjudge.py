"""The ``judge`` adapter: how well it tells supported from unsupported, and how far it agrees with a person.

Statements about test facts come from :mod:`labkit.tune.judging`, in wordings and about things no training set holds,
one at a time. HaluEval's general questions (Li et al. 2023, MIT) are answers without passages: there the model judges
from what it knows, for which it was never trained.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from labkit.bench.answer import sample
from labkit.bench.registry import Options, Rows
from labkit.bench.result import Figure
from labkit.errors import InputError
from labkit.evaluate.grades import hand_grades
from labkit.evaluate.judge import ModelJudge, TunedJudge, against_hand
from labkit.evaluate.statistics import statistic_interval
from labkit.llm.local import LocalChat
from labkit.llm.tasks import SUPPORTED
from labkit.models import resolve
from labkit.tune import judging
from labkit.tune.retrieved import Contexts

LIMITS = {"ci": 150, "laptop": 600, "gpu": 5_000}
_GRADES = "00_demo"


def judge_figures(options: Options) -> tuple[dict[str, Figure], Rows]:
    """Figures and a row per statement."""
    settings = options.settings
    limit = options.limit or LIMITS[settings.profile]
    chat = LocalChat(resolve(settings.chat_model, settings.home), device=settings.device, threads=settings.threads)
    judge = TunedJudge(chat.adapted(options.adapter("judge")))
    world = Contexts(settings, options.seed, options.split, pack_dir=options.pack, profile=options.profile)
    rows = list(_world(world, judge, limit, options.seed))
    figures = {"judge_auroc": _auroc([(bool(r["supported"]), float(r["likely"])) for r in rows], options.seed)}
    base = list(_world(world, TunedJudge(chat), min(limit, 60), options.seed))
    figures["judge_auroc_base"] = _auroc([(bool(r["supported"]), float(r["likely"])) for r in base], options.seed)
    for kind in sorted({str(row["kind"]) for row in rows} - {"supported"}):
        some = [(bool(r["supported"]), float(r["likely"])) for r in rows if r["kind"] in {"supported", kind}]
        figures[f"judge_auroc_{kind}"] = _auroc(some, options.seed)
    figures["judge_auroc_halueval"] = _halueval(options.data, judge, limit, options.seed)
    return figures | _kappa(judge, ModelJudge(chat)), rows


def _world(world: Contexts, judge: TunedJudge, limit: int, seed: int) -> Iterator[dict[str, Any]]:
    rng = random.Random(seed)
    asked = sample([one for one in world.questions if one.type in ("single_hop", "time", "adversarial")], limit, seed)
    for question in tqdm(asked, desc="judging", unit="context"):
        context = world.retrieved(question, rng)
        for made in judging.dialogues(context, rng, most=2):
            (turn,) = made.turns
            statement = turn.user.rpartition("Statement: ")[2]
            likely = judge.probability(statement, context.passages)
            yield {
                "statement": statement, "kind": turn.kind, "supported": turn.reply == SUPPORTED, "likely": likely,
                "question_id": question.question_id,
            }  # fmt: skip


def _halueval(data: Path | None, judge: TunedJudge, limit: int, seed: int) -> Figure:
    file = data / "halueval-general" / "general_data.json" if data else None
    if file is None or not file.is_file():
        return Figure(value=None, direction="higher", status="skipped: LABKIT_DATA has no halueval-general")
    lines = file.read_text(encoding="utf-8").splitlines()
    read = [json.loads(line) for line in random.Random(seed).sample(lines, min(limit, len(lines)))]
    pairs = [
        (row["hallucination"] == "no", judge.probability(f"{row['user_query']} {row['chatgpt_response']}"[:2_000], []))
        for row in tqdm(read, desc="halueval", unit="answer")
    ]
    return _auroc(pairs, seed)


def _kappa(judge: TunedJudge, before: ModelJudge) -> dict[str, Figure]:
    try:
        grades = hand_grades(_GRADES)
    except InputError as error:
        skipped = Figure(value=None, direction="higher", status=f"skipped: {error.what}")
        return {"judge_kappa_before": skipped, "judge_kappa": skipped}
    found = {}
    for name, one in (("judge_kappa_before", before), ("judge_kappa", judge)):
        agreed, _ = against_hand(one, grades)
        found[name] = Figure(value=agreed.kappa, n=agreed.n, ci95=agreed.ci95, direction="higher")
    return found


def _auroc(pairs: Sequence[tuple[bool, float]], seed: int) -> Figure:
    """Area under the ROC curve: how often a supported one is found likelier than an unsupported one."""
    if len({label for label, _ in pairs}) < 2:
        return Figure(value=None, n=len(pairs), direction="higher", status="skipped: all of one kind")
    return Figure(value=area(pairs), n=len(pairs), ci95=statistic_interval(pairs, area, seed), direction="higher")


def area(pairs: Sequence[Any]) -> float:
    """Area under the ROC curve of (is it so, score); ties count half; .5 where all are of one kind."""
    right = np.array([score for label, score in pairs if label])
    wrong = np.array([score for label, score in pairs if not label])
    if not len(right) or not len(wrong):
        return 0.5
    above = (right[:, None] > wrong[None, :]).mean() + 0.5 * (right[:, None] == wrong[None, :]).mean()
    return float(above)
