"""How long a search takes, and what grows with the chunks: time, memory, the share an approximate index finds."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labkit.bench.crowd import crowd
from labkit.bench.result import Figure
from labkit.evaluate.statistics import mean_interval
from labkit.graph.chains import ChainModel
from labkit.graph.graph import Graph
from labkit.graph.hop import HopRetriever
from labkit.graph.rules import RulesExtractor
from labkit.graph.schema import Schema
from labkit.llm import Embedder, TokenEmbedder
from labkit.retrieve import (
    HybridRetriever,
    LateInteraction,
    LexicalRetriever,
    Reranker,
    Rewriter,
    Search,
    convex_fusion,
)
from labkit.retrieve.rerank import WEIGHTS
from labkit.retrieve.rewrite import Vocabulary
from labkit.retrieve.store import Rows
from labkit.retrieve.stores.lancedb import LanceStore
from labkit.schema import Hit, RequestContext, Retriever

SIZES = {"ci": (5_000, 100_000), "laptop": (5_000, 100_000, 1_000_000), "gpu": (5_000, 100_000, 1_000_000)}
"""Chunks, by profile of the settings."""
_ASKED = 150  # searches timed per size
_WARM = 20  # searches before the clock starts
_PEER_ASKED = 6  # each takes LlamaIndex seconds at 100,000

Asked = Sequence[tuple[str, RequestContext]]


class _Given:
    """A dense path for questions that were encoded before: what is timed is search alone."""

    def __init__(self, store: LanceStore, vectors: dict[str, NDArray[np.float32]]) -> None:
        self._store, self._vectors = store, vectors

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        return self._store.search_dense(self._vectors[query], k, ctx)


def growth(real: Rows, asked: Asked, encoder: Embedder, *, sizes: Sequence[int], seed: int) -> dict[str, Figure]:
    """Figures for each size: hybrid search alone, recall of dense search, seconds to build and to open, memory.

    At the smallest size also everything on (encode, search, rerank, chains), for which that index alone stores token
    vectors; at 100,000 also LlamaIndex's default retriever.
    """
    asked = asked[:_ASKED]
    questions = [question for question, _ in asked]
    vectors = dict(zip(questions, encoder.encode(questions), strict=True))
    found: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for n in sizes:
            name = f"{n // 1000}k" if n < 1_000_000 else f"{n // 1_000_000}m"
            started = time.perf_counter()
            store = crowd(real, n, Path(scratch), seed=seed, tokens=n == min(sizes))
            found[f"build_s_{name}"] = Figure(value=time.perf_counter() - started, unit="s", n=n, direction="lower")
            found[f"open_s_{name}"] = Figure(value=_opened(store, asked, vectors), unit="s", n=n, direction="lower")
            paths: dict[str, Retriever] = {"dense": _Given(store, vectors), "lexical": LexicalRetriever(store)}
            seconds = timed(HybridRetriever(paths, fusion=partial(convex_fusion, weights=WEIGHTS)), asked)
            found |= latency(f"hybrid_{name}", seconds, seed)
            found[f"ann_recall_at_10_{name}"] = _ann_recall(store, asked, vectors)
            if n == min(sizes) and isinstance(encoder, TokenEmbedder):
                # Remembers the question that is being asked, which its chains need too, and none before it.
                reranker = Reranker(store, encoder, LateInteraction.shipped(), remembered=1)
                found |= latency("ask_retrieval", timed(_everything(reranker, store, real), asked), seed)
            found[f"peak_memory_mb_{name}"] = Figure(value=_peak_mb(), unit="MB", n=n, direction="lower")
            if n == 100_000:
                found |= _peer(store, asked, vectors, float(np.median(seconds)))
    return found


def _everything(reranker: Reranker, store: LanceStore, real: Rows) -> Retriever:
    """The default retriever over a store: rewriting, reranking, and the graph of its chunks."""
    schema = Schema.load()
    chunks = list(store.chunks())
    graph = Graph(RulesExtractor(schema).extract(chunks), chunks, schema)
    return Search(HopRetriever(reranker, graph, ChainModel.shipped(schema)), Rewriter(Vocabulary.of(real.chunks)))


def _opened(store: LanceStore, asked: Asked, vectors: dict[str, NDArray[np.float32]]) -> float:
    """Seconds of the first dense search after a build, which is when a store reads most of what it keeps in memory.

    The files were just written and lie in the system's cache.
    """
    question, ctx = asked[0]
    started = time.perf_counter()
    store.search_dense(vectors[question], 1, ctx)
    return time.perf_counter() - started


def timed(retriever: Retriever, asked: Asked) -> list[float]:
    """Seconds of each search for ten passages, after some that are not counted."""
    for question, ctx in asked[:_WARM]:
        retriever.search(question, 10, ctx)
    seconds = []
    for question, ctx in asked:
        started = time.perf_counter()
        retriever.search(question, 10, ctx)
        seconds.append(time.perf_counter() - started)
    return seconds


def latency(name: str, seconds: Sequence[float], seed: int) -> dict[str, Figure]:
    """``NAME_p50_ms`` with the interval of a bootstrapped median, and ``NAME_p99_over_p50``."""
    p50, p99 = np.percentile(seconds, (50, 99))
    rng = np.random.default_rng(seed)
    medians = [float(np.median(rng.choice(seconds, len(seconds)))) for _ in range(500)]
    low, high = np.percentile(medians, (2.5, 97.5))
    return {
        f"{name}_p50_ms": Figure(
            value=1e3 * float(p50), unit="ms", n=len(seconds), ci95=(1e3 * float(low), 1e3 * float(high)),
            direction="lower",
        ),
        f"{name}_p99_over_p50": Figure(value=float(p99 / p50), n=len(seconds), direction="lower"),
    }  # fmt: skip


def _ann_recall(store: LanceStore, asked: Asked, vectors: dict[str, NDArray[np.float32]]) -> Figure:
    """Share of the ten truly nearest readable chunks that the store's dense search finds."""
    shares = []
    for (question, ctx), exact in zip(asked, _nearest(store, asked, vectors), strict=True):
        hits = {hit.chunk.chunk_id for hit in store.search_dense(vectors[question], 10, ctx)}
        if exact:
            shares.append(len(exact & hits) / len(exact))
    return Figure(
        value=float(np.mean(shares)), n=len(shares), ci95=mean_interval(shares, 0), direction="higher",
        peer="exact search",
    )  # fmt: skip


