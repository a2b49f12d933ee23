"""Comparison of a fresh execution with the committed one: what may differ, and what may not.

Cell by cell: type, source, tags and the kinds of outputs are the same. Figures are equal or both inside their range.
Pictures, and everything in cells tagged ``generated`` (a model's words) or ``timing``, are compared by presence,
since CPU kernels and clocks differ. All other text is equal after written-out times are masked. This module does not
know what a good result is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from nbformat import NotebookNode

from labkit.course import figures, scoreboard
from labkit.course.expected import Range
from labkit.course.finding import Finding
from labkit.course.output import PRESENCE_TAGS
from labkit.course.source import headline, tags

TIMES = re.compile(
    r"(?<![\w.])\d[\d,]*(?:\.\d+)?\s?(?:ns|µs|us|ms|s|sec|secs|seconds?|min|mins|minutes?)\b"
    r"|(?<![\w.])\d[\d,]*(?:\.\d+)?\s?(?:it|items|tokens|passages|docs|documents|questions|requests)/s\b"
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?"
)
_EMBEDDED = re.compile(r"data:image/[\w.+-]+;base64,[A-Za-z0-9+/=\s]+")
EXCERPT = 160


def compare(fresh: NotebookNode, committed: NotebookNode, ranges: Mapping[str, Range]) -> list[Finding]:
    """What a fresh execution of a notebook contradicts in the committed one; nothing when they agree.

    Args:
        fresh: normalised, executed now.
        committed: normalised, as in the repository.
        ranges: of the notebook's figures, from ``expected.toml``; a figure without one has to be equal.
    """
    if len(fresh.cells) != len(committed.cells):
        message = f"{len(committed.cells)} cells are committed, the source now has {len(fresh.cells)}"
        return [Finding("structure", message)]
    return [
        Finding(check, message, position)
        for position, (new, old) in enumerate(zip(fresh.cells, committed.cells, strict=True), 1)
        for check, message in _cell(new, old, ranges)
    ]


def masked(text: str) -> str:
    """The text with times, rates and timestamps replaced, and embedded pictures taken out."""
    return TIMES.sub("<time>", _EMBEDDED.sub("<picture>", text))


Difference = tuple[str, str]


def _cell(new: NotebookNode, old: NotebookNode, ranges: Mapping[str, Range]) -> list[Difference]:
    if (new.cell_type, new.source, tags(new)) != (old.cell_type, old.source, tags(old)):
        return [("structure", f"the committed cell is another: {headline(old)!r}")]
    if new.cell_type != "code":
        return []
    present = bool(tags(new) & PRESENCE_TAGS)
    now, was = list(new.outputs), list(old.outputs)
    kinds_now, kinds_was = [_kind(output) for output in now], [_kind(output) for output in was]
    # How often a model or a clock speaks may vary; that it does, and how many figures it leaves, may not.
    if (set(kinds_now) != set(kinds_was)) if present else (kinds_now != kinds_was):
        return [("structure", f"outputs were {_list(kinds_was)}, are now {_list(kinds_now)}")]
    if present:
        now, was = [o for o in now if _is_recorded(o)], [o for o in was if _is_recorded(o)]
        if len(now) != len(was):
            return [("structure", f"{len(was)} figures were recorded, now {len(now)}")]
    return [difference for a, b in zip(now, was, strict=True) for difference in _output(a, b, ranges)]


def _is_recorded(output: NotebookNode) -> bool:
    return not {figures.MIME, scoreboard.MIME}.isdisjoint(output.get("data", {}))


def _output(now: NotebookNode, was: NotebookNode, ranges: Mapping[str, Range]) -> list[Difference]:
    if figures.MIME in now.get("data", {}):
        return _figure(now.data[figures.MIME], was.data[figures.MIME], ranges)
    if scoreboard.MIME in now.get("data", {}):
        return _row(now.data[scoreboard.MIME], was.data[scoreboard.MIME], ranges)
    if now.output_type == "stream":
        return _text(now.text, was.text)
    if now.output_type == "error":
        return _text(f"{now.ename}: {now.evalue}", f"{was.ename}: {was.evalue}")
    return [
        difference
        for mime, value in now.data.items()
        if not mime.startswith("image/")
        for difference in (_text(value, was.data[mime]) if isinstance(value, str) else _json(value, was.data[mime]))
    ]


def _figure(now: dict[str, Any], was: dict[str, Any], ranges: Mapping[str, Range]) -> list[Difference]:
    identity = [{key: value for key, value in figure.items() if key != "value"} for figure in (now, was)]
    if identity[0] != identity[1]:
        return [("figures", f"the committed figure is {was['name']} in {was['unit']!r}, now {now['name']}")]
    return _value(now["name"], now["value"], was["value"], ranges)


def _row(now: dict[str, Any], was: dict[str, Any], ranges: Mapping[str, Range]) -> list[Difference]:
    found = []
    for field in ("chapter", "system", "n", "got_worse"):
        if now[field] != was[field]:
            found.append(("scoreboard", f"{field} was {was[field]!r}, is now {now[field]!r}"))
    for field in scoreboard.GUARDED:
        found += _value(f"scoreboard_{field}", now[field], was[field], ranges)
    return found


def _value(name: str, now: float, was: float, ranges: Mapping[str, Range]) -> list[Difference]:
    allowed = ranges.get(name)
    if now == was or (allowed is not None and now in allowed and was in allowed):
        return []
    return [("figures", f"{name} was {was:g}, is now {now:g}" + (f", allowed is {allowed}" if allowed else ""))]


def _text(now: str, was: str) -> list[Difference]:
    now, was = masked(now), masked(was)
    if now == was:
        return []
    for new, old in zip_longest(now.splitlines(), was.splitlines(), fillvalue="(nothing)"):
        if new != old:
            return [("text", f"output was {old[:EXCERPT]!r}, is now {new[:EXCERPT]!r}")]
    return [("text", "output differs in line ends")]


def _json(now: Any, was: Any) -> list[Difference]:
    return [] if now == was else [("text", f"output was {str(was)[:EXCERPT]!r}, is now {str(now)[:EXCERPT]!r}")]


def _kind(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.name)
    return "+".join([output.output_type, *sorted(output.get("data", {}))])


def _list(kinds: list[str]) -> str:
    return f"[{', '.join(kinds)}]"
