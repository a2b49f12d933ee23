"""The ``extract`` adapter against the true graph, on documents of a split, beside the rules on the same passages."""

from __future__ import annotations

import random
import time

from labkit.bench.registry import Options, Rows
from labkit.bench.result import Figure
from labkit.bench.truegraph import TrueGraph, scores
from labkit.evaluate.corpus import prepare_tables
from labkit.graph.graph import Graph
from labkit.graph.local import LocalExtractor
from labkit.graph.rules import RulesExtractor
from labkit.graph.schema import Schema
from labkit.llm.local import LocalChat
from labkit.models import resolve
from labkit.retrieve.index import read_chunks

LIMITS = {"ci": 30, "laptop": 150, "gpu": 100_000}
"""Documents read, by profile of the settings, where the caller sets no limit."""


def extract_figures(options: Options) -> tuple[dict[str, Figure], Rows]:
    """Figures and a row per statement."""
    settings, schema = options.settings, Schema.load()
    tables, world = prepare_tables(settings, seed=options.seed, pack_dir=options.pack, profile=options.profile)
    truth = TrueGraph.read(world)
    every = read_chunks(tables)
    paths = sorted({chunk.source_path for chunk in every if truth.pools.get(chunk.source_path) == options.split})
    limit = options.limit or LIMITS[settings.profile]
    chosen = set(random.Random(options.seed).sample(paths, min(limit, len(paths))))
    chunks = sorted((c for c in every if c.source_path in chosen), key=lambda c: (c.source_path, c.ordinal))
    chat = LocalChat(resolve(settings.chat_model, settings.home), device=settings.device, threads=settings.threads)
    began = time.perf_counter()
    local = LocalExtractor(chat.adapted(options.adapter("extract")), schema).extract(chunks)
    seconds = time.perf_counter() - began
    graph = Graph(local, chunks, schema)
    figures = scores(local, graph, truth, options.split)
    per_passage = Figure(value=seconds / len(chunks), unit="s", n=len(chunks), direction="lower")
    figures["local_seconds_per_passage"] = per_passage
    rules = RulesExtractor(schema).extract(every)  # it learns names from all documents, so it is given all
    kept = {chunk.chunk_id for chunk in chunks}
    rules.mentions = [mention for mention in rules.mentions if mention.chunk_id in kept]
    rules.statements = [statement for statement in rules.statements if statement.chunk_id in kept]
    figures |= scores(rules, Graph(rules, chunks, schema), truth, options.split)
    rows = [{"chunk_id": s.chunk_id, "subject": s.subject_id, "relation": s.relation, "object": s.value}
            for s in local.statements]  # fmt: skip
    wanted = ("entity_f1", "relation_f1", "edge_f1", "value_f1", "precision", "recall", "passage")
    return {name: one for name, one in figures.items() if name.endswith(wanted)}, rows
