"""The learner's own system: ``labs/my_system.py``, a handful of functions that the labs fill one by one.

:func:`load_functions` loads the file and says which functions are filled. What takes the place of the others is the
business of who builds the system from them.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from labkit.errors import InputError

SIGNATURES: dict[str, tuple[str, ...]] = {
    "clean": ("text",),
    "chunk": ("document",),
    "order": ("question", "passages"),
    "retrieve": ("question", "k", "ctx"),
    "answer": ("question", "hits", "ctx"),
    "abstain": ("question", "hits"),
    "judge": ("question", "answer", "evidence"),
}
"""Function → the names of its parameters, in order. What each gets and returns stands in ``labs/my_system.py``."""


def load_functions(path: Path) -> dict[str, Callable[..., Any]]:
    """Load a learner's file and return the functions that are filled, by name.

    A function is not attempted while its body is nothing but ``raise NotAttempted`` (after a docstring).

    Raises:
        InputError: the file is missing, is not Python, raises when it is loaded, or a function has the wrong
            parameters.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, filename=path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The system cannot be read ({error})", where=path.name) from error
    except SyntaxError as error:
        where = f"{path.name}, line {error.lineno}"
        raise InputError(f"Not valid Python: {error.msg}", where=where, todo="Correct that line.") from error
    blank = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and _is_blank(node)}
    module = _load(path)
    found: dict[str, Callable[..., Any]] = {}
    for name, parameters in SIGNATURES.items():
        function = getattr(module, name, None)
        if function is None or name in blank:
            continue
        _check_signature(function, name, parameters, path)
        found[name] = function
    return found


def _is_blank(node: ast.FunctionDef) -> bool:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if len(body) != 1 or not isinstance(body[0], ast.Raise) or body[0].exc is None:
        return False
    raised = body[0].exc.func if isinstance(body[0].exc, ast.Call) else body[0].exc
    return (raised.attr if isinstance(raised, ast.Attribute) else getattr(raised, "id", "")) == "NotAttempted"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("my_system", path)
    if spec is None or spec.loader is None:
        raise InputError("A system is a Python file, its name ends in .py", where=path.name)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
        where = f"{path.name}, line {own[-1].lineno}" if own else path.name
        todo = "Keep work inside the functions."
        raise InputError(f"Loading it raised {type(error).__name__}: {error}", where=where, todo=todo) from error
    return module


def _check_signature(function: Any, name: str, parameters: tuple[str, ...], path: Path) -> None:
    wanted = f"{name}({', '.join(parameters)})"
    if not callable(function):
        raise InputError(f"{name} is not a function", where=path.name, todo=f"Define it as `def {wanted}`.")
    given = list(inspect.signature(function).parameters.values())
    extra = given[len(parameters) :]
    named = [parameter.name for parameter in given[: len(parameters)]]
    if named != list(parameters) or any(
        p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in extra
    ):
        got = f"{name}({', '.join(str(parameter).partition(':')[0] for parameter in given)})"
        raise InputError(f"{got} has other parameters than the system calls it with", where=path.name,
                         todo=f"Define it as `def {wanted}`; further parameters need defaults.")  # fmt: skip
