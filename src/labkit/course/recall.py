"""The third drill: a list for a recall, made with the graph, that people found wrong on the road.

The operator has the system that answers from the graph as it runs now: what it takes the question to name, the
structured answer and its reason, the paths, and the passages, each with its dates and who may read it. What is broken
is one of :data:`labkit.course.graphfaults.GRAPH_FAULTS`. Nothing here needs a language model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from random import Random
from typing import Any

from labkit.course.faults import named
from labkit.course.graphfaults import GRAPH_FAULTS, RELATION, Told, keys, told_along, whole, with_relations
from labkit.course.wrongpart import COMPLAINTS, ON_PAGE, STAFF, on_day, on_page
from labkit.errors import InputError
from labkit.evaluate.grading import value_correct
from labkit.graph.chains import ChainModel
from labkit.graph.graph import Fact, Graph
from labkit.graph.hop import HopRetriever, Path
from labkit.graph.schema import Schema
from labkit.graph.structured import Structured
from labkit.retrieve.rerank import Reranker
from labkit.retrieve.rewrite import Rewriter
from labkit.retrieve.search import Search
from labkit.schema import Chunk, Hit, RequestContext
from labkit.world.chance import END
from labkit.world.questions import Question

LABEL = "To"
"""What chapter 05 adds to the data dictionary that ships: the despatch book's name for a lot's destination."""

HITS = 10
"""Passages looked at to grade evidence: what ``ask`` shows unless told otherwise."""

PATHS, LEAST = 3, 0.01
"""Paths shown, and how likely they must be."""

_FIRST, _THEN = "lot.", ("part.", "supplier.", "rma.", "site.", "team.", "person.", "contract.")
"""What a recall asks: where the lots are; then who supplied them, whom to call, and what it costs."""

BY_SEARCH = "(found by search)"

PAGE = """\
From: Dana Whitlock, safety
To: you, on call
Subject: the recall list

Corvane has written again, and after lot C-22 I swore that nobody would search cupboards for a day and a half a second
time. So we asked the graph: which lot, which part, where, whom to call, what it costs. We made a list of what it said
and sent people off with it. Astrid has telephoned twice from the road since.

What was asked, what the graph said, and what we found on paper afterwards:

{complaints}

We all ask as staff. The documents are where they always were: {documents}

