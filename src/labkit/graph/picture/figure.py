"""A drawing as a matplotlib figure, to be printed: vector lines and text in its own size, readable without colour."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from labkit.graph.picture.drawing import EDGE, FILL, HEAVY, INK, LIGHT, SMALL, Drawing, Line, texts, wrapped
from labkit.graph.picture.layout import Point
from labkit.graph.picture.strokes import curves, ends, outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLE, _HEAD, _LINE = 10.0, 26.0, 9.0  # font size, room above, height of a line below
_BESIDE = {"start": "left", "middle": "center", "end": "right"}


def figure(drawing: Drawing) -> Figure:
    """The drawing in its own size, with its title above and how to read it below."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Polygon

    foot = wrapped(drawing.key, int(drawing.width / 3.6), 6)
    below = _LINE * len(foot) + 12
    fig = Figure(figsize=((drawing.width + 2 * EDGE) / 72, (drawing.height + _HEAD + below + EDGE) / 72))
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-EDGE, drawing.width + EDGE)
    axes.set_ylim(drawing.height + below, -_HEAD - EDGE)
    for line in drawing.lines:
        _draw(axes, drawing, line)
    for box in drawing.boxes:
        look: dict[str, Any] = {
            "lw": 1.8 if box.heavy else 0.9, "ec": HEAVY if box.heavy else INK, "fc": FILL if box.heavy else "white",
            "zorder": 4,
        }  # fmt: skip
        axes.add_patch(Polygon(_moved(outline(box.shape, box.size), box.at), closed=box.shape != "value", **look))
        if box.framed:
            inner = outline(box.shape, Point(box.size.x - 6, box.size.y - 6))
            axes.add_patch(Polygon(_moved(inner, box.at), **{**look, "lw": 0.8}))
        for x, y in _moved(box.dots, box.at):
            axes.plot(x, y, "o", ms=2.2, color=HEAVY, zorder=5)
        for text in texts(box):
            style = {"ha": _BESIDE[text.anchor], "weight": "bold" if box.heavy and not text.small else "normal"}
            _write(axes, text.text, _moved([text.at], box.at)[0], text.size, **style)
    corner = {"ha": "left", "va": "top"}
    _write(axes, drawing.title, Point(0, -_HEAD), _TITLE, weight="bold", **corner)
    for number, words in enumerate(foot):
        _write(axes, words, Point(0, drawing.height + 8 + number * _LINE), SMALL, **corner)
    return fig


def _draw(axes: Axes, drawing: Drawing, line: Line) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path

    begin, end = ends(drawing, line)
    codes, points = [Path.MOVETO], [begin]
    for curve in curves(drawing, line):
        codes += [Path.CURVE4] * 3
        points += curve
    order, colour = (2, HEAVY) if line.heavy else (1, LIGHT)
    look = {"lw": line.width, "ls": "--" if line.dashed else "-", "ec": colour, "zorder": order}
    axes.add_patch(PathPatch(Path(points, codes), fill=False, **look))
    if not line.bow:
        size = 5 + line.width
        back = end.x - math.copysign(size, end.x - begin.x)
        tip = [end, Point(back, end.y - size / 2.6), Point(back, end.y + size / 2.6)]
        axes.add_patch(Polygon(tip, fc=colour, ec="none", zorder=order))
    if line.label:
        ground = {"boxstyle": "square,pad=0.12", "fc": "white", "ec": "none"}
        style = {"weight": "bold" if line.heavy else "normal", "zorder": order + 1.5}
        _write(axes, line.label, line.label_at, SMALL, bbox=ground, **style)


def _write(axes: Axes, text: str, at: Point, size: float, **style: Any) -> None:
    style = {"ha": "center", "va": "center", "color": INK, "zorder": 5, **style}
    axes.text(*at, _printable(text), fontsize=size, parse_math=False, **style)


def _printable(text: str) -> str:
    """The text with a square for each character the font has no picture of; matplotlib would warn of each."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties()))
    return "".join(char if font.get_char_index(ord(char)) else "□" for char in text)


def _moved(points: list[Point] | tuple[Point, ...], by: Point) -> list[Point]:
    return [Point(x + by.x, y + by.y) for x, y in points]
