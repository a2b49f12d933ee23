"""Hop retrieval: finds the passages of every step between the thing a question names and what it asks for.

*Who leads the team that maintains the machine in INC-2031?* names an incident and nothing else that could be searched
for. The chain model says which relations are asked for, the graph says where they lead, and each step's statement is a
passage. Every chain that may be meant is followed, as likely as it is: a passage counts by the probability that a chain
which needs it is meant, and by what flat retrieval thinks of it. A step the graph does not know is asked of flat
retrieval, in the words of the data dictionary. It explains itself by the paths it took.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.graph.chains import Chain, ChainModel
from labkit.graph.graph import Graph
from labkit.graph.tables import Entity
from labkit.retrieve.rerank import Reranker
from labkit.retrieve.store import check_search
from labkit.schema import Hit, RequestContext

CHAINS = 8
"""Chains followed from each thing a question names."""

NAMED = 3
"""Things a question names that are followed; those behind them only count for flat retrieval."""

HOP = 2.0
"""What the probability that a passage is needed counts beside flat retrieval's share."""

LIKELY = 0.1
"""Probability of a chain from which on flat retrieval is asked for a step the graph does not know."""

LEAST = 0.001
"""Probability below which a chain is not followed."""

PER_STEP, ASKED = 2, 4
"""Passages for a step: of its statements, and where the graph does not know it, of flat retrieval."""


@dataclass(frozen=True, slots=True)
class Step:
    """One relation of a path.

    Attributes:
        relation: its name in the data dictionary.
        value: what it leads to, in words; '' where only passages about it were found.
        object_id: the thing it leads to; '' for a value.
        chunk_ids: passages that state it, best first.
        known: whether the graph has it; else flat retrieval found the passages.
    """

    relation: str
    value: str
    object_id: str
    chunk_ids: tuple[str, ...]
    known: bool


@dataclass(frozen=True, slots=True)
class Path:
    """A chain followed through the graph.

    Attributes:
        start: the thing the question names.
        steps: relation by relation.
        probability: that this chain is meant.
    """

    start: Entity
    steps: tuple[Step, ...]
    probability: float


class HopRetriever:
    """Implements :class:`labkit.schema.Retriever`.

    Args:
        flat: the retriever that knows no graph.
        graph: of the same chunks.
        chains: scores chains for a question.
    """

    def __init__(self, flat: Reranker, graph: Graph, chains: ChainModel) -> None:
        self._flat, self._graph, self._chains = flat, graph, chains

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The k best chunks; ``why`` says ``hop`` where a path needs it.

        Raises:
            InputError: the question is empty or too long, or k is out of range.
        """
        query = check_search(query, k)
        flat = self._flat.search(query, k, ctx)
        with ctx.trace.span("retrieve.hop"):
            paths = self.paths(query, ctx)
            return self._merged(flat, _needed(paths, flat))[:k] if paths else flat

    def paths(self, query: str, ctx: RequestContext) -> list[Path]:
        """The chains that may be meant, followed as far as the asker may see, likeliest first."""
        found = []
        named = self._graph.linked(query, ctx)[:NAMED]
        states = self._flat.encode(query, ctx).states if named else None
        for entity in named:
            assert states is not None
            for chain in self._chains.chains(states, entity.kind, CHAINS):
                if chain.probability < LEAST:
                    break
                steps = self._followed(entity, chain, ctx)
                if steps:
                    # Its other names may stand in documents the asker may not see.
                    called = self._graph.name_of(entity.entity_id, ctx)
                    start = entity.model_copy(update={"name": called, "aliases": ()})
                    found.append(Path(start, steps, chain.probability / len(named)))
        return sorted(found, key=lambda path: -path.probability)

    def _followed(self, start: Entity, chain: Chain, ctx: RequestContext) -> tuple[Step, ...]:
        """The steps of a chain; none if it cannot be followed to its end."""
        steps: list[Step] = []
        here = start
        for name in chain.steps:
            if name not in self._graph.schema.relation:
                return ()  # it counts; nothing to follow
            step = self._told(here, name, ctx) or (
                self._asked(here, name, ctx) if chain.probability >= LIKELY else None
            )
            if step is None:
                return ()
            steps.append(step)
            if step.object_id:
                here = self._graph.entities[step.object_id]
            elif len(steps) < len(chain.steps):
                return ()
        return tuple(steps)

    def _told(self, here: Entity, name: str, ctx: RequestContext) -> Step | None:
        """A step as the graph knows it."""
        told = self._graph.told(here.entity_id, ctx).get(name)
        if not told:
            return None
        cited = dict.fromkeys(statement.chunk_id for fact in told for statement in fact.statements)
        return Step(name, told[0].value, told[0].object_id, tuple(cited), known=True)

    def _asked(self, here: Entity, name: str, ctx: RequestContext) -> Step | None:
        """A step as flat retrieval finds it: passages, and the thing of the right kind in the best of them."""
        relation = self._graph.schema.relation[name]
        called = self._graph.name_of(here.entity_id, ctx)
        if not relation.labels or not called:
            return None
        hits = self._flat.search(f"{relation.labels[0]} of {called}", ASKED, ctx)
        for hit in hits if relation.object else ():
            for entity in self._graph.named_in(hit.chunk.chunk_id):
                if entity.kind == relation.object and entity.entity_id != here.entity_id:
                    cited = (hit.chunk.chunk_id, *(other.chunk.chunk_id for other in hits if other is not hit))
                    value = self._graph.name_of(entity.entity_id, ctx)
                    return Step(name, value, entity.entity_id, cited, known=False)
        if not hits or relation.object:
            return None
        return Step(name, "", "", tuple(hit.chunk.chunk_id for hit in hits), known=False)

    def _merged(self, flat: Sequence[Hit], needed: dict[str, float]) -> list[Hit]:
        ranked = sorted(needed, key=lambda chunk_id: -needed[chunk_id])
        hop = {chunk_id: place for place, chunk_id in enumerate(ranked, 1)}
        hits = {hit.chunk.chunk_id: hit for hit in flat}
        chunks = {chunk_id: hit.chunk for chunk_id, hit in hits.items()}
        chunks |= {chunk_id: self._graph.chunks[chunk_id] for chunk_id in needed if chunk_id in self._graph.chunks}
        share = {hit.chunk.chunk_id: 1.0 / place for place, hit in enumerate(flat, 1)}
        scores = {chunk_id: HOP * needed.get(chunk_id, 0.0) + share.get(chunk_id, 0.0) for chunk_id in chunks}
        merged = []
        for chunk_id in sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id)):
            why = dict(hits[chunk_id].why) if chunk_id in hits else {}
            if chunk_id in hop:
                why["hop"] = hop[chunk_id]
            merged.append(Hit.model_construct(chunk=chunks[chunk_id], score=scores[chunk_id], why=why))
        return merged


def _needed(paths: Sequence[Path], flat: Sequence[Hit]) -> dict[str, float]:
    """Chunk id → the probability that it is needed; of several passages for a step, flat retrieval's best is first."""
    rank = {hit.chunk.chunk_id: place for place, hit in enumerate(flat)}
    needed: defaultdict[str, float] = defaultdict(float)
    for path in paths:
        for step in path.steps:
            best: Sequence[str] = step.chunk_ids
            if step.known:
                best = sorted(best, key=lambda chunk_id: rank.get(chunk_id, len(rank)))[:PER_STEP]
            for place, chunk_id in enumerate(best):
                needed[chunk_id] += path.probability / (1 + place)
    return needed
