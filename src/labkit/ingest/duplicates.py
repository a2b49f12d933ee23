"""Which files say the same: byte for byte, or nearly.

Near-duplicates are found by MinHash over word shingles with locality-sensitive hashing (Broder 1997; Indyk and Motwani
1998; the implementation is datasketch's), so that no file is compared with all others, and every candidate is then
compared by its real shingles. A copy that was edited loses or gains a paragraph: most of the shorter text stands in
the longer (containment), while two forms filled in differently share their labels only.

Texts made from one template are alike too, yet all are needed: a runbook for the processor and one for the memory
differ in a few words, and in their titles. So are two revisions of one document. Documents of different titles are
never duplicates, nor are those that state the same number and different versions or days. Neither are files for
different readers: dropping one would hide its content from its readers, or show it to others.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np

from labkit.ingest.reading import Card

SHINGLE = 3
"""Words in a shingle."""
PERMUTATIONS = 128
JACCARD, CONTAINMENT = 0.5, 0.8
"""Both must be reached: shared shingles of all shingles, and of those of the shorter text."""
MIN_WORDS = 20
"""Shorter texts are compared byte by byte only: two short notes are alike by accident."""
_BATCH = 4096
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be a duplicate: who may read it, its bytes' hash, its card."""

    path: str
    scope: tuple[str, ...]
    sha256: str
    card: Card


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A file that says what ``original`` says; ``exact`` when its bytes are equal."""

    original: str
    exact: bool


def words_of(text: str) -> list[str]:
    """The words a text is compared by: lower case, no punctuation or layout."""
    return _WORD.findall(text.lower())


def text_hash(words: list[str]) -> str:
    """Equal for equal words in equal order."""
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:32]


def signature(words: list[str]) -> bytes:
    """MinHash of the shingles: :data:`PERMUTATIONS` unsigned 32-bit numbers."""
    sketch = _sketch()
    shingles = sorted(_shingles(words))
    for start in range(0, len(shingles), _BATCH):  # a batch at a time: the matrix has a row per shingle
        sketch.update_batch([shingle.encode() for shingle in shingles[start : start + _BATCH]])
    return np.asarray(sketch.hashvalues, dtype="<u4").tobytes()


def find_duplicates(candidates: Iterable[Candidate], words: Callable[[str], list[str]]) -> dict[str, Duplicate]:
    """Every file that repeats another, with the one it repeats.

    The original of a group is the file with the shortest path, then the first by name: copies get longer names and
    deeper folders. Originals are never duplicates themselves.

    Args:
        candidates: all accepted files, in any order.
        words: the words of the file at a path, read again for the few that must be compared.
    """
    ordered = sorted(candidates, key=lambda candidate: (len(candidate.path), candidate.path))
    found: dict[str, Duplicate] = {}
    unlike = _exact(ordered, found)
    by_scope: defaultdict[tuple[str, ...], list[Candidate]] = defaultdict(list)
    for candidate in unlike:
        by_scope[candidate.scope].append(candidate)
    for group in by_scope.values():
        _near(group, words, found)
    # A copy of a copy is a copy of the original, though not of its bytes if either differs.
    originals = {path: _root(path, found) for path in found}
    return {
        path: Duplicate(original, found[path].exact and found[path].original == original)
        for path, original in originals.items()
    }


def _exact(ordered: list[Candidate], found: dict[str, Duplicate]) -> list[Candidate]:
    """Mark files with equal bytes; the first of each comes back."""
    first: dict[tuple[object, ...], str] = {}
    unlike = []
    for candidate in ordered:
        original = first.setdefault((candidate.scope, candidate.sha256), candidate.path)
        if original == candidate.path:
            unlike.append(candidate)
        else:
            found[candidate.path] = Duplicate(original, exact=True)
    return unlike


def _near(ordered: list[Candidate], words: Callable[[str], list[str]], found: dict[str, Duplicate]) -> None:
    """Mark files that are alike. Only originals are looked up, so a thousand copies cost a thousand comparisons."""
    from datasketch import MinHashLSH

    index = MinHashLSH(threshold=JACCARD, num_perm=PERMUTATIONS, weights=(0.1, 0.9))
    originals: dict[str, Candidate] = {}
    by_text: dict[tuple[str, str, str], str] = {}
    for candidate in ordered:
        card = candidate.card
        if card.words < MIN_WORDS:
            continue
        same = by_text.setdefault((card.text_hash, card.number, card.version), candidate.path)
        if same != candidate.path:
            found[candidate.path] = Duplicate(same, exact=False)
            continue
        sketch = _sketch(card.signature)
        alike = [originals[path] for path in sorted(index.query(sketch)) if _may_repeat(card, originals[path].card)]
        if best := _best(candidate, alike, words):
            found[candidate.path] = Duplicate(best, exact=False)
        else:
            index.insert(candidate.path, sketch)
            originals[candidate.path] = candidate


def _best(candidate: Candidate, alike: list[Candidate], words: Callable[[str], list[str]]) -> str:
    """The original most like the candidate, '' if none is like enough."""
    if not alike:
        return ""
    mine = _shingles(words(candidate.path))
    scored = []
    for other in alike:
        theirs = _shingles(words(other.path))
        shared = len(mine & theirs)
        jaccard, containment = shared / len(mine | theirs), shared / min(len(mine), len(theirs))
        if jaccard >= JACCARD and containment >= CONTAINMENT:
            scored.append((jaccard, other.path))
    return max(scored, key=lambda pair: (pair[0], -len(pair[1])))[1] if scored else ""


def _may_repeat(one: Card, other: Card) -> bool:
    """False for texts of different titles, two versions of one document, and documents of different numbers."""
    if not _same_title(words_of(one.title), words_of(other.title)):
        return False
    if one.number and other.number and one.number != other.number:
        return False
    if one.version and other.version and one.version != other.version:
        return False
    same_number = bool(one.number) and one.number == other.number
    return not (same_number and one.valid_from and other.valid_from and one.valid_from != other.valid_from)


def _same_title(one: list[str], other: list[str]) -> bool:
    """Equal words, or one title within the other: marks such as "draft" are added, long titles are cut off."""
    if set(one) <= set(other) or set(other) <= set(one):
        return True
    joined = sorted((" ".join(one), " ".join(other)), key=len)
    return len(one) > 1 and joined[1].startswith(joined[0])


def _root(path: str, found: dict[str, Duplicate]) -> str:
    while path in found:
        path = found[path].original
    return path


def _shingles(words: list[str]) -> set[str]:
    return {" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}


def _sketch(values: bytes | None = None) -> Any:
    from datasketch import MinHash

    # Any even 32-bit hash does, because datasketch mixes its bits; this one is a single call into C.
    hashes = None if values is None else np.frombuffer(values, dtype="<u4").copy()
    return MinHash(PERMUTATIONS, permutations=_permutations(), hashvalues=hashes, scheme="affine32", hashfunc=crc32)


@lru_cache(maxsize=1)
def _permutations() -> Any:
    """Drawn once: datasketch draws them anew for every sketch, which costs more than the sketch."""
    from datasketch import MinHash

    return MinHash(PERMUTATIONS, seed=1, scheme="affine32").permutations
