"""Does retrieval find the passage that states the fact, for those who may read it, on the day that is asked about?

A hit counts when it is a chunk of a file that states the fact, holds the value, and may be read by the asker on the
question's day. The default retriever is measured beside flat retrieval, each path, plain fusion, and LlamaIndex's
default pipeline over the same chunks and vectors, on the same questions in the same run.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np
from tqdm import tqdm

from labkit.bench.answer import sample
from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.bench.searchspeed import SIZES, growth
from labkit.evaluate.corpus import Corpus, gold_paths, prepare_world, read_facts, read_questions
from labkit.evaluate.ranking import ranking_rows
from labkit.evaluate.stages import needs_of
from labkit.evaluate.statistics import difference_interval, mean_interval
from labkit.llm import Embedder, embedder
from labkit.pipeline import default_retriever
from labkit.retrieve import (
    DenseRetriever,
    HybridRetriever,
    Index,
    LexicalRetriever,
    convex_fusion,
    flat_retriever,
    open_index,
)
from labkit.retrieve.rerank import WEIGHTS
from labkit.retrieve.store import Rows as StoreRows
from labkit.schema import Chunk, RequestContext, Retriever
from labkit.world.chance import END, START, stream
from labkit.world.questions import Question

DEPTHS = (1, 5, 10, 20)
ADVERSARIAL = 2_000
"""Searches that try to see what they may not."""

_TENANT = "tidewater"
_PEER = "llamaindex"

Values = Mapping[str, Mapping[str, float]]
"""question id → measure → value."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, who asks it when, and the chunks that would do: one set for each fact it needs."""

    question: Question
    ctx: RequestContext
    needs: list[frozenset[str]]


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Measure on a split of a world."""
    encoder = embedder(options.settings)
    corpus = prepare_world(options.settings, encoder, seed=options.seed, pack_dir=options.pack, profile=options.profile)
    manifest = corpus.manifest()
    assert manifest is not None
    opened = open_index(corpus.index, encoder, world=manifest.world_version)
    asked = few(questions_with_gold(corpus, opened, options.split), options.limit, options.seed)
    default = default_retriever(opened, encoder)
    measured = {"default": default, **systems(opened, encoder)}
    values = {name: retrieval_values(retriever, asked, name) for name, retriever in measured.items()}
    values[_PEER] = _peer_values(opened, encoder, asked)
    figures = _quality(values, asked, options.seed) | safety(default, asked, opened, options.seed, ADVERSARIAL)
    single = [(a.question.text, a.ctx) for a in asked if a.question.type == "single_hop"]
    if single:
        sizes = SIZES[options.settings.profile]
        figures |= growth(all_rows(opened), single, encoder, sizes=sizes, seed=options.seed)
    result = BenchResult(
        bench="retrieve", profile=options.profile, seed=options.seed, pack=manifest.pack, split=options.split,
        world_version=manifest.world_version, data_sha256=manifest.sha256,
        model_sha256=f"{opened.info.encoder_fingerprint} {opened.info.late}", figures=figures,
    )  # fmt: skip
    rows: Rows = [
        {"system": name, "question_id": a.question.question_id, "type": a.question.type, "question": a.question.text,
         "world_version": manifest.world_version, "profile": options.profile, "seed": options.seed,
         "split": options.split, **found[a.question.question_id]}
        for name, found in values.items()
        for a in asked if a.question.question_id in found
    ]  # fmt: skip
    return result, rows


def systems(opened: Index, encoder: Embedder) -> dict[str, Retriever]:
    """Flat retrieval, and what it is made of."""
    dense, lexical = DenseRetriever(opened.store, encoder), LexicalRetriever(opened.store)
    paths: dict[str, Retriever] = {"dense": dense, "lexical": lexical}
    return {
        "flat": flat_retriever(opened, encoder),
        "dense": dense,
        "lexical": lexical,
        "rrf": HybridRetriever(paths),
        "convex": HybridRetriever(paths, fusion=partial(convex_fusion, weights=WEIGHTS)),
    }


def questions_with_gold(corpus: Corpus, opened: Index, split: str) -> list[Asked]:
    """The answerable single- and multi-hop questions of a split, each with the chunks that hold its facts.

    A fact whose chunks ingestion lost stays a need that nothing meets: it counts against retrieval too.
    """
    assert corpus.world is not None
    paths, facts = gold_paths(corpus.world), read_facts(corpus.world)
    by_path: defaultdict[str, list[Chunk]] = defaultdict(list)
    for chunk in opened.store.chunks():
        by_path[chunk.source_path].append(chunk)
    known = {chunk.chunk_id: chunk for chunks in by_path.values() for chunk in chunks}
    found = []
    for question in read_questions(corpus.world, split):
        if question.type not in {"single_hop", "multi_hop"}:
            continue
        ctx = RequestContext(
            principal=question.asker, groups=frozenset(question.groups), tenant=_TENANT, as_of=question.as_of
        )
        needs = [
            frozenset(chunk_id for chunk_id in need.chunk_ids if ctx.sees(known[chunk_id]))
            for need in needs_of(question, facts, paths, by_path)
        ]
        found.append(Asked(question, ctx, needs))
    return found


def few(asked: Sequence[Asked], limit: int | None, seed: int) -> list[Asked]:
    """At most ``limit`` of the questions, as many of each type as the other as far as they go."""
    chosen = {q.question_id for q in sample([a.question for a in asked], limit or len(asked), seed)}
    return [a for a in asked if a.question.question_id in chosen]


def retrieval_values(retriever: Retriever, asked: Sequence[Asked], name: str) -> Values:
    """What a retriever finds for each question; ``name`` is shown beside the bar."""
    runs = {
        a.question.question_id: [hit.chunk.chunk_id for hit in retriever.search(a.question.text, max(DEPTHS), a.ctx)]
        for a in tqdm(asked, desc=name, unit="question", leave=False)
    }
    return _scored(runs, asked)


def _scored(runs: Mapping[str, Sequence[str]], asked: Sequence[Asked]) -> Values:
    # A need without chunks keeps its place by an id that nothing has.
    gold = {a.question.question_id: [need or frozenset({"(lost)"}) for need in a.needs] for a in asked}
    return ranking_rows(runs, gold, DEPTHS)


def _peer_values(opened: Index, encoder: Embedder, asked: Sequence[Asked]) -> Values:
    from labkit.bench.llamapeer import default_retriever_over

    texts = [a.question.text for a in asked]
    vectors = dict(zip(texts, encoder.encode(texts), strict=True))
    rows = [
        (chunk, vector) for part in opened.store.rows() for chunk, vector in zip(part.chunks, part.vectors, strict=True)
    ]
    retriever = default_retriever_over(rows, vectors, k=max(DEPTHS))
    runs = {
        a.question.question_id: [node.node.node_id for node in retriever.retrieve(a.question.text)]
        for a in tqdm(asked, desc=_PEER, unit="question", leave=False)
    }
    return _scored(runs, asked)


def _quality(values: Mapping[str, Values], asked: Sequence[Asked], seed: int) -> dict[str, Figure]:
    kinds = {a.question.question_id: a.question.type for a in asked}
    figures: dict[str, Figure] = {}
    for name, rows in values.items():
        prefix = "" if name == "default" else f"{name}_"
        for kind, measures in (
            ("single_hop", ("recall_at_1", "recall_at_5", "recall_at_20", "mrr_at_10", "ndcg_at_10")),
            ("multi_hop", ("recall_at_5", "all_gold_at_10")),
        ):
            for measure in measures:
                found = [row[measure] for question_id, row in rows.items() if kinds[question_id] == kind]
                figures[f"{prefix}{kind}_{measure}"] = _mean(found, seed)
    for name in values.keys() - {"default"}:
        for measure in ("recall_at_5", "mrr_at_10"):
            ids = [question_id for question_id, kind in kinds.items() if kind == "single_hop"]
            before = [values[name][question_id][measure] for question_id in ids]
            after = [values["default"][question_id][measure] for question_id in ids]
            figures[f"single_hop_{measure}_above_{name}"] = _gain(before, after, seed, name)
    return figures


def safety(retriever: Retriever, asked: Sequence[Asked], opened: Index, seed: int, searches: int) -> dict[str, Figure]:
    """Hits that the asker may not read, and hits not in force on the day asked, over adversarial searches.

    Half of them paste a passage the asker may not see, word for word; the others ask real questions as strangers, in
    groups that do not exist, in none, in another tenant, on other days.
    """
    rng = stream(seed, "bench", "retrieve", "safety")
    chunks = sorted(opened.store.chunks(), key=lambda chunk: chunk.chunk_id)
    leaks = late = searched = 0
    for number in tqdm(range(searches), desc="adversarial", unit="search", leave=False):
        ctx = stranger(rng, chunks)
        hidden = [chunk for chunk in rng.sample(chunks, min(20, len(chunks))) if not ctx.sees(chunk)]
        text = hidden[0].text if number % 2 and hidden else rng.choice(asked).question.text if asked else "who"
        for hit in retriever.search(text[:2_000] or "who", 10, ctx):
            leaks += not ctx.may_read(hit.chunk.acl, hit.chunk.tenant)
            late += not ctx.in_force(hit.chunk.valid_from, hit.chunk.valid_to)
        searched += 1
    return {
        "acl_leaks": Figure(value=leaks, unit="hits", n=searched, direction="lower"),
        "as_of_errors": Figure(value=late, unit="hits", n=searched, direction="lower"),
    }


def stranger(rng: random.Random, chunks: Sequence[Chunk]) -> RequestContext:
    """Somebody who should see little or nothing: other groups, invented ones, another tenant, another day."""
    groups = sorted({group for chunk in chunks for group in chunk.acl})
    invented = ["", "x') OR 1=1 --", "staff ", "STAFF", "*", "public' OR ''='"]
    chosen = rng.sample(groups, rng.randint(0, min(2, len(groups)))) + rng.sample(invented, rng.randint(0, 2))
    day = START + timedelta(days=rng.randint(-30, (END - START).days + 400))
    tenant = rng.choice([_TENANT, _TENANT, _TENANT, "default", "other' OR ''='"])
    return RequestContext(
        principal="stranger", groups=frozenset(chosen), tenant=tenant, as_of=min(day, date(2030, 1, 1))
    )


def all_rows(opened: Index) -> StoreRows:
    """Everything an index holds, at once."""
    parts = list(opened.store.rows())
    return StoreRows(
        [chunk for part in parts for chunk in part.chunks],
        np.concatenate([part.vectors for part in parts]),
        [tokens for part in parts for tokens in part.tokens],
    )


def _mean(values: Sequence[float], seed: int) -> Figure:
    if not values:
        return Figure(value=None, n=0, direction="higher", status="skipped: no question of this kind")
    return Figure(value=sum(values) / len(values), n=len(values), ci95=mean_interval(values, seed), direction="higher")


def _gain(before: Sequence[float], after: Sequence[float], seed: int, peer: str) -> Figure:
    if not before:
        return Figure(value=None, n=0, direction="higher", status="skipped: no question of this kind", peer=peer)
    gain = (sum(after) - sum(before)) / len(after)
    interval = difference_interval(before, after, seed)
    return Figure(value=gain, n=len(after), ci95=interval, direction="higher", peer=peer)
