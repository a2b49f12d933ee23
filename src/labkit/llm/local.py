"""A chat model in this process: greedy, streaming, one request at a time.

An engine (:mod:`labkit.llm.engine`) produces the tokens. What is around it lives here: the chat template, limits of
context, budget and time, when to stop, which adapter and which format a reply is written with. One copy of the
weights serves a chat and all its adapted views.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import BudgetExceeded, InputError, ModelError
from labkit.llm.constrain import Constraint, Speller, Vocabulary
from labkit.llm.engine import Device, Engine, engine
from labkit.llm.lora import Lora, read_lora
from labkit.models import ModelFiles
from labkit.schema import ChatReply, Message, RequestContext, Usage

if TYPE_CHECKING:
    from pathlib import Path

_ROLES = {"system", "user", "assistant"}


class LocalChat:
    """Implements :class:`labkit.schema.ChatModel` over a folder of weights. Safe to share between threads.

    Args:
        files: from :func:`labkit.models.resolve`.
        device: ``auto`` takes CUDA when PyTorch sees it and is needed anyway, else the CPU.
        threads: CPU threads; 0 takes the cores that are idle when the weights are read.
        enough: told the text so far; when it says yes the answer ends, as if the model had stopped. A reader that
            keeps one sentence need not wait for the next ones.
    """

    def __init__(
        self,
        files: ModelFiles,
        *,
        device: Device = "auto",
        threads: int = 0,
        enough: Callable[[str], bool] | None = None,
    ) -> None:
        self.name = files.version
        self.adapter: Lora | None = None
        self._base = _Base(files, device, threads)
        self._text = self._base.text
        self._enough = enough

    def load(self) -> None:
        """Read the weights now instead of at the first question; does nothing the second time."""
        self._base.engine()

    def adapted(self, folder: Path) -> LocalChat:
        """This chat with the LoRA adapter of a folder: a view that shares the weights, named ``base+task@hash``.

        Raises:
            ModelError: the folder holds no usable adapter, see :func:`labkit.llm.lora.read_lora`.
            ModelMismatch: it was made for another base.
            InputError: this chat is adapted already.
        """
        if self.adapter is not None:
            raise InputError(f"{self.name} has an adapter already", todo="Adapt the base instead.")
        view = copy.copy(self)
        view.adapter = read_lora(folder, self._base.files)
        view.name = f"{self.name}+{view.adapter.version}"
        view._enough = None  # an adapter was taught where to stop
        return view

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int = 64,
        ctx: RequestContext,
        constraint: Constraint | None = None,
    ) -> ChatReply:
        """Answer a conversation, in the format of ``constraint`` if there is one.

        A reply whose finish reason is ``length`` may be only the beginning of a text of that format.

        Raises:
            InputError: no messages, an unknown role, or a prompt too long for the model's context.
            ModelError: the tokenizer cannot be constrained.
            BudgetExceeded, DeadlineExceeded, Cancelled: the request's own limits; checked before every token.
        """
        prompt = self._prompt(messages, max_tokens, ctx)
        produced: list[int] = []
        finish_reason = "length"
        try:
            for token in self._tokens(prompt, max_tokens, ctx, constraint):
                if token in self._text.end:
                    finish_reason = "stop"
                    break
                produced.append(token)
                if self._enough is not None and self._enough(self._text.decode(produced)):
                    finish_reason = "stop"
                    break
        finally:
            usage = Usage(prompt_tokens=len(prompt), completion_tokens=len(produced))
            if ctx.budget is not None:
                ctx.budget.spend(usage)
        return ChatReply(text=self._text.decode(produced), usage=usage, finish_reason=finish_reason)

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int = 64,
        ctx: RequestContext,
        constraint: Constraint | None = None,
    ) -> Iterator[str]:
        """As :meth:`chat`, piece by piece as the model produces it; raises the same errors."""
        prompt = self._prompt(messages, max_tokens, ctx)
        produced: list[int] = []
        sent = ""
        try:
            for token in self._tokens(prompt, max_tokens, ctx, constraint):
                if token in self._text.end:
                    break
                produced.append(token)
                text = self._text.decode(produced)
                if not text.endswith("\ufffd"):  # else: half a character, its other bytes are still to come
                    yield text[len(sent) :]
                    sent = text
                if self._enough is not None and self._enough(text):
                    break
            yield from filter(None, [self._text.decode(produced)[len(sent) :]])
        finally:
            if ctx.budget is not None:
                ctx.budget.spend(Usage(prompt_tokens=len(prompt), completion_tokens=len(produced)))

    def score(self, messages: Sequence[Message], choices: Sequence[str], ctx: RequestContext) -> list[float]:
        """How likely each of ``choices`` is as the beginning of the reply, compared with the others.

        The probabilities of a choice's tokens are multiplied, then the products divided by their sum. They compare
        choices of about the same length fairly, such as yes and no; a longer one starts at a disadvantage.

        Returns:
            One number per choice, from 0 to 1; together 1.

        Raises:
            InputError: no choices or an empty one; and what :meth:`chat` refuses.
            BudgetExceeded, DeadlineExceeded, Cancelled: the request's own limits; checked before the model runs.
        """
        if not choices or not all(choices):
            raise InputError(f"Not choices to score: {list(choices)!r}", todo="Name one or more texts.")
        continuations = [self._text.encode_piece(choice) for choice in choices]
        prompt = self._prompt(messages, sum(map(len, continuations)), ctx)
        with self._base.running:
            ctx.check()
            found = self._base.engine().log_probabilities(prompt, continuations, self.adapter)
        if ctx.budget is not None:
            ctx.budget.spend(Usage(prompt_tokens=len(prompt), completion_tokens=sum(map(len, continuations))))
        shares = np.exp(np.array(found) - max(found))
        return [float(share) for share in shares / shares.sum()]

    def _prompt(self, messages: Sequence[Message], max_tokens: int, ctx: RequestContext) -> list[int]:
        if max_tokens < 1:
            raise InputError(f"max_tokens is {max_tokens}", todo="Ask for at least one token.")
        ctx.check()
        prompt, context = self._text.encode(messages), self._base.engine().context
        if len(prompt) + max_tokens > context:
            raise InputError(
                f"The prompt has {len(prompt)} tokens; {context - max_tokens} fit beside an answer of {max_tokens}",
                where=self.name,
                todo="Give it fewer passages or a shorter question.",
            )
        if ctx.budget is not None and len(prompt) + max_tokens > ctx.budget.remaining:
            raise BudgetExceeded(
                f"The call may need {len(prompt) + max_tokens} tokens, {ctx.budget.remaining} are left",
                todo="Ask a shorter question or raise the budget.",
            )
        return prompt

    def _tokens(
        self, prompt: list[int], max_tokens: int, ctx: RequestContext, constraint: Constraint | None
    ) -> Iterator[int]:
        choose = None if constraint is None else Speller(self._text.vocabulary, constraint)
        with self._base.running:
            ctx.check()
            for token in self._base.engine().generate(prompt, max_tokens, self.adapter, choose):
                ctx.check()
                yield token


class _Base:
    """What a chat and its adapted views share: the weights, read when first needed, and their lock."""

    def __init__(self, files: ModelFiles, device: Device, threads: int) -> None:
        self.files, self.text = files, _Text(files.path)
        self.running = threading.Lock()  # one generation at a time: they would only share the same cores
        self._device, self._threads = device, threads
        self._loading = threading.Lock()
        self._engine: Engine | None = None

    def engine(self) -> Engine:
        with self._loading:
            if self._engine is None:
                self._engine = engine(self.files.path, self._device, self._threads)
            return self._engine


class _Text:
    """The model's tokenizer and chat template."""

    def __init__(self, folder: Path) -> None:
        from jinja2.sandbox import ImmutableSandboxedEnvironment
        from tokenizers import Tokenizer

        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        template_file = folder / "chat_template.jinja"
        template = template_file.read_text(encoding="utf-8") if template_file.is_file() else config.get("chat_template")
        if not isinstance(template, str):
            raise ModelError(
                "The model has no chat template", where=folder.name, todo="Use an instruction-tuned model."
            )
        # The environment transformers renders templates in: a template is somebody else's program.
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        self._template = environment.from_string(template)
        self._names = {part: _token_text(config.get(part)) for part in ("bos_token", "eos_token")}
        self.end = self._end_tokens(folder)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the rendered conversation, ready for the assistant's turn."""
        if not messages:
            raise InputError("There are no messages to answer", todo='Send at least {"role": "user", "content": …}.')
        for message in messages:
            if message.get("role") not in _ROLES or "content" not in message:
                raise InputError(f"Not a chat message: {message!r}", todo="Give each a role and content.")
        text = self._template.render(messages=messages, add_generation_prompt=True, **self._names)
        return self.encode_piece(text)

    def encode_piece(self, text: str) -> list[int]:
        """Token ids of a text by itself."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What each token writes; made for the first reply that is constrained."""
        return Vocabulary(self._tokenizer, self.end)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of produced tokens, without special tokens."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def _end_tokens(self, folder: Path) -> frozenset[int]:
        found: set[int | None] = set()
        generation = folder / "generation_config.json"
        if generation.is_file():
            ids = json.loads(generation.read_text(encoding="utf-8")).get("eos_token_id")
            found.update([ids] if isinstance(ids, int) else ids or [])
        if self._names["eos_token"]:
            found.add(self._tokenizer.token_to_id(self._names["eos_token"]))
        return frozenset(token for token in found if token is not None)


def _token_text(token: Any) -> str:
    return token.get("content", "") if isinstance(token, dict) else token or ""


def _refuse(message: str) -> None:
    raise InputError(f"The model's chat template refuses this conversation: {message}")
