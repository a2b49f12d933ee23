"""Hop retrieval: finds the passages of every step between the thing a question names and what it asks for.

*Who leads the team that maintains the machine in INC-2031?* names an incident and nothing else that could be searched
for. The chain model says which relations are asked for, the graph says where they lead, and each step's statement is a
passage. Every chain that may be meant is followed, as likely as it is: a passage counts by the probability that a chain
which needs it is meant, and by what flat retrieval thinks of it. Where the graph does not know the last step, the
passages that name the thing before it are compared with the question. It explains itself by the paths it took.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.graph.chains import Chain, ChainModel
from labkit.graph.graph import Fact, Graph
from labkit.graph.tables import Entity
from labkit.retrieve.rerank import Question, Reranker
from labkit.retrieve.store import check_search
from labkit.schema import Hit, RequestContext

CHAINS = 8
"""Chains followed from each thing a question names."""

NAMED = 3
"""Things a question names that are followed; in a longer list the others only count for flat retrieval."""

HOP = 2.0
"""What the probability that a passage is needed counts beside flat retrieval's share."""

PER_STEP, UNKNOWN = 2, 3
"""Passages for a step: of its statements, and where the graph does not know it, of those that name the thing."""


@dataclass(frozen=True, slots=True)
class Path:
    """A chain followed through the graph.

    Attributes:
        start: the thing the question names.
        facts: step by step.
        unknown: the last step, where the graph does not know it; else ''.
        probability: that this chain is meant.
    """

    start: Entity
    facts: tuple[Fact, ...]
    unknown: str
    probability: float

    @property
    def end(self) -> str:
        """The id of the thing it leads to; '' where it ends in a value."""
        return self.facts[-1].object_id if self.facts else self.start.entity_id


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
            question = self._flat.encode(query, ctx)
            paths = self.paths(query, question, ctx)
            return self._merged(flat, self._needed(paths, question, flat, ctx))[:k] if paths else flat

    def paths(self, query: str, question: Question, ctx: RequestContext) -> list[Path]:
        """The chains that may be meant, followed as far as the asker may see, likeliest first."""
        found = []
        named = self._graph.linked(query)[:NAMED]
        for entity in named:
            for chain in self._chains.chains(question.states, entity.kind, CHAINS):
                if path := self._followed(entity, chain, len(named), ctx):
                    found.append(path)
        return sorted(found, key=lambda path: -path.probability)

    def _followed(self, start: Entity, chain: Chain, named: int, ctx: RequestContext) -> Path | None:
        facts: list[Fact] = []
        here = start.entity_id
        for step in chain.steps:
            fact = next((fact for fact in self._graph.about(here, ctx) if fact.relation == step), None)
            if fact is None:
                known = len(facts) == len(chain.steps) - 1 and step in self._graph.schema.relation
                return Path(start, tuple(facts), step, chain.probability / named) if known else None
            facts.append(fact)
            here = fact.object_id
        return Path(start, tuple(facts), "", chain.probability / named)

    def _needed(
        self, paths: Sequence[Path], question: Question, flat: Sequence[Hit], ctx: RequestContext
    ) -> dict[str, float]:
        """Chunk id → the probability that it is needed."""
        rank = {hit.chunk.chunk_id: place for place, hit in enumerate(flat)}
        needed: defaultdict[str, float] = defaultdict(float)
        for path in paths:
            for fact in path.facts:
                cited = dict.fromkeys(s.chunk_id for s in fact.statements)
                best = sorted(cited, key=lambda chunk_id: rank.get(chunk_id, len(rank)))[:PER_STEP]
                for place, chunk_id in enumerate(best):
                    needed[chunk_id] += path.probability / (1 + place)
            if path.unknown:
                for place, chunk_id in enumerate(self._naming(path.end, question, ctx)):
                    needed[chunk_id] += path.probability / (1 + place)
        return needed

    def _naming(self, entity_id: str, question: Question, ctx: RequestContext) -> list[str]:
        chunk_ids = [chunk.chunk_id for chunk in self._graph.mentioning(entity_id, ctx)]
        if not chunk_ids:
            return []
        order = np.argsort(-self._flat.answering(question, chunk_ids), kind="stable")[:UNKNOWN]
        return [chunk_ids[at] for at in order]

    def _merged(self, flat: Sequence[Hit], needed: dict[str, float]) -> list[Hit]:
        ranked = sorted(needed, key=lambda chunk_id: -needed[chunk_id])
        hop = {chunk_id: place for place, chunk_id in enumerate(ranked, 1)}
        hits = {hit.chunk.chunk_id: hit for hit in flat}
        chunks = {chunk_id: hit.chunk for chunk_id, hit in hits.items()}
        chunks |= {chunk_id: self._graph.chunks[chunk_id] for chunk_id in needed}
        share = {hit.chunk.chunk_id: 1.0 / place for place, hit in enumerate(flat, 1)}
        scores = {chunk_id: HOP * needed.get(chunk_id, 0.0) + share.get(chunk_id, 0.0) for chunk_id in chunks}
        return [
            Hit.model_construct(
                chunk=chunks[chunk_id], score=scores[chunk_id],
                why={**(hits[chunk_id].why if chunk_id in hits else {}), **({"hop": hop[chunk_id]} if chunk_id in hop else {})},
            )
            for chunk_id in sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))
        ]  # fmt: skip
