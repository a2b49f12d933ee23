"""Which facts of a generated world can be read in a passage, and how they are worded there.

The world keeps, for every document, the sentences and table rows that state its facts. Ingestion cleans and lays out
text anew, so a statement is looked for by its words: a sentence as a whole, a row by its cells within one line. What
cannot be found is not taught; no passage is taken to state what its words do not.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from labkit.evaluate.grading import contains, tokens

_CELL = " | "


@dataclass(frozen=True, slots=True)
class Seen:
    """A fact found in a text.

    Attributes:
        fact_id: in the world.
        subject: the name by which the text calls what it is about.
        relation: of the world's ontology; the data dictionary uses the same names.
        value: as it is written in the text.
        at: offset of the statement in the text with its spaces made single.
    """

    fact_id: str
    subject: str
    relation: str
    value: str
    at: int


class WorldTruth:
    """The facts of a world by where they are stated.

    Args:
        world: folder of a built world.
    """

    def __init__(self, world: Path) -> None:
        self.version = world.name
        self.facts: dict[str, Mapping[str, Any]] = {row["fact_id"]: row for row in _rows(world, "facts")}
        self.entities: dict[str, Mapping[str, Any]] = {row["entity_id"]: row for row in _rows(world, "entities")}
        texts = {row["doc_id"]: row["text"] for row in _rows(world, "texts")}
        documents = {row["doc_id"]: row for row in _rows(world, "documents") if row.get("doc_id")}
        self.pools: dict[str, str] = {row["path"]: row.get("pool") or "" for row in documents.values()}
        self.stated: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        """Path → (fact id, the words that state it)."""
        for row in _rows(world, "evidence"):
            said = _flat(texts[row["doc_id"]][row["start"] : row["end"]])
            self.stated[documents[row["doc_id"]]["path"]].append((row["fact_id"], said))

    def wordings(self, fact_id: str) -> tuple[str, ...]:
        """The accepted wordings of a fact's value, the names of a thing among them."""
        fact = self.facts[fact_id]
        named = self.names(fact["object_id"]) if fact["object_id"] else ()
        return tuple(dict.fromkeys((fact["value"], *fact["aliases"], *named)))

    def names(self, entity_id: str) -> tuple[str, ...]:
        """What an entity is called."""
        entity = self.entities[entity_id]
        return (entity["name"], *entity["aliases"])

    def pool(self, fact_id: str) -> str:
        """The split of a fact: that of what it is about."""
        return str(self.entities[self.facts[fact_id]["subject_id"]]["pool"])

    @cached_property
    def sentences(self) -> Mapping[str, Sequence[str]]:
        """Fact id → the sentences that state it anywhere, each once; rows of tables are none."""
        found: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for stated in self.stated.values():
            for fact_id, said in stated:
                if _CELL not in said and said.endswith((".", "!")):
                    found[fact_id][said] = None
        return {fact_id: list(said) for fact_id, said in found.items()}

    @cached_property
    def values(self) -> Mapping[tuple[str, str], Sequence[str]]:
        """(Split, relation) → the values it has there, each once, in the world's order.

        A thing of another split is no value of this one: its name would be learned.
        """
        found: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        for fact_id, fact in self.facts.items():
            pool = self.pool(fact_id)
            if not fact["object_id"] or self.entities[fact["object_id"]]["pool"] == pool:
                found[pool, fact["relation"]][fact["value"]] = None
        return {key: list(values) for key, values in found.items()}

    @cached_property
    def about(self) -> Mapping[tuple[str, str], Sequence[str]]:
        """(entity, relation) → ids of the facts, of all times."""
        found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for fact_id, fact in self.facts.items():
            found[fact["subject_id"], fact["relation"]].append(fact_id)
        return found

    def seen(self, path: str, text: str, title: str = "") -> list[Seen]:
        """The facts that the document at ``path`` states and that ``text`` shows, in the order of the text.

        Args:
            path: source path of the document the text is of.
            text: the text, or a part of it.
            title: what stands above it; it may be where the subject is named.
        """
        flat = _flat(text)
        lines = [_flat(line) for line in text.splitlines()]
        found: dict[str, Seen] = {}
        for fact_id, said in self.stated.get(path, ()):
            region = _region(said, flat, lines)
            if region is None or fact_id in found:
                continue
            at, shown = region
            fact = self.facts[fact_id]
            value = _written(self.wordings(fact_id), shown)
            names = self.names(fact["subject_id"])
            subject = _written(names, shown) or _written(names, flat) or _written(names, title)
            if value and subject:
                found[fact_id] = Seen(fact_id, subject, fact["relation"], value, at)
        return sorted(found.values(), key=lambda seen: seen.at)

    def mentions(self, text: str, fact_id: str) -> bool:
        """Whether any wording of a fact's value stands in a text, whatever it is said of."""
        said = tokens(text)
        return any(contains(said, tokens(wording)) for wording in self.wordings(fact_id))


def _region(said: str, flat: str, lines: Sequence[str]) -> tuple[int, str] | None:
    """Where a statement stands: its offset in ``flat`` and the words there."""
    at = flat.casefold().find(said.casefold())
    if at >= 0:
        return at, flat[at : at + len(said)]
    cells = [cell.casefold() for cell in said.split(_CELL) if cell.strip()]
    if len(cells) > 1:
        for line in lines:
            if all(cell in line.casefold() for cell in cells):
                return flat.find(line), line
    return None


def _written(wordings: Sequence[str], text: str) -> str:
    """The longest of the wordings that stands in a text, as it is written there; '' if none does."""
    low = text.casefold()
    for wording in sorted(wordings, key=len, reverse=True):
        at = low.find(wording.casefold())
        while at >= 0:
            end = at + len(wording)
            if not (low[at - 1 : at].isalnum() or low[end : end + 1].isalnum()):
                return text[at:end]
            at = low.find(wording.casefold(), at + 1)
    return ""


def _flat(text: str) -> str:
    return " ".join(text.split())


def _rows(world: Path, name: str) -> Iterator[dict[str, Any]]:
    with (world / "truth" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
