"""The geometry of a drawing: outlines of boxes, courses of lines, and where labels hide least.

Paper and page draw the same corners and the same Bézier curves, in points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from labkit.graph.picture.drawing import NOWHERE, SMALL, Box, Drawing, Line, breadth, text_at, text_size
from labkit.graph.picture.layout import Point

SHAPES = ("box", "pill", "hexagon", "octagon", "corner", "tag")
"""Outlines for kinds; there are also ``value`` (only underlined) and ``circle``."""

_CUT = 6.0


def shapes(names: Sequence[str]) -> dict[str, str]:
    """An outline for each of the kinds, in their order; they repeat where there are more kinds than outlines."""
    return {name: SHAPES[number % len(SHAPES)] for number, name in enumerate(names)}


def outline(shape: str, size: Point) -> list[Point]:
    """The corners of an outline around (0, 0). A line meets it at half its height."""
    x, y = size.x / 2, size.y / 2
    if shape == "value":
        return [Point(-x, y), Point(x, y)]
    if shape in ("circle", "pill"):
        flat = 0.0 if shape == "circle" else x - y
        turns = [2 * math.pi * (number + 0.5) / 32 for number in range(32)]
        return [Point(math.copysign(flat, math.cos(a)) + y * math.cos(a), y * math.sin(a)) for a in turns]
    cut = min(_CUT, y)
    corners = {
        "hexagon": [(x, 0), (x - cut, y), (cut - x, y), (-x, 0), (cut - x, -y), (x - cut, -y)],
        "octagon": [(x, cut - y), (x, y - cut), (x - cut, y), (cut - x, y), (-x, y - cut), (-x, cut - y),
                    (cut - x, -y), (x - cut, -y)],
        "corner": [(x, cut - y), (x, y), (-x, y), (-x, -y), (x - cut, -y)],
        "tag": [(x, 0), (x - cut, y), (-x, y), (-x, -y), (x - cut, -y)],
    }  # fmt: skip
    return [Point(*corner) for corner in corners.get(shape, [(x, -y), (x, y), (-x, y), (-x, -y)])]


def ends(drawing: Drawing, line: Line) -> tuple[Point, Point]:
    """Where a line begins and where it ends."""
    one, other = drawing.box(line.source), drawing.box(line.target)
    if line.bow:
        return one.at, other.at
    side = math.copysign(0.5, other.at.x - one.at.x)
    return Point(one.at.x + side * one.size.x, one.at.y), Point(other.at.x - side * other.size.x, other.at.y)


def curves(drawing: Drawing, line: Line) -> list[tuple[Point, Point, Point]]:
    """A line as cubic Bézier curves: two control points and the end of each, which the next begins at."""
    begin, end = ends(drawing, line)
    if line.bow:
        return [(line.bends[0], line.bends[1], end)]
    made = []
    for there in (*line.bends, end):
        half = (there.x - begin.x) / 2
        made.append((Point(begin.x + half, begin.y), Point(there.x - half, there.y), there))
        begin = there
    return made


def along(drawing: Drawing, line: Line, steps: int = 24) -> list[Point]:
    """Points of a line, from its begin to its end."""
    begin = ends(drawing, line)[0]
    points = [begin]
    for one, two, end in curves(drawing, line):
        for step in range(1, steps + 1):
            t = step / steps
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            points.append(
                Point(*(a * p + b * q + c * r + d * s for p, q, r, s in zip(begin, one, two, end, strict=True)))
            )
        begin = end
    return points


def labelled(drawing: Drawing) -> tuple[Line, ...]:
    """The lines with their labels where these hide least: neither boxes, nor other labels, nor other lines."""
    courses = [along(drawing, line) for line in drawing.lines]
    taken = [place for box in drawing.boxes for place in occupied(box)]
    places: dict[int, Point] = {}
    for number in sorted(range(len(courses)), key=lambda number: not drawing.lines[number].heavy):
        line, course = drawing.lines[number], courses[number]
        size = Point(breadth(line.label, SMALL) + 4, SMALL * 1.5)

        def hidden(at: Point, size: Point = size, number: int = number) -> float:
            cost = sum(40.0 for place, other in taken if meet(at, size, place, other))
            for other, points in enumerate(courses):
                worse = 5.0 if drawing.lines[other].heavy else 1.0
                cost += worse * sum(other != number and meet(at, size, point, NOWHERE) for point in points)
            return cost

        middle = len(course) // 2
        spots = sorted(range(2, len(course) - 2), key=lambda spot: abs(spot - middle)) or [middle]
        best = min(spots, key=lambda spot: hidden(course[spot]))
        places[number] = course[best]
        if line.label:
            taken.append((course[best], size))
    return tuple(replace(line, label_at=places[number]) for number, line in enumerate(drawing.lines))


def occupied(box: Box) -> list[tuple[Point, Point]]:
    """Centre and size of what a box covers: itself and its text."""
    x, y = text_at(box)
    return [(box.at, box.size), (Point(box.at.x + x, box.at.y + y), text_size(box))]


def fitted(drawing: Drawing) -> Drawing:
    """The drawing moved so that it begins at (0, 0), with its labels placed."""
    if not drawing.boxes:
        return drawing
    covered = [place for box in drawing.boxes for place in occupied(box)]
    covered += [(bend, Point(0.0, 0.0)) for line in drawing.lines for bend in line.bends]
    left, top = (min(at[side] - size[side] / 2 for at, size in covered) for side in (0, 1))
    right, foot = (max(at[side] + size[side] / 2 for at, size in covered) for side in (0, 1))
    moved = replace(
        drawing, width=max(right - left, drawing.width), height=foot - top,
        boxes=tuple(replace(box, at=Point(box.at.x - left, box.at.y - top)) for box in drawing.boxes),
        lines=tuple(
            replace(line, bends=tuple(Point(bend.x - left, bend.y - top) for bend in line.bends))
            for line in drawing.lines
        ),
    )  # fmt: skip
    return replace(moved, lines=labelled(moved))


def meet(at: Point, size: Point, place: Point, other: Point) -> bool:
    """Whether two rectangles overlap, given by centre and size."""
    return abs(at.x - place.x) * 2 < size.x + other.x and abs(at.y - place.y) * 2 < size.y + other.y
