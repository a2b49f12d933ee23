"""What every parser returns, and the table of parsers.

A parser turns the content of one file into a title, blocks in reading order and the metadata the file states about
itself. It knows nothing about chunks, access or where the file lies. Parsers are imported when first needed, so that
a process that meets no PDF never loads a PDF library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Literal, cast

from labkit.schema import Format

Kind = Literal["heading", "paragraph", "item", "code", "quote", "reply", "table", "fields"]


@dataclass(slots=True)
class Block:
    """One piece of a document in reading order.

    ``level`` is 1 to 6 for headings and 0 otherwise; ``page`` counts from 1 where pages exist. In a ``table`` or
    ``fields`` block every line is one row; a ``reply`` is text quoted from an earlier mail.
    """

    kind: Kind
    text: str
    level: int = 0
    page: int | None = None


@dataclass(slots=True)
class Parsed:
    """What a file says: its blocks, its title and metadata (lower-case keys), ``""`` where it states none."""

    blocks: list[Block]
    title: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    language: str = ""
    defects: list[str] = field(default_factory=list)


PARSERS: dict[Format, str] = {
    "html": "html",
    "markdown": "markdown",
    "rst": "rst",
    "pdf": "pdf",
    "docx": "docx",
    "xlsx": "sheet",
    "csv": "sheet",
    "eml": "mail",
    "json": "json",
    "text": "text",
}
BINARY_FORMATS: frozenset[Format] = frozenset({"pdf", "docx", "xlsx", "eml"})
"""Formats parsed from bytes; all others from decoded text. Mail is one of them: each part has its own charset."""


def parse(fmt: Format, content: bytes | str) -> Parsed:
    """Parse one file's content as ``fmt``: bytes for :data:`BINARY_FORMATS`, text for the others.

    Raises:
        DocumentError: the content cannot be read, with the reason. Libraries may raise anything else on bad input.
    """
    module = import_module(f"{__name__}.{PARSERS[fmt]}")
    return cast("Callable[[bytes | str], Parsed]", getattr(module, f"parse_{fmt}"))(content)


def parser_modules() -> list[str]:
    """Full names of all parser modules, for a process that wants to load them ahead."""
    return sorted({f"{__name__}.{name}" for name in PARSERS.values()})
