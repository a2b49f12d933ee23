"""What turns token ids into the next ones, in this process: the choice of engine, and the one for everything else.

Plain Llama checkpoints on a CPU (SmolLM2 is one) run in :mod:`labkit.llm.decoder`, which starts in half a second;
every other architecture, and CUDA, runs in transformers. Both read the same folder. An engine does one thing at a
time and knows nothing about text; whoever shares it between threads brings the lock.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from labkit.errors import ModelError
from labkit.llm.decoder import Choose, Decoder, is_supported
from labkit.models import go_offline

if TYPE_CHECKING:
    from pathlib import Path

    from labkit.llm.lora import Lora

Device = Literal["auto", "cpu", "cuda"]

_LOOK_S = 0.15  # how long other processes are watched; the clock they are counted by ticks every 0.01 s


class Engine(Protocol):
    """Turns token ids into the next ones, most likely first."""

    context: int

    def generate(
        self, prompt: Sequence[int], max_tokens: int, adapter: Lora | None = None, choose: Choose | None = None
    ) -> Iterator[int]:
        """Yield up to ``max_tokens`` next tokens: the most likely ones, or what ``choose`` picks."""
        ...

    def log_probabilities(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: Lora | None = None
    ) -> list[float]:
        """Natural logarithm of the probability that each continuation follows ``prompt``."""
        ...


def engine(folder: Path, device: Device, threads: int) -> Engine:
    """The engine for a folder of weights; see :class:`labkit.llm.local.LocalChat` for the arguments.

    Raises:
        ModelError: CUDA is asked for and absent, or the weights are damaged.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if device != "cuda" and is_supported(config) and not (device == "auto" and _cuda_present()):
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

        threadpool_limits(threads or _idle_cores(), user_api="blas")
        return _decoder(folder)
    return TransformersEngine(folder, device, threads)


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


class TransformersEngine:
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
        self._peft: Any = None  # wraps the model once an adapter is used
        self._names: dict[tuple[Path, str], str] = {}

    def generate(
        self, prompt: Sequence[int], max_tokens: int, adapter: Lora | None = None, choose: Choose | None = None
    ) -> Iterator[int]:
        """Yield up to ``max_tokens`` next tokens: the most likely ones, or what ``choose`` picks."""
        torch = self._torch
        ids, past = torch.tensor([list(prompt)], device=self._device), None
        with self._adapted(adapter):
            for _ in range(max_tokens):
                with torch.inference_mode():
                    out = self._model(ids, past_key_values=past, use_cache=True, logits_to_keep=1)
                scores = out.logits[0, -1]
                token = int(scores.argmax()) if choose is None else choose(scores.float().cpu().numpy())
                past, ids = out.past_key_values, torch.tensor([[token]], device=self._device)
                yield token

    def log_probabilities(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: Lora | None = None
    ) -> list[float]:
        """Natural logarithm of the probability that each continuation follows ``prompt``, one pass for each."""
        torch = self._torch
        found = []
        with self._adapted(adapter), torch.inference_mode():
            for tokens in continuations:
                ids = torch.tensor([[*prompt, *tokens[:-1]]], device=self._device)
                scores = self._model(ids, logits_to_keep=len(tokens)).logits[0].float().log_softmax(-1)
                chosen = scores.gather(1, torch.tensor(tokens, device=self._device)[:, None])
                found.append(float(chosen.sum()))
        return found

    def _adapted(self, adapter: Lora | None) -> AbstractContextManager[object]:
        """While it lasts the model computes with ``adapter``. Adapters that were used once stay in memory."""
        if adapter is None:
            return (
                nullcontext()
                if self._peft is None
                else cast("AbstractContextManager[object]", self._peft.disable_adapter())
            )
        from peft import PeftModel

        key = (adapter.folder, adapter.sha256)
        if key not in self._names:
            name = f"adapter{len(self._names)}"
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(self._model, adapter.folder, adapter_name=name)
            else:
                self._peft.load_adapter(adapter.folder, adapter_name=name)
            self._names[key] = name
        self._peft.set_adapter(self._names[key])
        return nullcontext()
