"""A chat model in this process: greedy, streaming, one request at a time.

Two engines produce tokens. Plain Llama checkpoints on a CPU (SmolLM2 is one) run in :mod:`labkit.llm.decoder`, which
starts in half a second; every other architecture, and CUDA, runs in transformers. Both read the same folder. What
is common to them lives here: the chat template, limits of context, budget and time, and when to stop.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

from labkit.errors import BudgetExceeded, InputError, ModelError
from labkit.llm.decoder import Decoder, is_supported
from labkit.models import ModelFiles, go_offline
from labkit.schema import ChatReply, Message, RequestContext, Usage

if TYPE_CHECKING:
    from pathlib import Path

Device = Literal["auto", "cpu", "cuda"]

_LOOK_S = 0.15  # how long other processes are watched; the clock they are counted by ticks every 0.01 s
_ROLES = {"system", "user", "assistant"}


class Engine(Protocol):
    """Turns token ids into the next ones, most likely first."""

    context: int

    def generate(self, prompt: Sequence[int], max_tokens: int) -> Iterator[int]:
        """Yield up to ``max_tokens`` next tokens."""
        ...


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
        self._folder, self._device, self._threads = files.path, device, threads
        self._loading = threading.Lock()
        self._running = threading.Lock()  # one generation at a time: they would only share the same cores
        self._engine: Engine | None = None
        self._text = _Text(files.path)
        self._enough = enough

    def load(self) -> None:
        """Read the weights now instead of at the first question; does nothing the second time."""
        with self._loading:
            if self._engine is None:
                self._engine = _engine(self._folder, self._device, self._threads)

    def chat(self, messages: Sequence[Message], *, max_tokens: int = 64, ctx: RequestContext) -> ChatReply:
        """Answer a conversation.

        Raises:
            InputError: no messages, an unknown role, or a prompt too long for the model's context.
            BudgetExceeded, DeadlineExceeded, Cancelled: the request's own limits; checked before every token.
        """
        prompt = self._prompt(messages, max_tokens, ctx)
        produced: list[int] = []
        finish_reason = "length"
        try:
            for token in self._tokens(prompt, max_tokens, ctx):
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

    def stream(self, messages: Sequence[Message], *, max_tokens: int = 64, ctx: RequestContext) -> Iterator[str]:
        """As :meth:`chat`, piece by piece as the model produces it; raises the same errors."""
        prompt = self._prompt(messages, max_tokens, ctx)
        produced: list[int] = []
        sent = ""
        try:
            for token in self._tokens(prompt, max_tokens, ctx):
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

    def _prompt(self, messages: Sequence[Message], max_tokens: int, ctx: RequestContext) -> list[int]:
        if max_tokens < 1:
            raise InputError(f"max_tokens is {max_tokens}", todo="Ask for at least one token.")
        ctx.check()
        self.load()
        assert self._engine is not None
        prompt = self._text.encode(messages)
        room = self._engine.context - len(prompt) - max_tokens
        if room < 0:
            raise InputError(
                f"The prompt has {len(prompt)} tokens; {self._engine.context - max_tokens} fit beside an answer of "
                f"{max_tokens}",
                where=self.name,
                todo="Give it fewer passages or a shorter question.",
            )
        if ctx.budget is not None and len(prompt) + max_tokens > ctx.budget.remaining:
            raise BudgetExceeded(
                f"The call may need {len(prompt) + max_tokens} tokens, {ctx.budget.remaining} are left",
                todo="Ask a shorter question or raise the budget.",
            )
        return prompt

    def _tokens(self, prompt: list[int], max_tokens: int, ctx: RequestContext) -> Iterator[int]:
        assert self._engine is not None
        with self._running:
            ctx.check()
            for token in self._engine.generate(prompt, max_tokens):
                ctx.check()
                yield token


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
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

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


def _engine(folder: Path, device: Device, threads: int) -> Engine:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if device != "cuda" and is_supported(config) and not (device == "auto" and _cuda_present()):
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

        threadpool_limits(threads or _idle_cores(), user_api="blas")
        return _decoder(folder)
    return _TransformersEngine(folder, device, threads)


@lru_cache(maxsize=1)
def _decoder(folder: Path) -> Decoder:
    """One copy of the weights for all chats of this process; a decoder keeps nothing between two calls."""
    return Decoder(folder)


def _idle_cores() -> int:
    """Cores that nobody else is busy on, at least one.

    NumPy's BLAS threads wait for each other by spinning: with more of them than free cores a token takes five times
    as long as with one thread. The number changes the speed and not one bit of the result.
    """
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ours, everybody, started = psutil.Process(), psutil.cpu_times(), time.monotonic()
    own = sum(ours.cpu_times()[:2])
    time.sleep(_LOOK_S)
    idle = psutil.cpu_times().idle - everybody.idle
    free = (idle + sum(ours.cpu_times()[:2]) - own) / (time.monotonic() - started)
    return max(1, min(cores, int(free + 0.5)))


def _cuda_present() -> bool:
    """Whether an NVIDIA driver is loaded. Asking PyTorch would import it, two seconds a CPU start need not pay."""
    import shutil

    if shutil.which("nvidia-smi") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


class _TransformersEngine:
    """Any causal language model that transformers can load."""

    def __init__(self, folder: Path, device: Device, threads: int) -> None:
        go_offline()
        import torch
        from transformers import AutoModelForCausalLM

        if device == "cuda" and not torch.cuda.is_available():
            raise ModelError(
                "PyTorch sees no CUDA device", where="LABKIT_DEVICE", todo="Set it to auto or cpu, or check the driver."
            )
        if threads:
            torch.set_num_threads(threads)
        self._torch = torch
        self._device = "cpu" if device == "cpu" or not torch.cuda.is_available() else "cuda"
        # bf16 halves what every token must read from memory; where the CPU lacks it PyTorch emulates it correctly.
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).to(self._device).eval()
        self.context = int(self._model.config.max_position_embeddings)

    def generate(self, prompt: Sequence[int], max_tokens: int) -> Iterator[int]:
        torch = self._torch
        ids, past = torch.tensor([list(prompt)], device=self._device), None
        for _ in range(max_tokens):
            with torch.inference_mode():
                out = self._model(ids, past_key_values=past, use_cache=True, logits_to_keep=1)
            past, ids = out.past_key_values, out.logits[:, -1:].argmax(dim=-1)
            yield int(ids)
