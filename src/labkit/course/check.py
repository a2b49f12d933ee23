"""Checks of lab answers: *not attempted*, *not yet* with a hint, or *right*.

A lab calls ``check.lab00.q1(answer)``; ``lab00`` is the module :mod:`labkit.course.checks.lab00` and ``q1`` a
:class:`Question` in it. Whatever a learner's answer does, a check returns a verdict: an exception is *not yet* with
the line that raised, and an endless loop ends after a time limit. How to write a question stands in
:mod:`labkit.course.checks`. The three states are those of Kaggle's learntools.
"""

from __future__ import annotations

import ctypes
import importlib
import linecache
import pkgutil
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any, Literal

from labkit.course import checks

MIME = "application/vnd.labkit.verdict+json"
State = Literal["not attempted", "not yet", "right"]
Judge = Callable[[Any], str | None]
DEFAULT_SECONDS = 10.0
GRACE_SECONDS = 1.0


class NotAttempted(NotImplementedError):
    """Raised by the gap a learner has not filled yet; a signal, not one of labkit's errors."""


class TimeUp(BaseException):
    """Raised inside a learner's code when its time is over; no Exception, so ``except Exception`` lets it by."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says about an answer."""

    question: str
    state: State
    message: str = ""

    def __str__(self) -> str:
        return f"{self.question}: {self.state}" + (f": {self.message}" if self.message else "")

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": str(self), MIME: asdict(self)}


class Question:
    """One exercise's check, and the answers that prove it works.

    Args:
        judge: returns None for a right answer, otherwise what is wrong with it, in a sentence.
        hint: shown with *not yet*.
        seconds: how long the judge and the answer together may take.
    """

    def __init__(self, judge: Judge, *, hint: str, seconds: float) -> None:
        self.judge, self.hint, self.seconds = judge, hint, seconds
        self.lab, self.name = judge.__module__.rpartition(".")[2], judge.__name__
        self.solutions: list[Any] = []
        self.wrongs: list[Any] = []

    def __call__(self, answer: Any = ...) -> Verdict:
        """Check an answer: a function or a value; ``...`` stands for a gap not filled."""
        if answer is ... or answer is None:
            return self._verdict("not attempted")
        outcome = _limited(self.judge, answer, self.seconds)
        if outcome is None:
            return self._verdict("not yet", f"it was still running after {self.seconds:g} s. Hint: {self.hint}")
        if isinstance(outcome.error, NotAttempted):
            return self._verdict("not attempted")
        problem = outcome.result if outcome.error is None else self._own_line(outcome.error, answer)
        if problem is None:
            return self._verdict("right")
        return self._verdict("not yet", f"{problem.rstrip('.')}. Hint: {self.hint}")

    def solution(self, answer: Any) -> Any:
        """Register a right answer; works as a decorator."""
        self.solutions.append(answer)
        return answer

    def wrong(self, answer: Any) -> Any:
        """Register a plausible wrong answer; works as a decorator. A question needs at least two."""
        self.wrongs.append(answer)
        return answer

    def __repr__(self) -> str:
        return f"<question {self.lab}.{self.name}>"

    def _verdict(self, state: State, message: str = "") -> Verdict:
        return Verdict(f"{self.lab}.{self.name}", state, message)

    def _own_line(self, error: BaseException, answer: Any) -> str:
        """The exception with the learner's line that raised it, or else with what the check was doing."""
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        file = getattr(getattr(answer, "__code__", None), "co_filename", None)
        judge = (self.judge.__code__.co_filename, self.judge.__name__)
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if f.filename == file and (f.filename, f.name) != judge]
        if not own:
            return f"the check could not use what your answer returned ({what})"
        lineno = own[-1].lineno or 0
        line = linecache.getline(own[-1].filename, lineno).strip()
        return f"your line {lineno}, `{line}`, raised {what}"


def question(*, hint: str, seconds: float = DEFAULT_SECONDS) -> Callable[[Judge], Question]:
    """Turn a judge into a :class:`Question`; see :mod:`labkit.course.checks`."""
    return lambda judge: Question(judge, hint=hint, seconds=seconds)


def questions_of(module: ModuleType) -> dict[str, Question]:
    """The questions defined in a lab's check module, by name."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Question)}


def labs() -> list[str]:
    """Names of the labs that have checks."""
    return sorted(module.name for module in pkgutil.iter_modules(checks.__path__) if module.name.startswith("lab"))


def all_questions() -> list[Question]:
    """Every registered question of every lab."""
    modules = (importlib.import_module(f"{checks.__name__}.{name}") for name in labs())
    return [found for module in modules for found in questions_of(module).values()]


def __getattr__(name: str) -> ModuleType:
    if not name.startswith("lab"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in labs():
        raise AttributeError(f"There are no checks for {name}; there are: {', '.join(labs()) or 'none'}.")
    return importlib.import_module(f"{checks.__name__}.{name}")


@dataclass(slots=True)
class _Outcome:
    result: str | None = None
    error: BaseException | None = None


def _limited(judge: Judge, answer: Any, seconds: float) -> _Outcome | None:
    """The judge's outcome, or None when time ran out.

    A thread, not a signal: it works in every kernel and outside the main thread, and returns even when the answer
    sits in a call that cannot be interrupted (that thread is then left behind).
    """
    outcome = _Outcome()

    def run() -> None:
        try:
            outcome.result = judge(answer)
        except BaseException as error:  # SystemExit too must end as a verdict
            outcome.error = error

    thread = threading.Thread(target=run, daemon=True, name="lab-check")
    thread.start()
    thread.join(seconds)
    if not thread.is_alive():
        return outcome
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TimeUp))
    thread.join(GRACE_SECONDS)
    return None
