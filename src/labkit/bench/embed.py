"""Speed of our encoder against sentence-transformers in float32, on the same weights, and what that speed costs.

Each side is a process of its own with the same number of threads, which loads, warms up and then times one pass over
the same passages; rounds alternate in order. Then each side encodes everything once: recall@5 under exact search, and
the lowest cosine between the two vectors of a passage, show what the lower precision loses. Passages and questions are
musique-100 (Trivedi et al. 2022) of ``--data``, else the chunks and test questions of the generated world.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.bench.process import measure
from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.errors import BenchError
from labkit.evaluate.corpus import gold_paths, prepare_world, read_questions
from labkit.evaluate.statistics import difference_interval
from labkit.llm import embedder
from labkit.models import resolve
from labkit.retrieve import open_index
from labkit.retrieve.store import search_text
from labkit.settings import Settings

SAMPLE, ROUNDS, K = 400, 3, 5
_LIMIT_S = 1800.0
_PEER = "sentence-transformers"
_PROGRAM = """
import json, sys, time
import numpy as np
side, folder, texts_file, out = sys.argv[1:5]
texts = json.load(open(texts_file, encoding="utf-8"))
if side == "ours":
    from pathlib import Path
    from labkit.llm.embed import LocalEmbedder
    from labkit.models import ModelFiles
    encode = LocalEmbedder(ModelFiles("bench", Path(folder), "0" * 64)).encode
else:
    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(folder, device="cpu")
    encode = lambda some: model.encode(some, normalize_embeddings=True, show_progress_bar=False)
if side == "ours" and "questions" in sys.argv:  # one at a time, as they come, in a process without PyTorch
    encode(texts[:1])
    seconds, vectors = [], []
    for text in texts:
        began = time.perf_counter()
        vectors.append(encode([text])[0])
        seconds.append(time.perf_counter() - began)
else:
    encode(texts[:128])
    began = time.perf_counter()
    vectors = encode(texts)
    seconds = [time.perf_counter() - began]
np.save(out + ".npy", np.asarray(vectors, np.float32))
json.dump(seconds, open(out + ".json", "w"))
"""


@dataclass(frozen=True, slots=True)
class Task:
    """Passages, questions, and for each question the positions or labels that answer it.

    Attributes:
        passages: texts.
        labels: what a passage is counted as; several may share one.
        questions: texts.
        gold: for each question the labels it needs.
        source: where all this is from.
    """

    passages: list[str]
    labels: list[str]
    questions: list[str]
    gold: list[frozenset[str]]
    source: str


@dataclass(frozen=True, slots=True)
class Pass:
    """One process: its vectors, seconds (one, or one per question) and highest resident memory in bytes."""

    vectors: NDArray[np.float32]
    seconds: list[float]
    peak_bytes: int


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Measure both encoders.

    Raises:
        BenchError: the encoder is an endpoint, or one of the processes failed.
    """
    settings = options.settings
    if settings.embed_url:
        raise BenchError("This benchmark measures the encoder of this process", todo="Unset LABKIT_EMBED_URL.")
    task = musique(options.data) if options.data and (options.data / "musique-100").is_dir() else world(options)
    files = resolve(settings.embed_model, settings.home)
    with tempfile.TemporaryDirectory() as scratch:
        figures, rows = _measured(task, files.path, settings, options.seed, Path(scratch))
    return BenchResult(bench="embed", profile=options.profile, seed=options.seed, split=task.source,
                       model_sha256=files.sha256, figures=figures), rows  # fmt: skip


def musique(data: Path) -> Task:
    """The 100 questions of musique-100 and its corpus; a label is a passage's title and text.

    Raises:
        BenchError: a file is missing or is not what it should be.
    """
    folder = data / "musique-100"
    try:
        corpus = json.loads((folder / "train_corpus.json").read_text(encoding="utf-8"))
        questions = json.loads((folder / "train.json").read_text(encoding="utf-8"))
        passages = [f"{row['title']}\n{row['text']}" for row in corpus]
        gold = [
            frozenset(f"{p['title']}\n{p['paragraph_text']}" for p in row["paragraphs"] if p["is_supporting"])
            for row in questions
        ]
        return Task(passages, passages, [row["question"] for row in questions], gold, "musique-100")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"musique-100 cannot be read: {error!r}", where=str(folder)) from error


def world(options: Options) -> Task:
    """The chunks of a generated world; a label is the path of a file that states the fact asked for."""
    encoder = embedder(options.settings)
    corpus = prepare_world(
        options.settings, encoder, seed=options.seed, pack_dir=options.pack, profile=options.profile, progress=False
    )
    assert corpus.world is not None  # prepare_world always makes one
    chunks = sorted(open_index(corpus.index, encoder).store.chunks(), key=lambda chunk: chunk.chunk_id)
    paths = gold_paths(corpus.world)
    asked = [question for question in read_questions(corpus.world, options.split) if question.facts]
    gold = [frozenset[str]().union(*(paths.get(fact, frozenset()) for fact in question.facts)) for question in asked]
    return Task(
        [search_text(chunk) for chunk in chunks], [chunk.source_path for chunk in chunks],
        [question.text for question in asked], gold, "world",
    )  # fmt: skip


