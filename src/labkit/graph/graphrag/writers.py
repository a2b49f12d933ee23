"""The models graphrag is given in this process: one that quotes or lets a local chat model write, and our encoder.

Imported only in the worker (:mod:`labkit.graph.graphrag.service`), since it needs graphrag, whose import takes
seconds. Which of graphrag's questions a prompt is, is told by graphrag's own templates and not by marks in the text:
documents may hold any mark.
"""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from functools import lru_cache
from string import Formatter
from typing import Any

from graphrag.prompts.index.community_report import COMMUNITY_REPORT_PROMPT
from graphrag.prompts.query.basic_search_system_prompt import BASIC_SEARCH_SYSTEM_PROMPT
from graphrag.prompts.query.drift_search_system_prompt import (
    DRIFT_LOCAL_SYSTEM_PROMPT,
    DRIFT_PRIMER_PROMPT,
    DRIFT_REDUCE_PROMPT,
)
from graphrag.prompts.query.global_search_map_system_prompt import MAP_SYSTEM_PROMPT
from graphrag.prompts.query.global_search_reduce_system_prompt import REDUCE_SYSTEM_PROMPT
from graphrag.prompts.query.local_search_system_prompt import LOCAL_SEARCH_SYSTEM_PROMPT
from graphrag_llm.completion import LLMCompletion, register_completion
from graphrag_llm.embedding import LLMEmbedding, register_embedding
from graphrag_llm.middleware import with_middleware_pipeline
from graphrag_llm.types import (
    LLMChoiceChunk,
    LLMChoiceDelta,
    LLMCompletionChunk,
    LLMCompletionResponse,
    LLMEmbeddingResponse,
)
from graphrag_llm.utils import create_completion_response, structure_completion_response

from labkit.errors import ModelError
from labkit.graph.graphrag import extractive
from labkit.llm import Embedder
from labkit.llm.weights import Array
from labkit.retrieve.text import is_rambling
from labkit.schema import ChatModel, RequestContext

_LOG = logging.getLogger("graphrag.labkit")  # below graphrag's, where the worker counts
REPEATED = "the chat model repeated itself, quoted instead"
"""What is counted when that happens in a search."""

COMPLETION = "labkit-writer"
EMBEDDING = "labkit-encoder"

_READ_CHARS = 3_000
"""What a local model is shown: some 700 tokens, read in a few seconds on two cores."""
_SUMMARY_TOKENS, _ANSWER_TOKENS = 64, 120
_SUMMARISE = "Summarise these facts in one or two sentences. Use only these facts.\n\n{facts}"
_ANSWER = "Answer the question in one or two sentences from these facts only.\n\n{facts}\n\nQuestion: {question}"

_HYPOTHETICAL = "Create a hypothetical answer to the following query: "
_REFERENCE = re.compile(r"\s*\[Data: [^\]]*\]")
_KEPT = 50_000
"""Vectors of sentences that are kept: 77 MB at 384 dimensions."""