I am not touching the rest of the list, and I am not parking every tug again either. Please find out what is broken, and
send me one more question that shows it: not one of these, they show that something is wrong and not what.
"""


class Recall:
    """The scene of the drill; implements :class:`labkit.course.drill.Scene`.

    Args:
        flat: the retriever that knows no graph.
        rewriter: of its questions.
        chunks: all that the index holds, in the order graphs are built in.
        schema: the whole data dictionary.
        chains: scores chains for a question.
        questions: complaints are drawn from these.
        paths: fact id → files that state it.
        documents: the folder as it is shown to the operator.
    """

    def __init__(
        self, flat: Reranker, rewriter: Rewriter, chunks: Sequence[Chunk], schema: Schema, chains: ChainModel,
        questions: Sequence[Question], paths: Mapping[str, Collection[str]], documents: str,
    ) -> None:  # fmt: skip
        self._flat, self._rewriter, self._chains = flat, rewriter, chains
        self._chunks, self._schema = chunks, schema
        self._questions, self._paths, self._documents = questions, paths, documents
        self._real = {chunk.chunk_id: chunk for chunk in chunks}  # a broken graph may have other copies
        self._readers = {chunk.source_path: _readers(chunk) for chunk in chunks}
        self._graphs: dict[str, Graph] = {}

    def start(self, code: str, seed: int) -> tuple[str, dict[str, Any]]:
        """The page, and the questions on it.

        Raises:
            InputError: in this world the fault does nobody any harm.
        """
        asked = [q for q in self._questions if q.value and q.as_of == END and q.type != "adversarial"]
        asked = [q for q in asked if q.relation.startswith((_FIRST, *_THEN))]
        Random(seed).shuffle(asked)
        complaints: list[str] = []
        texts: list[str] = []
        for question in sorted(asked, key=lambda q: not q.relation.startswith(_FIRST)):
            said = self._harmed(question, code)
            if said is None:
                continue
            complaints.append(f'  "{question.text}"\n    the graph: {said}\n    on paper: {self._on_paper(question)}')
            texts.append(question.text)
            if len(texts) == COMPLAINTS:
                break
        if not texts:
            raise InputError("No question of this world suffers from the fault", todo="Start with another --seed.")
        return PAGE.format(complaints="\n".join(complaints), documents=self._documents), {"asked": texts}

    def _harmed(self, question: Question, code: str) -> str | None:
        """What the broken system says, if the whole one is right and it is not, or if it says what is not for staff."""
        broken, right = self._told(code, question.text, STAFF), self._told("", question.text, STAFF)
        said, rightly = said_by(broken), said_by(right)
        if said == rightly:
            return None
        if "staff" in question.groups:
            wrong = not value_correct(question, said) or bool(keys(broken.facts) - keys(right.facts))
            return said if value_correct(question, rightly) and wrong else None
        return said if value_correct(question, said) and not value_correct(question, rightly) else None

    def _on_paper(self, question: Question) -> str:
        """The value, and a file that states it (of a chain its last fact); for staff, if one is."""
        gold = sorted(self._readers.keys() & self._paths.get(question.facts[-1], ()) if question.facts else ())
        gold.sort(key=lambda path: "staff" not in self._readers[path])
        where = [f"in {gold[0]} ({self._readers[gold[0]]})"] if gold else []
        return ", ".join([question.value, *where])

    def ask(self, code: str, question: str, *, k: int, as_of: date | None) -> str:
        """What the system shows now: things, the structured answer, paths, passages.

        Raises:
            InputError: the question is empty or too long, or k is out of range.
        """
        told = self._told(code, question, on_day(as_of), k)
        things = ", ".join(f"{entity.kind} {told.graph.name_of(entity.entity_id, told.ctx)}" for entity in told.named)
        lines = [f"things: {things or 'none that the graph knows'}"]
        if told.computed.value:
            lines += [f"answer: {told.computed.value}", f"    because {told.computed.why}"]
            lines += self._values(told.computed.facts, "    ")
        else:
            lines.append(f"answer: none. {told.computed.why}")
        for path in (path for path in told.paths[:PATHS] if path.probability >= LEAST):
            lines.append(f"path {path.probability:.2f} from {path.start.kind} {path.start.name}")
            lines += self._steps(path, told)
        return "\n".join([*lines, "passages:", *self._passages(told.hits)])

    def rows(self, begun: Mapping[str, Any], which: str) -> str:
        """There are none.

        Raises:
            InputError: always; this drill has no evaluation.
        """
        raise InputError("This drill has no sheet of rows", todo="Ask the graph: labkit drill ask QUESTION.")

    def missing(self, code: str, evidence: str, begun: Mapping[str, Any]) -> str | None:
        """What a question lacks as evidence of the fault; None where it proves it.

        Raises:
            InputError: the question is empty or too long.
        """
        if on_page(evidence, begun["asked"]):
            return ON_PAGE
        fault = named(code, GRAPH_FAULTS)
        if fault.shows(self._told(code, evidence, STAFF, HITS), self._told("", evidence, STAFF, HITS)):
            return None
        return f"a whole graph does not answer that question otherwise in this way; what counts is {fault.proof}"

    def _graph(self, code: str) -> Graph:
        """The graph with a fault, the whole one for ''; built once."""
        if code not in self._graphs:
            build = named(code, GRAPH_FAULTS).build if code else whole
            self._graphs[code] = build(self._chunks, self._schema)
        return self._graphs[code]

    def _told(self, code: str, question: str, ctx: RequestContext, k: int | None = None) -> Told:
        """What the system with a fault tells; without a number, no passages."""
        graph = self._graph(code)
        hop = HopRetriever(self._flat, graph, self._chains)
        hits = Search(hop, self._rewriter).search(question, k, ctx) if k is not None else []
        states = self._flat.encode(question, ctx).states
        computed = Structured(graph, self._chains).answer(question, states, ctx)
        return Told(
            graph, ctx, tuple(graph.linked(question, ctx)), tuple(hop.paths(question, ctx)), computed, tuple(hits)
        )

    def _steps(self, path: Path, told: Told) -> Iterator[str]:
        for step, facts in zip(path.steps, told_along(path, told.graph, told.ctx), strict=True):
            if step.known:
                yield f"    {step.relation}"
                yield from self._values(facts, "        ")
            else:
                yield f"    {step.relation} {BY_SEARCH}"
                yield f"        {step.value or 'unknown'}"

    def _values(self, facts: Iterable[Fact], indent: str) -> Iterator[str]:
        """A line for each value: where it is stated, since when, and for whom."""
        for fact in facts:
            yield f"{indent}{fact.value}  ({self._source(fact)})"

    def _source(self, fact: Fact) -> str:
        """The first passage that states a fact, and how many more do."""
        chunk = self._real[fact.statements[0].chunk_id]
        others = len({s.chunk_id for s in fact.statements}) - 1
        more = f", and {others} more" if others else ""
        return f"{chunk.source_path}, {chunk.valid_from or 'undated'}, {_readers(chunk)}{more}"

    def _passages(self, hits: Sequence[Hit]) -> Iterator[str]:
        for place, hit in enumerate(hits, 1):
            chunk = self._real[hit.chunk.chunk_id]
            until = f"until {chunk.valid_to}" if chunk.valid_to else "open"
            why = ", ".join(f"{path} {rank}" for path, rank in sorted(hit.why.items()))
            dates = f"[{chunk.valid_from or 'undated'}, {until}]"
            yield f"{place:>2}. {chunk.source_path}  {dates}  {_readers(chunk)}  found by: {why}"
            yield f"    {' '.join(chunk.text.split())[:150]}"


def said_by(told: Told) -> str:
    """The answer in a line: the structured one, else where the likeliest path ends."""
    if told.computed.value:
        return told.computed.value
    if not told.paths:
        return "nothing"
    steps = told.paths[0].steps
    guessed = not all(step.known for step in steps)
    return " ".join([steps[-1].value or "unknown", *([BY_SEARCH] if guessed else [])])


def wider(schema: Schema) -> Schema:
    """The data dictionary as chapter 05 leaves it."""
    relation = schema.relation[RELATION]
    labels = tuple(dict.fromkeys((*relation.labels, LABEL)))
    return with_relations(schema, {**schema.relation, RELATION: relation.model_copy(update={"labels": labels})})


def _readers(chunk: Chunk) -> str:
    return f"for {' and '.join(sorted(chunk.acl))}"
