"""Checks of lab 05: two people of one name, a chain that a whole list may read, a recalled lot, a walk that returns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import combinations
from typing import Any, TypeAlias

from labkit.course.check import question

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[Row]
People: TypeAlias = Callable[[Rows], Sequence[object]]
Readers: TypeAlias = list[set[str]]
Follow: TypeAlias = Callable[[Rows, str, list[str], Readers, date], object]
Holding: TypeAlias = Callable[[str, Rows], dict[str, Any]]
Links: TypeAlias = dict[str, dict[str, float]]
Scores: TypeAlias = dict[str, float]
Rank: TypeAlias = Callable[[Links, Scores, float], Scores]

MENTIONS: tuple[tuple[str, str, str, str], ...] = (
    ("J. Martin", "handover 12", "Drive Train", "jean"),
    ("Jean Martin", "team page", "Drive Train", "jean"),
    ("Julia Martin", "team page", "Vision", "julia"),
    ("Lena Martin", "team page", "Drive Train", "lena"),
    ("J. Martin", "ticket 88", "Vision", "julia"),
    ("Martin, Julia", "badge list", "", "julia"),
    ("J. Martin", "mail 7", "", "jean"),
    ("Jean Martin", "mail 7", "Field Service", "jean"),
    ("J. Martin", "minutes 3", "Vision", "julia"),
    ("Jean Martin", "minutes 3", "", "jean"),
    ("J. Martin", "org chart", "Field Service", "julia"),
    ("Julia Martin", "org chart", "Field Service", "julia"),
    ("J. Martin", "rota", "", "julia"),
    ("J. Martin", "invoice 2", "Finance", "joan"),
    ("J. Okafor", "invoice 2", "Finance", "okafor"),
    ("J. Okafor", "invoice 5", "Finance", "okafor"),
    ("J. Martin", "minutes 3", "Finance", "joan"),
    ("J. Martin", "parking list", "", "jill"),
    ("T. Zieliński", "ticket 9", "", "tomasz"),
    ("Tomasz Zieliński", "ticket 4", "Field Service", "tomasz"),
)
"""Name, document, team ('' where it is not said), and who is meant."""
MIN_RECALL = 0.8


@question(
    hint="A full name is a person. An initial is the one full name it may stand for; of several, the one of its team; "
    "if that leaves several, or no team is said, the one its document names. Else it is a person of its own."
)
def q1(people: People) -> str | None:
    """Who is who, measured in pairs: none wrongly put together, most of the right ones found."""
    for rows in (MENTIONS, MENTIONS[::-1]):
        given = [{"name": name, "document": document, "team": team} for name, document, team, _ in rows]
        labels = list(people(given))
        if len(labels) != len(rows):
            return f"for {len(rows)} mentions it gave {len(labels)} labels"
        pairs = list(combinations(range(len(rows)), 2))
        for a, b in pairs:
            if labels[a] == labels[b] and rows[a][3] != rows[b][3]:
                return f"{_said(rows[a])} and {_said(rows[b])} are two people, it made them one"
        same = [(a, b) for a, b in pairs if rows[a][3] == rows[b][3]]
        missed = [(a, b) for a, b in same if labels[a] != labels[b]]
        if len(missed) > (1 - MIN_RECALL) * len(same):
            a, b = missed[0]
            return f"it missed {len(missed)} of {len(same)} pairs, first {_said(rows[a])} and {_said(rows[b])}"
    return None


def _said(mention: tuple[str, str, str, str]) -> str:
    return f"{mention[0]} in {mention[1]}" + (f" ({mention[2]})" if mention[2] else "")


def _spelled(name: str) -> tuple[str, str]:
    """Given name or initial, and the rest."""
    family, comma, given = name.partition(", ")
    if not comma:
        given, _, family = name.partition(" ")
    return given.rstrip("."), family


def _candidates(mention: Row, mentions: Rows) -> dict[tuple[str, str], Rows]:
    """The full names a mention may stand for, and where they are mentioned."""
    given, family = _spelled(mention["name"])
    found: dict[tuple[str, str], Rows] = {}
    for other in mentions:
        full = _spelled(other["name"])
        if len(full[0]) > 1 and full[1] == family and full[0].startswith(given):
            found.setdefault(full, []).append(other)
    return found


@q1.solution
def _team_then_document(mentions: Rows) -> list[object]:
    def who(mention: Row) -> tuple[str, ...]:
        fits = _candidates(mention, mentions)
        for key in ("team", "document"):
            if len(fits) > 1 and mention[key]:
                fits = {full: of for full, of in fits.items() if mention[key] in {other[key] for other in of}}
        return next(iter(fits)) if len(fits) == 1 else (mention["name"], mention["team"] or mention["document"])

    return [who(mention) for mention in mentions]


q1.wrong(lambda mentions: [_spelled(mention["name"]) for mention in mentions])
q1.wrong(lambda mentions: [(m["name"].split(", ")[0].split()[-1], m["team"]) for m in mentions])

q1.wrong(lambda mentions: [next(iter(_candidates(mention, mentions)), mention["name"]) for mention in mentions])


@q1.wrong
def _document_where_no_team_fits(mentions: Rows) -> list[object]:
    def who(mention: Row, right: object) -> object:
        fits = _candidates(mention, mentions)
        named = [full for full, of in fits.items() if mention["document"] in {other["document"] for other in of}]
        return named[0] if right not in fits and len(named) == 1 else right

    return [who(mention, right) for mention, right in zip(mentions, _team_then_document(mentions), strict=True)]


@q1.wrong
def _strangers_by_team_alone(mentions: Rows) -> list[object]:
    labels = _team_then_document(mentions)
    return [
        (mention["name"], mention["team"]) if isinstance(label, tuple) and label[0] == mention["name"] else label
        for mention, label in zip(mentions, labels, strict=True)
    ]


STATEMENTS: tuple[tuple[str, str, str, str, str, date], ...] = (
    ("s7", "Field Service", "led by", "Julia Martin", "staff", date(2025, 6, 1)),
    ("s3", "Pike 4", "maintained by", "Field Service", "staff", date(2025, 3, 1)),
    ("s1", "INC-31", "machine", "Pike 4", "staff contractors", date(2025, 1, 10)),
    ("s4", "Pike 4", "maintained by", "Norrland", "board", date(2025, 4, 1)),
    ("s6", "Field Service", "led by", "Jean Martin", "staff contractors", date(2025, 1, 5)),
    ("s2", "Pike 4", "maintained by", "Drive Train", "staff contractors", date(2024, 2, 1)),
    ("s5", "Drive Train", "led by", "Mbali Burkhardt", "staff", date(2024, 2, 1)),
    ("s8", "Norrland", "led by", "Lindqvist", "board staff", date(2024, 5, 1)),
)
LEADER = ["machine", "maintained by", "led by"]
SPRING, SUMMER, WINTER = date(2025, 5, 1), date(2025, 6, 1), date(2025, 2, 1)
LISTS: tuple[tuple[str, list[str], list[str], date, list[str]], ...] = (
    ("one of staff in May", LEADER, ["staff"], SPRING, ["s1", "s3", "s6"]),
    ("one of staff on 1 June", LEADER, ["staff"], SUMMER, ["s1", "s3", "s7"]),
    ("one of staff in February", LEADER, ["staff"], WINTER, ["s1", "s2", "s5"]),
    ("one of the board", LEADER, ["board staff"], SPRING, ["s1", "s4", "s8"]),
    ("one of staff and one of the board", LEADER, ["board staff", "staff"], SPRING, ["s1", "s3", "s6"]),
    ("one of staff and a contractor, two steps", LEADER[:2], ["staff", "contractors"], SPRING, ["s1", "s2"]),
    ("one of staff and a contractor", LEADER, ["staff", "contractors"], SPRING, []),
    ("one who is in no group", LEADER, ["staff", ""], SPRING, []),
    ("one of staff before the incident", LEADER, ["staff"], date(2024, 12, 31), []),
)


@question(
    hint="First leave out what one of the readers may not read and what was not yet said, then take the newest of what "
    "is left for the step. A step without any ends the chain, and half a chain is no answer."
)
def q2(follow: Follow) -> str | None:
    """The statements of a chain that every reader of an answer may know, on a day."""
    keys = ("id", "subject", "relation", "object", "acl", "day")
    for who, relations, readers, day, wanted in LISTS:
        rows = [dict(zip(keys, (*row[:4], set(row[4].split()), row[5]), strict=True)) for row in STATEMENTS]
        path = follow(rows, "INC-31", list(relations), [set(groups.split()) for groups in readers], day)
        if not isinstance(path, list) or not all(isinstance(row, dict) and "id" in row for row in path):
            return f"it returned {path!r}, not a list of statements"
        if (got := [row["id"] for row in path]) != wanted:
            return f"for {who} it followed {got or 'nothing'}"
    return None


def _may_know(row: Row, readers: Readers, day: date) -> bool:
    return bool(row["day"] <= day and all(row["acl"] & groups for groups in readers))


def _chain(rows: Rows, start: str, relations: list[str]) -> Rows:
    path: Rows = []
    for relation in relations:
        told = [row for row in rows if (row["subject"], row["relation"]) == (start, relation)]
        if not told:
            return []
        path.append(max(told, key=lambda row: row["day"]))
        start = path[-1]["object"]
    return path


@q2.solution
def _left_out_first(rows: Rows, start: str, relations: list[str], readers: Readers, day: date) -> Rows:
    return _chain([row for row in rows if _may_know(row, readers, day)], start, relations)


@q2.wrong
def _left_out_afterwards(rows: Rows, start: str, relations: list[str], readers: Readers, day: date) -> Rows:
    path = _chain([row for row in rows if row["day"] <= day], start, relations)
    return path if all(_may_know(row, readers, day) for row in path) else []


q2.wrong(lambda rows, start, steps, readers, day: _left_out_first(rows, start, steps, readers, date.max))
q2.wrong(lambda rows, start, steps, readers, day: _left_out_first(rows, start, steps, readers[:1], day))
q2.wrong(lambda rows, start, steps, who, day: _left_out_first(rows, start, steps, [set.intersection(*who)], day))


_NOTES = """
    p09 SH-306 C-22 Lyon    2025-02-04 -
    p03 SH-302 -    Tampere 2025-01-20 -
    p01 SH-301 C-22 Leeds   2025-01-10 -
    p02 SH-302 C-22 Gdańsk  2025-01-12 -
    p06 SH-304 C-22 -       2025-02-09 -
    p04 SH-303 C-22 Leeds   2025-02-01 -
    p05 SH-304 C-12 Porto   2025-02-02 -
    p08 SH-305 C-12 -       2025-02-05 -
    p07 SH-305 C-22 Kiel    2025-02-03 -
    p10 SH-306 -    Malmö   2025-02-20 withdrawn
    p11 SH-307 C-22 Bergen  2025-02-06 withdrawn