class Writer:
    """Answers graphrag's prompts by quoting, or with a chat model where the answer is prose.

    Args:
        embedder: compares questions with sentences.
        chat: writes the prose of answers and the summaries of reports from what was quoted; None quotes only. What
            must be JSON (rated points, DRIFT's steps) is quoted in any case.
    """

    def __init__(self, embedder: Embedder, chat: ChatModel | None = None) -> None:
        self._embedder, self._chat = embedder, chat
        self._vectors: dict[str, Array] = {}
        self.name = f"local {chat.name}" if chat else extractive.NAME
        self._label = f"[written by: {self.name}]"

    @property
    def is_slow(self) -> bool:
        """Whether what it writes is worth keeping in a cache."""
        return self._chat is not None

    def write(self, messages: str | Sequence[dict[str, Any]]) -> str:
        """The reply to one of graphrag's prompts.

        Raises:
            ModelError: it is none of those known here.
        """
        prompt, question = _prompt(messages)
        if found := _match(COMMUNITY_REPORT_PROMPT, prompt):
            return json.dumps(self._report(found["input_text"]))
        if prompt.startswith(_HYPOTHETICAL):  # what an answer might look like: nothing comes nearer than the question
            return prompt.removeprefix(_HYPOTHETICAL).partition("\n\nFormat it to follow")[0]
        if found := _match(DRIFT_PRIMER_PROMPT, prompt):
            return json.dumps(extractive.primer(found["query"], found["community_reports"], self.similarity))
        if found := _match(MAP_SYSTEM_PROMPT, prompt):
            return json.dumps(extractive.points(question, found["context_data"], self.similarity))
        if found := _match(DRIFT_LOCAL_SYSTEM_PROMPT, prompt):
            goal = found["global_query"]
            return json.dumps(extractive.step(question, goal, found["context_data"], self.similarity))
        if found := _match(REDUCE_SYSTEM_PROMPT, prompt):
            return self._prose(question, extractive.merged(found["report_data"]))
        if found := _match(DRIFT_REDUCE_PROMPT, prompt):
            answers = [str(text) for text in ast.literal_eval(found["context_data"])]
            return self._prose(question, extractive.combined(question, answers, self.similarity))
        for template in (LOCAL_SEARCH_SYSTEM_PROMPT, BASIC_SEARCH_SYSTEM_PROMPT):
            if found := _match(template, prompt):
                return self._prose(question, extractive.answer(question, found["context_data"], self.similarity))
        raise ModelError(
            "graphrag asked for something that quoting cannot give",
            where=" ".join(prompt.split())[:80],
            todo="Set LABKIT_CHAT_URL and let the endpoint write.",
        )

    def similarity(self, question: str, texts: Sequence[str]) -> list[float]:
        """Cosine of the question with each text. Vectors are kept: contexts share most of their sentences."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if len(self._vectors) + len(fresh) > _KEPT:
            self._vectors.clear()
            fresh = list(dict.fromkeys(texts))
        if fresh:
            self._vectors.update(zip(fresh, self._embedder.encode(fresh), strict=True))
        asked = self._embedder.encode([question])[0]
        return [float(self._vectors[text] @ asked) for text in texts]

    def _report(self, context: str) -> dict[str, Any]:
        report = extractive.report(context)
        if self._chat is None:
            return report
        facts = _REFERENCE.sub("", "\n".join(finding["explanation"] for finding in report["findings"]))
        summary = self._say(_SUMMARISE.format(facts=facts[:_READ_CHARS]), _SUMMARY_TOKENS)
        if not summary:
            return report
        return report | {"summary": f"{summary} {self._label} The findings below are quoted."}

    def _prose(self, question: str, quoted: str) -> str:
        if self._chat is None or extractive.NOTHING in quoted:
            return quoted
        facts = _REFERENCE.sub("", quoted.replace(extractive.LABEL, "")).strip()
        said = self._say(_ANSWER.format(facts=facts[:_READ_CHARS], question=question), _ANSWER_TOKENS)
        if not said:
            return quoted
        return f"{said}\n{self._label}\n\nfrom these quotations:\n{quoted}"

    def _say(self, prompt: str, tokens: int) -> str:
        """What the chat model says, or '' where it only repeats itself; that is counted, and quotations stand alone."""
        assert self._chat is not None
        message = {"role": "user", "content": prompt}
        said = self._chat.chat([message], max_tokens=tokens, ctx=RequestContext(principal="graphrag")).text.strip()
        if is_rambling(said):
            _LOG.warning(REPEATED)
            return ""
        return said


def register(writer: Writer, embedder: Embedder) -> None:
    """Make both known to graphrag under the types :data:`COMPLETION` and :data:`EMBEDDING`; the last call counts."""

    class Completion(LLMCompletion):  # type: ignore[misc]  # mypy does not follow graphrag
        """Our writer behind graphrag's interface, with graphrag's response cache where writing is slow."""

        def __init__(self, *, tokenizer: Any, metrics_store: Any, model_config: Any, **kwargs: Any) -> None:
            self._tokenizer, self._metrics_store = tokenizer, metrics_store
            cache = kwargs.get("cache") if writer.is_slow else None
            self._call, self._call_async = _cached(
                lambda messages: create_completion_response(writer.write(messages)), "chat", model_config, tokenizer,
                cache, kwargs.get("cache_key_creator"),
            )  # fmt: skip

        def completion(self, /, **kwargs: Any) -> Any:
            """The whole reply, or an iterator of one piece."""
            response = self._call(messages=kwargs["messages"])
            return iter([_chunk(response.content)]) if kwargs.get("stream") else _structured(response, kwargs)

        async def completion_async(self, /, **kwargs: Any) -> Any:
            """The whole reply, or an asynchronous iterator of one piece."""
            response = await self._call_async(messages=kwargs["messages"])
            return _pieces(response.content) if kwargs.get("stream") else _structured(response, kwargs)

        @property
        def metrics_store(self) -> Any:
            """Required by the interface."""
            return self._metrics_store

        @property
        def tokenizer(self) -> Any:
            """What graphrag measures its prompts with."""
            return self._tokenizer

    class Embedding(LLMEmbedding):  # type: ignore[misc]
        """Our encoder behind graphrag's interface, with its response cache."""

        def __init__(self, *, tokenizer: Any, metrics_store: Any, model_config: Any, **kwargs: Any) -> None:
            self._tokenizer, self._metrics_store = tokenizer, metrics_store
            self._call, self._call_async = _cached(
                lambda input: _vectors(embedder, input), "embedding", model_config, tokenizer,
                kwargs.get("cache"), kwargs.get("cache_key_creator"),
            )  # fmt: skip

        def embedding(self, /, **kwargs: Any) -> Any:
            """Vectors of ``input``."""
            return self._call(input=kwargs["input"])

        async def embedding_async(self, /, **kwargs: Any) -> Any:
            """Vectors of ``input``."""
            return await self._call_async(input=kwargs["input"])

        @property
        def metrics_store(self) -> Any:
            """Required by the interface."""
            return self._metrics_store

        @property
        def tokenizer(self) -> Any:
            """What graphrag measures its batches with."""
            return self._tokenizer

    register_completion(COMPLETION, Completion)
    register_embedding(EMBEDDING, Embedding)


