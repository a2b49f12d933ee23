"""Markdown (CommonMark with tables) and its YAML front matter.

Emphasis marks go, link targets stay behind their text, code keeps its lines. Of embedded HTML the text is kept.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from labkit.ingest.parse import Block, Parsed
from labkit.ingest.parse.tables import render_table

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_PROPERTIES = frozenset(
    {"title", "author", "authors", "date", "created", "updated", "modified", "published", "language", "lang", "layout"}
)
"""What other formats keep outside the text, as properties of the file."""
_TAG = re.compile(r"<!--.*?-->|</?[a-zA-Z][^>]*>", re.S)


def parse_markdown(content: str) -> Parsed:
    """Parse Markdown; front matter becomes metadata and, where it says more than properties do, a ``fields`` block."""
    metadata, fields, body = _front_matter(content)
    blocks = [Block("fields", fields)] if fields else []
    tokens = _parser().parse(body)
    blocks += _blocks(tokens)
    heading = next((block.text for block in blocks if block.kind == "heading"), "")
    return Parsed(
        blocks, title=metadata.get("title") or heading, metadata=metadata, language=metadata.get("language", "")
    )


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _front_matter(content: str) -> tuple[dict[str, str], str, str]:
    """Metadata, the text it is shown as, and the rest of the document. Broken YAML stays visible as text."""
    match = _FRONT_MATTER.match(content)
    if not match:
        return {}, "", content
    try:
        loaded = yaml.load(match[1], Loader=_Strings)  # noqa: S506  (a SafeLoader that leaves scalars alone)
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}, match[1].strip(), content[match.end() :]
    if not isinstance(loaded, dict):
        return {}, "", content
    metadata = {str(key).lower(): _flat(value) for key, value in loaded.items()}
    body = content[match.end() :]
    shown = {key: value for key, value in metadata.items() if value and (key not in _PROPERTIES or not body.strip())}
    return metadata, "\n".join(f"{key}: {value}" for key, value in shown.items()), body


class _Strings(yaml.SafeLoader):
    """YAML without types: a date stays as it is written, ``no`` stays a word, and an alias cannot multiply."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (the library's own class attribute)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not read in front matter")
        return super().compose_node(parent, index)


def _flat(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_flat(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_flat(item)}" for key, item in value.items())
    return "" if value is None else " ".join(str(value).split())


def _blocks(tokens: list[Token]) -> list[Block]:
    blocks: list[Block] = []
    markers: list[str] = []  # one per open list item; emptied once its first line is written
    counters: list[int | None] = []
    quotes, index = 0, 0
    while index < len(tokens):
        token = tokens[index]
        kind = token.type
        if kind == "heading_open":
            blocks.append(Block("heading", _inline(tokens[index + 1]), int(token.tag[1])))
            index += 2
        elif kind == "bullet_list_open":
            counters.append(None)
        elif kind == "ordered_list_open":
            counters.append(int(token.attrGet("start") or 1))
        elif kind in ("bullet_list_close", "ordered_list_close"):
            counters.pop()
        elif kind == "list_item_open":
            number = counters[-1]
            markers.append("- " if number is None else f"{number}. ")
            counters[-1] = None if number is None else number + 1
        elif kind == "list_item_close":
            markers.pop()
        elif kind in ("blockquote_open", "blockquote_close"):
            quotes += 1 if kind == "blockquote_open" else -1
        elif kind == "table_open":
            end = next(i for i in range(index, len(tokens)) if tokens[i].type == "table_close")
            blocks.append(Block("table", render_table(_rows(tokens[index:end]), header=True)))
            index = end
        elif kind in ("fence", "code_block"):
            blocks.append(Block("code", token.content.rstrip("\n")))
        elif kind == "html_block":
            if text := " ".join(_TAG.sub(" ", token.content).split()):
                blocks.append(Block("paragraph", text))
        elif kind == "inline" and (text := _inline(token)):
            if markers:
                indent = "  " * (len(markers) - 1)
                blocks.append(Block("item", f"{indent}{markers[-1] or '  '}{text}"))
                markers[-1] = ""
            else:
                blocks.append(Block("quote" if quotes else "paragraph", text))
        index += 1
    return [block for block in blocks if block.text.strip()]


def _rows(tokens: list[Token]) -> list[list[str]]:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_inline(token))
    return rows


def _inline(token: Token) -> str:
    """Readable text of an inline token: link targets in parentheses, soft breaks as spaces."""
    parts: list[str] = []
    targets: list[tuple[str, int]] = []
    for child in token.children or []:
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type == "softbreak":
            parts.append(" ")
        elif child.type == "hardbreak":
            parts.append("\n")
        elif child.type == "link_open":
            targets.append((str(child.attrGet("href") or ""), len(parts)))
        elif child.type == "link_close" and targets:
            target, start = targets.pop()
            if target and target.removeprefix("mailto:") != "".join(parts[start:]):
                parts.append(f" ({target})")
        elif child.type == "image":
            parts.append(child.content)
        elif child.type == "html_inline" and child.content.lower().startswith("<br"):
            parts.append(" ")
    return "".join(parts).strip()
