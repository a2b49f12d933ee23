"""Runs graphrag itself: configuration, index, searches. Only the worker imports this.

The index is graphrag's own pipeline with two steps of ours between its own: text units are named after our chunks, and
entities and relationships come from our graph (profile ``llm`` keeps graphrag's extraction and its prompts). Clusters
are Leiden's (Traag et al. 2019), seeded, over all components. Everything is written to ``building`` and takes the place
of ``output`` when it is whole, so a killed build leaves the last index as it was, and the cache.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import graphrag.api as api
import pandas as pd
from graphrag.callbacks.noop_query_callbacks import NoopQueryCallbacks
from graphrag.callbacks.noop_workflow_callbacks import NoopWorkflowCallbacks
from graphrag.config.load_config import load_config
from graphrag.config.models.graph_rag_config import GraphRagConfig
from graphrag.index.run import profiling
from graphrag.index.typing.workflow import WorkflowFunctionOutput
from graphrag.index.workflows.factory import PipelineFactory
from graphrag_llm.tokenizer.tiktoken_tokenizer import TiktokenTokenizer
from graphrag_llm.tokenizer.tokenizer_factory import register_tokenizer

from labkit.graph.graphrag.extractive import LABEL
from labkit.graph.graphrag.worker import KEY_VARIABLE, failure

Report = Callable[[str, int, int], object]
"""Told what is being done, how many steps of the pipeline are done and how many there are."""

_TELL_S = 0.2

_TABLES = ("text_units", "entities", "relationships", "communities", "community_reports")


def configuration(folder: Path, output: Path, models: dict[str, Any] | None = None) -> GraphRagConfig:
    """The settings of a project, with its output in another place or other models."""
    overrides: dict[str, Any] = {
        "output_storage": {"base_dir": str(output)},
        "vector_store": {"db_uri": str(output / "lancedb")},
    }
    if models:
        if "api_key" in models:  # graphrag fills in variables of the file, not of what overrides it
            models = models | {"api_key": os.environ[KEY_VARIABLE]}
        overrides["completion_models"] = {"default_completion_model": models}
    return load_config(folder, cli_overrides=overrides)


def index(
    folder: Path, report: Report, problems: Counter[str], logged: Callable[[], BaseException | None]
) -> dict[str, Any]:
    """Build the index of a project whose settings and input are written.

    Args:
        folder: of the project.
        report: told how far it is.
        problems: where what could not be used is counted.
        logged: the first exception that graphrag has logged and gone on after; it is often why a later step fails.

    Returns:
        Numbers for :class:`labkit.graph.graphrag.project.Built`: entities, relationships, communities, levels, reports,
        how many of them only quote, failed, seconds of each workflow.

    Raises:
        StoreError, EndpointError: a step of the pipeline failed; the message names it and says why.
    """
    building, output = folder / "building", folder / "output"
    shutil.rmtree(building, ignore_errors=True)
    config = configuration(folder, building)
    steps = config.workflows or []
    register_tokenizer("tiktoken", _PlainTokenizer, scope="singleton")
    PipelineFactory.register("labkit_text_units", _name_text_units)
    PipelineFactory.register("labkit_graph", _bring_graph)
    progress = _Progress(steps, report)
    with _no_tracemalloc():
        results = asyncio.run(
            api.build_index(config, callbacks=[progress], additional_context={"graph": str(folder / "graph.json")})
        )
    for result in results:
        if result.error is not None:
            raise failure(f"graphrag failed in step {result.workflow}", result.error, logged()) from result.error
    found = _count(building, problems)
    shutil.rmtree(output, ignore_errors=True)
    building.rename(output)
    return found | {"seconds": progress.seconds}


class _PlainTokenizer(TiktokenTokenizer):  # type: ignore[misc]  # mypy does not follow graphrag
    """graphrag's tokenizer, for which a document that holds ``<|endoftext|>`` is no reason to end the build."""

    def encode(self, text: str) -> list[int]:
        """Tokens of a text; marks that mean something to a model are text here."""
        tokens: list[int] = self._encoding.encode(text, disallowed_special=())
        return tokens


async def _name_text_units(_config: GraphRagConfig, context: Any) -> WorkflowFunctionOutput:
    """Give text units the ids of our chunks: graphrag's are hashes of the text, the same for two equal passages."""
    tables = context.output_table_provider
    units = await tables.read_dataframe("text_units")
    documents = await tables.read_dataframe("documents")
    if list(units["document_id"]) != list(documents["id"]) or list(units["text"]) != list(documents["text"]):
        raise ValueError(f"{len(documents)} chunks became {len(units)} other text units")
    units["id"] = units["document_id"]
    await tables.write_dataframe("text_units", units)
    return WorkflowFunctionOutput(result=len(units))


async def _bring_graph(_config: GraphRagConfig, context: Any) -> WorkflowFunctionOutput:
    """Write the entities and relationships that were found outside graphrag."""
    graph = json.loads(Path(context.state["additional_context"]["graph"]).read_text(encoding="utf-8"))
    await context.output_table_provider.write_dataframe("entities", pd.DataFrame(graph["entities"]))
    await context.output_table_provider.write_dataframe("relationships", pd.DataFrame(graph["relationships"]))
    return WorkflowFunctionOutput(result=len(graph["entities"]))


