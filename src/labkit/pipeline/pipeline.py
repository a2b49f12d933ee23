"""The question-answering system: named stages, each timed, traced and replaceable.

``facts``, and where they are silent ``retrieve → select → judge → generate → attribute``; with a tuned ``reader`` the
last three are one stage, ``read``. An answer leaves only with a citation that supports it. When the model's sentence is
not supported by what it read, or the model cannot be reached, the nearest sentence of the documents is quoted instead;
when the passages do not bear on the question at all, the system says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeAlias

from labkit.errors import EndpointError
from labkit.llm import Prompt, load_prompt
from labkit.pipeline.abstain import EvidenceRule, Verdict
from labkit.pipeline.attribute import Attributor, Support, quote
from labkit.pipeline.reader import Reader, stated
from labkit.pipeline.select import Passage
from labkit.retrieve.rewrite import asked_day
from labkit.retrieve.store import check_search
from labkit.retrieve.text import is_rambling, sentences
from labkit.schema import (
    Answer,
    ChatModel,
    ChatReply,
    Hit,
    RequestContext,
    Retriever,
    StageHook,
    Usage,
    Versions,
)

ABSTENTION = "I could not find that in the documents you may read."
"""What is said when nothing was found. It does not reveal whether documents the asker may not read hold it."""

HITS = 20
"""Passages asked of the retriever."""

MAX_TOKENS = 64
"""Longest answer, in the chat model's tokens."""

LookUp: TypeAlias = Callable[[str, RequestContext], Answer | None]
Select: TypeAlias = Callable[[str, Sequence[Hit], RequestContext], list[Passage]]
Judge: TypeAlias = Callable[[str, Sequence[Passage]], Verdict]
Attribute: TypeAlias = Callable[[str, str, Sequence[Passage]], Support | None]


