"""Drills: a blind fault, the page an operator gets, a clock, and a grade for the cause and the evidence.

One drill runs at a time; its state is a file, so each command may be a process of its own. The file names the fault
only as a salted hash. What happens in a drill is a :class:`Scene`; this module knows none of them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any, Protocol

from pydantic import ValidationError

from labkit.course.faults import Fault, named
from labkit.errors import ConfigError, InputError
from labkit.schema import Record

FILE = "drill.json"


class Scene(Protocol):
    """Where a drill takes place: a system with one of several faults."""

    def start(self, code: str, seed: int) -> tuple[str, dict[str, Any]]:
        """The page under this fault, and what must be kept of it (JSON)."""

    def ask(self, code: str, question: str, *, k: int, as_of: date | None) -> str:
        """What the system with this fault shows."""

    def rows(self, begun: Mapping[str, Any], which: str) -> str:
        """The rows of the evaluation that is part of the scene."""

    def missing(self, code: str, evidence: str, begun: Mapping[str, Any]) -> str | None:
        """What the evidence lacks, None where it proves the fault; the broken and the whole system are run."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A drill that can be started.

    Attributes:
        title: in a few words.
        evidence: what is taken as evidence.
        faults: what may be wrong; one of them is.
        scene: prepares it, which may take a while the first time.
    """

    title: str
    evidence: str
    faults: Sequence[Fault]
    scene: Callable[[], Scene]


class State(Record):
    """A drill under way."""

    number: int
    started: datetime
    salt: str
    fault: str
    """SHA-256 of salt and code."""
    page: str
    begun: dict[str, Any]
    wrong: int = 0
    """Answers that were not right."""
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer was worth.

    Attributes:
        cause: whether the cause is right.
        evidence: whether the evidence shows it.
        minutes: since the page was sent.
        wrong: answers so far that were not right.
        message: the truth where both are right, else what is missing and a hint.
    """

    cause: bool
    evidence: bool
    minutes: float
    wrong: int
    message: str

    @property
    def passed(self) -> bool:
        """Whether the drill is over."""
        return self.cause and self.evidence

    def __str__(self) -> str:
        cause = f"cause: {'right' if self.cause else 'not this one'}"
        evidence = f"evidence: {'shows it' if self.evidence else 'does not show it'}"
        return f"{cause}\n{evidence}\nclock: {self.minutes:.1f} minutes, {self.wrong} wrong\n\n{self.message}"


class Drill:
    """The drill under way in a folder.

    Args:
        folder: where its state is kept.
        kinds: the drills there are, by number.
        now: the clock.
    """

    def __init__(
        self, folder: Path, kinds: Mapping[int, Kind], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._file, self._kinds, self._now = folder / FILE, kinds, now

    def start(self, number: int, seed: int | None = None) -> str:
        """Inject one of the drill's faults and return the page; a drill under way is given up.

        Args:
            number: which drill.
            seed: of the fault and the page; None draws one, so that nobody knows it.

        Raises:
            InputError: there is no such drill.
        """
        kind = self._kind(number)
        seed = secrets.randbits(32) if seed is None else seed
        code = drawn(number, seed, kind.faults)
        page, begun = kind.scene().start(code, seed)
        salt = secrets.token_hex(8)
        self._save(
            State(number=number, started=self._now(), salt=salt, fault=_hashed(salt, code), page=page, begun=begun)
        )
        return page

    def ask(self, question: str, *, k: int = 10, as_of: date | None = None) -> str:
        """What the broken system shows for a question.

        Raises:
            InputError: no drill is under way, or the question is none.
        """
        _, kind, fault = self._under_way()
        return kind.scene().ask(fault.code, question, k=k, as_of=as_of)

    def rows(self, which: str) -> str:
        """The rows of the evaluation, where the drill has one.

        Raises:
            InputError: no drill is under way, or it has no such rows.
        """
        state, kind, _ = self._under_way()
        return kind.scene().rows(state.begun, which)

    def causes(self) -> str:
        """What may be wrong, and what is taken as evidence.

        Raises:
            InputError: no drill is under way.
        """
        _, kind, _ = self._under_way()
        width = max(len(fault.code) for fault in kind.faults)
        lines = [f"{fault.code:<{width}}  {fault.cause}" for fault in kind.faults]
        return "\n".join([*lines, "", f"Evidence: {kind.evidence}"])

    def answer(self, cause: str, evidence: str) -> Verdict:
        """Grade a cause and the evidence for it.

        Raises:
            InputError: no drill is under way, there is no such cause, or the evidence is malformed.
        """
        state, kind, fault = self._under_way()
        named(cause, kind.faults)
        missing = kind.scene().missing(fault.code, evidence, state.begun)
        right, shown = cause == fault.code, missing is None
        now = self._now()
        if right and shown:
            message = f"The truth: {fault.cause}\nWhat proves it: {fault.proof}."
            state = state.model_copy(update={"ended": now})
        else:
            hint = fault.hints[min(state.wrong, len(fault.hints) - 1)]
            state = state.model_copy(update={"wrong": state.wrong + 1})
            # What the evidence lacks gives the cause away.
            why = f"The evidence: {missing}.\n" if right else ""
            message = f"{why}Hint: {hint}"
        self._save(state)
        return Verdict(right, shown, (now - state.started).total_seconds() / 60, state.wrong, message)

    def status(self) -> str:
        """Which drill is under way, since when, and its page.

        Raises:
            InputError: none was ever started.
        """
        state = self._load()
        minutes = ((state.ended or self._now()) - state.started).total_seconds() / 60
        ended = "solved" if state.ended else "under way"
        title = self._kind(state.number).title
        return f"drill {state.number}, {title}: {ended}, {minutes:.1f} minutes, {state.wrong} wrong\n\n{state.page}"

    def _under_way(self) -> tuple[State, Kind, Fault]:
        state = self._load()
        if state.ended:
            raise InputError("The drill is over", todo="Start another: labkit drill start N.")
        kind = self._kind(state.number)
        for fault in kind.faults:
            if _hashed(state.salt, fault.code) == state.fault:
                return state, kind, fault
        raise ConfigError("The drill's fault is unknown", where=FILE, todo="Start again: labkit drill start N.")

    def _kind(self, number: int) -> Kind:
        if number not in self._kinds:
            known = "; ".join(f"{n}, {kind.title}" for n, kind in sorted(self._kinds.items()))
            raise InputError(f"There is no drill {number}", todo=f"There are: {known}.")
        return self._kinds[number]

    def _load(self) -> State:
        try:
            return State.model_validate_json(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError("No drill was started", todo="Start one: labkit drill start 1.") from error
        except (ValidationError, UnicodeDecodeError) as error:
            todo = "Start again: labkit drill start N."
            raise ConfigError("The drill's state cannot be read", where=FILE, todo=todo) from error

    def _save(self, state: State) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._file.with_name(f".{FILE}.{secrets.token_hex(4)}")
        scratch.write_text(state.model_dump_json(indent=1) + "\n", encoding="utf-8")
        scratch.replace(self._file)


def drawn(number: int, seed: int, faults: Sequence[Fault]) -> str:
    """The code of the fault that a seed injects."""
    return Random(f"{number}/{seed}").choice(faults).code


def _hashed(salt: str, code: str) -> str:
    return hashlib.sha256(f"{salt}\0{code}".encode()).hexdigest()
