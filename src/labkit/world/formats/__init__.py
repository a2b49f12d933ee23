"""File formats: the same draft as Markdown, HTML, PDF, Word, Excel, CSV, mail, JSON or plain text.

Every writer gives the same bytes for the same draft and look.
"""

from __future__ import annotations

from collections.abc import Callable

from labkit.errors import WorldError
from labkit.world.blocks import Draft, Look
from labkit.world.formats.mail import eml
from labkit.world.formats.markup import html, markdown
from labkit.world.formats.office import csv, docx, xlsx
from labkit.world.formats.pdf import pdf, pdf2
from labkit.world.formats.record import json, text

WRITERS: dict[str, Callable[[Draft, Look], bytes]] = {
    "markdown": markdown,
    "html": html,
    "pdf": pdf,
    "pdf2": pdf2,
    "docx": docx,
    "xlsx": xlsx,
    "csv": csv,
    "eml": eml,
    "json": json,
    "text": text,
}


def render(draft: Draft, look: Look) -> bytes:
    """The bytes of a draft in its format.

    Raises:
        WorldError: no writer for the format.
    """
    if draft.format not in WRITERS:
        raise WorldError(f"There is no writer for the format {draft.format!r}", where=draft.path)
    return WRITERS[draft.format](draft, look)
