"""Executed outputs made fit to commit: no timestamps, no addresses, no machine paths, no progress bars.

What remains differs between two executions only where the computation does. This module does not judge the result
(see :mod:`labkit.course.verify`).
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from labkit.course.source import tags, trim

PRESENCE_TAGS = frozenset({"generated", "timing"})
"""Cells whose outputs are compared by presence only: text from a model, and measured time."""
NBVAL_IGNORE = "nbval-ignore-output"
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
LABKIT_MIME = re.compile(r"application/vnd\.labkit\..+\+json")

ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")
_PROGRESS = re.compile(r"^\s*$|\d+%\|.*\||\d+it \[|\[[\d:]+(<[\d:?]+)?,.*(it/s|s/it|\?it/s)", re.MULTILINE)


def places(root: Path) -> dict[str, str]:
    """Folders of this machine and the words that stand for them in committed outputs, longest first."""
    known = {
        str(Path(sys.prefix)): "<env>",
        str(root.resolve()): "<repo>",
        str(Path(tempfile.gettempdir()).resolve()): "<tmp>",
        str(Path.home()): "~",
    }
    return {path: known[path] for path in sorted(known, key=len, reverse=True) if len(path) > 1}


def normalise(nb: NotebookNode, known: Mapping[str, str]) -> NotebookNode:
    """Rewrite the outputs of an executed notebook in place, and trim its metadata.

    Args:
        nb: an executed notebook.
        known: machine path → what to write instead, see :func:`places`.
    """
    trim(nb)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = _merge([_clean(output, known) for output in cell.outputs if not _is_progress(output)])
            if tags(cell) & PRESENCE_TAGS or any(map(_holds_figure, cell.outputs)):
                cell.metadata["tags"] = [*sorted(tags(cell) - {NBVAL_IGNORE}), NBVAL_IGNORE]
    return nb


def _is_progress(output: NotebookNode) -> bool:
    if output.output_type == "stream":
        return output.name == "stderr" and all(_PROGRESS.search(line) for line in _rewind(output.text).splitlines())
    return WIDGET_MIME in output.get("data", {})


def _holds_figure(output: NotebookNode) -> bool:
    return any(LABKIT_MIME.fullmatch(mime) for mime in output.get("data", {}))


def _clean(output: NotebookNode, known: Mapping[str, str]) -> NotebookNode:
    if output.output_type == "stream":
        output.text = _anonymous(_rewind(output.text), known)
    elif output.output_type == "error":
        output.traceback = [_anonymous(line, known) for line in output.traceback]
    else:
        for mime, value in output.data.items():
            if not mime.startswith("image/"):
                output.data[mime] = _walk(value, known)
    return output


def _walk(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _anonymous(value, known)
    if isinstance(value, list):
        return [_walk(item, known) for item in value]
    if isinstance(value, dict):
        return NotebookNode({key: _walk(item, known) for key, item in value.items()})
    return value


def _anonymous(text: str, known: Mapping[str, str]) -> str:
    for path, word in known.items():
        text = re.sub(rf"(?<![\w.]){re.escape(path)}(?![\w.-])", word, text)
    return ADDRESS.sub("0x…", text)


def _rewind(text: str) -> str:
    """What a terminal shows: a carriage return starts the line again."""
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))


def _merge(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of one stream: how a stream is cut into messages is chance."""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged
