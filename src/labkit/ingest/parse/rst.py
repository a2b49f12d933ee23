"""reStructuredText, read line by line.

A light parser instead of docutils: it needs no list of known roles and directives, takes milliseconds where docutils
takes tenths of seconds, and keeps cross-references as text (``:pep:`8``` becomes ``PEP 8``). Syntax it does not know
stays visible as it is written; comments are left out.
"""

from __future__ import annotations

import csv
import re

from labkit.ingest.parse import Block, Parsed
from labkit.ingest.parse.rst_table import grid_rows, is_adornment, list_rows, simple_rows
from labkit.ingest.parse.tables import render_table

_FIELD = re.compile(r":([^:\n]{1,60}):(?:\s+(.*)|$)")
_HEADER = re.compile(r"([A-Z][A-Za-z0-9-]{0,30}):(?:\s+(.*)|$)")
_DIRECTIVE = re.compile(r"\.\.\s+(?:\|[^|]+\| )?([A-Za-z][\w:-]*)::\s*(.*)")
_NOTE = re.compile(r"\.\.\s+\[([^\]]+)\]\s*(.*)")
_TARGET = re.compile(r"\.\.\s+_(`[^`]+`|[^:]+):\s*(.*)")
_ITEM = re.compile(r"(\s*)([-*+•]|(?:\d{1,3}|[A-Za-z]|#|[ivxIVX]{1,5})[.)]|\((?:\d{1,3}|[a-z])\))\s+\S")
_SIMPLE_TABLE = re.compile(r"=+(?:\s+=+)+\s*$")
_GRID_TABLE = re.compile(r"\+(?:[-=]+\+)+\s*$")
_VERBATIM = {
    "code",
    "code-block",
    "sourcecode",
    "parsed-literal",
    "literalinclude",
    "productionlist",
    "math",
    "highlight",
}
_SILENT = {
    "contents",
    "include",
    "default-role",
    "role",
    "index",
    "toctree",
    "meta",
    "sectnum",
    "highlight",
    "class",
    "raw",
}
_ROLE = re.compile(r":([A-Za-z][\w:.+-]*):`([^`]+)`")
_LINK = re.compile(r"`([^`<]*?)\s*<([^`>]+)>`__?")
_LITERAL = re.compile(r"``(.+?)``", re.S)
_REFERENCE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`__?")
_EMPHASIS = re.compile(r"(?<![\w*])\*\*?(?=\S)([^*\n]+?)(?<=\S)\*\*?(?![\w*])")
_NUMBERED_ROLES = {"pep": "PEP", "rfc": "RFC"}


def parse_rst(content: str) -> Parsed:
    """Parse reStructuredText; a leading header or field list becomes metadata."""
    reader = _Reader(content.expandtabs(8).split("\n"))
    reader.header()
    reader.body()
    heading = next((block.text for block in reader.blocks if block.kind == "heading"), "")
    title = reader.metadata.get("title") or heading
    return Parsed([block for block in reader.blocks if block.text.strip()], title=title, metadata=reader.metadata)


def plain(text: str) -> str:
    """Inline markup as readable text: roles, links and literals by what they show, targets in parentheses."""
    if "`" in text:
        literals: list[str] = []

        def hide(match: re.Match[str]) -> str:  # nothing inside a literal is markup
            literals.append(match[1])
            return f"\x00{len(literals) - 1}\x00"

        text = _LITERAL.sub(hide, text)
        text = _ROLE.sub(_role, text)
        text = _LINK.sub(lambda match: f"{match[1]} ({match[2]})" if match[1] else match[2], text)
        text = _REFERENCE.sub(r"\1", text)
        text = _EMPHASIS.sub(r"\1", text)
        return re.sub(r"\x00(\d+)\x00", lambda match: literals[int(match[1])], text)
    return _EMPHASIS.sub(r"\1", text) if "*" in text else text


def _role(match: re.Match[str]) -> str:
    role, shown = match[1].rsplit(":", 1)[-1], match[2]
    label, target = re.fullmatch(r"(.*?)(?:\s*<([^<>]*)>)?", shown, re.S).groups()  # type: ignore[union-attr]
    if role in _NUMBERED_ROLES:
        number = f"{_NUMBERED_ROLES[role]} {(target or label).split('#')[0]}"
        return f"{label} ({number})" if target else number
    if target:
        return f"{label} ({target})" if label else target
    return label.lstrip("~!")


