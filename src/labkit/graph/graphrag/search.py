"""Answers questions from graphrag's communities: local, global, DRIFT and basic search, by graphrag's own engine.

- ``basic`` reads the passages nearest the question: plain retrieval, the baseline;
- ``local`` reads what surrounds the entities nearest the question: their relations, passages and reports;
- ``global`` asks every community report and merges what they say (Edge et al. 2024);
- ``drift`` reads the nearest reports first and then searches locally for what they leave open.

A reader is answered from the projects of his groups, each searched by itself: their texts never meet in one prompt.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

from pydantic import Field

from labkit.errors import InputError
from labkit.graph.graphrag.endpoint import WriterName, completion_model
from labkit.graph.graphrag.project import Built, Project, projects, usable
from labkit.graph.graphrag.worker import Worker
from labkit.schema import Filters, Record, RequestContext
from labkit.settings import Settings

Method = Literal["local", "global", "drift", "basic"]

LEVEL = 2
"""Deepest level of communities used; graphrag's default. 0 is the coarsest."""

_SEARCH_S = 300.0  # the start of the worker included


class Found(Record):
    """What one project answered."""

    project: str
    text: str
    reports: tuple[str, ...] = Field((), description="titles of the community reports in the context")
    entities: tuple[str, ...] = Field((), description="titles of the entities in the context")
    chunk_ids: tuple[str, ...] = Field((), description="the passages in the context, in their order")
    contexts: int = Field(0, description="contexts that were read: more than one in a DRIFT search")
    problems: dict[str, int] = Field(default_factory=dict, description="what models or graphrag got wrong, counted")
    seconds: float = 0.0


class GraphAnswer(Record):
    """An answer from the communities of all groups of a reader.

    Attributes:
        text: the answers of the projects; each under its project's name if there is more than one.
    """

    question: str
    method: Method
    text: str
    writer: str = Field(description="who wrote it: extractive, local <model>, or the endpoint's model")
    parts: tuple[Found, ...]
    notes: tuple[str, ...] = Field((), description="groups of the reader that have no project")

    @property
    def chunk_ids(self) -> tuple[str, ...]:
        """The passages in all contexts, each once."""
        return tuple(dict.fromkeys(chunk_id for part in self.parts for chunk_id in part.chunk_ids))

    @property
    def reports(self) -> tuple[str, ...]:
        """Titles of the reports in all contexts, each once."""
        return tuple(dict.fromkeys(title for part in self.parts for title in part.reports))

    @property
    def entities(self) -> tuple[str, ...]:
        """Entities in all contexts, each once."""
        return tuple(dict.fromkeys(title for part in self.parts for title in part.entities))


class GraphSearch:
    """Searches the communities of a corpus. Keeps one worker, started by the first question; close it when done.

    Args:
        settings: home folder, encoder, chat model or endpoint.
        corpus: name the projects were built under.
        extractor: whose graph: ``rules``, ``local`` or ``llm``.
        writer: who writes the answers; need not be who wrote the reports.
        timeout_s: seconds for one question to one project.
        worker: a running one to use; it is not closed here.

    Raises:
        ConfigError: the endpoint is needed and not set.
    """

    def __init__(
        self, settings: Settings, *, corpus: str, extractor: str, writer: WriterName = "extractive",
        timeout_s: float = _SEARCH_S, worker: Worker | None = None,
    ) -> None:  # fmt: skip
        self._home: Path = settings.home
        self._corpus, self._extractor, self._writer = corpus, extractor, writer
        self._models = completion_model(writer, settings)
        self._timeout_s = timeout_s
        self._owns = worker is None
        self._worker = worker or Worker(settings)

    def search(
        self, question: str, method: Method, ctx: RequestContext, *, level: int = LEVEL,
        response_type: str = "multiple paragraphs",
    ) -> GraphAnswer:  # fmt: skip
        """Answer from every project the request may use.

        Args:
            question: what is asked.
            method: how to search.
            ctx: groups, tenant and day choose the projects; deadline and cancellation hold.
            level: deepest level of communities that is used.
            response_type: form of answer a model is asked for; quoting has one form only.

        Raises:
            InputError: no question, an unknown method or level, or the request has filters.
            AccessDenied: none of the groups has a project for that day.
            IndexMismatch: another encoder made a project's vectors.
            StoreError: a project is damaged, or graphrag failed.
            EndpointError: the endpoint that writes failed at all it was asked.
            DeadlineExceeded, Cancelled: the request's own limits.
        """
        if not question.strip():
            raise InputError("There is no question")
        if method not in get_args(Method):
            raise InputError(f"There is no search {method!r}", todo=f"Take one of: {', '.join(get_args(Method))}.")
        if level < 0:
            raise InputError(f"Level {level} does not exist", todo="The coarsest communities are level 0.")
        if ctx.filters != Filters():
            raise InputError("Community reports cannot be narrowed by filters", todo="Ask without filters.")
        chosen, notes = usable(projects(self._home, self._corpus, self._extractor), ctx)
        answers = [self._ask(question, method, project, built, level, response_type, ctx) for project, built in chosen]
        parts, writers = [part for part, _ in answers], {writer for _, writer in answers}
        text = parts[0].text if len(parts) == 1 else "\n\n".join(f"From {part.project}:\n{part.text}" for part in parts)
        return GraphAnswer(
            question=question, method=method, text=text, writer=", ".join(sorted(writers)), parts=tuple(parts),
            notes=notes,
        )  # fmt: skip

    def _ask(
        self, question: str, method: Method, project: Project, built: Built, level: int, response_type: str,
        ctx: RequestContext,
    ) -> tuple[Found, str]:  # fmt: skip
        began = time.perf_counter()
        arguments = {
            "folder": str(project.folder), "fingerprint": built.fingerprint, "encoder": built.encoder,
            "writer": self._writer, "models": self._models, "method": method, "question": question, "level": level,
            "response_type": response_type,
        }  # fmt: skip
        with ctx.trace.span("graph.search", method=method, project=project.name):
            found = self._worker.request("search", arguments, log=project.log, timeout_s=self._timeout_s, ctx=ctx)
        part = Found(
            project=project.name, text=found["text"], reports=tuple(found["reports"]),
            entities=tuple(found["entities"]), chunk_ids=tuple(found["chunk_ids"]), contexts=found["calls"],
            problems=found["problems"], seconds=round(time.perf_counter() - began, 3),
        )  # fmt: skip
        return part, found["writer"]

    def close(self) -> None:
        """End the worker, if it was started here."""
        if self._owns:
            self._worker.close()

    def __enter__(self) -> GraphSearch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
