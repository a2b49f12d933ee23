"""Answers what the graph can answer by looking up and reckoning; everything else is left to the passages.

The router decides by the question whether facts are asked for, and the graph whether it has them: where a fact is
missing nothing is said here. No language model is asked, so a wrong fact is stated as firmly as a right one; the
citations are the sentences that state the facts.
"""

from __future__ import annotations

from labkit.graph.graph import Fact, Graph
from labkit.graph.route import Chains, Way, route
from labkit.graph.structured import Structured
from labkit.retrieve import Reranker
from labkit.retrieve.rewrite import split
from labkit.schema import Answer, Citation, RequestContext

SURE = {Way.STRUCTURED: 0.0, Way.HOP: 0.5}
"""Ways of the router that ask for facts, and the probability of what is asked from which on they are given.

Comparing and reckoning have a threshold of their own. At the end of a chain, on the dev questions of worlds 7 and 101:
from 0.4 on 128 right, 20 wrong and 11 invented where nothing could be known; from 0.5 on 119, 11 and 4.
"""


class Facts:
    """Answers from a graph, or not at all.

    Args:
        graph: the facts.
        chains: scores chains for a question.
        reader: reads the question; what it has read for retrieval is not read again.
    """

    def __init__(self, graph: Graph, chains: Chains, reader: Reranker) -> None:
        self._graph, self._chains, self._reader = graph, chains, reader
        self._structured = Structured(graph, chains)

    def __call__(self, question: str, ctx: RequestContext) -> Answer | None:
        """The answer with a citation for each fact it takes.

        None where the graph has none, where it is not clear enough what is asked, and for several questions in one.
        """
        if len(split(question)) > 1:  # a date or a name of one would be taken for the other's
            return None
        states = self._reader.encode(question, ctx).states
        way = route(question, states, self._graph, self._chains, ctx).way
        if way not in SURE:
            return None
        computed = self._structured.answer(question, states, ctx)
        if not computed.value or computed.probability < SURE[way]:
            return None
        return Answer(
            text=computed.value,
            citations=tuple(dict.fromkeys(self._cited(fact) for fact in computed.facts)),
            confidence=computed.probability,
            route="facts",
        )

    def _cited(self, fact: Fact) -> Citation:
        statement = fact.statements[0]
        chunk = self._graph.chunks[statement.chunk_id]
        return Citation(
            chunk_id=chunk.chunk_id,
            source_path=chunk.source_path,
            start=chunk.start + statement.start,
            end=chunk.start + statement.end,
            quote=chunk.text[statement.start : statement.end],
        )
