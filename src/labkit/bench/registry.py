"""Which benchmarks there are, and the options all of them take."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from labkit.bench.result import BenchResult
from labkit.errors import BenchError
from labkit.llm.shipped import shipped
from labkit.llm.tasks import Task
from labkit.schema import Answerer
from labkit.settings import Settings

Rows = list[dict[str, Any]]
Runner = Callable[["Options"], tuple[BenchResult, Rows]]

BENCHES = {
    "answer": "value, citation, abstention and money lost, by question type, over a whole world",
    "gate": "false alarms of the regression gate, and planted drops it catches",
    "decode": "speculation: identical replies, acceptance, speed; a distilled student: size, score, speed",
    "embed": "speed of the encoder against sentence-transformers, and the recall it costs",
    "graph": "extraction against the true graph, hops, structured answers, themes, routes, permissions",
    "ingest": "text, encodings, duplicates, versions, personal data, quarantine and speed of ingestion",
    "ingestgrowth": "seconds per document and memory of ingestion at 300, 5,000 and 50,000 documents",
    "multihop": "recall over multi-hop questions nobody here wrote (MuSiQue by default)",
    "quantize": "bytes, perplexity, task score and speed of each way to make the fine-tuned model smaller",
    "realfiles": "real runbooks and PEPs: files lost, and what ten obvious questions get",
    "retrieve": "recall, permissions, time, latency and growth of retrieval, beside each path and LlamaIndex",
    "tune": "the adapters: answers, judgements, extraction, what training them costs, forgetting",
    "world": "repetition, truth and determinism of the generated enterprise",
}
"""Name → what it measures; the module of the same name holds ``run(options)``."""


@dataclass(frozen=True, slots=True)
class Options:
    """What ``labkit bench`` was asked."""

    settings: Settings
    profile: str
    seed: int
    pack: Path | None = None
    data: Path | None = None
    split: str = "test"
    limit: int | None = None
    system: Answerer | None = None
    """Measure this instead of the default pipeline."""
    system_name: str = "labkit"
    corpus: Path | None = None
    """Passages to search instead of the bench's own."""
    questions: Path | None = None
    """Questions over them."""
    method: str = "flat"
    """How multi-hop questions are searched: ``flat``, or ``hop`` along links between passages.

    For ``tune``: parts of it to measure, such as ``answer+judge``. For ``decode``: a student's folder."""
    adapters: Path | None = None
    """For ``tune``: folder with an adapter for each task, by name, instead of those that ship."""

    def adapter(self, task: Task) -> Path:
        """The folder of a task's adapter.

        Raises:
            ModelError: none of that task ships, and no other folder was given.
            ModelMismatch: the one that ships is not the pinned one.
        """
        return self.adapters / task if self.adapters is not None else shipped(task)


def run(name: str, options: Options, *, json_file: Path | None = None, rows_file: Path | None = None) -> BenchResult:
    """Run one benchmark and write what was asked for.

    Raises:
        BenchError: there is no such benchmark.
    """
    if name not in BENCHES:
        raise BenchError(f"There is no benchmark {name!r}", todo=f"There are: {', '.join(sorted(BENCHES))}.")
    runner: Runner = import_module(f"labkit.bench.{name}").run
    result, rows = runner(options)
    if json_file:
        result.write(json_file)
    if rows_file:
        rows_file.parent.mkdir(parents=True, exist_ok=True)
        rows_file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return result