class Pipeline:
    """Implements :class:`labkit.schema.Answerer`.

    Args:
        retriever: finds passages under the request's access and date.
        chat: phrases the answer.
        facts: answers without passages what it can; None leaves everything to them.
        select: chooses and cuts what the model reads.
        judge: decides whether that can hold an answer.
        attribute: finds the sentence an answer rests on.
        reader: a tuned model that decides, answers and cites; judge, chat and attribute are then not asked.
        prompt: what the model is told.
        versions: index and world the answers are stamped with; model and prompt are filled in.
        hits: passages asked of the retriever.
        max_tokens: longest answer.
        hooks: called as ``hook(stage, ctx)`` before every stage.
    """

    def __init__(
        self,
        retriever: Retriever,
        chat: ChatModel,
        *,
        facts: LookUp | None = None,
        select: Select,
        judge: Judge | None = None,
        attribute: Attribute | None = None,
        reader: Reader | None = None,
        prompt: Prompt | None = None,
        versions: Versions | None = None,
        hits: int = HITS,
        max_tokens: int = MAX_TOKENS,
        hooks: Sequence[StageHook] = (),
    ) -> None:
        self._retriever, self._chat, self._facts, self._select = retriever, chat, facts, select
        self._judge = judge or EvidenceRule()
        self._attribute = attribute or Attributor()
        self._reader = reader
        self._prompt = prompt or load_prompt("answer")
        self._hits, self._max_tokens, self._hooks = hits, max_tokens, tuple(hooks)
        model, told = (reader.name, reader.prompt) if reader else (chat.name, self._prompt.version)
        self.versions = (versions or Versions()).model_copy(update={"model": model, "prompt": told})

    def ask(self, question: str, ctx: RequestContext) -> Answer:
        """Answer a question from the documents ``ctx`` may read, with a citation, or abstain.

        A question that says *as of* an earlier day is answered from what was in force then.

        ``confidence`` is the lowest of three shares: similarity of the nearest sentence, question words found in the
        passages, answer words found in the cited sentence. It orders answers; it is not yet a probability. Of an answer
        by facts it is how likely that is what was asked.

        Raises:
            InputError: the question is empty or too long.
            Cancelled, DeadlineExceeded, BudgetExceeded: the request's own limits.
        """
        question = check_search(question, self._hits)
        day = asked_day(question)
        if day is not None and day < ctx.as_of:
            ctx = replace(ctx, as_of=day)
        timings: dict[str, float] = {}
        answer = Answer(text=ABSTENTION, abstained=True, route="abstain", versions=self.versions)

        if self._facts is not None:
            with self._stage("facts", ctx, timings):
                known = self._facts(question, ctx)
            if known is not None:
                return self._finish(known.model_copy(update={"versions": self.versions}), timings, ctx)
        with self._stage("retrieve", ctx, timings):
            hits = self._retriever.search(question, self._hits, ctx)
        with self._stage("select", ctx, timings):
            passages = self._select(question, hits, ctx)
        if self._reader is not None:
            with self._stage("read", ctx, timings):
                answer = self._read(self._reader, question, passages, ctx)
            return self._finish(answer, timings, ctx)
        with self._stage("judge", ctx, timings):
            verdict = self._judge(question, passages)
        if not verdict.answerable:
            return self._finish(answer, timings, ctx)

        with self._stage("generate", ctx, timings):
            reply = self._generate(question, passages, ctx)
        degraded = () if reply is not None else ("generate",)
        usage = reply.usage if reply is not None else Usage()
        with self._stage("attribute", ctx, timings):
            text = first_sentence(reply.text) if reply is not None and not is_rambling(reply.text) else ""
            support = self._attribute(question, text, passages) if text else None
        route = "generate"
        if support is None:
            route, support = "quote", quote(question, passages)
            if support is None:
                return self._finish(answer.model_copy(update={"degraded": degraded, "usage": usage}), timings, ctx)
            text = support.citation.quote
        answer = Answer(
            text=text,
            citations=(support.citation,),
            confidence=max(0.0, min(1.0, verdict.similarity, verdict.coverage, support.share)),
            route=route,
            degraded=degraded,
            usage=usage,
            versions=self.versions,
        )
        return self._finish(answer, timings, ctx)

    def _read(self, reader: Reader, question: str, passages: Sequence[Passage], ctx: RequestContext) -> Answer:
        """What the tuned model says; where its endpoint is down, the nearest sentence or nothing."""
        silent = Answer(text=ABSTENTION, abstained=True, route="abstain", versions=self.versions)
        if not passages:
            return silent
        try:
            reply, said = reader(question, passages, ctx)
        except EndpointError:
            silent = silent.model_copy(update={"degraded": ("read",)})
            support = quote(question, passages) if self._judge(question, passages).answerable else None
            if support is None:
                return silent
            found = {"text": support.citation.quote, "citations": (support.citation,), "abstained": False}
            return silent.model_copy(update={**found, "route": "quote"})
        if not said.text:
            return silent.model_copy(update={"usage": reply.usage})
        citations = tuple(stated(passages[place - 1]) for place in said.places)
        nearest = max(passages[place - 1].similarity for place in said.places)
        return Answer(
            text=said.text, citations=citations, confidence=max(0.0, min(1.0, nearest)), route="read",
            usage=reply.usage, versions=self.versions,
        )  # fmt: skip

    def _generate(self, question: str, passages: Sequence[Passage], ctx: RequestContext) -> ChatReply | None:
        """The model's reply, or None when its endpoint is down: the sources can still be shown."""
        shown = "\n\n".join(f"{_title(passage)}:\n{passage.text}" for passage in passages)
        messages = self._prompt.messages(passages=shown, question=question)
        try:
            return self._chat.chat(messages, max_tokens=self._max_tokens, ctx=ctx)
        except EndpointError:
            return None

    def _finish(self, answer: Answer, timings: dict[str, float], ctx: RequestContext) -> Answer:
        return answer.model_copy(update={"timings": timings, "trace_id": ctx.trace.trace_id})

    @contextmanager
    def _stage(self, name: str, ctx: RequestContext, timings: dict[str, float]) -> Iterator[None]:
        ctx.check()
        started = time.perf_counter()
        with ctx.trace.span(name):
            for hook in self._hooks:
                hook(name, ctx)
            yield
        timings[name] = time.perf_counter() - started


def first_sentence(text: str) -> str:
    """The first sentence of a reply, without the marks a model puts around it; small models ramble after it."""
    found = sentences(_without_echo(text))
    return found[0].text.strip('"*` ') if found else ""


def is_answered(text: str) -> bool:
    """Whether a reply has its first sentence complete and another begun: nothing after it will be used."""
    return len(sentences(_without_echo(text))) > 1


def _without_echo(text: str) -> str:
    """A reply without the headings, tags and labels that a model copies before it answers."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    while len(lines) > 1 and (lines[0].rstrip().endswith(":") or lines[0].lstrip().startswith("<")):
        lines.pop(0)
    return "\n".join(lines).removeprefix("Answer:").lstrip()


def _title(passage: Passage) -> str:
    return " > ".join(passage.chunk.heading_path) or passage.chunk.source_path
