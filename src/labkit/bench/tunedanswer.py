"""The ``answer`` adapter against its base: with the right passages in hand, over retrieval, and where none answers."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from tqdm import tqdm

from labkit.bench.answer import sample
from labkit.bench.registry import Options, Rows
from labkit.bench.result import Figure, share
from labkit.evaluate.grading import value_correct
from labkit.llm.constrain import Quotations
from labkit.llm.local import LocalChat
from labkit.llm.tasks import Cited, cited, numbered, prompt_of
from labkit.models import resolve
from labkit.pipeline.reader import MAX_TOKENS
from labkit.schema import RequestContext
from labkit.tune.context import Context
from labkit.tune.retrieved import Contexts
from labkit.world.questions import Question

GOLD = ("single_hop", "time", "adversarial", "comparison", "multi_hop")
SILENT = ("unanswerable", "forbidden")
LIMITS = {"ci": 40, "laptop": 150, "gpu": 100_000}
"""Questions of a type, by profile of the settings, where the caller sets no limit."""
_BASE = 20  # questions of a type the base is asked: it never says when it has finished

Ask = Callable[[str, Context], Cited]


def answer_figures(options: Options) -> tuple[dict[str, Figure], Rows]:
    """Figures and a row per question."""
    settings = options.settings
    chat = LocalChat(resolve(settings.chat_model, settings.home), device=settings.device, threads=settings.threads)
    world = Contexts(settings, options.seed, options.split, pack_dir=options.pack, profile=options.profile)
    limit = options.limit or LIMITS[settings.profile]
    rows = list(_gold(world, asking(chat.adapted(options.adapter("answer"))), limit, options.seed, "tuned"))
    rows += _gold(world, asking(chat, constrained=False), min(limit, _BASE), options.seed, "base")
    rows += _over_retrieval(world, asking(chat.adapted(options.adapter("answer"))), limit, options.seed)
    return _figures(rows), rows


def asking(chat: LocalChat, *, constrained: bool = True) -> Ask:
    """A function that puts a question to a model as the ``answer`` task is put."""

    def ask(question: str, context: Context) -> Cited:
        messages = prompt_of("answer").messages(passages=numbered(context.passages), question=question)
        form = Quotations([one.text for one in context.passages]) if constrained else None
        reply = chat.chat(messages, max_tokens=MAX_TOKENS, ctx=RequestContext(), constraint=form)
        return cited(reply.text, len(context.passages))

    return ask


def _gold(world: Contexts, ask: Ask, limit: int, seed: int, model: str) -> Iterator[dict[str, object]]:
    """Questions with the passages that answer them among others."""
    rng = random.Random(seed)
    for kind in GOLD:
        asked = 0
        some = sample([one for one in world.questions if one.type == kind], 3 * limit, seed)
        for question in tqdm(rng.sample(some, len(some)), desc=f"{model}, {kind}", unit="question"):
            context = world.gold(question, rng)
            if context is None or context.asked is None or not context.asked.value or asked == limit:
                continue
            asked += 1
            said = ask(question.text, context)
            right = value_correct(question, said.text)
            yield {
                **_row(question, said, model, "gold"), "right": right,
                "cited": right and well_cited(context, said),
            }  # fmt: skip


def well_cited(context: Context, said: Cited) -> bool:
    """Whether an answer quotes a passage that says so; of an answer that takes several, all of them."""
    asked = context.asked
    if asked is None or not asked.quotes:
        return False
    if len(asked.places) > 1:
        return set(said.places) >= set(asked.places)
    stating = {place for fact in context.facts if {*fact.quotes} & {*asked.quotes} for place in fact.places}
    return not {*stating, *asked.places}.isdisjoint(said.places)


def _over_retrieval(world: Contexts, ask: Ask, limit: int, seed: int) -> Iterator[dict[str, object]]:
    """Questions as the system meets them, with what retrieval finds; as many without an answer as there are."""
    rng = random.Random(seed)
    single = sample([one for one in world.questions if one.type == "single_hop"], 3 * limit, seed)
    silent = [one for one in world.questions if one.type in SILENT]
    for question in tqdm([*single, *silent[: 3 * limit]], desc="over retrieval", unit="question"):
        context = world.retrieved(question, rng, everything=True)
        said = ask(question.text, context)
        right = value_correct(question, said.text) if question.value else not said.text
        yield {**_row(question, said, "tuned", "retrieved"), "right": right, "cited": False}


def _row(question: Question, said: Cited, model: str, passages: str) -> dict[str, object]:
    return {
        "question_id": question.question_id, "type": question.type, "question": question.text, "value": question.value,
        "answer": said.text, "places": list(said.places), "model": model, "passages": passages,
        "abstained": not said.text,
    }  # fmt: skip


def _figures(rows: Rows) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    by: defaultdict[tuple[str, str, str], list[dict[str, object]]] = defaultdict(list)
    for row in rows:
        for kind in (str(row["type"]), ""):
            by[str(row["model"]), str(row["passages"]), kind].append(row)
    for model, suffix in (("tuned", ""), ("base", "_base")):
        for kind in ("", *GOLD):
            some = by[model, "gold", kind]
            name = f"{suffix}_{kind}".rstrip("_")
            found[f"answer_gold_value_correct{name}"] = _share([bool(row["right"]) for row in some])
            right = [row for row in some if row["right"]]
            found[f"answer_gold_citation_correct{name}"] = _share([bool(row["cited"]) for row in right])
    single = by["tuned", "retrieved", "single_hop"]
    found["answer_end_to_end_value_correct"] = _share([bool(row["right"]) for row in single])
    silent = [row for kind in SILENT for row in by["tuned", "retrieved", kind]]
    equal = single[: len(silent)]  # else the precision would be that of the mixture
    abstained = [row for row in (*equal, *silent) if row["abstained"]]
    found["abstention_precision"] = _share([not row["value"] for row in abstained])
    found["abstention_recall"] = _share([bool(row["abstained"]) for row in silent])
    found["abstention_false_alarms"] = _share([bool(row["abstained"]) for row in single]).model_copy(
        update={"direction": "lower"}
    )
    return found


def _share(values: Sequence[bool]) -> Figure:
    return share(sum(values), len(values))
