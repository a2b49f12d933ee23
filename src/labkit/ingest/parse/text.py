"""Plain text: paragraphs at blank lines, headings where they are plain to see.

A heading is a line underlined with ``===`` or ``---``, a numbered line (``2.1 Scope``) or a line of capitals that
stands alone. Nothing else is guessed.
"""

from __future__ import annotations

import re

from labkit.ingest.parse import Block, Parsed

_UNDERLINE = re.compile(r"([=\-~^#*])\1{2,}\s*")
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+[A-Z][^.!?;]{1,70}")
_CAPITALS = re.compile(r"[^a-z]*[A-Z]{3}[^a-z]*")
ITEM = re.compile(r"\s*(?:[-*•‣–]|\d{1,3}[.)]|[a-z][.)])\s+\S")
_FIELD = re.compile(r"([A-Z][A-Za-z /-]{1,30}):[ \t]+(\S.*)")


def parse_text(content: str) -> Parsed:
    """Parse plain text."""
    blocks: list[Block] = []
    metadata: dict[str, str] = {}
    for paragraph in re.split(r"\n[ \t]*\n", content.strip("\n")):
        lines = [line.rstrip() for line in paragraph.split("\n") if line.strip()]
        if lines:
            blocks += text_blocks(lines)
            if len(blocks) <= 8:
                metadata.update(stated_fields(lines))
    title = next((block.text for block in blocks if block.kind == "heading"), "")
    return Parsed(blocks, title=title, metadata=metadata)


def text_blocks(lines: list[str], page: int | None = None) -> list[Block]:
    """Blocks of one paragraph given as non-empty lines."""
    first = lines[0].strip()
    if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1]) and abs(len(lines[1].strip()) - len(first)) <= 4:
        level = 1 if lines[1].lstrip().startswith(("=", "#")) else 2
        rest = lines[2:]
        return [Block("heading", first, level, page), *(text_blocks(rest, page) if rest else [])]
    if len(lines) == 1 and len(first) <= 80:
        if match := _NUMBERED.fullmatch(first):
            return [Block("heading", first, min(6, 1 + match[1].count(".") + 1), page)]
        if _CAPITALS.fullmatch(first) and not first.endswith((".", ";", ",")) and "|" not in first:
            return [Block("heading", first, 2, page)]
    if sum(bool(ITEM.match(line)) for line in lines) > len(lines) / 2:
        return _items(lines, page)
    # Lines of a paragraph are kept: in a log or an address they carry meaning.
    return [Block("paragraph", "\n".join(lines), 0, page)]


def stated_fields(lines: list[str]) -> dict[str, str]:
    """``Name: value`` lines of a paragraph that consists of little else."""
    matches = [match for line in lines if (match := _FIELD.fullmatch(line.strip()))]
    if len(matches) < max(1, len(lines) / 2):
        return {}
    return {match[1].strip().lower(): match[2].strip() for match in matches}


def _items(lines: list[str], page: int | None) -> list[Block]:
    items: list[str] = []
    for line in lines:
        if ITEM.match(line) or not items:
            items.append(line)
        else:
            items[-1] += "\n" + line
    return [Block("item", item, 0, page) for item in items]
