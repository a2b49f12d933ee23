"""Chat over any OpenAI-compatible endpoint (vLLM, TGI, Ollama, ``transformers serve``), by the official client.

It knows the protocol, not the model: how long a prompt may be is the server's business, and its refusal is passed on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from labkit.errors import EndpointError, InputError
from labkit.schema import ChatReply, Message, RequestContext, Usage

if TYPE_CHECKING:
    import openai

T = TypeVar("T")

_RETRY_WAIT_S = 0.5  # doubled after every attempt
_CHARS_PER_TOKEN = 4  # for budgets of streamed replies, whose usage most servers do not report


class Endpoint:
    """One OpenAI-compatible server: calls it within the request's time, retries what may pass, explains what failed.

    Args:
        url: base URL ending in ``/v1``.
        api_key: sent as bearer token; local servers take anything.
        timeout_s: longest wait for a single read when the request sets no earlier deadline.
        retries: further attempts after a connection error, a timeout, 429 or 5xx.
    """

    def __init__(self, url: str, *, api_key: str = "not-needed", timeout_s: float = 120.0, retries: int = 2) -> None:
        import openai

        self.url, self.timeout_s, self.retries = url.rstrip("/"), timeout_s, retries
        # Retries are ours: the client's own would each take the full timeout and overrun the deadline.
        self.client = openai.OpenAI(base_url=self.url, api_key=api_key, timeout=timeout_s, max_retries=0)

    def call(self, what: str, send: Callable[[float], T], ctx: RequestContext | None = None) -> T:
        """Return ``send(timeout)``, retried while there is time.

        Raises:
            EndpointError: it kept failing, or refused.
            DeadlineExceeded, Cancelled: the request ended first.
        """
        import openai

        for attempt in range(self.retries + 1):
            if ctx is not None:
                ctx.check()
            try:
                return send(self._seconds_left(ctx))
            except openai.APIError as error:
                wait = _RETRY_WAIT_S * 2**attempt
                if attempt == self.retries or not _may_pass(error) or wait >= self._seconds_left(ctx):
                    if ctx is not None:
                        ctx.check()  # a timeout caused by the deadline is the deadline's fault, not the server's
                    self.fail(what, error)
                _sleep(wait, ctx)
        raise AssertionError("the loop returns or raises")

    def fail(self, what: str, error: openai.APIError) -> NoReturn:
        """Raise the EndpointError that explains ``error``."""
        import openai

        status = getattr(error, "status_code", None)
        if isinstance(error, openai.APITimeoutError):
            reason, todo = "did not answer in time", "Allow more time or look at the server's load."
        elif isinstance(error, openai.APIConnectionError):
            reason, todo = "cannot be reached", "Start the server or correct its URL."
        elif status in (401, 403):
            reason, todo = f"refused the key (HTTP {status})", "Set the API key it expects."
        elif status == 404:
            reason, todo = (
                "knows no such model or path (HTTP 404)",
                "Check the model name, and that the URL ends in /v1.",
            )
        else:
            reason = f"failed (HTTP {status}: {error.message})" if status else f"failed: {error.message}"
            todo = "Look at the server's log."
        raise EndpointError(f"The {what} endpoint {reason}", where=self.url, todo=todo) from error

    def _seconds_left(self, ctx: RequestContext | None) -> float:
        if ctx is None or ctx.deadline is None:
            return self.timeout_s
        return max(0.001, min(self.timeout_s, ctx.deadline - time.monotonic()))


class HttpChat:
    """Implements :class:`labkit.schema.ChatModel` over an endpoint. Greedy (temperature 0).

    Args:
        url: base URL ending in ``/v1``.
        model: the model's name there.
        api_key: sent as bearer token.
        timeout_s: longest wait for a single read.
        retries: further attempts after a failure that may pass.
    """

    def __init__(
        self, url: str, *, model: str, api_key: str = "not-needed", timeout_s: float = 120.0, retries: int = 2
    ) -> None:
        self.name = model
        self._endpoint = Endpoint(url, api_key=api_key, timeout_s=timeout_s, retries=retries)

    def chat(self, messages: Sequence[Message], *, max_tokens: int = 64, ctx: RequestContext) -> ChatReply:
        """Answer a conversation.

        Raises:
            EndpointError: the server failed, refused or answered with something else than a chat completion.
            BudgetExceeded, DeadlineExceeded, Cancelled: the request's own limits.
        """
        _require(messages, max_tokens)
        completion = self._endpoint.call(
            "chat",
            lambda timeout: self._endpoint.client.chat.completions.create(
                model=self.name, messages=cast("Any", messages), max_tokens=max_tokens, temperature=0, timeout=timeout
            ),
            ctx,
        )
        if not getattr(completion, "choices", None):
            raise EndpointError(
                "The chat endpoint sent no answer",
                where=self._endpoint.url,
                todo="Check that it speaks the OpenAI API.",
            )
        choice, spent = completion.choices[0], completion.usage
        usage = Usage(
            prompt_tokens=spent.prompt_tokens if spent else 0, completion_tokens=spent.completion_tokens if spent else 0
        )
        if ctx.budget is not None:
            ctx.budget.spend(usage)
        return ChatReply(text=choice.message.content or "", usage=usage, finish_reason=choice.finish_reason)

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 64, ctx: RequestContext) -> Iterator[str]:
        """As :meth:`chat`, piece by piece. The budget is charged an estimate: servers seldom report usage here."""
        import openai

        _require(messages, max_tokens)
        chunks = self._endpoint.call(
            "chat",
            lambda timeout: self._endpoint.client.chat.completions.create(
                model=self.name,
                messages=cast("Any", messages),
                max_tokens=max_tokens,
                temperature=0,
                timeout=timeout,
                stream=True,
            ),
            ctx,
        )
        pieces = 0
        try:
            with closing(chunks):
                for chunk in chunks:
                    ctx.check()
                    piece = chunk.choices[0].delta.content if chunk.choices else None
                    if piece:
                        pieces += 1
                        yield piece
        except openai.APIError as error:
            self._endpoint.fail("chat", error)
        finally:
            if ctx.budget is not None:
                sent = sum(len(message["content"]) for message in messages)
                ctx.budget.spend(Usage(prompt_tokens=sent // _CHARS_PER_TOKEN, completion_tokens=pieces))


def _require(messages: Sequence[Message], max_tokens: int) -> None:
    if not messages:
        raise InputError("There are no messages to answer", todo='Send at least {"role": "user", "content": …}.')
    if max_tokens < 1:
        raise InputError(f"max_tokens is {max_tokens}", todo="Ask for at least one token.")


def _may_pass(error: openai.APIError) -> bool:
    import openai

    if isinstance(error, openai.APIConnectionError):  # timeouts are a kind of it
        return True
    return isinstance(error, openai.APIStatusError) and (error.status_code == 429 or error.status_code >= 500)


def _sleep(seconds: float, ctx: RequestContext | None) -> None:
    if ctx is None:
        time.sleep(seconds)
    elif ctx.cancel.wait(seconds):
        ctx.check()
