"""Questions about the whole company: what recurs over all its cells. Their answers are themes, not one value."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from labkit.world.chance import stream
from labkit.world.facts import FactGraph
from labkit.world.grammar import fill
from labkit.world.ontology import ONTOLOGY
from labkit.world.pack import Pack
from labkit.world.questions import STAFF, Ledger, Question

_KEYS = {
    "global.causes": "incident.cause",
    "global.products_with_most_incidents": "incident.product",
    "global.changes_reasons": "change.reason",
}
_NAMED = (3, 2, 4)
"""A good answer names this many themes, by preference; ``value`` joins them with ``; ``."""


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
        """One question per theme, year and split, where the leaders stand out from the rest.

        Answers that name entities are asked of the test split alone: they mix all pools.
        """
        for (key, year), counts in sorted(self._counts.items()):
            themes = _leaders(counts)
            entities = ONTOLOGY.relations[_KEYS[key]].type == "entity"
            for split in ("test",) if entities else ("train", "dev", "test"):
                forms = [f for family in self.pack.family(key, "question", split) for f in family.forms]
                if not forms or not themes:
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


def _leaders(counts: Counter[str]) -> list[str]:
    """The most frequent themes, as many as a clear lead allows; none where every cut would be arbitrary."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for size in _NAMED:
        if len(ranked) >= size and (len(ranked) == size or ranked[size - 1][1] > ranked[size][1]):
            return [theme for theme, _ in ranked[:size]]
    return []