"""
"""Passage, shipment, lot, site, day, and whether it was withdrawn; ``-`` where it does not say so."""
HELD: dict[str, dict[str, set[str]]] = {
    "C-22": {"Leeds": {"p01", "p04"}, "Tampere": {"p03"}, "Porto": {"p05"}, "Lyon": {"p09"}},
    "C-12": {"Kiel": {"p07"}},
    "C-99": {},
}
"""Lot → site → the passages that say, last and not withdrawn, that a shipment of the lot went there."""


@question(
    hint="Leave withdrawn passages out, then settle each shipment on its own: its lot is what was said of it last, its "
    "site too, perhaps by another passage. Only then ask which shipments are of the lot."
)
def q3(holding: Holding) -> str | None:
    """Every site that holds a lot, each with the passage that says so."""
    for lot, wanted in HELD.items():
        got = holding(lot, _passages())
        if lacking := sorted(wanted.keys() - got.keys()):
            return f"for {lot} it did not name {lacking[0]}"
        if added := sorted(map(str, got.keys() - wanted.keys())):
            return f"for {lot} it named {added[0]}"
        for site, passages in wanted.items():
            if got[site] not in passages:
                return f"that {lot} is in {site} it cites from {got[site]!r}"
    return None


def _passages() -> Rows:
    rows = [line.split() for line in _NOTES.strip().splitlines()]
    return [
        {"id": row[0], "shipment": row[1], "lot": row[2].strip("-") or None, "site": row[3].strip("-") or None,
         "day": date.fromisoformat(row[4]), "withdrawn": row[5] == "withdrawn"}
        for row in rows
    ]  # fmt: skip


def _settled(passages: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """Shipment → "lot" and "site" → the passage that stated it last."""
    found: dict[str, dict[str, Row]] = {}
    for row in sorted(passages, key=lambda row: row["day"]):
        found.setdefault(row["shipment"], {}).update({key: row for key in ("lot", "site") if row[key]})
    return found


def _held(lot: str, passages: Iterable[Row]) -> dict[str, Any]:
    settled = [last for last in _settled(passages).values() if last.keys() == {"lot", "site"}]
    return {last["site"]["site"]: last["site"]["id"] for last in settled if last["lot"]["lot"] == lot}


@q3.solution
def _shipment_by_shipment(lot: str, passages: Rows) -> dict[str, Any]:
    return _held(lot, [row for row in passages if not row["withdrawn"]])


q3.wrong(lambda lot, passages: _held(lot, passages))
q3.wrong(lambda lot, passages: {row["site"]: row["id"] for row in passages if row["lot"] == lot and row["site"]})
q3.wrong(lambda lot, passages: _shipment_by_shipment(lot, [row for row in passages if row["lot"] in {lot, None}]))


SMALL: Links = {
    "C-22": {"SH-301": 1.0, "SH-302": 3.0}, "SH-301": {"Leeds": 1.0}, "SH-302": {"Tampere": 1.0, "C-22": 1.0},
    "Leeds": {}, "Tampere": {"Leeds": 1.0, "Priya": 0.5}, "Priya": {"Tampere": 2.0},
    "Heron": {"Otter": 1.0, "C-22": 1.0}, "Otter": {"Heron": 1.0},
}  # fmt: skip
RING: Links = {str(n): {str((n + 1) % 12): 1.0} for n in range(12)}
WALKS: tuple[tuple[str, Links, Scores, float], ...] = (
    ("one seed", SMALL, {"C-22": 1.0}, 0.85),
    ("two seeds, one of three times the weight", SMALL, {"C-22": 3.0, "Priya": 1.0}, 0.85),
    ("damping 0.5", SMALL, {"Tampere": 2.0}, 0.5),
    ("damping 0, all is restart", SMALL, {"C-22": 1.0, "Otter": 1.0}, 0.0),
    ("a ring of twelve and damping 0.98", RING, {"0": 1.0}, 0.98),
)
SETTLED = 1e-3
"""How much one more step of the walk may move, over all nodes."""


@question(
    hint="Start at the seeds, their weights divided by their sum. Each step is (1 - damping) of the seeds and damping "
    "of what flows in; a node without links sends its share to the seeds. Stop when a step moves nothing."
)
def q4(rank: Rank) -> str | None:
    """A walk that returns to its seeds: what must hold of it, however it was computed."""
    for what, links, seeds, damping in WALKS:
        got = rank({node: dict(to) for node, to in links.items()}, dict(seeds), damping)
        scores = {node: float(got.get(node, 0.0)) for node in links}
        if not math.isclose(total := sum(scores.values()), 1.0, abs_tol=SETTLED):
            return f"with {what} the scores sum to {total:.4f}, not to 1"
        reached = _walk(links, seeds, 0.5, steps=len(links))
        if astray := [node for node in links if scores[node] > SETTLED and not reached[node]]:
            return f"with {what} nothing leads from a seed to {astray[0]}, and it has {scores[astray[0]]:.4f}"
        stepped = _step(links, seeds, damping, scores)
        moved = {node: abs(stepped[node] - scores[node]) for node in links}
        if sum(moved.values()) > SETTLED:
            worst = max(moved, key=moved.__getitem__)
            return f"with {what} one more step moves {worst} from {scores[worst]:.4f} to {stepped[worst]:.4f}"
    return None


def _step(links: Links, seeds: Mapping[str, float], damping: float, scores: Scores) -> Scores:
    whole = sum(seeds.values())
    stuck = sum(scores[node] for node, to in links.items() if not to)
    back = 1 - damping + damping * stuck
    following = {node: back * seeds.get(node, 0.0) / whole for node in links}
    for node, to in links.items():
        for other, weight in to.items():
            following[other] += damping * scores[node] * weight / sum(to.values())
    return following


def _walk(links: Links, seeds: Scores, damping: float, steps: int = 2000) -> Scores:
    scores = {node: seeds.get(node, 0.0) / sum(seeds.values()) for node in links}
    for _ in range(steps):
        scores = _step(links, seeds, damping, scores)
    return scores


q4.solution(lambda links, seeds, damping: _walk(links, seeds, damping))
q4.wrong(lambda links, seeds, damping: _walk(links, seeds, damping, steps=20))
q4.wrong(lambda links, seeds, damping: _walk(links, dict.fromkeys(links, 1.0), damping))
q4.wrong(lambda links, seeds, damping: _walk(links, dict.fromkeys(seeds, 1.0), damping))
q4.wrong(lambda links, seeds, damping: _walk({a: dict.fromkeys(b, 1.0) for a, b in links.items()}, seeds, damping))
q4.wrong(lambda links, seeds, damping: _walk({a: b or {a: 1.0} for a, b in links.items()}, seeds, damping))
