"""How much of the true graph a construction found in the documents of a split: entities, relations, names joined.

An entity is right if the world has one of its kind by one of its names; it is missed if a document states a fact of it
and no mention was found there. A statement is right if it is a fact of the world, at whatever time; a fact is missed if
ingested documents of the split state it and no chunk of theirs was read so. Names are scored in pairs: two names of one
thing that were joined, two names of different things that were.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from labkit.bench.result import Figure
from labkit.evaluate.grading import tokens
from labkit.graph.graph import Graph
from labkit.graph.tables import Extraction, Statement
from labkit.ingest.dates import parse_date


@dataclass(frozen=True, slots=True)
class TrueGraph:
    """What a world says about itself.

    Attributes:
        named: (kind, name in lower case) → ids of the entities so called.
        facts: id → row of the world's facts.
        stated: source path → ids of the facts a file states.
        pools: source path → split of the file.
        about: (subject, relation) → ids of the facts.
    """

    named: Mapping[tuple[str, str], frozenset[str]]
    facts: Mapping[str, Mapping[str, Any]]
    stated: Mapping[str, frozenset[str]]
    pools: Mapping[str, str]
    about: Mapping[tuple[str, str], Sequence[str]]

    @classmethod
    def read(cls, world: Path) -> TrueGraph:
        """From a world's folder."""
        named: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for entity in _rows(world, "entities"):
            for name in (entity["name"], *entity["aliases"]):
                named[entity["kind"], name.lower()].add(entity["entity_id"])
        documents = list(_rows(world, "documents"))
        facts = {row["fact_id"]: row for row in _rows(world, "facts")}
        about: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for fact_id, fact in facts.items():
            about[fact["subject_id"], fact["relation"]].append(fact_id)
        return cls(
            {key: frozenset(ids) for key, ids in named.items()},
            facts,
            {row["path"]: frozenset(row.get("states", ())) for row in documents},
            {row["path"]: row.get("pool", "") for row in documents},
            about,
        )


def scores(extraction: Extraction, graph: Graph, truth: TrueGraph, split: str) -> dict[str, Figure]:
    """Figures for the documents of a split, named after the construction: ``rules_entity_f1`` and so on."""
    sources = {chunk_id: chunk.source_path for chunk_id, chunk in graph.chunks.items()}
    here = {chunk_id for chunk_id, path in sources.items() if truth.pools.get(path) == split}
    stated = frozenset().union(*(truth.stated.get(sources[chunk_id], frozenset()) for chunk_id in here))
    entities = {e.entity_id: e for e in extraction.entities}
    means = {
        entity_id: frozenset().union(*(truth.named.get((e.kind, n.lower()), ()) for n in (e.name, *e.aliases)))
        for entity_id, e in entities.items()
    }
    name = extraction.extractor
    found = {m.entity_id for m in extraction.mentions if m.chunk_id in here}
    wanted = {truth.facts[f][end] for f in stated for end in ("subject_id", "object_id")} - {None}
    right = {entity_id for entity_id in found if means[entity_id]}
    figures = _f1(f"{name}_entity", len(right), len(found), len(wanted & _union(means[e] for e in right)), len(wanted))
    told = [s for s in extraction.statements if s.chunk_id in here]
    for label, keep in (("relation", None), ("edge", True), ("value", False)):
        some = [s for s in told if keep is None or bool(s.object_id) is keep]
        of = {f for f in stated if keep is None or bool(truth.facts[f]["object_id"]) is keep}
        matched = {_key(s): _facts(s, means, truth) for s in some}
        hit = _union(matched.values())
        figures |= _f1(f"{name}_{label}", sum(map(bool, matched.values())), len(matched), len(of & hit), len(of))
    return figures | _joined(extraction, here, truth, graph)


def _joined(extraction: Extraction, here: set[str], truth: TrueGraph, graph: Graph) -> dict[str, Figure]:
    """Pairs of names that mean one thing, among those the documents use."""
    used: defaultdict[tuple[str, str], set[str]] = defaultdict(set)  # (kind, name) → predicted entities
    kinds = {e.entity_id: e.kind for e in extraction.entities}
    for mention in extraction.mentions:
        if mention.chunk_id in here:
            surface = graph.chunks[mention.chunk_id].text[mention.start : mention.end].lower()
            used[kinds[mention.entity_id], surface].add(mention.entity_id)
    known = {key: truth.named[key] for key in used if len(truth.named.get(key, ())) == 1}
    right = joined = same = 0
    for one, other in combinations(sorted(known), 2):
        if one[0] == other[0]:
            is_same, is_joined = known[one] == known[other], bool(used[one] & used[other])
            same += is_same
            joined += is_joined
            right += is_same and is_joined
    return _f1("entity_resolution", right, joined, right, same)


def _facts(statement: Statement, means: Mapping[str, frozenset[str]], truth: TrueGraph) -> frozenset[str]:
    """The facts a statement is."""
    found = set()
    for subject in means[statement.subject_id]:
        for fact_id in truth.about.get((subject, statement.relation), ()):
            fact = truth.facts[fact_id]
            if fact["object_id"]:
                if statement.object_id and fact["object_id"] in means[statement.object_id]:
                    found.add(fact_id)
            elif _same_value(statement, fact):
                found.add(fact_id)
    return frozenset(found)


def _same_value(statement: Statement, fact: Mapping[str, Any]) -> bool:
    said = tokens(statement.value)
    if any(said == tokens(wording) for wording in (fact["value"], *fact["aliases"])):
        return True
    if statement.number is None:
        return False
    day = parse_date(fact["value"])
    number = day.toordinal() if day else fact["number"]
    return number is not None and abs(number - statement.number) < 1e-6


def _key(statement: Statement) -> tuple[str, str, str]:
    return statement.subject_id, statement.relation, statement.object_id or statement.value.lower()


def _f1(name: str, right: int, found: int, recalled: int, wanted: int) -> dict[str, Figure]:
    precision, recall = right / max(1, found), recalled / max(1, wanted)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return {
        f"{name}_precision": Figure(value=precision, n=found, direction="higher"),
        f"{name}_recall": Figure(value=recall, n=wanted, direction="higher"),
        f"{name}_f1": Figure(value=f1, n=wanted, direction="higher"),
    }


def _union(sets: Iterable[frozenset[str]]) -> set[str]:
    found: set[str] = set()
    for one in sets:
        found |= one
    return found


def _rows(world: Path, name: str) -> Iterator[dict[str, Any]]:
    with (world / "truth" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
