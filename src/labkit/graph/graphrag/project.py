"""A graphrag project: the folder that holds one audience's communities, reports and vectors, and who may use it.

Microsoft's graphrag (Edge et al. 2024, *From Local to Global*) knows no permissions: whoever may search an index is
told what its reports say. So each access group gets an index of its own, made of nothing but the passages that it may
read and that are in force on one day. What a group may not read is then in none of its files, and nothing has to be
filtered when a question comes. A reader is answered from the projects of his groups.

Folder: ``<home>/graphrag/<corpus>,<extractor>,<tenant>,<group>,<day>/``, with ``settings.json``, ``input``, ``cache``,
``output`` (the last whole index) and ``built.json``, which is written last.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import Field, ValidationError

from labkit.errors import AccessDenied, IndexMissing, StoreError
from labkit.schema import Chunk, Record, RequestContext

FOLDER = "graphrag"
"""Below the home folder of the settings."""

_PLAIN = re.compile(r"[a-z0-9][a-z0-9._+]*")


class Audience(Record):
    """Who reads: one access group of one tenant, on one day."""

    tenant: str
    group: str
    as_of: date

    def reads(self, chunk: Chunk) -> bool:
        """Whether the group may read the chunk and it is in force on the day."""
        return self._owns(chunk) and self._context().in_force(chunk.valid_from, chunk.valid_to)

    def chunks(self, chunks: Iterable[Chunk]) -> list[Chunk]:
        """What it reads, each chunk once, in an order that does not depend on the order given."""
        unique = {chunk.chunk_id: chunk for chunk in chunks if self.reads(chunk)}
        return sorted(unique.values(), key=lambda chunk: (chunk.source_path, chunk.ordinal, chunk.chunk_id))

    def period(self, chunks: Iterable[Chunk]) -> tuple[date | None, date | None]:
        """The days ``[from, to)`` around its day on which it reads exactly the same chunks; None is unbounded."""
        days = {day for chunk in chunks if self._owns(chunk) for day in (chunk.valid_from, chunk.valid_to) if day}
        return (
            max((day for day in days if day <= self.as_of), default=None),
            min((day for day in days if day > self.as_of), default=None),
        )

    def _owns(self, chunk: Chunk) -> bool:
        return chunk.tenant == self.tenant and self.group in chunk.acl

    def _context(self) -> RequestContext:
        return RequestContext(groups=frozenset({self.group}), tenant=self.tenant, as_of=self.as_of)

    def __str__(self) -> str:
        return f"{self.tenant}/{self.group} on {self.as_of}"


class Built(Record):
    """What a finished build says about itself, in ``built.json``."""

    corpus: str
    extractor: str
    audience: Audience
    since: date | None = Field(description="first day on which the audience reads exactly these chunks")
    until: date | None = Field(description="first day on which it no longer does")
    fingerprint: str = Field(description="of everything that went in: chunks, graph, encoder, writer, settings")
    encoder: str
    writer: str = Field(description="who wrote the reports: extractive, local <model>, or the endpoint's model")
    chunks: int
    entities: int
    relationships: int
    communities: int
    levels: int = Field(description="depth of the hierarchy of communities")
    reports: int
    failed: tuple[str, ...] = Field((), description="communities without a report, by their most connected entities")
    problems: dict[str, int] = Field(default_factory=dict, description="what could not be used and why, counted")
    seconds: dict[str, float] = Field(default_factory=dict, description="step → seconds, imports included")


@dataclass(frozen=True, slots=True)
class Project:
    """The folder of one audience; it need not exist yet."""

    home: Path
    corpus: str
    extractor: str
    audience: Audience

    @property
    def name(self) -> str:
        """Name of the folder."""
        who = self.audience
        # No slug holds a comma, so no two audiences share a folder.
        return ",".join(map(_slug, (self.corpus, self.extractor, who.tenant, who.group, who.as_of.isoformat())))

    @property
    def folder(self) -> Path:
        """Where everything of it lies."""
        return self.home / FOLDER / self.name

    @property
    def output(self) -> Path:
        """The last whole index: tables and vectors."""
        return self.folder / "output"

    @property
    def log(self) -> Path:
        """What graphrag and the worker wrote while they ran."""
        return self.folder / "logs" / "worker.log"

    def read(self) -> Built:
        """What the last build says.

        Raises:
            IndexMissing: it was never built, or the build did not end.
            StoreError: the record is damaged or is another audience's.
        """
        try:
            built = Built.model_validate_json((self.folder / "built.json").read_bytes())
        except FileNotFoundError as error:
            todo = "Build it with labkit.graph.graphrag.communities.build."
            raise IndexMissing(f"There is no graphrag index for {self.audience}", where=self.name, todo=todo) from error
        except (OSError, ValidationError) as error:
            raise StoreError("The record of a graphrag index cannot be read", where=self.name, todo=_AGAIN) from error
        if (built.corpus, built.extractor, built.audience) != (self.corpus, self.extractor, self.audience):
            raise StoreError(f"The folder holds the index of {built.audience}", where=self.name, todo=_AGAIN)
        return built


_AGAIN = "Delete the folder and build it again."


def projects(home: Path, corpus: str, extractor: str) -> list[tuple[Project, Built]]:
    """All finished projects of a corpus, by name.

    Raises:
        StoreError: the record of one is damaged.
    """
    found = []
    for record in sorted((home / FOLDER).glob("*/built.json")):
        try:
            built = Built.model_validate_json(record.read_bytes())
        except ValidationError as error:
            where = record.parent.name
            raise StoreError("The record of a graphrag index cannot be read", where=where, todo=_AGAIN) from error
        if (built.corpus, built.extractor) == (corpus, extractor):
            found.append((Project(home, corpus, extractor, built.audience), built))
    return found


def usable(
    found: Sequence[tuple[Project, Built]], ctx: RequestContext
) -> tuple[list[tuple[Project, Built]], tuple[str, ...]]:
    """The projects a request may be answered from, and a note for each of its groups that has none.

    A project serves every day on which its audience reads the same chunks, not only the day it was built for.

    Raises:
        AccessDenied: there is none at all.
    """
    chosen, notes = [], []
    for group in sorted(ctx.groups):
        fitting = [
            (project, built)
            for project, built in found
            if (built.audience.tenant, built.audience.group) == (ctx.tenant, group)
            and ctx.in_force(built.since, built.until)
        ]
        if fitting:
            chosen.append(fitting[0])
        else:
            notes.append(f"no graphrag index of group {group} in {ctx.tenant} for {ctx.as_of}")
    if not chosen:
        raise AccessDenied(
            f"There is no graphrag index that this request may use: {'; '.join(notes) or 'it names no group'}",
            todo="Build one for the group and day, or ask on another day.",
        )
    return chosen, tuple(notes)


def _slug(part: str) -> str:
    """A name that is safe in a path and differs where the names differ."""
    if _PLAIN.fullmatch(part.replace("-", "_")):
        return part
    plain = re.sub(r"[^a-z0-9._]+", "_", part.lower()).strip("._") or "x"
    return f"{plain[:40]}~{hashlib.sha256(part.encode()).hexdigest()[:8]}"
