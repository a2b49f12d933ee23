"""Finds the names of things in a text, wherever they stand as a whole, those of one word only in the same case.

Numbers follow the numbering schemes of the data dictionary; other names are known (:mod:`labkit.graph.naming`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labkit.graph.schema import Schema
from labkit.retrieve.terms import FUNCTION_WORDS

PERSON = "person"
_WORD = re.compile(r"\w+(?:[-'’.&/]\w+)*")
_PIECE = re.compile(r"\w+")
# What makes a stretch of text part of a longer name: "Mbeki-Hexham", "O'Hexham"; "Hexham-North", "Hexham-2",
# "hexham.com"; and with a number "BT-4471-B", "BT-4471.2", "BT-4471/2".
_INSIDE_BEFORE = re.compile(r"\w[-‐‑'’.&]$")
_INSIDE_NAME = re.compile(r"\w|[-‐‑][A-ZÀ-Þ\d]|[.&]\w|/\d")
_INSIDE_NUMBER = re.compile(r"\w|[-‐‑.&]\w|/\d")
_LOWER = re.compile(r"^(?:[a-z]+ )+")
_LEADING = FUNCTION_WORDS | {"since"}


@dataclass(frozen=True, slots=True)
class Named:
    """A stretch of text that names something: ``text[start:end]`` is ``surface``."""

    start: int
    end: int
    kind: str
    surface: str


class Names:
    """Names by kind.

    Args:
        kinds: surface → kind.
        schema: holds the numbering schemes.
    """

    def __init__(self, kinds: Mapping[str, str], schema: Schema) -> None:
        self.kinds = dict(kinds)
        self._schemes = [(kind, scheme) for kind, entry in schema.kind.items() if (scheme := entry.scheme())]
        self._by_first: defaultdict[str, list[str]] = defaultdict(list)
        for surface in sorted(self.kinds, key=lambda name: (-len(name), name)):
            if first := _PIECE.search(surface):
                self._by_first[first[0].lower()].append(surface)

    def find(self, text: str, usable: Callable[[Named], bool] | None = None) -> list[Named]:
        """The names in a text, left to right, none inside another; of usable names only, where that is given.

        A line may end inside a name.
        """
        found = [named for kind, scheme in self._schemes for match in scheme.finditer(text)
                 if (named := _numbered(match, kind)) and (usable is None or usable(named))]  # fmt: skip
        text = text.replace("\n", " ")
        lower = text.lower()
        same_length = len(lower) == len(text)
        for word in _PIECE.finditer(text):
            start = word.start()
            for surface in self._by_first.get(word[0].lower(), ()):
                end = start + len(surface)
                alike = text[start:end] == surface or (
                    same_length and " " in surface and lower[start:end] == surface.lower()
                )
                if alike and _is_whole(text, start, end):
                    named = Named(start, end, self.kinds[surface], surface)
                    if usable is None or usable(named):
                        found.append(named)
                        break
        found.sort(key=lambda named: (named.start, -named.end))
        kept: list[Named] = []
        for named in found:
            if not kept or named.start >= kept[-1].end:
                kept.append(named)
        return kept


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a name is not part of a longer one: Hexham stands in *Hexham's*, *Hexham-based* and *Leeds/Hexham*."""
    if _INSIDE_BEFORE.search(text[max(0, start - 2) : start]):
        return False
    numbered = any(char.isdigit() for char in text[start:end].rpartition(" ")[2])
    return not (_INSIDE_NUMBER if numbered else _INSIDE_NAME).match(text, end)


def _numbered(match: re.Match[str], kind: str) -> Named | None:
    """What a numbering scheme found, without the words in front up to a function word.

    *Since DriftOS 1.2.3* names DriftOS 1.2.3, and *Robot runs on version 1.2.3* nothing: lower-case words behind a
    function word are no name.
    """
    start = match.start()
    words = [word for word in _WORD.finditer(match.string, start, match.end()) if word.end() < match.end()]
    for word in reversed(words):
        if word[0].lower() in _LEADING:
            rest = _LOWER.sub("", match.string[word.end() + 1 : match.end()])
            start = match.end() - len(rest)
            break
    surface = match.string[start : match.end()]
    return Named(start, match.end(), kind, surface) if any(char.isalpha() for char in surface) else None
