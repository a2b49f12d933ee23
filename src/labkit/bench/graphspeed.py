"""How long the graph takes: to build for so many passages, and to search along, beside flat retrieval."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labkit.bench.crowd import crowd
from labkit.bench.result import Figure
from labkit.bench.searchspeed import Asked
from labkit.graph.chains import ChainModel
from labkit.graph.graph import Graph
from labkit.graph.hop import HopRetriever
from labkit.graph.rules import RulesExtractor
from labkit.graph.schema import Schema
from labkit.llm import Embedder
from labkit.retrieve import LateInteraction, Reranker
from labkit.retrieve.store import Rows
from labkit.schema import Chunk

BUILT = (2_000, 10_000, 100_000)
"""Passages a graph is built of."""

SEARCHED = 6_000
"""Passages that are searched."""

_TIMED = 150


def hop_latency(real: Rows, asked: Asked, encoder: Embedder, seed: int) -> dict[str, Figure]:
    """What a hop query costs beside a flat one over :data:`SEARCHED` passages, made of real ones.

    Each question was asked before, so neither encodes: what differs is the graph's part.
    """
    schema = Schema.load()
    extra, flat = [], []
    with tempfile.TemporaryDirectory() as scratch:
        store = crowd(real, SEARCHED, Path(scratch), seed=seed, tokens=True)
        chunks = sorted(store.chunks(), key=lambda chunk: chunk.chunk_id)
        graph = Graph(RulesExtractor(schema).extract(chunks), chunks, schema)
        ranker = Reranker(store, encoder, LateInteraction.shipped())
        hop = HopRetriever(ranker, graph, ChainModel.shipped(schema))
        for question, ctx in asked[:_TIMED]:
            hop.search(question, 10, ctx)
            seconds = []
            for way in (ranker, hop):
                started = time.perf_counter()
                way.search(question, 10, ctx)
                seconds.append(time.perf_counter() - started)
            flat.append(seconds[0])
            extra.append(seconds[1] - seconds[0])
    if not extra:
        return {}
    p50, p99 = np.percentile(extra, (50, 99))
    n = len(extra)
    return {
        "hop_extra_p50_ms": Figure(value=1e3 * float(p50), unit="ms", n=n, direction="lower", peer="flat"),
        "hop_extra_p99_ms": Figure(value=1e3 * float(p99), unit="ms", n=n, direction="lower", peer="flat"),
        "flat_p50_ms": Figure(value=1e3 * float(np.median(flat)), unit="ms", n=n, direction="lower"),
    }


def build_times(chunks: Sequence[Chunk]) -> dict[str, Figure]:
    """Seconds to build the graph of so many passages: these again and again, under other ids.

    ``build_growth`` is how much longer a passage takes in the largest graph than in the one before it.
    """
    figures, each = {}, []
    for size in BUILT:
        many = [chunks[n % len(chunks)].model_copy(update={"chunk_id": f"{n:07}"}) for n in range(size)]
        started = time.perf_counter()
        RulesExtractor().extract(many)
        seconds = time.perf_counter() - started
        figures[f"build_s_{size // 1000}k"] = Figure(value=seconds, unit="s", n=size, direction="lower")
        each.append(seconds / size)
    figures["build_growth"] = Figure(value=each[-1] / each[-2], n=BUILT[-1], direction="lower")
    return figures
