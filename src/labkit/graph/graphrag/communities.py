"""Builds graphrag's communities, their reports and vectors for one audience: writes the project, has the worker run it.

Nothing of graphrag is imported here. A finished build is not repeated while its input is the same; a build that was
killed is repeated, and takes what was embedded or written from the cache.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock
from tqdm import tqdm

from labkit.errors import ConfigError, IndexMissing, InputError
from labkit.graph.graphrag.endpoint import WriterName, completion_model
from labkit.graph.graphrag.given import Given, documents, given
from labkit.graph.graphrag.project import Audience, Built, Project, projects
from labkit.graph.graphrag.worker import Worker
from labkit.graph.tables import Extraction
from labkit.llm import embedder
from labkit.schema import Chunk, RequestContext
from labkit.settings import Settings

SEED = 0xDEADBEEF
"""Of Leiden; graphrag's default."""

LLM = "llm"
"""The extractor whose graph graphrag makes itself, with its own prompts, by the endpoint."""

_VERSION = 1  # of what is written here; another one means another fingerprint
_ENTITY_TYPES = ("organization", "person", "geo", "event")  # graphrag's own
_BUILD_S = 3600.0


def build(
    chunks: Sequence[Chunk], audience: Audience, settings: Settings, *, corpus: str,
    extraction: Extraction | None = None, writer: WriterName = "extractive", cluster_size: int = 10,
    entity_types: Sequence[str] = _ENTITY_TYPES, fresh: bool = False, again: bool = False, progress: bool = True,
    timeout_s: float = _BUILD_S, worker: Worker | None = None, ctx: RequestContext | None = None,
) -> Built:  # fmt: skip
    """The communities of what one group may read, with a report each.

    Args:
        chunks: of the corpus; those the audience may not read are left out here.
        audience: group, tenant and day.
        settings: home folder, encoder, chat model or endpoint.
        corpus: name of the corpus, part of the folder's name.
        extraction: the graph; None lets graphrag extract it with its own prompts (extractor ``llm``).
        writer: who writes the reports.
        cluster_size: entities of a community at most; larger ones are split further.
        entity_types: what graphrag's own extraction looks for.
        fresh: forget the cache first.
        again: run even if nothing changed.
        progress: show a bar.
        timeout_s: seconds after which the build is ended; it can be resumed.
        worker: a running one to use; None starts one for this build.
        ctx: its cancellation ends the build.

    Raises:
        InputError: the audience may read nothing, or nothing that relates two entities.
        ConfigError: the endpoint is needed and not set, or graphrag is not installed.
        StoreError: graphrag failed; the message says where and why.
        EndpointError: the endpoint that writes or extracts failed.
        ModelError: encoder or chat model cannot be found.
        DeadlineExceeded, Cancelled: the limits.
    """
    began = time.perf_counter()
    extractor = extraction.extractor if extraction else LLM
    if (writer == "endpoint" or extraction is None) and not settings.chat_url:
        raise ConfigError("There is no endpoint to write or extract with", todo="Set LABKIT_CHAT_URL.")
    if extraction is not None and extractor == LLM:
        raise InputError("The graph of extractor 'llm' is made by graphrag", todo="Pass no extraction.")
    put = documents(chunks, audience) if extraction is None else given(extraction, chunks, audience)
    encoder = embedder(settings)
    project = Project(settings.home, corpus, extractor, audience)
    config = _configuration(settings, encoder.fingerprint, encoder.dimensions, writer, cluster_size, entity_types)
    config["workflows"] = _workflows(extraction is None)
    fingerprint = _fingerprint(put, config)
    project.folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{project.folder}.lock"):
        try:
            if not (fresh or again) and (built := project.read()).fingerprint == fingerprint:
                return built
        except IndexMissing:
            pass
        _forget_withdrawn(project, chunks)
        _write(project, put, config, fresh=fresh)
        with tqdm(desc=f"graphrag for {audience.group}", total=len(config["workflows"]), disable=not progress) as bar:

            def show(what: str, done: int, _of: int) -> None:
                bar.n = done
                bar.set_postfix_str(what)

            own = worker or Worker(settings)
            try:
                found = own.request(
                    "build", {"folder": str(project.folder), "writer": writer}, log=project.log, timeout_s=timeout_s,
                    ctx=ctx, progress=show,
                )  # fmt: skip
            finally:
                if worker is None:
                    own.close()
            show("done", len(config["workflows"]), 0)
        since, until = audience.period(chunks)
        built = Built(
            corpus=corpus, extractor=extractor, audience=audience, since=since, until=until, fingerprint=fingerprint,
            encoder=encoder.fingerprint, writer=found["writer"], chunks=len(put.documents),
            **{name: found[name] for name in ("entities", "relationships", "communities", "levels", "reports")},
            failed=tuple(found["failed"]), problems=dict(put.problems) | found["problems"],
            seconds=found["seconds"] | {"all": round(time.perf_counter() - began, 3)},
        )  # fmt: skip
        scratch = project.folder / ".built.json"
        scratch.write_text(built.model_dump_json(indent=2) + "\n", encoding="utf-8")
        scratch.replace(project.folder / "built.json")
    return built


