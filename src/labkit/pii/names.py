"""Names of persons: a small tagger that reads a document twice.

First a logistic regression on hashed features gives every capitalised word a score from its letters, its lists and its
neighbours (:mod:`labkit.pii.features`). Then a second, tiny model looks at all scores of the document and at what the
word scored elsewhere in the corpus, so that a name found with confidence once is found everywhere, and a company that
looks like a name in one sentence is judged by all of them. The first model is linear: what a word adds at each place
is summed once and remembered. It knows Latin script only, and not whom a name means.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from labkit.pii.features import NAMELIKE, REACH, ROLES, Page, Word, mask, of_place, of_word, word, word_class
from labkit.pii.model import NameModel, bucket, load
from labkit.pii.spans import Mark

Row = tuple[float, ...]
_REMEMBERED = 200_000
_CLIP = 10.0
_WITH_CORPUS, _WITHOUT = (-0.5, 1.0, 2.5), (-0.5, 0.0, 1.0)
"""Log odds from which a word is taken for a name: one known as such, any other, and one that stands alone."""
_UNLIKE = -2.5
"""Log odds below which an unknown word behind a given name is no surname."""
_LOGS = tuple(math.log1p(count) for count in range(20))
_PARTICLES = frozenset(
    ("van", "von", "der", "den", "de", "del", "della", "di", "da", "do", "dos", "das", "du")
) | frozenset(("la", "le", "el", "al", "bin", "ibn", "ter", "ten", "zu", "af", "av", "y", "e", "i"))
_INTRODUCING = _PARTICLES - {"la", "le", "el", "y", "e", "i", "av", "af"}
"""Particles after which a surname has to follow a given name."""
_LEADING = frozenset(["van", "von", "der", "den", "ter"])
_MAILBOX_WORD = re.compile(r"[^\W\d_]{2,}")


Seen = Mapping[str, tuple[float, float, int]]
"""Word in lower case → its mean and its best score over the documents of a corpus, and their number."""
_NOTHING: Seen = MappingProxyType({})


def names(
    text: str, identifiers: Sequence[Mark] = (), vouched: Collection[str] = frozenset(), seen: Seen = _NOTHING
) -> Iterator[Mark]:
    """Names of persons in a joined document.

    Args:
        text: the document.
        identifiers: what else was found in it; names inside an address of mail are part of that.
        vouched: canonical words of names the roster knows.
        seen: what the corpus knows of its words.
    """
    tagger = _tagger()
    page = _page(tagger, text, identifiers, vouched)
    return _tagged(tagger, page, tagger.first(page), seen)


def names_and_scores(text: str, identifiers: Sequence[Mark] = ()) -> tuple[Iterator[Mark], dict[str, float]]:
    """Names, and what the document tells the corpus of its capitalised words: their mean score here, within ±10."""
    tagger = _tagger()
    page = _page(tagger, text, identifiers, ())
    first = tagger.first(page)
    return _tagged(tagger, page, first, _NOTHING), mean_scores(page, first)


def _tagged(tagger: Tagger, page: Page, first: Sequence[float], seen: Seen) -> Iterator[Mark]:
    scores = tagger.second(second_stage(first, page, seen))
    known, enough, sure = _WITH_CORPUS if seen else _WITHOUT
    score = dict(zip(page.candidates, scores, strict=True))
    likely = {at for at in page.candidates if score[at] > (known if _is_known(page, at) else enough)}
    parts = _completed(page, likely, score)
    sure_parts = {at for at in parts if score.get(at, 0.0) > sure or not _is_doubtful(page, at, parts)}
    yield from spans(page, sure_parts | _repeated(page, sure_parts, score))


def mean_scores(page: Page, first: Sequence[float]) -> dict[str, float]:
    """Mean first-stage score of each word of a page."""
    found: dict[str, list[float]] = {}
    for at, score in zip(page.candidates, first, strict=True):
        found.setdefault(page.words[at], []).append(min(max(score, -_CLIP), _CLIP))
    return {word: sum(scores) / len(scores) for word, scores in found.items()}


def _page(tagger: Tagger, text: str, identifiers: Sequence[Mark], vouched: Collection[str]) -> Page:
    mailed = {
        word for mark in identifiers if mark.kind == "email" for word in mailbox_words(text[mark.start : mark.end])
    }
    return Page(masked(text, identifiers), tagger.word, mailed | set(vouched) if mailed else vouched)


def masked(text: str, identifiers: Sequence[Mark]) -> str:
    """The text with one token of its kind instead of each identifier; offsets stay."""
    parts: list[str] = []
    done = 0
    for mark in sorted(identifiers):
        if mark.start >= done:
            parts += [text[done : mark.start], mask(mark.kind, mark.end - mark.start)]
            done = mark.end
    return "".join(parts) + text[done:]


def mailbox_words(address: str) -> list[str]:
    """Words of a mailbox that can be parts of its owner's name."""
    return _MAILBOX_WORD.findall(address.partition("@")[0].lower())