def recall_at(k: int, passages: NDArray[np.float32], questions: NDArray[np.float32], task: Task) -> list[float]:
    """For each question the share of its labels among its k nearest passages; exact search, ties by position.

    Args:
        k: passages looked at.
        passages: unit vectors (n, width).
        questions: unit vectors (m, width).
        task: labels and gold; a question without gold counts as 0.
    """
    order = np.argsort(-(questions @ passages.T), axis=1, kind="stable")[:, :k]
    found = [{task.labels[i] for i in row} for row in order]
    return [len(gold & seen) / len(gold) if gold else 0.0 for gold, seen in zip(task.gold, found, strict=True)]


def _measured(task: Task, model: Path, settings: Settings, seed: int, scratch: Path) -> tuple[dict[str, Figure], Rows]:
    sample = task.passages[:: max(1, len(task.passages) // SAMPLE)][:SAMPLE]
    note = "measured" if task.source != "world" else "measured: on the generated world, LABKIT_DATA is not set"

    def encode(side: str, texts: list[str], *more: str) -> Pass:
        return _encode(side, texts, model, settings, scratch, *more)

    def figure(values: list[float], unit: str, **stated: Any) -> Figure:
        return Figure(value=statistics.median(values), unit=unit, n=len(values), ci95=(min(values), max(values)),
                      status=note, **stated)  # fmt: skip

    questions = encode("ours", task.questions, "questions")
    figures = {"query_encode_p50_ms": Figure(
        value=statistics.median(questions.seconds) * 1e3, unit="ms", n=len(questions.seconds), direction="lower",
        status=note)}  # fmt: skip
    sides = ["ours", "peer"] if util.find_spec("sentence_transformers") else ["ours"]
    speeds: dict[str, list[float]] = {side: [] for side in sides}
    for one in range(ROUNDS):
        for side in sides if one % 2 == 0 else reversed(sides):
            speeds[side].append(len(sample) / encode(side, sample).seconds[0])
    ours = encode("ours", task.passages)
    figures["encode_passages_per_s"] = figure(speeds["ours"], "1/s", direction="higher")
    figures["encode_peak_memory_mb"] = Figure(value=ours.peak_bytes / 1e6, unit="MB", direction="lower", status=note)
    if "peer" not in sides:
        skipped = Figure(value=None, status=f"skipped: {_PEER} is not installed", peer=_PEER)
        names = ("encode_speed_ratio", "peer_passages_per_s", "encode_recall_at_5_loss", "min_cosine")
        return figures | dict.fromkeys(names, skipped), []
    peer = f"{_PEER} {metadata.version(_PEER)} fp32"
    ratios = [a / b for a, b in zip(speeds["ours"], speeds["peer"], strict=True)]
    reference, asked = encode("peer", task.passages), encode("peer", task.questions)
    after = recall_at(K, ours.vectors, questions.vectors, task)
    before = recall_at(K, reference.vectors, asked.vectors, task)
    loss = difference_interval(after, before, seed)
    cosines = (ours.vectors * reference.vectors).sum(axis=1)
    figures |= {
        "encode_speed_ratio": figure(ratios, "", direction="higher", peer=peer),
        "peer_passages_per_s": figure(speeds["peer"], "1/s", peer=peer),
        "peer_peak_memory_mb": Figure(value=reference.peak_bytes / 1e6, unit="MB", status=note, peer=peer),
        "encode_recall_at_5": Figure(value=float(np.mean(after)), n=len(after), direction="higher", status=note),
        "encode_recall_at_5_loss": Figure(
            value=100 * float(np.mean(before) - np.mean(after)), unit="points", n=len(after), direction="lower",
            ci95=(100 * loss[0], 100 * loss[1]) if loss else None, status=note, peer=peer),
        "min_cosine": Figure(value=float(cosines.min()), n=len(cosines), direction="higher", status=note, peer=peer),
    }  # fmt: skip
    rows: Rows = [
        {"question": text, "recall_at_5": a, "peer_recall_at_5": b}
        for text, a, b in zip(task.questions, after, before, strict=True)
    ]
    return figures, rows


def _encode(side: str, texts: list[str], model: Path, settings: Settings, scratch: Path, *more: str) -> Pass:
    """One process of a side over some texts."""
    listed, out = scratch / "texts.json", scratch / "out"
    listed.write_text(json.dumps(texts), encoding="utf-8")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = str(settings.threads or cores)
    cost = measure(
        [sys.executable, "-c", _PROGRAM, side, str(model), str(listed), str(out), *more],
        env={"OMP_NUM_THREADS": threads, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}, limit_s=_LIMIT_S,
    )  # fmt: skip
    return Pass(np.load(f"{out}.npy"), json.loads(Path(f"{out}.json").read_text(encoding="utf-8")), cost.peak_bytes)
