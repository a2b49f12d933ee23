"""Every error labkit raises on purpose, as one tree.

::

    LabkitError
    ├── ConfigError            a setting, file or environment is missing or malformed
    ├── InputError             the caller asked for something that makes no sense
    ├── DocumentError          one source file cannot be read (carries a reason code; ends in quarantine)
    ├── ModelError             a model cannot be found or loaded
    │   └── ModelMismatch      its bytes are not the ones that were pinned
    ├── EndpointError          a server we talk to (chat, embedding, store) failed or went away
    ├── StoreError             an index cannot be read or written
    │   ├── IndexMissing       there is none at this place
    │   └── IndexMismatch      it was built by another encoder, schema or world version
    ├── RequestError           one request cannot be served
    │   ├── AccessDenied       the asker may not see it
    │   ├── Cancelled          the asker left
    │   ├── DeadlineExceeded   time ran out
    │   └── BudgetExceeded     the token budget ran out
    ├── WorldError             the generated enterprise cannot be built or does not fit
    │   └── PackError          a pack breaks the documented format
    ├── BenchError             a benchmark cannot run
    └── CourseError            a notebook or lab fails its checks
        ├── NotebookFailed     a cell raised
        │   ├── KernelDied     its interpreter went away
        │   └── NotebookTimeout  it ran longer than it may
        └── NotebookInvalid    executed, but out of order, stale, leaking or out of range

A message says what was wrong, where, and what to do. Nothing else is caught and re-raised as these:
a bug stays a traceback.
"""

from __future__ import annotations


class LabkitError(Exception):
    """Base of every error raised on purpose.

    Args:
        what: what was wrong, in a sentence.
        where: the file, cell, field or address it was found at.
        todo: what the reader can do about it.
    """

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        self.what, self.where, self.todo = what, where, todo
        super().__init__(what)

    def __str__(self) -> str:
        parts = [self.what]
        if self.where:
            parts.append(f"at {self.where}")
        text = " ".join(parts)
        return f"{text}. {self.todo}" if self.todo else text

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments would be lost when the error crosses a process boundary.
        return _rebuild, (type(self), self.__dict__.copy())


def _rebuild(kind: type[LabkitError], state: dict[str, object]) -> LabkitError:
    error = kind.__new__(kind)
    Exception.__init__(error, state["what"])
    error.__dict__.update(state)
    return error


class ConfigError(LabkitError):
    """A setting, file or environment is missing or malformed."""


class InputError(LabkitError):
    """The caller asked for something that makes no sense."""


class DocumentError(LabkitError):
    """One source file cannot be read; it goes to quarantine under ``reason``.

    Args:
        reason: a short stable code such as ``empty``, ``encrypted`` or ``bomb``.
    """

    def __init__(self, what: str, *, reason: str, where: str = "", todo: str = "") -> None:
        self.reason = reason
        super().__init__(what, where=where, todo=todo)


class ModelError(LabkitError):
    """A model cannot be found or loaded."""


class ModelMismatch(ModelError):
    """A model's bytes are not the ones that were pinned."""


class EndpointError(LabkitError):
    """A server we talk to failed, refused or went away."""


class StoreError(LabkitError):
    """An index cannot be read or written."""


class IndexMissing(StoreError):
    """There is no index at this place."""


class IndexMismatch(StoreError):
    """The index was built by another encoder, schema or world version."""


class RequestError(LabkitError):
    """One request cannot be served."""


class AccessDenied(RequestError):
    """The asker may not see it."""


class Cancelled(RequestError):
    """The asker left before the answer was ready."""


class DeadlineExceeded(RequestError):
    """The time allowed for this request ran out."""


class BudgetExceeded(RequestError):
    """The tokens allowed for this request ran out."""


class WorldError(LabkitError):
    """The generated enterprise cannot be built, or does not fit what it is used with."""


class PackError(WorldError):
    """A pack breaks the documented format."""


class BenchError(LabkitError):
    """A benchmark cannot run."""


class CourseError(LabkitError):
    """A notebook or lab fails its checks."""


class NotebookFailed(CourseError):
    """A cell raised while the notebook was executed."""


class KernelDied(NotebookFailed):
    """The interpreter of a notebook died, e.g. for lack of memory."""


class NotebookTimeout(NotebookFailed):
    """A notebook ran longer than it is allowed to."""


class NotebookInvalid(CourseError):
    """The notebook ran, but is out of order, stale, leaking a path or out of range."""