class Tagger:
    """Scores the candidates of a page with one model."""

    def __init__(self, model: NameModel) -> None:
        self._weights: list[float] = model.weights.astype(float).tolist()
        self._lists = model.lists
        self._hidden, self._out = model.hidden, model.out
        self._places: dict[str, float] = {}
        self.word = lru_cache(maxsize=_REMEMBERED)(self._read)

    def second(self, rows: Sequence[Row]) -> list[float]:
        """Log odds after the whole document, and the corpus, are looked at; one per row of :func:`second_stage`."""
        if not rows:
            return []
        hidden = np.maximum(np.array(rows) @ self._hidden[:-1] + self._hidden[-1], 0.0)
        scores: list[float] = (hidden @ self._out[:-1] + self._out[-1]).tolist()
        return scores

    def first(self, page: Page) -> list[float]:
        """Log odds before the document as a whole is looked at."""
        if len(self._places) > _REMEMBERED:
            self._places.clear()
        known = self._places.get
        adds = page.adds
        found = []
        for at in page.candidates:
            score = 0.0
            for offset, entry in enumerate(adds[at - REACH : at + REACH + 1]):
                score += entry[offset]
            for feature in of_place(page, at):
                weight = known(feature)
                score += self._place(feature) if weight is None else weight
            found.append(score)
        return found

    def _place(self, feature: str) -> float:
        weight = self._places[feature] = self._weights[bucket(feature)]
        return weight

    def _read(self, text: str) -> Word:
        cls = word_class(text, self._lists)
        adds = [self._sum(of_word(text, cls, role)) if role or cls[0] in NAMELIKE else 0.0 for role in ROLES]
        return word(text, cls, tuple(adds))

    def _sum(self, features: Sequence[str]) -> float:
        return sum([self._weights[bucket(feature)] for feature in features])


def second_stage(first: Sequence[float], page: Page, seen: Seen) -> list[Row]:
    """Inputs of the second stage, one row per candidate: its score, its neighbours', its word's here and elsewhere."""
    score = {
        at: _CLIP if value > _CLIP else max(value, -_CLIP) for at, value in zip(page.candidates, first, strict=True)
    }
    where: dict[str, list[int]] = {}
    for at in score:
        where.setdefault(page.words[at], []).append(at)
    document = {word: _everywhere(places, score) for word, places in where.items()}
    rows: list[Row] = []
    for at, own in score.items():
        left, right = score.get(at - 1), score.get(at + 1)
        best, second, mean, pair, alone = document[page.words[at]]
        other = second if own == best else best
        elsewhere, most, count = seen.get(page.words[at], (0.0, 0.0, 0))
        rows.append(
            (
                *(own, max(own, 0.0)),
                *((0.0, 0.0, 1.0) if left is None else (left, max(left, 0.0), 0.0)),
                *((0.0, 0.0, 1.0) if right is None else (right, max(right, 0.0), 0.0)),
                *((0.0, 0.0, 0.0, 1.0) if alone else (other, max(other, 0.0), mean, 0.0)),
                pair,
                *(elsewhere, max(elsewhere, 0.0), most, _LOGS[min(count, len(_LOGS) - 1)]),
                *(
                    float(page.nouns),
                    float(page.vouched_for(at)),
                    *[float(letter in page.classes[at]) for letter in "gscp"],
                ),
            )
        )
    return rows


