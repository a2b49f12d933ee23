"""Questions about the whole company: what recurs over all its cells. Their answers are themes, not one value."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from labkit.world.chance import stream
from labkit.world.facts import FactGraph
from labkit.world.grammar import fill
from labkit.world.pack import Pack
from labkit.world.questions import STAFF, Ledger, Question

_KEYS = {
    "global.causes": "incident.cause",
    "global.products_with_most_incidents": "incident.product",
    "global.changes_reasons": "change.reason",
}
_NAMED = 3
"""A good answer names this many themes; ``value`` joins them with ``; ``."""


class Themes:
    """Counts what recurs, cell by cell, then asks about it."""

    def __init__(self, pack: Pack, seed: int) -> None:
        self.pack, self.seed = pack, seed
        self._counts: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)

    def add(self, graph: FactGraph, ledger: Ledger) -> None:
        """Count the stated facts of one cell."""
        for fact in graph:
            for key, relation in _KEYS.items():
                if fact.relation == relation and ledger.sources.get(fact.fact_id):
                    self._counts[key, fact.valid_from.year][fact.value] += 1

    def questions(self) -> Iterator[Question]:
        """One question per theme, year and split."""
        for (key, year), counts in sorted(self._counts.items()):
            themes = [value for value, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))][:_NAMED]
            for split in ("train", "dev", "test"):
                forms = [f for family in self.pack.family(key, "question", split) for f in family.forms]
                if not forms:
                    continue
                rng = stream(self.seed, key, year, split)
                text = fill(rng.choice(forms), rng, {"year": str(year)})
                yield Question(
                    question_id=f"{split}-wide-{key.removeprefix('global.')}-{year}",
                    split=split,
                    type="global",
                    text=text[:1].upper() + text[1:],
                    value="; ".join(themes),
                    hops=sum(counts.values()),
                    relation=key,
                    groups=STAFF,
                )
