"""deepeval beside our own metrics: faithfulness and relevancy, judged by any of our chat models.

As with :mod:`labkit.evaluate.ragas`, a reply that is not the JSON deepeval asks for is a missing score, counted and
shown. deepeval is not part of the lab environment: it asks for older versions of click and tabulate, and brings a
plugin that is loaded, and reports, in every run of pytest. It reports usage to its makers unless told not to, and this
module tells it before importing it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from labkit.errors import ConfigError, InputError
from labkit.evaluate.ragas import Sample, Scores
from labkit.schema import ChatModel, RequestContext

MAX_TOKENS = 1024


def available() -> bool:
    """Whether deepeval is installed here."""
    return find_spec("deepeval") is not None


def judged(samples: Sequence[Sample], chat: ChatModel) -> dict[str, Scores]:
    """``faithfulness`` and ``answer_relevancy`` as deepeval has them, per sample.

    Args:
        samples: what to score, with contexts.
        chat: the judge, in process or over HTTP.

    Raises:
        ConfigError: deepeval is not installed.
        InputError: there are no samples.
        EndpointError, RequestError: the judge failed; a reply that makes no sense is a missing score instead.
    """
    if not samples:
        raise InputError("There are no samples to score", todo="Give at least one.")
    if not available():
        raise ConfigError("deepeval is not installed", todo="Install deepeval in an environment of its own.")
    os.environ["DEEPEVAL_TELEMETRY_OPT_OUT"] = "1"
    os.environ["DEEPEVAL_DISABLE_DOTENV"] = "1"  # it would read .env files of the working folder into the environment
    kinds = import_module("deepeval.metrics")
    judge = _adapted(chat)
    metrics = {"faithfulness": kinds.FaithfulnessMetric, "answer_relevancy": kinds.AnswerRelevancyMetric}
    return {name: _scores(metric, judge, samples) for name, metric in metrics.items()}


def _scores(metric: Any, judge: Any, samples: Sequence[Sample]) -> Scores:
    refused: type[Exception] = import_module("deepeval.errors").DeepEvalError
    make_case = import_module("deepeval.test_case").LLMTestCase
    values: list[float | None] = []
    missing: Counter[str] = Counter()
    for sample in samples:
        measured = metric(model=judge, include_reason=False, async_mode=False)
        case = make_case(
            input=sample.question, actual_output=sample.answer, retrieval_context=list(sample.contexts)
        )  # fmt: skip
        try:
            values.append(float(measured.measure(case, _show_indicator=False)))
        except (refused, ValueError, KeyError, TypeError) as error:  # what its parsing raises
            missing[f"unusable reply ({type(error).__name__})"] += 1
            values.append(None)
    return Scores(tuple(values), dict(missing))


def _adapted(chat: ChatModel) -> Any:
    """Our chat model as deepeval wants one."""
    base: Any = import_module("deepeval.models").DeepEvalBaseLLM

    class Adapted(base):  # type: ignore[misc]
        def load_model(self) -> ChatModel:
            return chat

        def generate(self, prompt: str) -> str:
            message = {"role": "user", "content": prompt}
            return chat.chat([message], max_tokens=MAX_TOKENS, ctx=RequestContext()).text

        async def a_generate(self, prompt: str) -> str:
            return self.generate(prompt)

        def get_model_name(self) -> str:
            return chat.name

    return Adapted()
