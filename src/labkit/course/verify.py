"""Checks of one executed notebook, each a function that returns findings.

:func:`verify` runs them all. They look at the notebook alone: whether its results are still true is
:mod:`labkit.course.compare`, whether they are in range :mod:`labkit.course.expected`.
"""

from __future__ import annotations

import ast
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from labkit.course.figures import payloads
from labkit.course.finding import Finding
from labkit.course.output import NBVAL_IGNORE
from labkit.course.prose import check_numbers
from labkit.course.scoreboard import MIME as ROW_MIME
from labkit.course.source import PARAMETERS_TAG, declared_parameters, headline, tags
from labkit.errors import CourseError

INJECTED_TAG = "injected-parameters"
"""Tag of the cell papermill adds when it runs with other than the default parameters."""
SPEAKING = frozenset({"print", "show", "record", "scoreboard_row", "display"})
OBJECTIVES = range(3, 6)

_START = r"(?:(?<=file://)|(?<![\w.~/]))"  # a path begins here: not in a URL, not below another folder
_GENERIC_PATH = re.compile(
    _START + r"/(?:home|Users|root|tmp|var/folders|private/var|mnt|workspace|opt/conda|content)"
    r"(?:/[\w.@-]+|(?![\w./-]))|\b[A-Za-z]:\\\\?Users\\\\?\w+"
)
_PLACEHOLDER = re.compile(r"<(?:env|repo|tmp)>")
_EMBEDDED = re.compile(r"data:image/[\w.+-]+;base64,[A-Za-z0-9+/=\s]+")


def verify(nb: NotebookNode, source: NotebookNode) -> list[Finding]:
    """All findings about an executed notebook, given the notebook its source builds."""
    return [
        *check_source(nb, source),
        *check_ran(nb),
        *check_order(nb),
        *check_errors(nb),
        *check_stderr(nb),
        *check_missing_output(nb),
        *check_paths(nb),
        *check_alt_text(nb),
        *check_anatomy(nb),
        *check_one_row(nb),
        *check_numbers(nb),
    ]


def check_source(nb: NotebookNode, source: NotebookNode) -> list[Finding]:
    """The notebook's cells are those of its source, in type, text and tags."""
    ours = [cell for cell in nb.cells if INJECTED_TAG not in tags(cell)]
    found = []
    if len(ours) != len(source.cells):
        found.append(Finding("source", f"has {len(ours)} cells, its .py has {len(source.cells)}: build it again"))
    for position, (cell, wanted) in enumerate(zip(ours, source.cells, strict=False), 1):
        if (cell.cell_type, cell.source, _authored(cell)) != (wanted.cell_type, wanted.source, _authored(wanted)):
            found.append(Finding("source", f"differs from the .py ({headline(wanted)!r}): build it again", position))
            break  # after an inserted cell all others differ too
    return found


def check_ran(nb: NotebookNode) -> list[Finding]:
    """Every code cell that holds code was executed."""
    return [
        Finding("not run", f"was not executed: {headline(cell)!r}", position)
        for position, cell in _code(nb)
        if cell.source.strip() and cell.execution_count is None
    ]


def check_order(nb: NotebookNode) -> list[Finding]:
    """Execution counts are 1..N from top to bottom: executed once, in order, in a fresh kernel."""
    counts = [(position, cell.execution_count) for position, cell in _code(nb) if cell.execution_count is not None]
    for wanted, (position, count) in enumerate(counts, 1):
        if count != wanted:
            return [Finding("order", f"has execution count {count} where a fresh run has {wanted}", position)]
    return []


def check_errors(nb: NotebookNode) -> list[Finding]:
    """No cell raised."""
    return [
        Finding("error", f"raised {output.ename}: {output.evalue}", position)
        for position, output in _outputs(nb)
        if output.output_type == "error"
    ]


def check_stderr(nb: NotebookNode) -> list[Finding]:
    """Nothing was written to stderr: a warning is fixed or, if it is known noise, silenced where it arises."""
    return [
        Finding("stderr", f"wrote to stderr: {output.text.strip().splitlines()[0][:120]}", position)
        for position, output in _outputs(nb)
        if output.output_type == "stream" and output.name == "stderr" and output.text.strip()
    ]


def check_missing_output(nb: NotebookNode) -> list[Finding]:
    """A cell that prints, shows or records something at its top level has an output."""
    return [
        Finding("missing output", f"should have an output: {headline(cell)!r}", position)
        for position, cell in _code(nb)
        if cell.execution_count is not None and not cell.outputs and _speaks(cell.source)
    ]


