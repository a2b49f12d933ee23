"""Where personal data stands: the words this room speaks.

A document is a sequence of text blocks, the title first. Scanners see it as one string (:func:`joined`) so that each
pattern runs once per document; :class:`Blocks` turns their offsets back into (block, start, end).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["person", "email", "phone", "iban", "card", "ip", "address", "national_id", "birthdate"]
KINDS: tuple[Kind, ...] = ("person", "email", "phone", "iban", "card", "ip", "address", "national_id", "birthdate")

PSEUDONYM = re.compile(rf"\[(?:{'|'.join(KINDS)}) [0-9a-f]{{8}}\]")
"""What a replacement looks like. Text of this shape is never scanned, so redacting twice changes nothing."""

_JOINT = "\n\x00\n"  # no pattern crosses it: not whitespace, not a word character, not punctuation


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """Personal data at ``start:end`` of a joined document."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Finding:
    """Personal data before any policy: ``texts[index][start:end]`` is of ``kind``."""

    index: int
    start: int
    end: int
    kind: Kind


class Blocks:
    """The blocks of one document as one string, without the pseudonyms it may already hold."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.text = _JOINT.join(texts)
        if "[" in self.text:
            self.text = PSEUDONYM.sub(lambda match: "\x00" * len(match[0]), self.text)
        self._starts = [0]
        for text in texts:
            self._starts.append(self._starts[-1] + len(text) + len(_JOINT))

    def place(self, offset: int) -> tuple[int, int]:
        """Block number and offset within it."""
        index = bisect_right(self._starts, offset) - 1
        return index, offset - self._starts[index]

    def finding(self, mark: Mark) -> Finding:
        """The same span in its own block."""
        index, start = self.place(mark.start)
        return Finding(index, start, start + mark.end - mark.start, mark.kind)


def without_overlap(marks: Sequence[Mark]) -> list[Mark]:
    """Marks in order of place; where two overlap the earlier one of ``marks`` wins."""
    taken: list[Mark] = []
    rank = {mark: number for number, mark in reversed(list(enumerate(marks)))}
    for mark in sorted(rank, key=lambda mark: (mark.start, rank[mark])):
        while taken and taken[-1].end > mark.start and rank[mark] < rank[taken[-1]]:
            taken.pop()
        if not taken or taken[-1].end <= mark.start:
            taken.append(mark)
    return taken