class _Reader:
    """The lines of one document and how far they are read."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0
        self.blocks: list[Block] = []
        self.metadata: dict[str, str] = {}
        self.styles: list[tuple[str, bool]] = []  # adornments by level, in the order met

    def line(self, ahead: int = 0) -> str:
        index = self.at + ahead
        return self.lines[index].rstrip() if 0 <= index < len(self.lines) else ""

    def header(self) -> None:
        """A mail-like header (``Title: …``) or field list (``:Title: …``) that opens the document."""
        while self.at < len(self.lines) and not self.line():
            self.at += 1
        pattern = _FIELD if self.line().startswith(":") else _HEADER
        start, name = self.at, ""
        fields: dict[str, str] = {}
        while self.at < len(self.lines) and self.line():
            if match := pattern.fullmatch(self.line()):
                name = match[1]
                fields[name] = (match[2] or "").strip()
            elif name and self.line().startswith(" "):
                fields[name] = f"{fields[name]} {self.line().strip()}".strip()
            else:
                self.at = start
                return
            self.at += 1
        if len(fields) < 2 and pattern is _HEADER:
            self.at = start
            return
        self._keep_fields(fields)

    def _keep_fields(self, fields: dict[str, str]) -> None:
        shown = {name: plain(value) for name, value in fields.items()}
        self.metadata.update({name.lower(): value for name, value in shown.items()})
        self.blocks.append(Block("fields", "\n".join(f"{name}: {value}" for name, value in shown.items() if value)))

    def body(self) -> None:
        while self.at < len(self.lines):
            line = self.line()
            if not line:
                self.at += 1
            elif not (self._heading() or self._table() or self._explicit() or self._docinfo()):
                self._paragraph()

    def _heading(self) -> bool:
        over = is_adornment(self.line()) and bool(self.line(1)) and self.line(2) == self.line()
        title = self.line(1).strip() if over else self.line()
        under = self.line(2) if over else self.line(1)
        previous = self.line(-1)
        if previous and not over and self.at > 0 and not is_adornment(previous):
            return False
        if not over and (title.startswith(" ") or not is_adornment(under) or len(under) < min(4, len(title))):
            return False
        if not over and (len(under) < len(title) - 3 or is_adornment(title)):
            return False
        style = (under[0], over)
        if style not in self.styles:
            self.styles.append(style)
        self.blocks.append(Block("heading", plain(title), min(6, self.styles.index(style) + 1)))
        self.at += 3 if over else 2
        return True

    def _docinfo(self) -> bool:
        """A field list after the title."""
        if len(self.blocks) > 2 or not _FIELD.fullmatch(self.line()) or self.metadata:
            return False
        self.header()
        return bool(self.metadata)

    def _table(self) -> bool:
        line = self.line().strip()
        if _GRID_TABLE.fullmatch(line):
            rows = self._run()
            text = render_table(grid_rows(rows), header=any("=" in row for row in rows) or None)
        elif _SIMPLE_TABLE.fullmatch(line):
            rows = self._simple_run()
            text = render_table(simple_rows(rows), header=sum(bool(_SIMPLE_TABLE.fullmatch(r)) for r in rows) > 2)
        else:
            return False
        self.blocks.append(Block("table", plain(text)))
        return True

    def _run(self) -> list[str]:
        rows = []
        while self.line():
            rows.append(self.line().strip())
            self.at += 1
        return rows

    def _simple_run(self) -> list[str]:
        """Lines up to the closing border; blank lines inside belong to the table."""
        indent = len(self.line()) - len(self.line().lstrip())
        rows, borders = [self.line()[indent:]], 1
        self.at += 1
        while self.at < len(self.lines):
            row = self.line()[indent:]
            rows.append(row)
            self.at += 1
            borders += bool(_SIMPLE_TABLE.fullmatch(row))
            if borders > 1 and _SIMPLE_TABLE.fullmatch(row) and not self.line():
                break
        return rows

    def _indented(self) -> list[str]:
        """The following lines that are blank or indented, dedented, without blank ends."""
        taken: list[str] = []
        while self.at < len(self.lines) and (not self.line() or self.line().startswith(" ")):
            taken.append(self.line())
            self.at += 1
        return _dedented(taken)

    def _explicit(self) -> bool:
        """Directives, footnotes, link targets and comments."""
        line = self.line()
        if not re.match(r"\.\.(?:\s|$)", line):
            return False
        self.at += 1
        if match := _DIRECTIVE.fullmatch(line):
            self._directive(match[1].lower(), match[2], self._indented())
        elif match := _NOTE.fullmatch(line):
            self._add("item", " ".join([f"[{match[1]}]", match[2], *map(str.strip, self._indented())]).strip())
        elif match := _TARGET.fullmatch(line):
            address = (
                "".join([match[2], *map(str.strip, self._indented())]) if self.line().startswith(" ") else match[2]
            )
            if address:
                self._add("item", f"{match[1].strip('`')}: {address}")
        else:
            self._indented()
        return True

    def _directive(self, name: str, argument: str, content: list[str]) -> None:
        options: dict[str, str] = {}
        while content and (match := _FIELD.fullmatch(content[0])):
            options[match[1]] = match[2] or ""
            content = content[1:]
        if name in _SILENT:
            return
        if name in _VERBATIM:
            text = "\n".join(content).strip("\n")
            self._add("code", text or argument, literal=True)
        elif name in ("list-table", "csv-table"):
            if argument:
                self._add("paragraph", argument)
            rows = list_rows(content) if name == "list-table" else list(csv.reader(content, skipinitialspace=True))
            names = next(csv.reader([options["header"]], skipinitialspace=True)) if options.get("header") else None
            header = bool(names) or options.get("header-rows", "0") not in ("", "0")
            self._add("table", render_table([*([names] if names else []), *rows], header=header))
        elif name in ("image", "figure"):
            shown = " ".join(filter(None, [options.get("alt", ""), *content]))
            self._add("paragraph", f"[image: {shown or argument}]")
        else:
            label = argument if name in ("admonition", "topic", "rubric") else f"{name.title()}: {argument}".strip()
            inner = _Reader(content)
            inner.body()
            first = inner.blocks[0] if inner.blocks and inner.blocks[0].kind == "paragraph" else None
            if first is not None and name not in ("topic", "rubric"):
                first.text = f"{label.rstrip(':')}: {first.text}"
            else:
                self._add("paragraph", label)
            self.blocks += inner.blocks

    def _paragraph(self) -> None:
        if _ITEM.match(self.line()):
            self._items()
            return
        lines = [self.line()]
        indent = _indent(lines[0])
        self.at += 1
        while self.line() and not (len(lines) == 1 and _indent(self.line()) > indent and not indent):
            lines.append(self.line())
            self.at += 1
        literal = lines[-1].endswith("::")
        if literal:
            lines[-1] = lines[-1][:-1] if lines[-1].strip() != "::" else ""
        kind = "quote" if indent else "paragraph"
        self._add(kind, " ".join(line.strip() for line in lines if line.strip()))
        if literal:
            self._add("code", "\n".join(self._deeper(indent)), literal=True)

    def _deeper(self, indent: int) -> list[str]:
        """The literal block under a ``::``: lines indented more than ``indent``."""
        taken: list[str] = []
        start = self.at
        while self.at < len(self.lines) and (not self.line() or _indent(self.line()) > indent):
            taken.append(self.line())
            self.at += 1
        if not any(taken):
            self.at = start
        return _dedented(taken)

    def _items(self) -> None:
        """One list item: its marker, its first paragraph; what follows indented is read on its own."""
        first = self.line()
        lines = [first]
        indent = _indent(first)
        self.at += 1
        while self.line() and not _ITEM.match(self.line()) and _indent(self.line()) > indent:
            lines.append(self.line())
            self.at += 1
        literal = lines[-1].endswith("::")
        if literal:
            lines[-1] = lines[-1][:-1]
        self._add("item", " " * indent + " ".join(line.strip() for line in lines))
        if literal:
            marker = _ITEM.match(first)
            text_indent = marker.end() - 1 if marker else indent  # what follows there goes on with the item
            self._add("code", "\n".join(self._deeper(text_indent)), literal=True)

    def _add(self, kind: str, text: str, *, literal: bool = False) -> None:
        if text.strip():
            self.blocks.append(Block(kind, text if literal else plain(text)))  # type: ignore[arg-type]


def _dedented(lines: list[str]) -> list[str]:
    """Lines without their common indentation and without blank ones at either end."""
    depth = min((_indent(line) for line in lines if line), default=0)
    return "\n".join(line[depth:] for line in lines).strip("\n").split("\n")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
