"""What the name tagger sees: tokens, their classes, and the features of a capitalised word in its surroundings.

Shared by training (:mod:`labkit.tune.names`) and use (:mod:`labkit.pii.names`), so that both see the same. A feature is
a string; the model keeps one weight per hash of it (feature hashing, Weinberger et al. 2009). No feature is the
candidate as a whole: only its letters in short groups, whether lists of names and words hold it, and what is around.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from itertools import compress
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
    r"|\d[\w.,:/]*|[\n\x00\ue000-\ue0ff]|[^\w\s\x00\ue000-\ue0ff]{8,}|[^\w\s]"
)
_TITLED = re.compile(
    r"(?:(?:Mc|Mac|Fitz|[OD]['’])?[^\W\d_a-z][^\W\d_A-Z]*)(?:['’-](?:[^\W\d_A-Z]+|[^\W\d_a-z][^\W\d_A-Z]*))*"
)
"""A capital and small letters, in each part: also McGarry, O'Hara, Jean-Luc and Hye-jin."""
_CONTRACTED = re.compile(r"I['’].*|.*['’](?:ve|re|ll|d|m|t)|(?:[LDJNSCMT]|Qu)['’][^\W\d_A-Z].*")
"""We've, don't; l'équipe at the start of a sentence."""
_UNTITLED = ("Cc", "Ac")
"""A capital on a word that lists have as a common word and as nothing else: a sentence starts, or a heading."""
_SHORT_CAPITALS = 3
"""All capitals, and so few, are an abbreviation unless a list of names has them."""
_NOUNS = 0.15
"""Capitalised words after small ones, per small word, from which a text capitalises its nouns, as German does."""
_DOUBT = 20
"""Small words that are added to the count, so that one sentence with several names is not taken for German."""
_HONORIFICS = frozenset(
    ("mr", "mrs", "ms", "miss", "dr", "prof", "frau", "herr", "herrn", "mme", "sir", "señor", "señora")
)
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
    capital: bool = False
    """It can be part of a name."""
    sure: bool = False
    """It is a candidate wherever it stands; other capitalised words only where something speaks for them."""
    small: bool = False
    """It is a word in small letters."""


Lexicon = Callable[[str], Word]


def word(text: str, cls: str, adds: tuple[float, ...] = ()) -> Word:
    """What follows from a token and its class."""
    capital = cls[0] in NAMELIKE and not (cls == "A" and len(text) <= _SHORT_CAPITALS)
    return Word(text.lower(), cls, adds, capital, capital and cls not in _UNTITLED, cls[0] == "l")


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
    if not head.isupper() or len(text) == _LONGEST or _CONTRACTED.fullmatch(text):
        return "l" + lists(text.lower())
    shape = "A" if text.isupper() else "C" if _titled(text) else "M"
    found = lists(text.lower())
    if not found and "-" in text and _is_compound(text, lists):
        found = "c"
    return shape + found


def _is_compound(text: str, lists: Lists) -> bool:
    """E-mail, Wi-Fi, Hand-tight: common words with hyphens."""
    parts = text.split("-")
    known = [lists(part.lower()) for part in parts]
    common = [part == "c" or (parts[-1].islower() and "c" in part) for part in known]
    return all(len(part) < 3 or good for part, good in zip(parts, common, strict=True))


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
        self._text, self._vouched = text, vouched
        self._tokens: list[str] = _TOKEN.findall(text)
        self.raw = [*_EDGE, *[token[:_LONGEST] for token in self._tokens], *_EDGE]
        self.words: tuple[str, ...]
        self.classes: tuple[str, ...]
        self.adds: tuple[tuple[float, ...], ...]
        self.words, self.classes, self.adds, capital, sure, small = zip(*map(lexicon, self.raw), strict=True)
        capitals = list(compress(range(len(self.raw)), capital))
        self.candidates = [at for at in capitals if sure[at] or self._is_introduced(at) or self.vouched_for(at)]
        self._small = set(compress(self.words, small))
        self._count = Counter([self.words[at] for at in self.candidates])
        inside = sum(small[at - 1] for at in capitals)
        self.nouns = inside > _NOUNS * (sum(small) + _DOUBT)
        """Every noun has a capital here."""
        self._starts: list[int] = []

    def _is_introduced(self, at: int) -> bool:
        """A given name or an honorific stands before."""
        before = at - 1 if self.words[at - 1] != "." else at - 2
        return "g" in self.classes[at - 1] or self.words[before] in _HONORIFICS

    def span(self, at: int) -> tuple[int, int]:
        """Where a token stands in the text."""
        wanted = at - REACH
        starts = self._starts
        if len(starts) <= wanted:
            # Between tokens there is nothing but white space and underscores, which begin no token.
            position = starts[-1] + len(self._tokens[len(starts) - 1]) if starts else 0
            find = self._text.index
            for token in self._tokens[len(starts) : wanted + 1]:
                start = find(token, position)
                starts.append(start)
                position = start + len(token)
        return starts[wanted], starts[wanted] + len(self._tokens[wanted])

    def flags(self, at: int) -> str:
        """Letters: m vouched for, n nouns have capitals, l also written small here, 2 or 3 for repeated."""
        word = self.words[at]
        count = self._count[word]
        known = ("m" if self.vouched_for(at) else "") + ("n" if self.nouns else "")
        return known + ("l" if word in self._small else "") + ("3" if count > 2 else "2" if count == 2 else "")

    def vouched_for(self, at: int) -> bool:
        """An address, an author or the roster has this word in a name."""
        return bool(self._vouched) and canonical(self.raw[at]) in self._vouched
