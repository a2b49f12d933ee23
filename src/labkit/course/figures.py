"""Headline figures: recorded in a notebook by :func:`record`, and travelling in its outputs as JSON.

A figure is a name, a number and a unit. What range is honest for it stands in ``notebooks/expected.toml``
(:mod:`labkit.course.expected`), which this module does not know.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat

from labkit.errors import InputError

if TYPE_CHECKING:
    from nbformat import NotebookNode

MIME = "application/vnd.labkit.figure+json"
SIGNIFICANT = 6
"""Digits kept: the noise of summation order lies below, what a reader cares about above."""
Direction = Literal["", "higher", "lower"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One headline figure; ``direction`` says which way is better, if any."""

    name: str
    value: float
    unit: str = ""
    direction: str = ""

    def __str__(self) -> str:
        number = f"{self.value:,.0f}" if float(self.value).is_integer() else f"{self.value:.4g}"
        better = f"  ({self.direction} is better)" if self.direction else ""
        return f"{self.name} = {number}{' ' if self.unit else ''}{self.unit}{better}"


def record(name: str, value: SupportsFloat, unit: str = "", direction: Direction = "") -> None:
    """Print a headline figure and keep it in the cell's output.

    Args:
        name: lower-case words joined by ``_``, unique in the notebook, e.g. ``recall_at_5``.
        value: a finite number; kept to six significant digits.
        unit: e.g. ``%``, ``s``, ``tokens/s``; empty for a plain number.
        direction: ``higher`` or ``lower``, whichever is better; empty when neither is.

    Raises:
        InputError: the name is malformed, the value is not a finite number, or the direction is unknown.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"A figure's name is lower-case words joined by _, not {name!r}", where="record(name)")
    if direction not in ("", "higher", "lower"):
        raise InputError(f"direction is 'higher', 'lower' or '', not {direction!r}", where=f"figure {name}")
    figure = Figure(name, rounded(value, where=f"figure {name}"), unit, direction)
    publish({"text/plain": str(figure), MIME: asdict(figure)})


def figures_of(nb: NotebookNode) -> list[tuple[int, Figure]]:
    """The recorded figures of an executed notebook, each with its 1-based cell number, in order."""
    return [(cell, Figure(**payload)) for cell, payload in payloads(nb, MIME)]


def payloads(nb: NotebookNode, mime: str) -> list[tuple[int, dict[str, Any]]]:
    """What cells published under a mime type, each with its 1-based cell number."""
    return [
        (number, dict(output.data[mime]))
        for number, cell in enumerate(nb.cells, 1)
        for output in cell.get("outputs", ())
        if mime in output.get("data", {})
    ]


def rounded(value: SupportsFloat, where: str) -> float:
    """The number to six significant digits.

    Raises:
        InputError: it is not a finite number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"A figure is a number, not {value!r}", where=where) from error
    if not math.isfinite(number):
        raise InputError(f"A figure is finite, not {number}", where=where, todo="Report how many values failed.")
    return float(f"{number:.{SIGNIFICANT}g}")


def publish(data: dict[str, Any]) -> None:
    """Display a mime bundle in a notebook; outside of one, print its plain text."""
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(data["text/plain"])  # noqa: T201
    else:
        display(data, raw=True)
