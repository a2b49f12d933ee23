"""Learner notebooks: generated from ``labs/NN_topic.py``, the lab's source with its solutions.

Solutions stand between two comments and become gaps::

    def newest(revisions):
        # <solution> sort by date first
        return max(revisions)
        # </solution>

gives, inside a function, ``# Your turn: sort by date first`` and ``raise NotAttempted``; outside of one, every name
the block assigns is set to ``...``. A cell tagged ``solution`` is left out altogether. Each exercise opens with a
Markdown heading ``### q1 · …`` and says its *difficulty*, its *minutes* and, folded in ``<details>``, a hint.
This module executes nothing.
"""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.course import check
from labkit.course.figures import payloads
from labkit.course.finding import Finding
from labkit.course.source import read_notebook, read_source, tags, trim, write_notebook
from labkit.errors import CourseError

SOLUTION_TAG = "solution"

_OPEN = re.compile(r"^(\s*)#\s*<solution>\s*(.*?)\s*$")
_CLOSE = re.compile(r"^\s*#\s*</solution>\s*$")
_HEADER = re.compile(r"^#{2,4}\s+(q\d+)\b.*$", re.MULTILINE)
_CALL = re.compile(r"\bcheck\.(lab\w+)\.(q\d+)\(")


def lab_sources(root: Path) -> dict[str, Path]:
    """All lab sources below a repository root, by name (``lab/00_topic``), in order."""
    return {f"lab/{path.stem}": path for path in sorted((root / "labs").glob("[0-9]*.py"))}


def learner_notebook(source: Path) -> NotebookNode:
    """The notebook a learner gets: gaps in place of the solutions, nothing executed.

    Raises:
        CourseError: a solution is opened and not closed, closed and not opened, or assigns nothing.
    """
    nb = read_source(source)
    nb.cells = [cell for cell in nb.cells if SOLUTION_TAG not in tags(cell)]
    for position, cell in enumerate(nb.cells, 1):
        if cell.cell_type == "code":
            cell.source = _with_gaps(cell.source, where=f"{source.name}, cell {position}")
    return trim(nb)


def write_labs(root: Path) -> list[Path]:
    """Generate every learner notebook beside its source; returns those that changed."""
    changed = []
    for source in lab_sources(root).values():
        target, built = source.with_suffix(".ipynb"), learner_notebook(source)
        if not target.exists() or nbformat.writes(read_notebook(target)) != nbformat.writes(built):
            write_notebook(built, target)
            changed.append(target)
    return changed


def check_lab(source: Path) -> list[Finding]:
    """The learner notebook is in sync and complete: headers, hints, a check for every exercise, no solution left."""
    built = learner_notebook(source)
    target = source.with_suffix(".ipynb")
    found = []
    if not target.exists() or nbformat.writes(read_notebook(target)) != nbformat.writes(built):
        found.append(Finding("lab", f"{target.name} is out of date: run `labkit course --update`"))
    return found + _check_exercises(built) + _check_gaps(built)


def check_solutions(executed: NotebookNode) -> list[Finding]:
    """In an executed solution notebook every check that was called said *right*, and every one it calls was shown."""
    verdicts = payloads(executed, check.MIME)
    found = [
        Finding("solution", f"{v['question']} is {v['state']}: {v['message']}", cell)
        for cell, v in verdicts
        if v["state"] != "right"
    ]
    called = {f"{lab}.{name}": cell for cell, lab, name in _calls(executed)}
    silent = called.keys() - {verdict["question"] for _, verdict in verdicts}
    todo = "shows no verdict: call its check on the last line of a cell"
    return found + [Finding("solution", f"{name} {todo}", called[name]) for name in sorted(silent)]


def _with_gaps(text: str, where: str) -> str:
    lines: list[str] = []
    block: list[str] | None = None
    indent = hint = ""
    for line in text.splitlines():
        opened, closed = _OPEN.match(line), _CLOSE.match(line)
        if (opened and block is not None) or (closed and block is None):
            todo = "Put `# <solution>` before and `# </solution>` after each solution."
            raise CourseError("A solution marker has no partner", where=where, todo=todo)
        if opened:
            block, (indent, hint) = [], opened.groups()
        elif closed:
            lines += _gap(block or [], indent, hint, where)
            block = None
        elif block is None:
            lines.append(line)
        else:
            block.append(line)
    if block is not None:
        raise CourseError("A solution is opened and not closed", where=where, todo="Add `# </solution>`.")
    return "\n".join(lines)


def _gap(block: list[str], indent: str, hint: str, where: str) -> list[str]:
    comment = f"# Your turn: {hint}" if hint else "# Your turn"
    if indent:
        return [indent + comment, indent + "raise NotAttempted"]
    names = [
        target.id
        for statement in ast.parse(textwrap.dedent("\n".join(block))).body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name)
    ]
    if not names:
        todo = "Assign the answer to a name, or move the markers inside a function."
        raise CourseError("A solution outside of a function assigns no name", where=where, todo=todo)
    return [comment, *(f"{name} = ..." for name in dict.fromkeys(names))]


def _check_exercises(nb: NotebookNode) -> list[Finding]:
    found = []
    headed: set[str] = set()
    for position, cell in enumerate(nb.cells, 1):
        for match in _HEADER.finditer(cell.source) if cell.cell_type == "markdown" else ():
            headed.add(match.group(1))
            wanted = {
                "difficulty": r"difficulty",
                "minutes": r"minutes\W+\d+|\d+ minutes",
                "a folded hint": r"<details",
            }
            lacking = [name for name, pattern in wanted.items() if not re.search(pattern, cell.source, re.I)]
            if lacking:
                found.append(Finding("lab", f"{match.group(1)} does not state {', '.join(lacking)}", position))
    calls = _calls(nb)
    for position, _, name in calls:
        if name not in headed:
            found.append(Finding("lab", f"{name} is checked but has no heading `### {name} · …`", position))
    for name in sorted(headed - {name for _, _, name in calls}):
        found.append(Finding("lab", f"{name} has a heading but no check"))
    for lab in sorted({lab for _, lab, _ in calls}):
        registered = check.questions_of(getattr(check, lab)) if lab in check.labs() else {}
        asked = {name for _, of, name in calls if of == lab}
        for name in sorted(asked ^ registered.keys()):
            state = "is registered but not asked" if name in registered else "is asked but not registered"
            found.append(Finding("lab", f"{lab}.{name} {state}"))
    return found


def _check_gaps(nb: NotebookNode) -> list[Finding]:
    found = []
    code = [(position, cell.source) for position, cell in enumerate(nb.cells, 1) if cell.cell_type == "code"]
    for position, text in code:
        try:
            ast.parse(text)
        except SyntaxError as error:
            found.append(Finding("lab", f"is not valid Python once the solution is taken out ({error.msg})", position))
    everything = "\n".join(text for _, text in code)
    if "raise NotAttempted" in everything and not re.search(
        r"^from labkit\.course import .*\bNotAttempted\b", everything, re.M
    ):
        found.append(Finding("lab", "has gaps but does not import NotAttempted from labkit.course"))
    return found


def _calls(nb: NotebookNode) -> list[tuple[int, str, str]]:
    return [
        (position, match.group(1), match.group(2))
        for position, cell in enumerate(nb.cells, 1)
        if cell.cell_type == "code"
        for match in _CALL.finditer(cell.source)
    ]
