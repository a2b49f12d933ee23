"""The words all rooms speak: Document, Chunk, Query, Hit, Answer, RequestContext.

Records are immutable and validated where they enter; on disk they are Arrow/Parquet rows (see :func:`arrow_schema`).
This module knows nothing about where records come from or where they are stored.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal, Protocol, runtime_checkable

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.errors import BudgetExceeded, Cancelled, DeadlineExceeded, InputError

SCHEMA_VERSION = 1
PUBLIC = "public"
"""The group of everybody: what a folder without an access file belongs to."""

Format = Literal["html", "markdown", "rst", "pdf", "docx", "xlsx", "csv", "eml", "json", "text"]


class Record(BaseModel):
    """Base of what is stored and sent: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(Record):
    """One accepted source file after parsing and cleaning."""

    doc_id: str = Field(description="stable: from the path below the corpus root")
    version: str = Field("", description="revision as the document states it, '' when it states none")
    source_path: str = Field(description="POSIX path below the corpus root")
    doc_class: str = Field("", description="kind of document, '' when unknown")
    format: Format
    title: str
    text: str = Field(description="cleaned, redacted text; chunk offsets point into it")
    language: str = Field("", description="ISO 639-1 code, '' when unknown")
    valid_from: date | None = None
    valid_to: date | None = Field(None, description="first day on which it no longer holds")
    superseded_by: str | None = None
    duplicate_of: str | None = None
    acl: tuple[str, ...] = Field((PUBLIC,), description="groups that may read it")
    tenant: str = "default"
    sha256: str = Field(description="of the source bytes")
    defects: tuple[str, ...] = Field((), description="codes of what was wrong and repaired")
    schema_version: int = SCHEMA_VERSION


class Chunk(Record):
    """A passage that is embedded, retrieved and cited."""

    chunk_id: str = Field(description="from content and place: stable across reruns")
    doc_id: str
    source_path: str
    doc_class: str = ""
    ordinal: int = Field(ge=0, description="position in its document")
    text: str
    start: int = Field(ge=0, description="offset of text in the document's text")
    end: int = Field(ge=0)
    page: int | None = Field(None, ge=1, description="first page it stands on, where pages exist")
    heading_path: tuple[str, ...] = ()
    lang: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    acl: tuple[str, ...] = (PUBLIC,)
    tenant: str = "default"
    tokens: int = Field(ge=0, description="length in the encoder's tokens")
    content_hash: str
    schema_version: int = SCHEMA_VERSION


class Quarantined(Record):
    """A source file that could not become a document, and why."""

    source_path: str
    reason: str = Field(description="stable code: empty, encrypted, corrupt, bomb, mislabelled, unsupported …")
    message: str
    sha256: str


class Query(Record):
    """A question as it enters the system."""

    text: str
    query_id: str = ""


class Hit(Record):
    """A chunk found for a query."""

    chunk: Chunk
    score: float = Field(description="comparable within one result list only")
    why: dict[str, int] = Field(default_factory=dict, description="path that found it → its 1-based rank there")


class Citation(Record):
    """The passage an answer rests on."""

    chunk_id: str
    source_path: str
    start: int = Field(description="span in the document's text")
    end: int
    quote: str