def _nearest(store: LanceStore, asked: Asked, vectors: dict[str, NDArray[np.float32]]) -> list[set[str]]:
    """Ids of the ten nearest readable chunks of every question, by comparing all, batch by batch."""
    matrix = np.stack([vectors[question] for question, _ in asked])
    best: list[list[tuple[float, str]]] = [[] for _ in asked]
    for rows in store.rows():
        scores = matrix @ rows.vectors.T
        masks: dict[object, NDArray[np.bool_]] = {}
        for at, (_, ctx) in enumerate(asked):
            key = (ctx.groups, ctx.tenant, ctx.as_of)
            if key not in masks:
                readable = (
                    ctx.may_read(c.acl, c.tenant) and ctx.in_force(c.valid_from, c.valid_to) for c in rows.chunks
                )
                masks[key] = np.fromiter(readable, bool, len(rows.chunks))
            here = np.where(masks[key], scores[at], -np.inf)
            top = np.argsort(-here, kind="stable")[:10]
            found = [(float(here[i]), rows.chunks[i].chunk_id) for i in top if np.isfinite(here[i])]
            best[at] = sorted([*best[at], *found], reverse=True)[:10]
    return [{chunk_id for _, chunk_id in found} for found in best]


def _peer(store: LanceStore, asked: Asked, vectors: dict[str, NDArray[np.float32]], ours: float) -> dict[str, Figure]:
    """LlamaIndex's default vector index over the same vectors: its time, and how many times ours it is."""
    from labkit.bench.llamapeer import default_retriever_over

    texts = ((chunk, vector) for rows in store.rows() for chunk, vector in zip(rows.chunks, rows.vectors, strict=True))
    retriever = default_retriever_over(texts, vectors, k=10)
    few = asked[:_PEER_ASKED]
    seconds = []
    for question, _ in few:
        started = time.perf_counter()
        retriever.retrieve(question)
        seconds.append(time.perf_counter() - started)
    p50 = float(np.median(seconds))
    ratios = (min(seconds) / ours, max(seconds) / ours)
    return {
        "llamaindex_p50_ms_100k": Figure(value=1e3 * p50, unit="ms", n=len(few), direction="none"),
        "speed_ratio_llamaindex_100k": Figure(
            value=p50 / ours, n=len(few), ci95=ratios, direction="higher", peer="llama-index VectorStoreIndex"
        ),
    }  # fmt: skip


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