def _cached(
    call: Callable[[Any], Any], kind: str, config: Any, tokenizer: Any, cache: Any, key: Any
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The call and its asynchronous twin, behind graphrag's cache if there is one."""

    def plain(**kwargs: Any) -> Any:
        return call(kwargs["messages" if kind == "chat" else "input"])

    async def later(**kwargs: Any) -> Any:
        return plain(**kwargs)

    pair: tuple[Callable[..., Any], Callable[..., Any]] = with_middleware_pipeline(
        model_config=config, model_fn=plain, async_model_fn=later, request_type=kind, cache=cache,
        cache_key_creator=key, tokenizer=tokenizer, metrics_processor=None, rate_limiter=None, retrier=None,
    )  # fmt: skip
    return pair


def _structured(response: LLMCompletionResponse[Any], kwargs: dict[str, Any]) -> LLMCompletionResponse[Any]:
    if (form := kwargs.get("response_format")) is not None:
        response.formatted_response = structure_completion_response(response.content, form)
    return response


def _vectors(embedder: Embedder, texts: Sequence[str]) -> LLMEmbeddingResponse:
    rows = embedder.encode(list(texts))
    data = [{"object": "embedding", "index": i, "embedding": row.tolist()} for i, row in enumerate(rows)]
    usage = {"prompt_tokens": 0, "total_tokens": 0}
    return LLMEmbeddingResponse(object="list", data=data, model=embedder.name, usage=usage)


def _chunk(text: str) -> LLMCompletionChunk:
    choice = LLMChoiceChunk(index=0, delta=LLMChoiceDelta(content=text), finish_reason="stop")
    return LLMCompletionChunk(id="labkit", object="chat.completion.chunk", created=0, model="labkit", choices=[choice])


async def _pieces(text: str) -> AsyncIterator[LLMCompletionChunk]:
    yield _chunk(text)


def _prompt(messages: str | Sequence[dict[str, Any]]) -> tuple[str, str]:
    """The prompt and the question asked with it, if any."""
    if isinstance(messages, str):
        return messages, ""
    texts = [str(message["content"]) for message in messages]
    return texts[0], texts[-1] if len(texts) > 1 else ""


@lru_cache(maxsize=16)
def _pattern(template: str) -> re.Pattern[str]:
    """What fits a format string: fields are whatever stands in their place, the same wherever they repeat."""
    parts: list[str] = []
    seen: set[str] = set()
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(re.escape(literal))
        if name:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>.*)")
            seen.add(name)
    return re.compile("".join(parts), re.DOTALL)


def _match(template: str, prompt: str) -> dict[str, str] | None:
    """What stands in the fields of a format string, or None if the prompt was not made of it."""
    found = _pattern(template).fullmatch(prompt)
    return found.groupdict() if found else None
