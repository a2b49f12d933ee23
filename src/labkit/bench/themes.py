"""Questions about the whole company: how many of the true themes graphrag's global search names, and flat retrieval.

Flat retrieval names what stands in its best ten passages, which is more than a reader of an answer would be given: the
comparison leans towards it. The reports are read by a group that may see part of the documents; what it may not see
must not stand in its project's files.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from labkit.bench.result import Figure
from labkit.errors import ConfigError, LabkitError
from labkit.evaluate.grading import contains, tokens
from labkit.evaluate.statistics import difference_interval
from labkit.graph.graphrag.communities import build
from labkit.graph.graphrag.project import Audience, Project
from labkit.graph.graphrag.search import GraphSearch
from labkit.graph.tables import Extraction
from labkit.schema import Chunk, RequestContext, Retriever
from labkit.settings import Settings
from labkit.world.chance import END
from labkit.world.questions import Question

_TENANT, _GROUP = "tidewater", "staff"
_PASSAGES = 10
_LONG = 60  # characters of a passage that could stand nowhere else by chance


def themes(
    settings: Settings, chunks: Sequence[Chunk], extraction: Extraction, questions: Sequence[Question],
    flat: Retriever, *, corpus: str,
) -> dict[str, Figure]:  # fmt: skip
    """Figures of the index and of global search; skipped where graphrag is not installed."""
    audience = Audience(tenant=_TENANT, group=_GROUP, as_of=END)
    try:
        started = time.perf_counter()
        built = build(chunks, audience, settings, corpus=corpus, extraction=extraction, fresh=True, again=True)
        first = time.perf_counter() - started
        started = time.perf_counter()
        build(chunks, audience, settings, corpus=corpus, extraction=extraction, again=True)
        second = time.perf_counter() - started
    except ConfigError as error:
        return {"graphrag_index_s": Figure(value=None, unit="s", status=f"skipped: {error}")}
    project = Project(settings.home, corpus, extraction.extractor, audience)
    figures = {
        "graphrag_index_s": Figure(value=first, unit="s", n=built.chunks, direction="lower"),
        "graphrag_cached_s": Figure(value=second, unit="s", n=built.chunks, direction="lower"),
        "graphrag_reports_per_community": Figure(
            value=built.reports / max(1, built.communities), n=built.communities, direction="higher"
        ),
        "global_acl_leaks": Figure(
            value=_hidden_in(project, chunks, audience), unit="passages", n=len(chunks), direction="lower"
        ),
    }
    if not questions:
        return figures
    try:
        return figures | _asked(settings, extraction, questions, flat, corpus)
    except LabkitError as error:  # what was measured so far is not lost with it
        return figures | {"global_themes": Figure(value=None, status=f"failed: {error}", direction="higher")}


def _asked(
    settings: Settings, extraction: Extraction, questions: Sequence[Question], flat: Retriever, corpus: str
) -> dict[str, Figure]:
    by_global, by_flat = [], []
    with GraphSearch(settings, corpus=corpus, extractor=extraction.extractor) as search:
        for question in questions:
            ctx = RequestContext(groups=frozenset(question.groups), tenant=_TENANT, as_of=question.as_of)
            by_global.append(_named(question, search.search(question.text, "global", ctx).text))
            hits = flat.search(question.text, _PASSAGES, ctx)
            by_flat.append(_named(question, "\n".join(hit.chunk.text for hit in hits)))
    n = len(questions)
    return {
        "global_themes": Figure(value=float(np.mean(by_global)), n=n, direction="higher"),
        "flat_themes": Figure(value=float(np.mean(by_flat)), n=n, direction="higher"),
        "global_themes_above_flat": Figure(
            value=float(np.mean(by_global) - np.mean(by_flat)), n=n, ci95=difference_interval(by_flat, by_global, 0),
            direction="higher", peer="flat",
        ),
    }  # fmt: skip


def _named(question: Question, text: str) -> float:
    """Share of the true themes that a text names."""
    said = tokens(text)
    wanted = [tokens(theme) for theme in question.value.split("; ")]
    return sum(contains(said, theme) for theme in wanted) / len(wanted)


def _hidden_in(project: Project, chunks: Sequence[Chunk], audience: Audience) -> int:
    """Passages the audience may not read that have a line in a file of its project."""
    readable = {line for chunk in chunks if audience.reads(chunk) for line in _lines(chunk)}
    files = [path for path in sorted(project.folder.rglob("*")) if path.is_file()]
    written = "\n".join(_one_line(_text(path)) for path in files)
    hidden = [chunk for chunk in chunks if not audience.reads(chunk)]
    return sum(any(line in written for line in _lines(chunk) if line not in readable) for chunk in hidden)


def _lines(chunk: Chunk) -> list[str]:
    return [line for line in map(_one_line, chunk.text.split("\n")) if len(line) >= _LONG]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(path: Path) -> str:
    """What a file says; the columns of Parquet are compressed and have to be read."""
    if path.suffix != ".parquet":
        return path.read_text(encoding="utf-8", errors="ignore")
    columns = pq.read_table(path).to_pydict().values()
    return "\n".join(str(value) for column in columns for value in column)
