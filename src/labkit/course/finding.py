"""What a check of a notebook or lab reports: one finding per thing that is wrong.

Checks return lists of findings and never raise for a bad notebook, so one run tells everything. This module does
not know any check.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a notebook.

    Args:
        check: short stable name of the check that found it, e.g. ``alt text``.
        message: what is wrong and what to do, in a sentence.
        cell: 1-based position of the cell among all cells, None when it concerns the whole notebook.
    """

    check: str
    message: str
    cell: int | None = None

    def __str__(self) -> str:
        place = "" if self.cell is None else f"cell {self.cell}: "
        return f"[{self.check}] {place}{self.message}"

    def about(self, subject: str) -> Finding:
        """The same finding, its check prefixed with what was looked at, e.g. ``committed``."""
        return replace(self, check=f"{subject} {self.check}")
