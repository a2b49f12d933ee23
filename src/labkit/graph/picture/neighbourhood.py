"""A picture of what lies around the things a question names, with the paths that were followed.

It shows only what the asker may see, names included. It draws at most so many things and says how many it left out; the
followed paths are drawn whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from labkit.errors import AccessDenied, InputError
from labkit.graph.graph import Fact, Graph
from labkit.graph.hop import Path, Step
from labkit.graph.picture.drawing import NAME, NOWHERE, SMALL, Box, Drawing, Line, breadth, plain, wrapped
from labkit.graph.picture.layout import Link, Point, layered
from labkit.graph.picture.strokes import fitted, shapes
from labkit.graph.tables import Entity
from labkit.schema import RequestContext

LEAST = 0.02
"""Probability from which on a path is drawn beside the likeliest."""

MOST = 60
"""Things in one picture that can still be read."""

_NAME = 20  # characters a line of a name has at most
_VALUES, _SOURCES = 8, 4  # listed in a note
_KEY = (
    "Double frame: named in the question. Thick numbered lines: the followed paths. Dashed: not in the graph, found by "
    "search. Small print: the kind, and how many neighbours are not drawn."
)


@dataclass(slots=True)
class _Edge:
    """What is drawn between two boxes: its relations, the paths that follow it, and who states it."""

    relations: dict[str, None] = field(default_factory=dict)
    paths: list[int] = field(default_factory=list)
    sources: dict[str, None] = field(default_factory=dict)
    known: bool = True


def explained(path: Path, graph: Graph) -> str:
    """A path in words: ``INC-1 —product→ Heron picker —maintained by→ Controls``; a step search found says so."""
    words = [plain(path.start.name)]
    for step in path.steps:
        how = "" if step.known else " (found by search)"
        words.append(f"—{relation_label(step.relation, graph)}{how}→ {plain(step.value) or 'passages about it'}")
    return " ".join(words)


def relation_label(relation: str, graph: Graph) -> str:
    """What a relation is called in a picture: the first label of the data dictionary, else its name."""
    known = graph.schema.relation.get(relation)
    label = plain(known.labels[0] if known and known.labels else relation)
    return label if label[:2].isupper() else label[:1].lower() + label[1:]


def neighbourhood(
    graph: Graph, paths: Sequence[Path], ctx: RequestContext, *, entities: Sequence[Entity] = (), follow: int = 3,
    most: int = 24,
) -> Drawing:  # fmt: skip
    """What the asker may see around the followed paths.

    Args:
        graph: that the paths lead through.
        paths: likeliest first, found for the same request (:meth:`labkit.graph.hop.HopRetriever.paths`).
        ctx: who asks, on which day.
        entities: more things to begin at, such as ``graph.linked(question, ctx)`` where no path was found.
        follow: paths drawn at most; all but the first must have :data:`LEAST`.
        most: things drawn at most, up to :data:`MOST`; what the paths need comes on top of it.

    Raises:
        InputError: nothing or too much may be drawn.
        AccessDenied: a path uses what the request may not see: it was found for another one.
    """
    if follow < 0 or not 1 <= most <= MOST:
        what = f"{follow} paths and {most} things are not 0 or more, and 1 to {MOST}"
        raise InputError(what, where="neighbourhood(follow, most)")
    followed = [path for place, path in enumerate(paths[:follow]) if place == 0 or path.probability >= LEAST]
    _check(graph, followed, ctx)
    starts = dict.fromkeys((*(path.start.entity_id for path in followed), *(entity.entity_id for entity in entities)))
    values: dict[str, Step] = {}
    edges: dict[tuple[str, str], _Edge] = defaultdict(_Edge)
    core = dict(starts)
    for number, path in enumerate(followed, 1):
        here = path.start.entity_id
        for step in path.steps:
            there = step.object_id or f"{here}\0{step.relation}\0{step.value}"
            if step.object_id:
                core[there] = None
            else:
                values[there] = step
            if here != there:
                edge = edges[here, there]
                edge.relations[relation_label(step.relation, graph)] = None
                edge.paths.append(number)
                edge.known &= step.known
                edge.sources |= dict.fromkeys(graph.chunks[chunk_id].source_path for chunk_id in step.chunk_ids)
            here = there
    around = {hub: _around(graph, hub, ctx) for hub in core}
    drawn = _chosen(graph, around, [*core], most - len(core) - len(values))
    every = {*core}.union(*around.values())
    for key in drawn:
        for fact in graph.about(key, ctx):
            if fact.object_id in drawn and fact.object_id != key:
                edge = edges[key, fact.object_id]
                edge.relations[relation_label(fact.relation, graph)] = None
                edge.sources |= dict.fromkeys(graph.chunks[s.chunk_id].source_path for s in fact.statements)
    outlines = shapes(sorted({graph.entities[key].kind for key in drawn}))
    on_path = {key for pair, edge in edges.items() if edge.paths for key in pair}
    boxes = []
    for key in drawn:
        entity = graph.entities[key]
        name = _name(graph, entity, ctx)
        left = len(around.get(key, set()) - drawn.keys())
        small = [plain(entity.kind) or "unknown kind", *([f"+{left} not drawn"] if left else [])]
        note = _note(graph, key, name, ctx)
        boxes.append(_box(key, name, small, note, outlines[entity.kind], heavy=key in on_path, framed=key in starts))
    for key, step in values.items():
        value = plain(step.value)
        what = "value" if value else "found by search"
        boxes.append(_box(key, value or "passages about it", [what], value or what, "value", heavy=True))
    named = ", ".join(" ".join(box.lines) for box in boxes if box.framed)
    title = f"{len(boxes)} things around {named}" if boxes else "Nothing is known here"
    left_out = len(every) - len(drawn)
    sentences = tuple(f"{explained(path, graph)} (probability {path.probability:.2f})" for path in followed)
    said = "; ".join(explained(path, graph) for path in followed) or "no path was followed"
    alt = f"Graph of {len(boxes)} things and {len(edges)} relations, {left_out} neighbours left out. Paths: {said}."
    return _arranged(boxes, edges, Drawing(title, alt, sentences, _key(len(boxes), left_out), left_out, {}))


def _check(graph: Graph, paths: Sequence[Path], ctx: RequestContext) -> None:
    """Raise unless the request may see each step."""
    for path in paths:
        here = path.start.entity_id
        for step in path.steps:
            told = graph.told(here, ctx).get(step.relation, ()) if here else ()
            seen = any(fact.object_id == step.object_id and fact.value == step.value for fact in told)
            if not all(ctx.sees(graph.chunks[chunk_id]) for chunk_id in step.chunk_ids) or (step.known and not seen):
                raise AccessDenied("A path uses what the request may not see", todo="Find it for the same request.")
            here = step.object_id


def _around(graph: Graph, hub: str, ctx: RequestContext) -> set[str]:
    """The things one relation away."""
    told = {fact.object_id for fact in graph.about(hub, ctx) if fact.object_id}
    return (told | {fact.subject_id for fact in graph.pointing_at(hub, ctx)}) - {hub}


def _chosen(graph: Graph, around: Mapping[str, set[str]], core: Sequence[str], room: int) -> dict[str, None]:
    """The core and its neighbours while there is room: of each hub in turn, those that join several hubs first, then
    of each kind in turn."""
    shared = Counter(key for near in around.values() for key in near)
    queues = []
    for hub in core:
        by_kind: defaultdict[str, list[str]] = defaultdict(list)
        for key in sorted(around[hub].difference(core), key=lambda key: (graph.entities[key].name, key)):
            by_kind[graph.entities[key].kind].append(key)
        turns = [key for row in zip_longest(*(by_kind[kind] for kind in sorted(by_kind))) for key in row if key]
        queues.append(sorted(turns, key=lambda key: -shared[key]))
    neighbours = dict.fromkeys(key for row in zip_longest(*queues) for key in row if key)
    return dict.fromkeys((*core, *[*neighbours][: max(room, 0)]))


def _name(graph: Graph, entity: Entity, ctx: RequestContext) -> str:
    """The name by which a passage the asker may see calls it."""
    seen = graph.mentioning(entity.entity_id, ctx)
    for name in (entity.name, *entity.aliases):
        if any(name.casefold() in chunk.text.casefold() for chunk in seen):
            return plain(name)
    return f"({plain(entity.kind) or 'unnamed'})"


def _note(graph: Graph, key: str, name: str, ctx: RequestContext) -> str:
    """What is shown to who points at a thing: its values."""
    facts: list[Fact] = [fact for fact in graph.about(key, ctx) if not fact.object_id]
    said = [f"{relation_label(fact.relation, graph)}: {plain(fact.value)}" for fact in facts[:_VALUES]]
    return "\n".join((f"{name} ({plain(graph.entities[key].kind) or 'unknown kind'})", *said))


def _box(key: str, name: str, small: Sequence[str], note: str, shape: str, *, heavy: bool, framed: bool = False) -> Box:
    lines = wrapped(name, _NAME, 2)
    wide = max(*(breadth(line, NAME * (1.08 if heavy else 1.0)) for line in lines), *(breadth(s, SMALL) for s in small))
    size = Point(max(wide + 18, 52.0), 1.25 * (NAME * len(lines) + SMALL * len(small)) + (12 if framed else 7))
    return Box(key, lines, tuple(small), note, NOWHERE, size, shape, heavy, framed)


def _arranged(boxes: Sequence[Box], edges: Mapping[tuple[str, str], _Edge], drawing: Drawing) -> Drawing:
    """The drawing with its boxes and lines in their places."""
    names = {box.key: " ".join(box.lines) for box in boxes}
    ordered = sorted(edges.items(), key=lambda item: (not item[1].paths, item[1].paths[:1], item[0]))
    lines, links = [], []
    for (source, target), edge in ordered:
        numbers = " ".join(_circled(number) for number in dict.fromkeys(edge.paths))
        label = f"{numbers} {', '.join(edge.relations)}".strip()
        label = wrapped(label, 34, 1)[0]
        stated = [f"{len(edge.sources)} source{'s' * (len(edge.sources) != 1)}:", *[*edge.sources][:_SOURCES]]
        note = "\n".join((f"{names[source]} —{', '.join(edge.relations)}→ {names[target]}", *map(plain, stated)))
        lines.append(Line(
            source, target, label, note, width=2.4 if edge.paths else 0.8, heavy=bool(edge.paths),
            dashed=not edge.known,
        ))  # fmt: skip
        links.append(Link(source, target, breadth(label, SMALL), bool(edge.paths)))
    places, bends = layered({box.key: box.size for box in boxes}, links)
    data: dict[str, list[Any]] = {
        "path": [", ".join(map(str, dict.fromkeys(edge.paths))) for _, edge in ordered],
        "from": [names[source] for (source, _), _ in ordered],
        "relation": [", ".join(edge.relations) for _, edge in ordered],
        "to": [names[target] for (_, target), _ in ordered],
        "sources": [len(edge.sources) for _, edge in ordered],
    }
    placed = replace(
        drawing, data=data, boxes=tuple(replace(box, at=places[box.key]) for box in boxes),
        lines=tuple(replace(line, bends=bend) for line, bend in zip(lines, bends, strict=True)),
    )  # fmt: skip
    return fitted(placed)


def _key(drawn: int, left_out: int) -> str:
    return f"{_KEY} {drawn} things drawn, {left_out} neighbours left out."


def _circled(number: int) -> str:
    return chr(0x2460 + number - 1) if number <= 20 else f"({number})"
