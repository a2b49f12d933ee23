"""Words cut at the end of a line, put together again.

Whether a hyphen was put there by the typesetter is decided by the document itself: by which form it uses where no line
ends, and by whether both halves are words of their own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*")
_CUT = re.compile(r"([^\W\d_]+(?:[-‐][^\W\d_]+)*)[-‐]$")
_START = re.compile(r"[^\W\d_]+")
_PREFIXES = frozenset({"non", "self", "well", "ex", "quasi", "e", "x", "t", "anti", "cross", "half", "high", "low"})


class Vocabulary:
    """The words of a document, as far as they do not touch a line's end."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._words: Counter[str] = Counter()
        for line in lines:
            words = _WORD.findall(line.lower())
            self._words.update(words[1:] if not _CUT.search(line) else words[1:-1])

    def join(self, above: str, below: str) -> str:
        """Two lines as one: with a space, or with the cut word whole."""
        cut, start = _CUT.search(above), _START.match(below)
        if above.endswith("\u00ad") and start:
            return above[:-1] + below
        if not cut:
            # A number or code with a hyphen goes on without a space as well.
            glued = re.search(r"[\w]-$", above) and re.match(r"\w", below)
            return f"{above}{'' if glued else ' '}{below}"
        if not start or not below[0].islower():
            return above + below if below[:1].isalnum() else f"{above} {below}"
        return above + below if self._is_compound(cut[1].lower(), start[0].lower()) else above[:-1] + below

    def _is_compound(self, head: str, tail: str) -> bool:
        whole, hyphenated = self._words[head + tail], self._words[f"{head}-{tail}"]
        if whole or hyphenated:
            return hyphenated > whole
        if head in _PREFIXES or "-" in head:
            return True
        return bool(self._words[head] and self._words[tail] and min(len(head), len(tail)) > 2)
