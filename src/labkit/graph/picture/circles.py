"""A picture of the communities graphrag found: how big they are, what they are called, how often they are linked.

It takes plain data. graphrag's index belongs to one audience (:class:`labkit.graph.graphrag.project.Project`): who may
not read a community must not be given it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from labkit.errors import InputError
from labkit.graph.picture.drawing import NOWHERE, Box, Drawing, Line, plain, wrapped
from labkit.graph.picture.layout import ROW, Point, ring
from labkit.graph.picture.strokes import fitted, meet, occupied

MOST = 24
"""Circles on a ring that can still be read."""

_TITLE = 24  # characters of a line
_DOT, _INSET = 4.2, 7.0  # points from dot to dot, and from the last one to the circle
_BOW = 0.7  # a line leaves toward the middle of the ring, by the rest
_SMALLEST, _GROWTH, _WIDER = 60.0, 1.05, 1.5  # of the ellipse
_FLANK = 0.4  # from here on titles stand beside circles, not above or below
_LISTED, _NOTED = 5, 12  # members


@dataclass(frozen=True, slots=True)
class Community:
    """A community as graphrag's table has it, in plain data.

    Attributes:
        level: 0 is the coarsest.
        members: names of its entities, the important ones first.
    """

    community_id: str
    level: int
    title: str
    members: tuple[str, ...]


def communities(
    found: Iterable[Community], edges: Iterable[tuple[str, str]], *, level: int = 0, most: int = 12
) -> Drawing:
    """The biggest communities of a level: a circle each with a dot for each member, and how often they are linked.

    Args:
        found: communities of any level.
        edges: relations between members, by name.
        level: which of graphrag's levels.
        most: circles drawn at most, up to :data:`MOST`.

    Raises:
        InputError: none or too many may be drawn.
    """
    if not 1 <= most <= MOST:
        raise InputError(f"{most} communities are not 1 to {MOST}", where="communities(most)")
    every = sorted((one for one in found if one.level == level), key=lambda one: (-len(one.members), one.community_id))
    shown = every[:most]
    links = _links(shown, edges)
    titles = [plain(one.title) or f"community {plain(one.community_id)}" for one in shown]
    boxes = [_circle(number, one, titles[number]) for number, one in enumerate(shown)]
    boxes = _placed(boxes, ring(len(boxes), links))
    places = [box.at for box in boxes]
    lines = [
        Line(
            str(one), str(other), str(count), f"{titles[one]} and {titles[other]}: {count} relations",
            tuple(Point(_BOW * places[end].x, _BOW * places[end].y) for end in (one, other)),
            width=0.5 + 3.5 * count / max(links.values()), bow=True,
        )
        for (one, other), count in sorted(links.items())
    ]  # fmt: skip
    left_out = len(every) - len(shown)
    key = (
        "A circle is a community, a dot a member. A line is as thick as its number says: relations between members of "
        f"both. {len(shown)} of {len(every)} communities of level {level} drawn, {left_out} smaller ones left out."
    )
    named = "; ".join(f"{title} ({len(one.members)})" for title, one in zip(titles, shown, strict=True))
    alt = f"{len(shown)} communities of level {level}, {left_out} smaller ones left out. {named}".strip()
    data: dict[str, list[Any]] = {
        "number": list(range(1, len(shown) + 1)), "title": titles, "members": [len(one.members) for one in shown],
        "relations to the others": [sum(links[pair] for pair in links if place in pair) for place in range(len(shown))],
    }  # fmt: skip
    heading = f"The {len(shown)} biggest of {len(every)} communities of level {level}"
    sentences = tuple(_sentence(number, one, titles[number], links) for number, one in enumerate(shown))
    return fitted(Drawing(heading, alt, sentences, key, left_out, data, tuple(boxes), tuple(lines)))


def _links(shown: Sequence[Community], edges: Iterable[tuple[str, str]]) -> Counter[tuple[int, int]]:
    """Relations between two communities, counted."""
    home = {member: number for number, one in enumerate(shown) for member in one.members}
    links: Counter[tuple[int, int]] = Counter()
    for source, target in edges:
        one, other = home.get(source), home.get(target)
        if one is not None and other is not None and one != other:
            links[min(one, other), max(one, other)] += 1
    return links


def _circle(number: int, community: Community, title: str) -> Box:
    members = [plain(member) for member in community.members]
    across = 2 * (_INSET + _DOT * math.sqrt(len(members)))
    note = (title, *members[:_NOTED], *([f"and {len(members) - _NOTED} more"] if len(members) > _NOTED else []))
    return Box(
        str(number), wrapped(title, _TITLE, 3), (f"{number + 1} · {len(members)} members",), "\n".join(note), NOWHERE,
        Point(across, across), "circle", dots=tuple(_seed(place) for place in range(len(members))),
    )  # fmt: skip


def _seed(place: int) -> Point:
    """Where a dot sits among others: as in the head of a sunflower."""
    away, turn = _DOT * math.sqrt(place + 0.3), place * math.pi * (3 - math.sqrt(5))
    return Point(away * math.cos(turn), away * math.sin(turn))


def _placed(boxes: Sequence[Box], circle: Sequence[Point]) -> list[Box]:
    """The circles on the smallest ellipse on which neither they nor their titles meet, with some air."""
    sides = [
        Point(math.copysign(1.0, at.x), 0.0) if abs(at.x) > _FLANK else Point(0.0, math.copysign(1.0, at.y))
        for at in circle
    ]
    high = _SMALLEST
    while True:
        placed = [
            replace(box, at=Point(_WIDER * high * at.x, high * at.y), side=side)
            for box, at, side in zip(boxes, circle, sides, strict=True)
        ]
        covered = [[(at, Point(size.x + ROW, size.y + ROW)) for at, size in occupied(box)] for box in placed]
        if not any(meet(*a, *b) for one, other in combinations(covered, 2) for a in one for b in other):
            return placed
        high *= _GROWTH


def _sentence(number: int, community: Community, title: str, links: Mapping[tuple[int, int], int]) -> str:
    members = [plain(member) for member in community.members]
    more = f" and {len(members) - _LISTED} more" if len(members) > _LISTED else ""
    near = sorted((-count, sum(pair) - number + 1) for pair, count in links.items() if number in pair)[:3]
    linked = ", ".join(f"{other} ({-count})" for count, other in near)
    said = f"{title}, {len(members)} members: {', '.join(members[:_LISTED])}{more}."
    return f"{said} Linked most to {linked}." if linked else said