def _everywhere(places: Sequence[int], score: Mapping[int, float]) -> tuple[float, float, float, float, bool]:
    """Best, second best and mean score of one word, its best as half of a pair, and whether it occurs only once."""
    pair = 0.0
    for at in places:
        beside = max(score.get(at - 1, 0.0), score.get(at + 1, 0.0))
        pair = max(pair, min(score[at], beside))
    own = [score[at] for at in places]
    if len(own) == 1:
        return own[0], own[0], own[0], pair, True
    own.sort(reverse=True)
    return own[0], own[1], sum(own) / len(own), pair, False


def spans(page: Page, parts: Collection[int]) -> Iterator[Mark]:
    """Parts of names that stand together, with the particles between and before them, as whole names."""
    at = REACH
    last = len(page.raw) - REACH
    while at < last:
        if at not in parts or (page.classes[at] == "i" and at + 1 not in parts):
            at += 1
            continue
        first, end = at, at + 1
        while (following := _next_part(page, end, parts)) is not None:
            end = following + 1
        if page.words[first - 1] in _LEADING and _joined(page, first - 1):
            first -= 1 + (page.words[first - 2] in _LEADING and _joined(page, first - 2))
        yield Mark(page.span(first)[0], page.span(end - 1)[1], "person")
        at = end


def _next_part(page: Page, end: int, parts: Collection[int]) -> int | None:
    """The next part of the name that goes on at ``end``, across at most three particles."""
    for at in range(end, min(end + 4, len(page.raw) - REACH)):
        if not _joined(page, at - 1):
            return None
        if at in parts:
            return at
        if page.words[at] not in _PARTICLES:
            introduced = at > end and page.words[at - 1] in _INTRODUCING and page.classes[at][0] == "C"
            return at if introduced else None
    return None


def _completed(page: Page, parts: set[int], score: Mapping[int, float]) -> set[int]:
    """Half a name is no redaction: a known given name before a part, a surname behind a given name join it."""
    before = {at - 1 for at in parts if _known(page, at - 1, "g") and _joined(page, at - 1)}
    behind = {at + 1 for at in parts if _is_given(page, at) and _may_be_surname(page, at + 1, score)}
    return parts | before | {at for at in behind if _joined(page, at - 1)}


def _repeated(page: Page, parts: set[int], score: Mapping[int, float]) -> set[int]:
    """The words of names of two words or more, wherever else the document has them."""
    full = {
        page.words[at]
        for at in parts
        if (at + 1 in parts and _joined(page, at)) or (at - 1 in parts and _joined(page, at - 1))
    }
    return {at for at, value in score.items() if value > _UNLIKE and page.words[at] in full and _is_free(page, at)}


def _is_free(page: Page, at: int) -> bool:
    """Not a part of something longer: no other capitalised word beside it."""
    return page.classes[at - 1][0] not in NAMELIKE and page.classes[at + 1][0] not in NAMELIKE


def _is_given(page: Page, at: int) -> bool:
    return "g" in page.classes[at] or page.vouched_for(at)


def _may_be_surname(page: Page, at: int, score: Mapping[int, float]) -> bool:
    """In the list of surnames, or no common word and not unlike a name."""
    cls = page.classes[at]
    return _known(page, at, "s") or (cls[0] == "C" and "c" not in cls and score.get(at, _UNLIKE) > _UNLIKE)


def _is_known(page: Page, at: int) -> bool:
    """Vouched for, or in the list of given names and neither a common word nor a place (nor any noun, as in German)."""
    cls = page.classes[at]
    return page.vouched_for(at) or ("g" in cls and "c" not in cls and "p" not in cls and not page.nouns)


def _known(page: Page, at: int, letter: str) -> bool:
    """In that list, and no common word that is capitalised because a sentence starts."""
    cls = page.classes[at]
    return cls[0] in NAMELIKE and letter in cls and ("c" not in cls or page.classes[at - 1][0] == "l")


def _is_doubtful(page: Page, at: int, parts: Collection[int]) -> bool:
    """A word alone that nobody vouches for and no list has as a given name: a surname, or a place, or a product."""
    alone = at - 1 not in parts and at + 1 not in parts
    return alone and ("g" not in page.classes[at] or page.nouns) and not page.vouched_for(at)


def _joined(page: Page, at: int) -> bool:
    """Nothing but a space or a hyphen between this token and the next."""
    return page.span(at + 1)[0] - page.span(at)[1] <= 1


@lru_cache(maxsize=1)
def _tagger() -> Tagger:
    return Tagger(load())
