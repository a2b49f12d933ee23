"""What a pack's files hold: one model per kind of entry, as ``docs/packs.md`` describes them.

These models know shapes only; whether names refer to something is checked where the whole pack is known (``pack``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["statement", "question", "noun_phrase", "compare", "as_of", "premise"]
Split = Literal["train", "dev", "test"]
Role = Literal["author", "colleague", "colleague2", "contact", "manager"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Family(_Entry):
    """One way of stating or asking something; see ``docs/packs.md``."""

    relation: str
    kind: Kind
    split: Split
    name: str
    forms: tuple[str, ...] = Field(min_length=1)


class Section(_Entry):
    """A heading (one of several) and the blocks below it."""

    heading: tuple[str, ...] = ("",)
    body: tuple[str, ...]


class MessagePlan(_Entry):
    """One mail of a thread; without ``to`` it answers whoever it would."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    sender: Role = Field(alias="from")
    to: Role | None = None
    body: tuple[str, ...]


class Layout(_Entry):
    """One shape a document class comes in."""

    name: str
    sections: tuple[Section, ...] = ()
    message: tuple[MessagePlan, ...] = ()

    def items(self) -> Iterator[str]:
        """Every body item of it."""
        for section in self.sections:
            yield from section.body
        for message in self.message:
            yield from message.body


class DocumentClass(_Entry):
    """Layouts and passages of one class of document."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    name: str = Field(alias="class")
    folder: str
    groups: tuple[str, ...] = ("staff",)
    weight: float = Field(1.0, gt=0)
    about: str
    shape: Literal["document", "thread", "chat"] = "document"
    lag_days: int = Field(30, ge=0)
    author: str = ""
    """The relation of what the document is about that names its author; '' for anybody."""
    states: tuple[str, ...]
    formats: dict[Literal["markdown", "html", "pdf", "pdf2", "docx", "xlsx", "csv", "eml", "json", "text"], float]
    filename: tuple[str, ...] = Field(min_length=1)
    title: tuple[str, ...] = Field(min_length=1)
    layout: tuple[Layout, ...] = Field(min_length=1)
    bank: dict[str, tuple[str, ...]] = {}


class ArcEntity(_Entry):
    """A core entity of a story."""

    id: str
    kind: str
    name: str
    aliases: tuple[str, ...] = ()
    details: dict[str, str] = {}


class ArcFact(_Entry):
    """A fact of a story."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    id: str
    subject: str
    relation: str
    value: str
    aliases: tuple[str, ...] = ()
    object: str | None = None
    valid_from: date = Field(alias="from")
    valid_to: date | None = Field(None, alias="to")
    groups: tuple[str, ...] = ("staff",)


class Evidence(_Entry):
    """The words of an arc document that state a fact."""

    fact: str
    quote: str


class ArcDocument(_Entry):
    """A hand-written document."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    path: str
    doc_class: str = Field(alias="class")
    date: date
    author: str
    sender: str = Field("", alias="from")
    to: str = ""
    title: str
    text: str
    evidence: tuple[Evidence, ...] = ()


class ArcQuestion(_Entry):
    """A hand-written question."""

    text: str
    type: Literal[
        "single_hop",
        "multi_hop",
        "comparison",
        "aggregation",
        "time",
        "global",
        "unanswerable",
        "adversarial",
        "forbidden",
    ]
    value: str = ""
    aliases: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    asker: str
    groups: tuple[str, ...] = ("staff",)
    as_of: date
    cost_if_wrong: float = 0.0
    hops: int = Field(1, ge=0)
    hero: bool = False


class Arc(_Entry):
    """A story: facts, the documents that disagree about them, and questions."""

    slug: str
    chapter: str = ""
    summary: str = ""
    entity: tuple[ArcEntity, ...] = ()
    fact: tuple[ArcFact, ...] = ()
    document: tuple[ArcDocument, ...] = ()
    question: tuple[ArcQuestion, ...] = ()


KINDS = (
    "mojibake", "wrong_encoding", "exact_duplicate", "near_duplicate", "superseded", "boilerplate", "truncated",
    "zero_byte", "mislabelled", "encrypted", "bomb", "table_split", "hyphenation", "image_only", "pii", "injection",
    "other_language",
)  # fmt: skip
"""Every kind of dirt. All are made in ``dirt`` but ``superseded`` and ``other_language``, which are whole documents."""


class Dirt(_Entry):
    """Rates and material of dirt."""

    rates: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    boilerplate: dict[str, tuple[str, ...]] = {}
    injection: dict[str, tuple[str, ...]] = {}
    languages: dict[str, tuple[str, ...]] = {}
    pii: dict[str, tuple[str, ...]] = {}
