"""ragas beside our own metrics: those that need no model always, those that need a judge through any endpoint.

A judge's reply that is not the JSON ragas asks for gives no score. Averages over what remains look fine however little
that is, so every result carries its share of missing scores, and why they are missing. ragas reports usage to its
makers unless told not to; this module tells it before importing it.

Source: S. Es et al., *RAGAS: Automated Evaluation of Retrieval Augmented Generation*, EACL 2024 (demonstrations).
"""

from __future__ import annotations

import asyncio
import math
import os
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.errors import EndpointError, InputError
from labkit.schema import RequestContext

if TYPE_CHECKING:
    from labkit.llm import Embedder

MAX_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One answered question, with what was read and what should have been.

    Attributes:
        question: as asked.
        answer: as given.
        contexts: texts the model read, best first.
        reference: the right answer.
        reference_contexts: texts that hold it.
        context_ids: documents the texts come from.
        reference_ids: documents that hold the right answer.
    """

    question: str
    answer: str
    contexts: tuple[str, ...]
    reference: str
    reference_contexts: tuple[str, ...] = ()
    context_ids: tuple[str, ...] = ()
    reference_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """One metric over samples; ``values`` are 0 to 1 in their order, None where there is no score."""

    values: tuple[float | None, ...]
    missing: dict[str, int]
    """Why scores are missing → how many."""

    @property
    def nan_rate(self) -> float:
        """The share of samples without a score."""
        return sum(value is None for value in self.values) / len(self.values)

    @property
    def mean(self) -> float | None:
        """Over the samples with a score; None where there is none. Read it beside :attr:`nan_rate`."""
        found = [value for value in self.values if value is not None]
        return sum(found) / len(found) if found else None


def model_free(samples: Sequence[Sample]) -> dict[str, Scores]:
    """ragas' metrics that compare strings and ids; needs no model and no network.

    ``context_*`` by text where the samples have reference contexts, ``id_context_*`` where they have ids.

    Raises:
        InputError: there are no samples.
    """
    _require(samples)
    _quiet_ragas()
    with warnings.catch_warnings():
        # ragas calls these metrics old; their successors ask for a model.
        warnings.simplefilter("ignore")
        from ragas import SingleTurnSample
        from ragas.metrics import (
            ExactMatch,
            IDBasedContextPrecision,
            IDBasedContextRecall,
            NonLLMContextPrecisionWithReference,
            NonLLMContextRecall,
            NonLLMStringSimilarity,
            StringPresence,
        )
    metrics: dict[str, Any] = {
        "exact_match": ExactMatch(),
        "string_presence": StringPresence(),
        "string_similarity": NonLLMStringSimilarity(),
    }
    if all(sample.reference_contexts for sample in samples):
        metrics["context_precision"] = NonLLMContextPrecisionWithReference()
        metrics["context_recall"] = NonLLMContextRecall()
    if all(sample.reference_ids for sample in samples):
        metrics["id_context_precision"] = IDBasedContextPrecision()
        metrics["id_context_recall"] = IDBasedContextRecall()
    turns = [
        SingleTurnSample(
            user_input=sample.question, response=sample.answer, reference=sample.reference,
            retrieved_contexts=list(sample.contexts), reference_contexts=list(sample.reference_contexts),
            retrieved_context_ids=list(sample.context_ids), reference_context_ids=list(sample.reference_ids),
        )
        for sample in samples
    ]  # fmt: skip

    def scorer(metric: Any) -> Callable[[int], Awaitable[float]]:
        return lambda number: metric.single_turn_ascore(turns[number])

    return {name: _run(scorer(metric), len(samples)) for name, metric in metrics.items()}


def judged(
    samples: Sequence[Sample], *, url: str, model: str, embedder: Embedder | None = None,
    api_key: str = "not-needed", seconds: float = 120.0,
) -> dict[str, Scores]:  # fmt: skip
    """ragas' metrics in which a language model judges: ``faithfulness``, ``factual_correctness``, ``answer_relevancy``.

    Args:
        samples: what to score; ``faithfulness`` wants contexts, ``factual_correctness`` a reference.
        url: base URL of an OpenAI-compatible endpoint, ends in ``/v1``.
        model: the judge's name there.
        embedder: compares questions for ``answer_relevancy``, which is left out without one.
        api_key: sent as bearer token.
        seconds: longest wait for a single reply.

    Raises:
        InputError: there are no samples.
        EndpointError: the endpoint cannot be reached or refuses. A reply that makes no sense is a missing score.
    """
    _require(samples)
    _quiet_ragas()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from openai import AsyncOpenAI
        from ragas.llms import llm_factory
        from ragas.metrics.collections import AnswerRelevancy, FactualCorrectness, Faithfulness

    def with_judge(use: Callable[[Any, int], Awaitable[Any]]) -> Callable[[int], Awaitable[float]]:
        async def score(number: int) -> float:
            # A client belongs to the event loop it is first used in, so each score brings its own.
            async with AsyncOpenAI(base_url=url, api_key=api_key, timeout=seconds, max_retries=0) as client:
                judge = llm_factory(model, client=client, temperature=0.0, max_tokens=MAX_TOKENS)
                return float((await use(judge, number)).value)

        return score

    def faithful(judge: Any, number: int) -> Awaitable[Any]:
        sample = samples[number]
        scored: Awaitable[Any] = Faithfulness(llm=judge).ascore(
            user_input=sample.question, response=sample.answer, retrieved_contexts=list(sample.contexts)
        )
        return scored

    def correct(judge: Any, number: int) -> Awaitable[Any]:
        scored: Awaitable[Any] = FactualCorrectness(llm=judge).ascore(
            response=samples[number].answer, reference=samples[number].reference
        )
        return scored

    metrics = {"faithfulness": with_judge(faithful), "factual_correctness": with_judge(correct)}
    if embedder is not None:
        adapted = _adapted(embedder)

        def relevant(judge: Any, number: int) -> Awaitable[Any]:
            scored: Awaitable[Any] = AnswerRelevancy(llm=judge, embeddings=adapted).ascore(
                user_input=samples[number].question, response=samples[number].answer
            )
            return scored

        metrics["answer_relevancy"] = with_judge(relevant)
    return {name: _run(score, len(samples), where=url) for name, score in metrics.items()}


def _require(samples: Sequence[Sample]) -> None:
    if not samples:
        raise InputError("There are no samples to score", todo="Give at least one.")


def _quiet_ragas() -> None:
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"


def _adapted(embedder: Embedder) -> Any:
    """Our embedder as ragas wants one."""
    from ragas.embeddings.base import BaseRagasEmbedding

    class Adapted(BaseRagasEmbedding):  # type: ignore[misc]  # mypy does not follow ragas
        def embed_text(self, text: str, **options: Any) -> list[float]:
            return [float(x) for x in embedder.encode([text], RequestContext())[0]]

        async def aembed_text(self, text: str, **options: Any) -> list[float]:
            return self.embed_text(text)

    return Adapted()


def _run(score: Callable[[int], Awaitable[float]], count: int, where: str = "") -> Scores:
    """Score every sample, in a thread of its own: notebooks already run an event loop in theirs."""

    async def all_of_them() -> list[float | BaseException]:
        return [await _outcome(score, number) for number in range(count)]

    with ThreadPoolExecutor(1) as thread:
        outcomes = thread.submit(lambda: asyncio.run(all_of_them())).result()
    values: list[float | None] = []
    missing: Counter[str] = Counter()
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            missing[_reason(outcome, where)] += 1
            values.append(None)
        elif math.isnan(outcome):
            missing["no score (NaN)"] += 1
            values.append(None)
        else:
            values.append(float(outcome))
    return Scores(tuple(values), dict(missing))


async def _outcome(score: Callable[[int], Awaitable[float]], number: int) -> float | BaseException:
    """The score, or what the judge's reply made ragas raise; anything else is a bug and stays one."""
    from instructor.core import InstructorError

    try:
        return await score(number)
    except InstructorError as error:
        return error


def _reason(error: BaseException, where: str) -> str:
    """What was wrong with the reply.

    Raises:
        EndpointError: it was not the reply, but the endpoint.
    """
    from openai import APIError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, APIError):
            raise EndpointError(
                f"The judge's endpoint failed ({cause})", where=where, todo="Start the server or correct URL and key."
            ) from error
        cause = cause.__cause__
    return f"unusable reply ({type(error).__name__})"