def check_paths(nb: NotebookNode) -> list[Finding]:
    """No output and no metadata holds a path of the machine it ran on."""
    found = [
        Finding("machine path", f"output holds {path!r}: print the path relative to something", position)
        for position, output in _outputs(nb)
        if (path := machine_path(_text(output)))
    ]
    for place, metadata in [(None, nb.metadata), *((i, cell.metadata) for i, cell in enumerate(nb.cells, 1))]:
        if path := machine_path(json.dumps(metadata, ensure_ascii=False)):
            found.append(Finding("machine path", f"metadata holds {path!r}", place))
    return found


def machine_path(text: str) -> str | None:
    """The first thing in a text that looks like a path of this or any other machine."""
    text = _PLACEHOLDER.sub("~", text)
    here = {str(Path.home()), str(Path.cwd()), tempfile.gettempdir(), str(Path(tempfile.gettempdir()).resolve())}
    for folder in sorted(here):
        if len(folder) > 1 and (match := re.search(rf"{_START}{re.escape(folder)}(?![\w-])[^\s\"'<]*", text)):
            return match.group()
    match = _GENERIC_PATH.search(text)
    return match.group() if match else None


def check_alt_text(nb: NotebookNode) -> list[Finding]:
    """Every picture has alt text, and its data follows as a folded table."""
    found = []
    for position, cell in _code(nb):
        outputs = [output for output in cell.outputs if "data" in output]
        for place, output in enumerate(outputs):
            pictures = [mime for mime in output.data if mime.startswith("image/")]
            if any(not output.metadata.get(mime, {}).get("alt", "").strip() for mime in pictures):
                found.append(Finding("alt text", "has a picture without alt text: use labkit.course.show", position))
            elif pictures and not any(
                "<details" in o.data.get("text/html", "") for o in outputs[place + 1 : place + 2]
            ):
                found.append(Finding("alt text", "has a picture without its data as a table", position))
    return found


def check_anatomy(nb: NotebookNode) -> list[Finding]:
    """Title, parameters (profile and seed), 3 to 5 objectives, recap, and *Say it at work* are there."""
    found = []
    if not nb.cells or nb.cells[0].cell_type != "markdown" or not nb.cells[0].source.startswith("# "):
        found.append(Finding("anatomy", "the first cell is not a Markdown title (`# …`)", 1))
    found += _check_parameters(nb)
    markdown = "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    objectives = re.search(r"^#{2,4} [^\n]*objectives[^\n]*\n(.*?)(?=^#|\Z)", markdown, re.M | re.S | re.I)
    if objectives is None:
        found.append(Finding("anatomy", "there is no heading with the word Objectives"))
    elif (count := len(re.findall(r"^\s*(?:[-*]|\d+\.)\s", objectives.group(1), re.M))) not in OBJECTIVES:
        found.append(Finding("anatomy", f"lists {count} objectives, not 3 to 5"))
    for words in ("Recap", "Say it at work"):
        if not re.search(rf"^#{{2,4}} [^\n]*{words}", markdown, re.M | re.I):
            found.append(Finding("anatomy", f"there is no heading {words!r}"))
    return found


def check_one_row(nb: NotebookNode) -> list[Finding]:
    """A notebook adds at most one row to the scoreboard."""
    rows = payloads(nb, ROW_MIME)
    return [Finding("scoreboard", "adds a second row to the scoreboard", cell) for cell, _ in rows[1:]]


def _check_parameters(nb: NotebookNode) -> list[Finding]:
    try:
        missing = {"profile", "seed"} - set(declared_parameters(nb))
    except CourseError as error:
        return [Finding("anatomy", str(error))]
    if missing:
        names = " and ".join(sorted(missing))
        return [Finding("anatomy", f"the cell tagged `{PARAMETERS_TAG}` does not assign {names}, or is missing")]
    return []


def _authored(cell: NotebookNode) -> frozenset[str]:
    return tags(cell) - {NBVAL_IGNORE}


def _code(nb: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    return ((position, cell) for position, cell in enumerate(nb.cells, 1) if cell.cell_type == "code")


def _outputs(nb: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    return ((position, output) for position, cell in _code(nb) for output in cell.outputs)


def _text(output: NotebookNode) -> str:
    kept: Any = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/") or k == "image/svg+xml"}
    parts = [output.get("text", ""), *output.get("traceback", ()), *map(_plain, kept.values())]
    parts.append(json.dumps(output.get("metadata", {}), ensure_ascii=False))
    return _EMBEDDED.sub(" ", "\n".join(parts))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _speaks(source: str) -> bool:
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False  # a magic; what it prints is its own affair
    return any(
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Name)
        and statement.value.func.id in SPEAKING
        for statement in body
    )
