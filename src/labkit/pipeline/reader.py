"""Lets a tuned model answer: it quotes the passages and answers in a few words, or says that they do not tell.

It takes the place of the rules that decide whether to answer, of the untuned model's sentence, and of the search for
that sentence's evidence: the ``answer`` adapter (:mod:`labkit.tune`) has learned all three. In this
process a quotation is held to the passage while it is written; behind an endpoint it is looked for there afterwards.
Whether it answers the question is what the model has learned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from labkit.llm.constrain import Quotations
from labkit.llm.local import LocalChat
from labkit.llm.tasks import Cited, Quote, cited, numbered, prompt_of, titled
from labkit.pipeline.attribute import cite
from labkit.pipeline.select import Passage, shown
from labkit.retrieve.text import content_words, share
from labkit.schema import ChatModel, ChatReply, Citation, RequestContext

MAX_TOKENS = 160
"""Longest reply, in the chat model's tokens: three quotations and a short answer."""


class Reading(NamedTuple):
    """What the model made of a question: its reply as it came, and as it is understood."""

    reply: ChatReply
    cited: Cited


class Reader:
    """Asks a model tuned for the ``answer`` task.

    Args:
        chat: the adapted model, in this process or behind an endpoint.
        constrained: hold its reply to the format while it is written; only models in this process can be.
    """

    def __init__(self, chat: ChatModel, *, constrained: bool = True) -> None:
        self._chat, self._constrained = chat, constrained
        self._prompt = prompt_of("answer")
        self.name, self.prompt = chat.name, self._prompt.version

    def __call__(self, question: str, passages: Sequence[Passage], ctx: RequestContext) -> Reading:
        """Read the passages.

        Raises:
            EndpointError: the model's endpoint failed.
            BudgetExceeded, DeadlineExceeded, Cancelled: the request's own limits.
        """
        messages = self._prompt.messages(passages=numbered([shown(one) for one in passages]), question=question)
        if isinstance(self._chat, LocalChat) and self._constrained:
            form = Quotations([titled(shown(one)) for one in passages])
            reply = self._chat.chat(messages, max_tokens=MAX_TOKENS, ctx=ctx, constraint=form)
        else:
            reply = self._chat.chat(messages, max_tokens=MAX_TOKENS, ctx=ctx)
        return Reading(reply, cited(reply.text, len(passages)))


def quoted(quote: Quote, passage: Passage) -> Citation:
    """Where a quotation stands in its passage; else the sentence there that holds most of its words."""
    words = r"\s+".join(map(re.escape, quote.words.split()))
    match = re.search(words, passage.text)
    if match is not None:
        at = passage.chunk.start + passage.sentences[0].start
        return Citation(
            chunk_id=passage.chunk.chunk_id, source_path=passage.chunk.source_path,
            start=at + match.start(), end=at + match.end(), quote=match[0],
        )  # fmt: skip
    wanted = content_words(quote.words)  # it is from the title, or a model without constraint was not exact
    best = max(passage.sentences, key=lambda sentence: share(wanted, content_words(sentence.text)))
    return cite(passage.chunk, best, best)
