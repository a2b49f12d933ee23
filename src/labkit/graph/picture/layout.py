"""Places the boxes of a graph so that it can be read: layers for facts, a ring for communities.

:func:`layered` follows Sugiyama, Tagawa and Toda 1981 (*Methods for visual understanding of hierarchical system
structures*): layers, crossings, coordinates. Heights are set by isotonic regression, so boxes of a layer never overlap.
Lengths are points (1/72 inch), y grows downwards. There is no chance in it: the same graph gives the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

ROW, MARGIN = 12.0, 19.0
"""Space between the boxes of a layer, and on both sides of a label between two layers."""

_SWEEPS = 12
_STRAIGHT = 8.0  # how much straighter a heavy link, or one across layers, is drawn than others


class Point(NamedTuple):
    """A place in the picture."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Link:
    """A line to be placed.

    Attributes:
        label: width its label needs.
        heavy: wants to be straight.
    """

    source: str
    target: str
    label: float = 0.0
    heavy: bool = False


def layered(sizes: Mapping[str, Point], links: Sequence[Link]) -> tuple[dict[str, Point], list[tuple[Point, ...]]]:
    """Centres of the boxes, arrows running from left to right, and the bends of each link between its ends.

    Args:
        sizes: width and height of each box.
        links: between them, the important ones first: where arrows run in a circle, a later one runs back. None may
            lead from a box to itself.
    """
    ends = _acyclic(links)
    rank = _ranks(list(sizes), ends, links)
    chains = []
    size = dict(sizes)
    layer_of = dict(rank)
    for number, (source, target) in enumerate(ends):
        bends = [f"\0{number}.{layer}" for layer in range(rank[source] + 1, rank[target])]
        for layer, bend in enumerate(bends, rank[source] + 1):
            size[bend], layer_of[bend] = Point(0.0, 4.0), layer
        chains.append([source, *bends, target])
    near: dict[str, list[tuple[str, float]]] = {key: [] for key in size}
    for link, chain in zip(links, chains, strict=True):
        pull = _STRAIGHT if link.heavy else 1.0
        for one, other in pairwise(chain):
            weight = pull * (_STRAIGHT if one not in sizes and other not in sizes else 1.0)
            near[one].append((other, weight))
            near[other].append((one, weight))
    layers = _ordered(layer_of, near)
    y = _heights(layers, near, size)
    left, spans = 0.0, []
    for number, keys in enumerate(layers):
        width = max(size[key].x for key in keys)
        spans.append((left, left + width))
        crossing = [
            link.label for link, (source, target) in zip(links, ends, strict=True)
            if rank[source] <= number < rank[target]
        ]  # fmt: skip
        left += width + max(crossing, default=0.0) + 2 * MARGIN
    centre = {key: Point(sum(spans[rank[key]]) / 2, y[key]) for key in sizes}
    bends_of = []
    for link, chain in zip(links, chains, strict=True):
        through = [Point(side, y[key]) for key in chain[1:-1] for side in spans[layer_of[key]]]
        bends_of.append(tuple(through if chain[0] == link.source else reversed(through)))
    return centre, bends_of


def ring(count: int, links: Mapping[tuple[int, int], float]) -> list[Point]:
    """Places on a circle of radius 1 around (0, 0), so that no line inside it runs behind a third one.

    Args:
        count: how many.
        links: pair of places → how strongly it pulls; linked ones stand close to each other.
    """
    if count < 2:
        return [Point(0.0, 0.0)] * count

    def length(order: Sequence[int]) -> float:
        at = {number: place for place, number in enumerate(order)}
        apart = ((abs(at[one] - at[other]), weight) for (one, other), weight in links.items())
        return sum(weight * min(distance, count - distance) for distance, weight in apart)

    order = list(range(count))
    for _ in range(_SWEEPS):
        for one in range(count):
            for other in range(one + 1, count):
                swapped = [*order]
                swapped[one], swapped[other] = order[other], order[one]
                if length(swapped) < length(order):
                    order = swapped
    turns = {number: 2 * math.pi * (place + 0.5) / count for place, number in enumerate(order)}
    return [Point(math.sin(turns[number]), -math.cos(turns[number])) for number in range(count)]


def _acyclic(links: Sequence[Link]) -> list[tuple[str, str]]:
    """The ends of each link, turned round where it would close a circle."""
    after: dict[str, set[str]] = {}
    ends = []
    for link in links:
        source, target = link.source, link.target
        todo, seen = [target], {target}
        while todo:
            for key in after.get(todo.pop(), ()):
                if key not in seen:
                    seen.add(key)
                    todo.append(key)
        if source in seen:
            source, target = target, source
        after.setdefault(source, set()).add(target)
        ends.append((source, target))
    return ends


