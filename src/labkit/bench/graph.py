"""What the graph finds and what it is good for: extraction against the true graph, hops, structured answers, themes.

Hop retrieval is measured beside flat retrieval and personalised PageRank on the same questions; structured answers
against the world's values; graphrag's global search against what the best ten passages name; the router against the
ways that can answer each type. Every way is also asked by strangers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from labkit.bench.answer import sample
from labkit.bench.graphspeed import build_times, hop_latency
from labkit.bench.pagerank import PageRankRetriever
from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.bench.retrieve import Asked, all_rows, few, questions_with_gold, retrieval_values, safety, stranger
from labkit.bench.themes import themes
from labkit.bench.truegraph import TrueGraph, scores
from labkit.evaluate.corpus import prepare_world, read_questions
from labkit.evaluate.grading import value_correct
from labkit.evaluate.statistics import difference_interval, mean_interval
from labkit.graph.chains import ChainModel
from labkit.graph.graph import Graph
from labkit.graph.hop import HopRetriever
from labkit.graph.route import Way, route
from labkit.graph.rules import RulesExtractor
from labkit.graph.schema import Schema
from labkit.graph.structured import Structured
from labkit.llm import embedder
from labkit.retrieve import LateInteraction, Reranker, Rewriter, Search, open_index
from labkit.schema import Chunk, RequestContext, Retriever
from labkit.world.chance import stream
from labkit.world.questions import Question

_TENANT = "tidewater"
_STRANGERS = 500  # who ask each way for what they may not see
SPLITS = ("train", "dev", "test")
"""Where questions about the whole are taken from: each holds few, and nothing that answers them was trained on any."""

WAYS = {
    "single_hop": {Way.FLAT, Way.HOP},
    "multi_hop": {Way.HOP},
    "comparison": {Way.STRUCTURED},
    "aggregation": {Way.STRUCTURED},
    "time": {Way.STRUCTURED},
    "global": {Way.GLOBAL},
}
"""Type of question → the ways that can answer it: the oracle the router is compared with."""


@dataclass(frozen=True, slots=True)
class _Lab:
    """What is measured."""

    flat: Reranker
    graph: Graph
    chains: ChainModel
    structured: Structured


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Measure on a split of a world."""
    encoder = embedder(options.settings)
    corpus = prepare_world(options.settings, encoder, seed=options.seed, pack_dir=options.pack, profile=options.profile)
    manifest = corpus.manifest()
    assert manifest is not None
    assert corpus.world is not None
    opened = open_index(corpus.index, encoder, world=manifest.world_version)
    chunks = sorted(opened.store.chunks(), key=lambda chunk: chunk.chunk_id)
    schema = Schema.load()
    extraction = RulesExtractor(schema).extract(chunks)
    graph = Graph(extraction, chunks, schema)
    figures = scores(extraction, graph, TrueGraph.read(corpus.world), options.split) | build_times(chunks)
    chains = ChainModel.shipped(schema)
    lab = _Lab(Reranker(opened.store, encoder, LateInteraction.shipped()), graph, chains, Structured(graph, chains))
    rewriter = Rewriter(opened.vocabulary)
    ways: dict[str, Retriever] = {
        "hop": Search(HopRetriever(lab.flat, graph, chains), rewriter),
        "flat": Search(lab.flat, rewriter),
        "pagerank": Search(PageRankRetriever(lab.flat, graph), rewriter),
    }
    asked = few(questions_with_gold(corpus, opened, options.split), options.limit, options.seed)
    values = {name: retrieval_values(way, asked, name) for name, way in ways.items()}
    figures |= _retrieval(values, asked, options.seed)
    figures |= hop_latency(all_rows(opened), [(a.question.text, a.ctx) for a in asked], encoder, options.seed)
    questions = read_questions(corpus.world, options.split)
    if options.limit:
        questions = sample(questions, options.limit, options.seed)
    figures |= _structured(lab, questions, options.seed) | _routes(lab, questions)
    for name in ("flat", "hop"):
        leaks = safety(ways[name], asked, opened, options.seed, _STRANGERS)
        figures |= {f"{name}_{key}": figure for key, figure in leaks.items()}
    figures["structured_acl_leaks"] = _structured_leaks(lab, questions, chunks, options.seed)
    figures |= themes(
        options.settings,
        chunks,
        extraction,
        [q for split in SPLITS for q in read_questions(corpus.world, split) if q.type == "global"],
        ways["flat"],
        corpus=corpus.index.name,
    )
    figures["acl_leaks"] = _together([figure for name, figure in figures.items() if name.endswith("_acl_leaks")])
    result = BenchResult(
        bench="graph", profile=options.profile, seed=options.seed, pack=manifest.pack, split=options.split,
        world_version=manifest.world_version, data_sha256=manifest.sha256, figures=figures,
    )  # fmt: skip
    rows: Rows = [
        {"system": name, "question_id": a.question.question_id, "type": a.question.type, "hops": a.question.hops,
         "question": a.question.text, **found[a.question.question_id]}
        for name, found in values.items() for a in asked
    ]  # fmt: skip
    return result, rows


