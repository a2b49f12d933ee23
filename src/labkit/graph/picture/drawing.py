"""A drawing of boxes and lines, on paper and on a page, with the same thing said in words.

What is drawn is decided in :mod:`labkit.graph.picture.neighbourhood`, where it stands in
:mod:`labkit.graph.picture.layout`. Nothing depends on colour: a followed line is thick and numbered, a kind is written
into the box and has its own outline. Names come from documents, so they are data everywhere: no mathematics for
matplotlib, no markup for a browser.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from labkit.graph.picture.layout import Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, SMALL = 8.0, 6.5
"""Font sizes in points: of names, and of kinds and relations."""

INK, HEAVY, LIGHT, FILL = "#1a1a1a", "#173f6b", "#6b6b6b", "#e4ebf3"
"""Text, followed lines, other lines, and the ground of boxes on a followed line."""

EDGE = 16.0
"""Space around the drawing, in points."""

NOWHERE = Point(0.0, 0.0)
"""Where things are that have no place yet."""

_BESIDE = 4.0
_WIDE = {**dict.fromkeys("ijltf.,:;'|!()[] -", 0.4), **dict.fromkeys("mwMW@%—→…", 0.98)}


@dataclass(frozen=True, slots=True)
class Box:
    """Something drawn in its place.

    Attributes:
        lines: the name, in as many lines as it takes.
        small: what is written under it in small print: kind, what is left out.
        note: what a reader sees who points at it.
        shape: of :data:`labkit.graph.picture.strokes.SHAPES`, ``value`` or ``circle``; a circle has its text below.
        size: of the outline, in points.
        heavy: on a followed path.
        framed: has a second outline.
        side: where the text of a circle stands: (0, 1) below it, (1, 0) on its right.
        dots: in a circle, relative to its centre: one for each member.
    """

    key: str
    lines: tuple[str, ...]
    small: tuple[str, ...]
    note: str
    at: Point
    size: Point
    shape: str = "box"
    heavy: bool = False
    framed: bool = False
    side: Point = NOWHERE
    dots: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """From a box to another.

    Attributes:
        bends: points between them; of a bow, its two control points.
        width: in points.
        bow: from centre to centre, without an arrow.
        label_at: its centre.
    """

    source: str
    target: str
    label: str
    note: str
    bends: tuple[Point, ...] = ()
    width: float = 0.8
    heavy: bool = False
    dashed: bool = False
    bow: bool = False
    label_at: Point = NOWHERE


@dataclass(frozen=True, repr=False)
class Drawing:
    """A picture of a graph that says in words what it shows.

    In a notebook it is interactive (:mod:`labkit.graph.picture.page`); :meth:`figure` is for print.

    Attributes:
        title: a line above.
        alt: what somebody should learn from it who cannot see it.
        sentences: the list beside it, in order.
        key: how to read it.
        left_out: how many things were not drawn.
        data: what is drawn, as columns.
    """

    title: str
    alt: str
    sentences: tuple[str, ...]
    key: str
    left_out: int
    data: dict[str, list[Any]]
    boxes: tuple[Box, ...] = ()
    lines: tuple[Line, ...] = ()
    width: float = 400.0
    height: float = 10.0

    def __repr__(self) -> str:
        listed = "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(self.sentences, 1))
        return f"{self.title}\n{listed}\n{self.alt}"

    def _repr_html_(self) -> str:
        from labkit.graph.picture.page import page

        return page(self)

    def box(self, key: str) -> Box:
        """The box of a key."""
        return next(box for box in self.boxes if box.key == key)

    def figure(self) -> Figure:
        """The drawing for print, in its own size: a point is 1/72 inch. Nothing is registered with pyplot."""
        from labkit.graph.picture.figure import figure

        return figure(self)


def plain(text: str) -> str:
    """A text in one line, without the characters that reorder or hide what surrounds them."""
    kept = (" " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in text)
    hiding = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
    return " ".join("".join(char for char in kept if char not in hiding).split())


def wrapped(text: str, width: int, most: int) -> tuple[str, ...]:
    """A text in lines of so many characters, broken at spaces; what is more than ``most`` lines ends in an ellipsis."""
    lines: list[str] = []
    for word in plain(text).split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.extend(word[at : at + width] for at in range(0, max(len(word), 1), width))
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: width - 1] + "…"]
    return tuple(lines)


def breadth(text: str, size: float) -> float:
    """About how wide a text is, in points; a little more than in most fonts, so that nothing touches."""
    return size * sum(_WIDE.get(char, 0.74 if char.isupper() else 0.64) for char in text)


class Text(NamedTuple):
    """A line of a box: its centre relative to that of the box, or its beginning or end where it stands beside one."""

    text: str
    at: Point
    size: float
    small: bool
    anchor: Literal["start", "middle", "end"]


def texts(box: Box) -> list[Text]:
    """The lines of a box in their places."""
    around, (x, y) = text_size(box), text_at(box)
    anchor: Literal["start", "middle", "end"] = "middle"
    if box.side.x:
        anchor = "start" if box.side.x > 0 else "end"
        x -= math.copysign(around.x / 2, box.side.x)
    top = y - around.y / 2
    placed = []
    for text, size, small in _rows(box):
        placed.append(Text(text, Point(x, top + size * 0.625), size, small, anchor))
        top += size * 1.25
    return placed


def text_size(box: Box) -> Point:
    """Width and height of the text of a box."""
    wider = 1.1 if box.heavy else 1.0  # bold
    rows = _rows(box)
    return Point(
        max(breadth(text, size) * (1.0 if small else wider) for text, size, small in rows),
        1.25 * sum(size for _, size, _ in rows),
    )


def text_at(box: Box) -> Point:
    """The centre of the text of a box, relative to that of the box."""
    size = text_size(box)
    return Point(box.side.x * ((box.size.x + size.x) / 2 + _BESIDE), box.side.y * ((box.size.y + size.y) / 2 + _BESIDE))


def _rows(box: Box) -> list[tuple[str, float, bool]]:
    return [(line, NAME, False) for line in box.lines] + [(line, SMALL, True) for line in box.small]
