"""What the name tagger sees: tokens, their classes, and the features of a capitalised word in its surroundings.

Shared by training (:mod:`labkit.tune.names`) and use (:mod:`labkit.pii.names`), so that both see the same. A feature is
a string; the model keeps one weight per hash of it (feature hashing, Weinberger et al. 2009). No feature is the
candidate as a whole: only its letters in short groups, whether lists of names and words hold it, and what is around.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from typing import NamedTuple

from labkit.pii.spans import KINDS, Kind
from labkit.pii.spelling import canonical

REACH = 3
"""Tokens on each side that count."""
ROLES = tuple(range(-REACH, REACH + 1))
_EDGE = ("\x00",) * REACH
_LONGEST = 40
"""Longer words are cut, and are no names."""

_TOKEN = re.compile(
    r"(?:[^\W\d_a-z]\.)+(?=[ -]?[^\W\d_])"  # initials: J. or J.R.
    r"|[^\W\d_]+(?:(?:['’](?![sS]\b)|-)[^\W\d_]+)*"
    r"|\d[\w.,:/]*|[\n\x00\ue000-\ue0ff]|([^\w\s])\1{7,}|[^\w\s]"
)
_TITLED = re.compile(
    r"(?:(?:Mc|Mac|Fitz|[OD]['’])?[^\W\d_a-z][^\W\d_A-Z]*)(?:['’-](?:[^\W\d_A-Z]+|[^\W\d_a-z][^\W\d_A-Z]*))*"
)
"""A capital and small letters, in each part: also McGarry, O'Hara, Jean-Luc and Hye-jin."""
_CONTRACTED = ("I'", "I’")
_MASK = {kind: chr(0xE000 + number) for number, kind in enumerate(KINDS)}

NAMELIKE = "CAMi"
"""Classes of what can be part of a name: capitalised words of every shape, and initials."""

Lists = Callable[[str], str]
"""Word in lower case → the letters g, s, c, p: in a list of given names, surnames, common words, places."""


class Word(NamedTuple):
    """What is known of a token wherever it stands."""

    lower: str
    cls: str
    adds: tuple[float, ...] = ()
    """What it adds to a candidate's score from each of ``ROLES``; () while training."""


Lexicon = Callable[[str], Word]


def mask(kind: Kind, length: int) -> str:
    """Stands where an identifier stood: one token of its kind, as long as the value was."""
    return _MASK[kind] + "\x01" * (length - 1)


def word_class(text: str, lists: Lists) -> str:
    """Shape of a token and the lists that hold it: ``Cgs`` is a capitalised word known as given name and surname."""
    head = text[0]
    if not head.isalpha():
        return "d" if head.isdigit() else head
    if len(text) == 1 or text.endswith("."):
        return "i" if text.endswith(".") else "I" if head.isupper() else "l"
    if not head.isupper() or text[:2] in _CONTRACTED or len(text) == _LONGEST:
        return "l" + lists(text.lower())
    shape = "A" if text.isupper() else "C" if _titled(text) else "M"
    return shape + lists(text.lower())


def _titled(text: str) -> bool:
    return _TITLED.fullmatch(text) is not None


def of_word(text: str, cls: str, role: int) -> list[str]:
    """Features of one token that stands ``role`` places from the candidate (0: the candidate itself)."""
    lower = text.lower()
    if role:
        features = [f"{role}={lower}", f"{role}.{cls}"]
        if abs(role) == 1 and lower.isalpha():
            features.append(f"{role}~{lower[-3:]}")
        return features
    framed = f"^{lower}$"
    features = [
        f"={cls}",
        f"={cls}{min(len(text), 12)}",
        f"'{sum(not c.isalpha() for c in text)}",
        f"é{not text.isascii()}",
    ]
    features += [f"<{framed[:size]}" for size in (2, 3, 4)] + [f">{framed[-size:]}" for size in (2, 3, 4, 5)]
    features += [f"~{framed[at : at + 3]}" for at in range(len(framed) - 2)]
    return features


def of_place(page: Page, at: int) -> list[str]:
    """Features of how tokens stand together around the candidate ``at``."""
    words, classes = page.words, page.classes
    cls, left, right = classes[at], classes[at - 1], classes[at + 1]
    before, after = words[at - 1], words[at + 1]
    flags = page.flags(at)
    features = [f"a{left}|{cls}|{right}", f"g{flags}|{cls}", f"i{flags}{left[0]}{cls}{right[0]}"]
    if left[0] not in NAMELIKE:
        features += [f"b{before}|{cls}", f"e{words[at - 2]}|{before}"]
    if right[0] not in NAMELIKE:
        features += [f"c{after}|{cls}", f"f{after}|{words[at + 2]}"]
        if left[0] not in NAMELIKE:
            features.append(f"d{before}|{after}")
    start = at
    while at - start < REACH and classes[start - 1][0] in NAMELIKE:
        start -= 1
    stop = at + 1
    while stop - at < REACH and classes[stop][0] in NAMELIKE:
        stop += 1
    run = f"{at - start}{'+'.join(classes[start:stop])}"
    return [*features, f"r{run}", f"t{words[start - 1]}|{run}", f"u{words[stop]}|{run}"]


class Page:
    """One document as the tagger reads it: its tokens, with ``REACH`` empty ones before and after.

    Args:
        text: the joined document, identifiers masked.
        lexicon: what is known of each token.
        vouched: canonical words of names that addresses, authors or the roster vouch for.
    """

    def __init__(self, text: str, lexicon: Lexicon, vouched: Collection[str]) -> None:
        self._matches = list(_TOKEN.finditer(text))
        self.raw = [*_EDGE, *[match[0][:_LONGEST] for match in self._matches], *_EDGE]
        self.entries = [lexicon(word) for word in self.raw]
        self.words = [entry.lower for entry in self.entries]
        self.classes = [entry.cls for entry in self.entries]
        self.candidates = [at for at, cls in enumerate(self.classes) if cls[0] in NAMELIKE]
        self._vouched = vouched
        self._small = {lower for lower, cls in zip(self.words, self.classes, strict=True) if cls[0] == "l"}
        self._count = Counter([self.words[at] for at in self.candidates])

    def span(self, at: int) -> tuple[int, int]:
        """Where a token stands in the text."""
        return self._matches[at - REACH].span()

    def flags(self, at: int) -> str:
        """Letters: m vouched for, l also written small here, 2 or 3 for repeated."""
        word = self.words[at]
        count = self._count[word]
        known = "m" if self.vouched_for(at) else ""
        return known + ("l" if word in self._small else "") + ("3" if count > 2 else "2" if count == 2 else "")

    def vouched_for(self, at: int) -> bool:
        """An address, an author or the roster has this word in a name."""
        return bool(self._vouched) and canonical(self.raw[at]) in self._vouched