def _context(question: Question) -> RequestContext:
    return RequestContext(
        principal=question.asker, groups=frozenset(question.groups), tenant=_TENANT, as_of=question.as_of
    )


def _retrieval(
    values: Mapping[str, Mapping[str, Mapping[str, float]]], asked: Sequence[Asked], seed: int
) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for kind, measures in (
        ("single_hop", ("recall_at_5", "mrr_at_10")), ("multi_hop", ("all_gold_at_10",)),
    ):  # fmt: skip
        ids = [a.question.question_id for a in asked if a.question.type == kind]
        if not ids:
            continue
        for measure in measures:
            found = {name: [rows[question_id][measure] for question_id in ids] for name, rows in values.items()}
            for name, some in found.items():
                prefix = "" if name == "hop" else f"{name}_"
                figures[f"{prefix}{kind}_{measure}"] = _mean(some, seed)
            figures[f"{kind}_{measure}_above_flat"] = Figure(
                value=float(np.mean(found["hop"]) - np.mean(found["flat"])), n=len(ids),
                ci95=difference_interval(found["flat"], found["hop"], seed), direction="higher", peer="flat",
            )  # fmt: skip
            if kind == "multi_hop":
                missed = [after for before, after in zip(found["flat"], found["hop"], strict=True) if before < 1]
                figures["flat_misses_closed"] = _mean(missed, seed)
    for hops in (2, 3, 4):
        ids = [a.question.question_id for a in asked if a.question.type == "multi_hop" and a.question.hops == hops]
        figures[f"all_gold_at_10_{hops}_hops"] = _mean([values["hop"][i]["all_gold_at_10"] for i in ids], seed)
    return figures


def _structured(lab: _Lab, questions: Sequence[Question], seed: int) -> dict[str, Figure]:
    """Share of comparisons, counts and questions as of a day that are answered exactly; and how many cite gold."""
    right: defaultdict[str, list[float]] = defaultdict(list)
    for question in tqdm(questions, desc="structured", unit="question", leave=False):
        if question.type in {"comparison", "aggregation", "time"}:
            ctx = _context(question)
            computed = lab.structured.answer(question.text, lab.flat.encode(question.text, ctx).states, ctx)
            exact = bool(computed.value) and value_correct(question, computed.value)
            right[question.type].append(float(exact))
            right["wrong"].append(float(bool(computed.value) and not exact))
    wrong = right.pop("wrong", [])
    every = [value for values in right.values() for value in values]
    figures = {f"structured_exact_{kind}": _mean(values, seed) for kind, values in sorted(right.items())}
    figures["structured_exact"] = _mean(every, seed)
    figures["structured_wrong"] = _mean(wrong, seed).model_copy(update={"direction": "lower"})
    return figures


def _routes(lab: _Lab, questions: Sequence[Question]) -> dict[str, Figure]:
    """Share of questions sent a way that can answer them."""
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for question in questions:
        if question.type in WAYS:
            ctx = _context(question)
            states = lab.flat.encode(question.text, ctx).states
            way = route(question.text, states, lab.graph, lab.chains, ctx).way
            right[question.type].append(way in WAYS[question.type])
    figures = {
        f"route_right_{kind}": Figure(value=float(np.mean(found)), n=len(found), direction="higher", peer="oracle")
        for kind, found in sorted(right.items())
    }
    every = [value for found in right.values() for value in found]
    figures["route_right"] = Figure(
        value=float(np.mean(every)) if every else None, n=len(every), direction="higher", peer="oracle"
    )
    return figures


def _structured_leaks(lab: _Lab, questions: Sequence[Question], chunks: Sequence[Chunk], seed: int) -> Figure:
    """Passages cited to strangers that they may not see, or that do not hold on their day."""
    rng = stream(seed, "bench", "graph", "safety")
    wanted = [q for q in questions if q.type in {"comparison", "aggregation", "time", "single_hop", "forbidden"}]
    leaks = asked = 0
    for question in rng.choices(wanted, k=_STRANGERS) if wanted else ():
        ctx = stranger(rng, chunks)
        states = lab.flat.encode(question.text, ctx).states
        cited = lab.structured.answer(question.text, states, ctx).chunk_ids
        leaks += sum(not ctx.sees(lab.graph.chunks[chunk_id]) for chunk_id in cited)
        asked += 1
    return Figure(value=leaks, unit="passages", n=asked, direction="lower")


def _together(leaks: Sequence[Figure]) -> Figure:
    """What leaked by any way: hits, citations, and passages in the files of graphrag's index."""
    return Figure(
        value=sum(figure.value or 0 for figure in leaks), unit="passages", n=sum(figure.n or 0 for figure in leaks),
        direction="lower",
    )  # fmt: skip


def _mean(values: Sequence[float], seed: int) -> Figure:
    if not values:
        return Figure(value=None, n=0, direction="higher", status="skipped: no question of this kind")
    return Figure(value=float(np.mean(values)), n=len(values), ci95=mean_interval(values, seed), direction="higher")