def _ranks(keys: Sequence[str], ends: Sequence[tuple[str, str]], links: Sequence[Link]) -> dict[str, int]:
    """Layer of each box: behind all that point at it, as close to its neighbours as that allows."""
    rank = dict.fromkeys(keys, 0)
    for _ in keys:
        for source, target in ends:
            rank[target] = max(rank[target], rank[source] + 1)
    for _ in range(_SWEEPS):
        for key in keys:
            before = [rank[source] for source, target in ends if target == key]
            behind = [rank[target] for source, target in ends if source == key]
            if not before and not behind:
                continue
            low = max(before) + 1 if before else min(behind) - 1
            high = min(behind) - 1 if behind else low
            pulls = [
                (rank[target if source == key else source], _STRAIGHT if link.heavy else 1.0)
                for (source, target), link in zip(ends, links, strict=True) if key in (source, target)
            ]  # fmt: skip
            rank[key] = min(
                range(low, high + 1), key=lambda at: (sum(weight * abs(at - there) for there, weight in pulls), at)
            )
    used = {value: place for place, value in enumerate(sorted(set(rank.values())))}
    return {key: used[value] for key, value in rank.items()}


def _ordered(layer_of: Mapping[str, int], near: Mapping[str, Sequence[tuple[str, float]]]) -> list[list[str]]:
    """The boxes of each layer from top to bottom, with few crossings: each at the mean of its neighbours."""
    layers: list[list[str]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for key, layer in layer_of.items():
        layers[layer].append(key)
    best, least = [list(layer) for layer in layers], _crossings(layers, layer_of, near)
    for sweep in range(2 * _SWEEPS):
        forward = sweep % 2 == 0
        for number in range(len(layers)) if forward else range(len(layers) - 1, -1, -1):
            side = number - 1 if forward else number + 1
            if not 0 <= side < len(layers):
                continue
            place = {key: at / len(layers[side]) for at, key in enumerate(layers[side])}
            now = {key: at / len(layers[number]) for at, key in enumerate(layers[number])}
            layers[number].sort(key=lambda key, place=place, now=now: _mean(near[key], place, now[key]))  # type: ignore[misc]
        found = _crossings(layers, layer_of, near)
        if found < least:
            best, least = [list(layer) for layer in layers], found
    return best


def _mean(near: Sequence[tuple[str, float]], place: Mapping[str, float], alone: float) -> float:
    there = [place[key] for key, _ in near if key in place]
    return sum(there) / len(there) if there else alone


def _crossings(
    layers: Sequence[Sequence[str]], layer_of: Mapping[str, int], near: Mapping[str, Sequence[tuple[str, float]]]
) -> int:
    count = 0
    for layer in layers[:-1]:
        place = {key: at for keys in layers for at, key in enumerate(keys)}
        pairs = [
            (at, place[other])
            for at, key in enumerate(layer) for other, _ in near[key] if layer_of[other] == layer_of[key] + 1
        ]  # fmt: skip
        count += sum((a - c) * (b - d) < 0 for number, (a, b) in enumerate(pairs) for c, d in pairs[:number])
    return count


def _heights(
    layers: Sequence[Sequence[str]], near: Mapping[str, Sequence[tuple[str, float]]], size: Mapping[str, Point]
) -> dict[str, float]:
    """Height of each box's centre: near the mean of its neighbours, without overlaps in its layer."""
    y = {key: 0.0 for layer in layers for key in layer}
    for sweep in range(4 * _SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted, weights = [], []
            for key in layer:
                total = sum(weight for _, weight in near[key])
                mean = sum(y[other] * weight for other, weight in near[key]) / total if total else y[key]
                wanted.append(mean)
                weights.append(max(total, 0.1))
            apart = [(size[above].y + size[below].y) / 2 + ROW for above, below in pairwise(layer)]
            for key, height in zip(layer, _apart(wanted, weights, apart), strict=True):
                y[key] = height
    return y


def _apart(wanted: Sequence[float], weights: Sequence[float], apart: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones with the given distances at least, by pooling adjacent violators."""
    shift = [0.0]
    for distance in apart:
        shift.append(shift[-1] + distance)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for want, weight, offset in zip(wanted, weights, shift, strict=False):
        mean, heavy, count = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            before, more, others = pools.pop()
            mean = (mean * heavy + before * more) / (heavy + more)
            heavy, count = heavy + more, count + others
        pools.append((mean, heavy, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, shift, strict=False)]