class Usage(Record):
    """Tokens spent on a model call."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


class Versions(Record):
    """What produced an answer: enough to reproduce it."""

    model: str = ""
    prompt: str = ""
    index: str = ""
    world: str = ""


class Answer(Record):
    """What comes back for a question."""

    text: str
    citations: tuple[Citation, ...] = ()
    abstained: bool = False
    confidence: float = Field(0.0, ge=0.0, le=1.0)
    route: str = ""
    degraded: tuple[str, ...] = Field((), description="stages that were skipped or replaced, by name")
    usage: Usage = Usage()
    timings: dict[str, float] = Field(default_factory=dict, description="stage → seconds")
    versions: Versions = Versions()
    trace_id: str = ""


class Trace(Protocol):
    """Where stages report themselves; ``observe`` provides one that exports spans."""

    trace_id: str

    def span(self, name: str, **attributes: object) -> AbstractContextManager[object]:
        """A context that lasts as long as the stage ``name``."""


class NoTrace:
    """The trace of a request nobody watches."""

    trace_id = ""

    def span(self, name: str, **attributes: object) -> AbstractContextManager[object]:
        """A context that records nothing."""
        return nullcontext()


@dataclass(slots=True)
class TokenBudget:
    """Tokens a request may still spend; shared by all its stages."""

    remaining: int

    def spend(self, usage: Usage) -> None:
        """Subtract what a model call used.

        Raises:
            BudgetExceeded: more was used than was left.
        """
        self.remaining -= usage.prompt_tokens + usage.completion_tokens
        if self.remaining < 0:
            raise BudgetExceeded(
                f"The request used {-self.remaining} tokens more than it was allowed",
                todo="Ask a shorter question or raise the budget.",
            )


class Filters(Record):
    """What a request narrows itself to; the default narrows nothing. Applied inside the store, before ranking."""

    doc_classes: tuple[str, ...] = Field((), description="any of these kinds of document; empty: any")
    languages: tuple[str, ...] = Field((), description="ISO 639-1 codes; empty: any")
    since: date | None = Field(None, description="in force from this day or later; undated passages do not qualify")
    until: date | None = Field(None, description="in force from this day or earlier; undated passages do not qualify")

    @classmethod
    def parse(cls, stated: Mapping[str, object]) -> Filters:
        """Filters from names and values as a person or a request states them.

        Raises:
            InputError: a filter has an unknown name, or a value it does not take.
        """
        try:
            return cls.model_validate(dict(stated))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            what = f"There is no filter {name!r}" if first["type"] == "extra_forbidden" else f"{name}: {first['msg']}"
            raise InputError(what, todo=f"The filters are: {', '.join(cls.model_fields)}.") from error


def _today() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Who asks, as of when, and how long it may take. Every stage takes one.

    There is no call without it, so permissions, time and cancellation are never opt-in. ``deadline`` is a
    :func:`time.monotonic` instant.
    """

    principal: str = "anonymous"
    groups: frozenset[str] = frozenset({PUBLIC})
    tenant: str = "default"
    as_of: date = field(default_factory=_today)
    filters: Filters = field(default_factory=Filters)
    deadline: float | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    budget: TokenBudget | None = None
    trace: Trace = field(default_factory=NoTrace)

    def check(self) -> None:
        """Stop here if the asker left or time ran out.

        Raises:
            Cancelled: ``cancel`` is set.
            DeadlineExceeded: ``deadline`` has passed.
        """
        if self.cancel.is_set():
            raise Cancelled("The request was cancelled by its caller")
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise DeadlineExceeded("The request ran out of time", todo="Allow more seconds or ask for fewer passages.")

    def may_read(self, acl: Sequence[str], tenant: str) -> bool:
        """Whether any of the asker's groups is on the list, within the same tenant."""
        return tenant == self.tenant and not self.groups.isdisjoint(acl)

    def in_force(self, valid_from: date | None, valid_to: date | None) -> bool:
        """Whether something valid in ``[valid_from, valid_to)`` holds on ``as_of``."""
        return (valid_from is None or valid_from <= self.as_of) and (valid_to is None or self.as_of < valid_to)

    def sees(self, chunk: Chunk) -> bool:
        """Whether a chunk passes tenant, groups, day and filters, as a store decides."""
        asked, since = self.filters, chunk.valid_from
        return (
            self.may_read(chunk.acl, chunk.tenant)
            and self.in_force(chunk.valid_from, chunk.valid_to)
            and (not asked.doc_classes or chunk.doc_class in asked.doc_classes)
            and (not asked.languages or chunk.lang in asked.languages)
            and (asked.since is None or (since is not None and since >= asked.since))
            and (asked.until is None or (since is not None and since <= asked.until))
        )


@runtime_checkable
class Retriever(Protocol):
    """Finds passages. Filters by access and date are applied inside, before ranking."""

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The best ``k`` passages the asker may read and that hold on ``ctx.as_of``, best first."""


@runtime_checkable
class Answerer(Protocol):
    """A whole system: question in, cited answer out. What a benchmark measures."""

    def ask(self, question: str, ctx: RequestContext) -> Answer:
        """Answer with citations, or abstain."""


Message = dict[str, str]
"""One chat turn in the OpenAI format: ``{"role": …, "content": …}``."""


class ChatReply(Record):
    """Text of one model call, what it cost, and why it stopped (``stop`` or ``length``)."""

    text: str
    usage: Usage = Usage()
    finish_reason: str = "stop"


@runtime_checkable
class ChatModel(Protocol):
    """A language model behind the OpenAI chat format, in process or over HTTP."""

    name: str

    def chat(self, messages: Sequence[Message], *, max_tokens: int = 64, ctx: RequestContext) -> ChatReply:
        """The whole reply at once."""

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 64, ctx: RequestContext) -> Iterator[str]:
        """The reply piece by piece, as it is generated."""


_ARROW_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    date: pa.date32(),
    tuple[str, ...]: pa.list_(pa.string()),
}


def arrow_schema(record: type[Record]) -> pa.Schema:
    """The Arrow schema of a flat record type such as Document, Chunk or Quarantined."""

    def arrow_type(annotation: Any) -> pa.DataType:
        if annotation in _ARROW_TYPES:
            return _ARROW_TYPES[annotation]
        for part in getattr(annotation, "__args__", ()):
            if part in _ARROW_TYPES:  # Optional[...]
                return _ARROW_TYPES[part]
        return pa.string()  # Literal[...] of strings

    return pa.schema([(name, arrow_type(info.annotation)) for name, info in record.model_fields.items()])


StageHook = Callable[[str, RequestContext], None]
"""Called as ``hook(stage, ctx)`` before a stage runs; ``observe`` and ``guard`` reach the pipeline through it."""
