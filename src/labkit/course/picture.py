"""Plots a reader can use without seeing them: a picture with alt text, and its data as a folded table.

This module draws nothing; it takes a finished matplotlib figure.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labkit.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 96


def show(fig: Figure, *, alt: str, data: Any) -> None:
    """Display a plot with its alt text and its data.

    Args:
        fig: the plot; closed afterwards, so that it is not shown twice.
        alt: what a reader who cannot see it should learn from it, in a sentence or two.
        data: what was plotted: a mapping of column name to values, or a data frame.

    Raises:
        InputError: the alt text says nothing, or the table is empty or ragged.
    """
    from IPython.display import display
    from matplotlib import pyplot

    if len(alt.split()) < 4:
        raise InputError(f"Alt text says in a sentence what the plot shows, not {alt!r}", where="show(alt)")
    table = _table(data)
    buffer = io.BytesIO()
    # No software stamp in the file: the same plot gives the same bytes under the same library.
    fig.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(fig)
    picture = base64.b64encode(buffer.getvalue()).decode()
    display({"image/png": picture, "text/plain": alt}, raw=True, metadata={"image/png": {"alt": alt}})
    display({"text/html": table, "text/plain": "(the data of the plot as a table)"}, raw=True)


def _table(data: Any) -> str:
    columns: Mapping[str, Sequence[object]]
    columns = data if isinstance(data, Mapping) else data.to_dict("list")
    values = [list(column) for column in columns.values()]
    if not values or not values[0] or len({len(column) for column in values}) != 1:
        raise InputError("The table of a plot has columns of one length, with at least one row", where="show(data)")
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_text(value))}</td>" for value in row) + "</tr>"
        for row in zip(*values, strict=True)
    )
    summary = "<summary>The data as a table</summary>"
    return f"<details>{summary}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"


def _text(value: object) -> str:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(value)
    if isinstance(value, str | bool):
        return str(value)
    return f"{number:,.0f}" if number.is_integer() else f"{number:.4g}"