class _Progress(NoopWorkflowCallbacks):  # type: ignore[misc]  # mypy does not follow graphrag
    """Passes graphrag's progress on and takes the time of each step."""

    def __init__(self, steps: list[str], report: Report) -> None:
        self._steps, self._report = steps, report
        self._step, self._began, self._told = "", 0.0, 0.0
        self.seconds: dict[str, float] = {}

    def workflow_start(self, name: str, instance: object) -> None:
        """A step begins."""
        self._step, self._began = name, time.perf_counter()
        self._report(name, self._steps.index(name), len(self._steps))

    def workflow_end(self, name: str, instance: object) -> None:
        """A step ended."""
        self.seconds[name] = round(time.perf_counter() - self._began, 3)

    def progress(self, progress: Any) -> None:
        """Something of a step is done; there may be thousands, so not each is told."""
        if time.perf_counter() - self._told > _TELL_S:
            self._told = time.perf_counter()
            label = f"{self._step} {progress.completed_items or 0}/{progress.total_items or 0}"
            self._report(label, self._steps.index(self._step), len(self._steps))


@contextmanager
def _no_tracemalloc() -> Iterator[None]:
    """graphrag traces every allocation of every step, which makes the steps several times slower."""
    real = profiling.tracemalloc
    profiling.tracemalloc = SimpleNamespace(
        start=lambda: None, stop=lambda: None, get_traced_memory=lambda: (0, 0), get_tracemalloc_memory=lambda: 0
    )
    try:
        yield
    finally:
        profiling.tracemalloc = real


def _count(output: Path, problems: Counter[str]) -> dict[str, Any]:
    """What was built; a community whose report is missing is named after its most connected entities."""
    tables = _read(output)
    entities, communities, reports = tables["entities"], tables["communities"], tables["community_reports"]
    by_id = entities.set_index("id")
    failed = []
    for _, row in communities[~communities["community"].isin(reports["community"])].iterrows():
        members = by_id.loc[list(row["entity_ids"])].sort_values(["degree", "title"], ascending=[False, True])
        failed.append(f"community {row['community']}: {', '.join(members['title'][:3])}")
    silent = len(tables["text_units"]) - len({unit for units in entities["text_unit_ids"] for unit in units})
    problems["chunk that names no entity"] += silent
    return {
        "entities": len(entities),
        "relationships": len(tables["relationships"]),
        "communities": len(communities),
        "levels": int(communities["level"].max()) + 1,
        "reports": len(reports),
        "quoted": int(reports["full_content"].str.contains(LABEL, regex=False).sum()),
        "failed": failed,
    }


def _read(output: Path) -> dict[str, Any]:
    return {name: pd.read_parquet(output / f"{name}.parquet") for name in _TABLES}


class Searcher:
    """Searches one project; its tables are read once.

    Args:
        folder: of the project.
        models: the completion model that answers, in graphrag's form.
    """

    def __init__(self, folder: Path, models: dict[str, Any]) -> None:
        self._config = configuration(folder, folder / "output", models)
        self._tables = _read(folder / "output")

    def search(self, method: str, question: str, level: int, response_type: str) -> dict[str, Any]:
        """Text and context of an answer: titles of reports, entities, ids of chunks.

        Args:
            method: ``local``, ``global``, ``drift`` or ``basic``.
            question: what is asked.
            level: deepest level of communities that is used, 0 is the coarsest.
            response_type: what form of answer models are asked for.
        """
        random.seed(0)  # DRIFT shuffles its questions
        heard = _Context()
        tables = {name: table.copy() for name, table in self._tables.items()}
        common = {"config": self._config, "response_type": response_type, "query": question, "callbacks": [heard]}
        if method == "basic":
            call = api.basic_search(text_units=tables["text_units"], **common)
        elif method == "global":
            used = {name: tables[name] for name in ("entities", "communities", "community_reports")}
            call = api.global_search(**used, community_level=level, dynamic_community_selection=False, **common)
        elif method == "local":
            call = api.local_search(**tables, covariates=None, community_level=level, **common)
        else:
            call = api.drift_search(**tables, community_level=level, **common)
        text, _ = asyncio.run(call)
        asked = max(heard.contexts, heard.batches, 1)
        return {"text": str(text), "calls": heard.contexts, "asked": asked} | self._named(heard)

    def _named(self, heard: _Context) -> dict[str, Any]:
        """The records of a context by the names we use."""
        units = self._tables["text_units"].set_index("human_readable_id")["id"]
        return {
            "reports": list(dict.fromkeys(heard.column("reports", "title"))),
            "entities": list(dict.fromkeys(heard.column("entities", "entity"))),
            "chunk_ids": [units[int(i)] for i in dict.fromkeys(heard.column("sources", "id"))],
        }


class _Context(NoopQueryCallbacks):  # type: ignore[misc]
    """Keeps every context graphrag built; its own result holds only the last one of a DRIFT search."""

    def __init__(self) -> None:
        self.contexts, self.batches = 0, 0
        self._tables: list[tuple[str, Any]] = []

    def on_context(self, context: Any) -> None:
        """A context was built."""
        self.contexts += 1
        self._tables += [(name, table) for name, table in context.items() if len(table)]

    def on_map_response_start(self, map_response_contexts: list[str]) -> None:
        """Global search is about to ask its reports, in so many batches."""
        self.batches += len(map_response_contexts)

    def column(self, name: str, column: str) -> list[str]:
        """The values of a column in all tables of a name."""
        return [str(value) for table_name, table in self._tables if table_name == name for value in table[column]]