def _configuration(
    settings: Settings,
    encoder: str,
    dimensions: int,
    writer: WriterName,
    cluster_size: int,
    entity_types: Sequence[str],
) -> dict[str, Any]:
    """graphrag's settings.json. What is not named here keeps graphrag's default.

    The response cache goes by the prompt and not by the model, so each model gets a part of its own.
    """
    model = completion_model(writer, settings)
    wrote = _slug("extractive" if writer == "extractive" else f"{writer}-{settings.chat_model}")
    return {
        "completion_models": {"default_completion_model": model},
        "embedding_models": {
            "default_embedding_model": {"type": "labkit-encoder", "model_provider": "openai", "model": "gpt-4o",
                                        "api_key": "none"}
        },
        "concurrent_requests": 4,
        "async_mode": "asyncio",
        "input": {"type": "jsonl", "file_pattern": r".*\.jsonl", "id_column": "id", "title_column": "title",
                  "text_column": "text"},
        "input_storage": {"type": "file", "base_dir": "input"},
        "output_storage": {"type": "file", "base_dir": "output"},
        "cache": {"type": "json", "storage": {"type": "file", "base_dir": "cache"}},
        "reporting": {"type": "file", "base_dir": "logs"},
        "vector_store": {"type": "lancedb", "db_uri": "output/lancedb", "vector_size": dimensions},
        # A chunk is a text unit: nothing is cut again.
        "chunking": {"type": "tokens", "size": 1_000_000, "overlap": 0},
        "embed_text": {"batch_size": 64, "batch_max_tokens": 65_536,
                       "model_instance_name": f"vectors-{_slug(encoder)}"},
        "extract_graph": {"entity_types": list(entity_types), "model_instance_name": f"graph-{wrote}"},
        "summarize_descriptions": {"model_instance_name": f"descriptions-{wrote}"},
        "community_reports": {"model_instance_name": f"reports-{wrote}"},
        # By default graphrag leaves out every component but the largest.
        "cluster_graph": {"max_cluster_size": cluster_size, "use_lcc": False, "seed": SEED},
        # graphrag's own figures make a DRIFT search some hundred calls; these make it about ten.
        "drift_search": {"primer_folds": 1, "drift_k_followups": 5, "n_depth": 2},
    }  # fmt: skip


def _workflows(by_graphrag: bool) -> list[str]:
    """graphrag's steps with ours; the names that begin with ``labkit`` are ours."""
    return [
        "load_input_documents", "create_base_text_units", "labkit_text_units", "create_final_documents",
        "extract_graph" if by_graphrag else "labkit_graph", "finalize_graph", "create_communities",
        "create_final_text_units", "create_community_reports", "generate_text_embeddings",
    ]  # fmt: skip


def _fingerprint(put: Given, config: dict[str, Any]) -> str:
    try:
        installed = version("graphrag")
    except PackageNotFoundError as error:
        raise ConfigError("graphrag is not installed", todo="Install the lab environment.") from error
    parts = [str(_VERSION), installed, put.jsonl(), put.graph(), json.dumps(config, sort_keys=True)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _write(project: Project, put: Given, config: dict[str, Any], *, fresh: bool) -> None:
    """Write input and settings; drop what may quote a passage the audience can no longer read."""
    folder = project.folder
    source = folder / "input" / "chunks.jsonl"
    lines = put.jsonl()
    withdrawn = _withdrawn(source, lines)
    if withdrawn:
        (folder / "built.json").unlink(missing_ok=True)
    for name in ("cache", "logs") * (fresh or withdrawn) + ("building",) + ("output",) * withdrawn:
        shutil.rmtree(folder / name, ignore_errors=True)
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(lines, encoding="ascii")
    (folder / "graph.json").write_text(put.graph(), encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _withdrawn(source: Path, lines: str) -> bool:
    """Whether an input that was written earlier holds a passage that is not among these."""
    return source.exists() and not set(source.read_text(encoding="ascii").splitlines()) <= set(lines.splitlines())


def _forget_withdrawn(project: Project, chunks: Sequence[Chunk]) -> None:
    """Remove this group's projects of other days that hold a passage it can no longer read: they serve today too."""
    for other, _ in projects(project.home, project.corpus, project.extractor):
        if other == project or not _same_readers(other.audience, project.audience):
            continue
        try:
            lines = documents(chunks, other.audience).jsonl()
        except InputError:  # there it may read nothing any more
            lines = ""
        if _withdrawn(other.folder / "input" / "chunks.jsonl", lines):
            (other.folder / "built.json").unlink(missing_ok=True)  # first, so that nobody begins to use it
            shutil.rmtree(other.folder, ignore_errors=True)


def _same_readers(one: Audience, other: Audience) -> bool:
    return (one.tenant, one.group) == (other.tenant, other.group)


def _slug(name: str) -> str:
    """A model's name as a folder of the cache."""
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")
    return f"{plain[:40]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
