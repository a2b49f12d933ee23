"""The learner's system as a whole: their functions where they are filled, the course's stages where they are not."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.course.mysystem import load_functions
from labkit.errors import InputError
from labkit.llm import chat_model, embedder
from labkit.pipeline import ABSTENTION, Passage, Pipeline, Selector
from labkit.pipeline.pipeline import Select
from labkit.retrieve import DenseRetriever, LexicalRetriever, flat_retriever, open_index
from labkit.schema import Answer, Answerer, Citation, Hit, RequestContext, Retriever
from labkit.settings import Settings

HITS = 20


def learner_system(path: Path, index_dir: Path, settings: Settings) -> Answerer:
    """An answerer made of the filled functions of ``path``; ``answer.route`` names them.

    ``clean`` and ``chunk`` act on documents before an index exists, so they do not change what is asked here.

    Raises:
        InputError: the file cannot be read, or a function has the wrong parameters.
        IndexMissing, IndexMismatch: the index cannot be used.
    """
    encoder = embedder(settings)
    index = open_index(index_dir, encoder)
    retriever = flat_retriever(index, encoder)
    paths: dict[str, Retriever] = {
        "dense": DenseRetriever(index.store, encoder),
        "lexical": LexicalRetriever(index.store),
    }
    functions = load_functions(path)
    select: Select = Selector(encoder)
    if "order" in functions:
        select = Ordered(select, functions["order"], path.name)
    return LearnerSystem(functions, retriever, lambda found: _pipeline(found, select, settings), path.name, paths)


def _pipeline(retriever: Retriever, select: Select, settings: Settings) -> Pipeline:
    return Pipeline(retriever, chat_model(settings), select=select)


@dataclass(frozen=True, slots=True)
class Ordered:
    """A selection whose passages stand in the order of the learner's ``order``; it changes nothing else of them."""

    select: Select
    order: Callable[[str, list[str]], Sequence[int]]
    name: str

    def __call__(self, question: str, hits: Sequence[Hit], ctx: RequestContext) -> list[Passage]:
        """The selected passages as the model shall read them.

        Raises:
            InputError: ``order`` returns something else than every position once.
        """
        passages = self.select(question, hits, ctx)
        given = self.order(question, [passage.text for passage in passages])
        if not isinstance(given, list | tuple) or {*given} != {*range(len(passages))} or len(given) != len(passages):
            raise InputError(f"order returned {str(given)[:60]!r} instead of every position once", where=self.name)
        return [passages[position] for position in given]


@dataclass(slots=True)
class _Fixed:
    """A retriever that has already found."""

    hits: list[Hit]

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        """The hits it was given."""
        return self.hits[:k]


@dataclass(slots=True)
class LearnerSystem:
    """Implements :class:`labkit.schema.Answerer`.

    ``paths`` are the store's searches by name; ``retrieve`` gets them if it has a parameter of that name.
    """

    functions: dict[str, Callable[..., Any]]
    retriever: Retriever
    pipeline: Callable[[Retriever], Answerer]
    name: str
    paths: Mapping[str, Retriever] = field(default_factory=dict)

    def ask(self, question: str, ctx: RequestContext) -> Answer:
        """Retrieve, decide whether to abstain, answer.

        Raises:
            InputError: a function of the learner's returns something else than it promises.
        """
        started = time.perf_counter()
        route = "+".join(["yours", *sorted(self.functions.keys() & {"order", "retrieve", "abstain", "answer"})])
        hits = self._retrieve(question, ctx)
        if "abstain" in self.functions and self.functions["abstain"](question, hits):
            return Answer(text=ABSTENTION, abstained=True, route=route)
        if "answer" not in self.functions:
            answer = self.pipeline(_Fixed(hits)).ask(question, ctx)
            return answer.model_copy(update={"route": f"{route}+{answer.route}"})
        text, positions = self._answer(question, hits, ctx)
        return Answer(
            text=text,
            citations=tuple(_cited(hits[position]) for position in positions),
            confidence=1.0,
            route=route,
            timings={"total": time.perf_counter() - started},
        )

    def _retrieve(self, question: str, ctx: RequestContext) -> list[Hit]:
        if "retrieve" not in self.functions:
            return self.retriever.search(question, HITS, ctx)
        retrieve = self.functions["retrieve"]
        given = {"paths": self.paths} if "paths" in inspect.signature(retrieve).parameters else {}
        hits = retrieve(question, HITS, ctx, **given)
        if not isinstance(hits, list) or not all(isinstance(hit, Hit) for hit in hits):
            raise self._broken("retrieve", "a list of Hit", hits)
        return hits

    def _answer(self, question: str, hits: list[Hit], ctx: RequestContext) -> tuple[str, list[int]]:
        given = self.functions["answer"](question, hits, ctx)
        match given:
            case (str(text), list(positions)) if all(p in range(len(hits)) for p in positions):
                return text, positions
        raise self._broken("answer", "(text, positions of hits)", given)

    def _broken(self, function: str, wanted: str, given: object) -> InputError:
        return InputError(
            f"{function} returned {type(given).__name__} {str(given)[:60]!r} instead of {wanted}", where=self.name
        )


def _cited(hit: Hit) -> Citation:
    chunk = hit.chunk
    return Citation(
        chunk_id=chunk.chunk_id, source_path=chunk.source_path, start=chunk.start, end=chunk.end, quote=chunk.text
    )
