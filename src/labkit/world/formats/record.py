"""JSON exports (tickets, chats, records) and plain text."""

from __future__ import annotations

import json as json_module
import random
import textwrap
from typing import Any

from labkit.world.blocks import Draft, Heading, Items, Look, Message, Pairs, Paragraph, Table, Turn
from labkit.world.formats.mail import block_lines


def json(draft: Draft, look: Look) -> bytes:
    """What a ticket system or chat tool exports: one object."""
    turns = [block for block in draft.body if isinstance(block, Turn)]
    record: dict[str, Any] = {"title": draft.title, "created": draft.date.isoformat(), "author": draft.author}
    if turns:
        record["messages"] = [{"user": t.speaker.text, "time": t.time, "text": t.sentence.text} for t in turns]
    for block in draft.body:
        match block:
            case Pairs(pairs):
                record.setdefault("fields", {}).update({label: sentence.text for label, sentence in pairs})
            case Table(header, rows):
                rows_as_objects = [dict(zip(header, (c.text for c in row), strict=True)) for row in rows]
                record.setdefault("records", []).extend(rows_as_objects)
            case Paragraph(found):
                record.setdefault("body", []).append(" ".join(sentence.text for sentence in found))
            case Items(items):
                record.setdefault("body", []).extend(item.text for item in items)
            case Heading(text):
                record.setdefault("body", []).append(text)
            case Turn() | Message():
                pass
    return json_module.dumps(record, ensure_ascii=False, indent=random.Random(draft.seed).choice((None, 2))).encode()


def text(draft: Draft, look: Look) -> bytes:
    """Plain text, hard-wrapped the way terminals and old mail programs do."""
    rng = random.Random(draft.seed)
    width = rng.choice((72, 78, 100))
    lines = [draft.title, rng.choice("=-~") * min(len(draft.title), width), ""]
    for block in draft.body:
        for line in block_lines(block):
            lines += textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
        lines.append("")
    return "\n".join(lines).encode()
