"""Lets a tuned model answer: it quotes the answer from a sentence and names that, or says that none answers.

It takes the place of the rules that decide whether to answer, of the untuned model's sentence, and of the search for
that sentence's evidence: the ``answer`` adapter (:mod:`labkit.tune`) has learned all three. In this process a quotation
is held to what was shown while it is written. Whether it answers the question is what the model has learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from labkit.llm.constrain import Quotations
from labkit.llm.local import LocalChat
from labkit.llm.tasks import Cited, cited, numbered, prompt_of
from labkit.pipeline.attribute import cite
from labkit.pipeline.select import Passage, shown
from labkit.schema import ChatModel, ChatReply, Citation, RequestContext

MAX_TOKENS = 96
"""Longest reply, in the chat model's tokens: a few values and a short answer."""


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
            form = Quotations([one.text for one in passages])
            reply = self._chat.chat(messages, max_tokens=MAX_TOKENS, ctx=ctx, constraint=form)
        else:
            reply = self._chat.chat(messages, max_tokens=MAX_TOKENS, ctx=ctx)
        said = cited(reply.text, len(passages))
        texts = [" ".join(one.text.split()) for one in passages]
        if reply.finish_reason == "length" or not all(
            " ".join(quote.words.split()) in texts[quote.place - 1] for quote in said.quotes
        ):
            said = Cited("", ())  # cut off; or a model without constraint named a sentence that does not say so
        return Reading(reply, said)


def stated(passage: Passage) -> Citation:
    """All of the sentences of a passage that is cited."""
    return cite(passage.chunk, passage.sentences[0], passage.sentences[-1])
