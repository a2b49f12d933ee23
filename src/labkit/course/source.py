"""Notebook sources: ``notebooks/NN_topic.py`` (jupytext percent) in, an unexecuted notebook with stable cell ids out.

The ``.py`` is what people edit; everything in a ``.ipynb`` except outputs follows from it, so a rebuild makes no diff.
This module knows nothing about execution.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from labkit.errors import CourseError

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
KEPT_CELL_METADATA = ("tags", "jupyter")
PARAMETERS_TAG = "parameters"
FOLDERS = {"": "notebooks", "capstone/": "capstone/notebooks"}
"""Prefix of a notebook's name → the folder it lives in, below the repository root."""


def notebook_sources(root: Path) -> dict[str, Path]:
    """All notebook sources below a repository root, by name, in reading order.

    A name is ``00_demo_that_breaks``, or ``capstone/01_assemble`` for the capstone's.
    """
    return {
        prefix + path.stem: path
        for prefix, folder in FOLDERS.items()
        for path in sorted((root / folder).glob("[0-9]*.py"))
    }


def read_source(path: Path) -> NotebookNode:
    """Build the unexecuted notebook of a percent-format source file.

    Raises:
        CourseError: the file is missing or is not UTF-8 text.
    """
    import jupytext

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"The notebook source cannot be read ({error})", where=path.name) from error
    return trim(jupytext.reads(text, fmt="py:percent"))


def read_notebook(path: Path) -> NotebookNode:
    """Read a ``.ipynb``.

    Raises:
        CourseError: it is missing or is not a notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        todo = "Build it again with `labkit course --update`."
        raise CourseError(f"Not a readable notebook ({type(error).__name__})", where=path.name, todo=todo) from error


def write_notebook(nb: NotebookNode, path: Path) -> None:
    """Write a ``.ipynb``, replacing it in one step so that an interruption leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    nbformat.write(nb, partial)
    partial.replace(path)


def trim(nb: NotebookNode) -> NotebookNode:
    """Keep only the metadata a reader needs and give every cell an id that follows from its content.

    An id is a hash of the cell's type and source, numbered when the same cell occurs twice, so inserting a cell
    leaves the ids of all others alone.
    """
    nb.nbformat, nb.nbformat_minor = 4, 5
    kept = {key: nb.metadata[key] for key in ("labkit",) if key in nb.metadata}
    nb.metadata = NotebookNode(kernelspec=NotebookNode(KERNEL), language_info=NotebookNode(name="python"), **kept)
    seen: Counter[str] = Counter()
    for cell in nb.cells:
        cell.metadata = NotebookNode({k: cell.metadata[k] for k in KEPT_CELL_METADATA if cell.metadata.get(k)})
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:10]
        seen[digest] += 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return nb


def tags(cell: NotebookNode) -> frozenset[str]:
    """The cell's tags."""
    return frozenset(cell.metadata.get("tags", ()))


def headline(cell: NotebookNode, lines: int = 1) -> str:
    """The first non-empty lines of a cell, to recognise it by."""
    return "\n".join([line for line in cell.source.splitlines() if line.strip()][:lines])


def declared_parameters(nb: NotebookNode) -> dict[str, Any]:
    """Names and default values assigned in the cell tagged ``parameters``; empty when there is none.

    Raises:
        CourseError: the cell holds something other than assignments of literals.
    """
    for number, cell in enumerate(nb.cells, 1):
        if cell.cell_type == "code" and PARAMETERS_TAG in tags(cell):
            try:
                return dict(_literal(statement) for statement in ast.parse(cell.source).body)
            except (SyntaxError, ValueError) as error:
                raise CourseError(
                    "The parameters cell may only assign literals, such as `seed = 7`", where=f"cell {number}"
                ) from error
    return {}


def _literal(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, ast.literal_eval(value)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return name, ast.literal_eval(value)
    raise ValueError(ast.unparse(statement))
