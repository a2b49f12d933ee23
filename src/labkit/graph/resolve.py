"""Entity resolution: which names mean the same thing.

Names of one kind are joined where the documents say so or leave no choice: a code in brackets behind a name, a number
alone where one thing has it, the number in a document's title beside the one name in its text, an initial where one
person fits, a renaming, another spelling. Two things are never joined for being mentioned together. Where two persons
share an initial and a surname, *J. Martin* stays a name of its own: whom it means, only its document knows.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import pairwise
from pathlib import PurePosixPath

from labkit.graph.codes import Codes, bracketed
from labkit.graph.names import PERSON, Named, Names
from labkit.graph.tables import Entity
from labkit.retrieve.terms import FUNCTION_WORDS
from labkit.schema import Chunk

_RENAMED = re.compile(
    r",? (?:\((?:formerly|previously|ex|née)|(?:formerly|previously) (?:known as|called)"
    r"|(?:now|is now) (?:known as|called)|(?:has been |was |is )?renamed(?: to| as)?|becomes|is called) (?:the )?",
    re.IGNORECASE,
)
_INITIAL = re.compile(r"(?P<initial>\w)\.? ?(?P<rest>\w[\w’'-]+(?: \w[\w’'-]+)*)$")
_TRAILING = re.compile(r"[ -](?P<number>[A-Z]{1,5}-?\d[\w-]*|\d+(?:\.\d+)+|[A-Z]-\d+)$")


def resolve(
    chunks: Sequence[Chunk], named: Mapping[str, Sequence[Named]], names: Names, coded: Codes | None = None
) -> dict[tuple[str, str], str]:
    """(kind, surface) → the surface that stands for the thing.

    Args:
        chunks: all of them.
        named: chunk id → the names in its text.
        names: what is known of names.
        coded: which names their codes stand for.
    """
    counts = Counter((name.kind, name.surface) for found in named.values() for name in found)
    for chunk in chunks:
        for heading in chunk.heading_path:
            counts.update((name.kind, name.surface) for name in names.find(heading))
    same = _Same(counts)
    ordinary = _ordinary(chunks)
    for kind, surfaces in _by_kind(counts).items():
        _by_spelling(kind, surfaces, same)
        _by_number(kind, surfaces, same, ordinary)
        if kind == PERSON:
            _by_initial(surfaces, same)
    behind: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for chunk in chunks:
        for text in {chunk.text, *chunk.heading_path}:
            for name, code in bracketed(text, names):
                behind[name.kind, code].add((name.kind, name.surface))
            for one, other in _renamed(text, names):
                same.join(one, other)
    for (kind, code), of in (coded or {}).items():
        same.join((kind, code), (kind, of))
    _by_title(chunks, named, names, same)
    for key, things in sorted(behind.items()):
        if len({same.root(thing) for thing in things & same.keys()}) == 1:
            for thing in sorted(things):
                same.join(key, thing)
    return same.standing()


def entity_id(name: Named, standing: Mapping[tuple[str, str], str]) -> str:
    """The id of the thing a name means; ``standing`` is from :func:`resolve`."""
    return f"{name.kind}:{standing.get((name.kind, name.surface), name.surface)}"


def entities_of(standing: Mapping[tuple[str, str], str]) -> list[Entity]:
    """The things that names mean, with their other names."""
    aliases: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (kind, surface), name in standing.items():
        aliases[kind, name] += [surface] if surface != name else []
    return [
        Entity(entity_id=f"{kind}:{name}", kind=kind, name=name, aliases=tuple(sorted(aliases[kind, name])))
        for kind, name in sorted(aliases)
    ]


class _Same:
    """Disjoint sets of names (Tarjan 1975); the one of most words, then the one written most, stands for a set."""

    def __init__(self, counts: Counter[tuple[str, str]]) -> None:
        self.counts = counts
        self.doubtful: set[tuple[str, str]] = set()
        """Names that stand for a set only where no other is."""
        self._parent = {key: key for key in counts}

    def keys(self) -> Set[tuple[str, str]]:
        """All names."""
        return self._parent.keys()

    def root(self, key: tuple[str, str]) -> tuple[str, str]:
        while self._parent[key] != key:
            key = self._parent[key]
        return key

    def join(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        if one in self._parent and other in self._parent and one[0] == other[0]:
            first, second = sorted((self.root(one), self.root(other)))
            self._parent[second] = first

    def standing(self) -> dict[tuple[str, str], str]:
        groups: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for key in sorted(self._parent):
            groups[self.root(key)].append(key)
        found: dict[tuple[str, str], str] = {}
        for group in groups.values():
            best = max(group, key=lambda key: (key not in self.doubtful, len(key[1].split()), self.counts[key], key[1]))
            found |= dict.fromkeys(group, best[1])
        return found


def _by_kind(counts: Counter[tuple[str, str]]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for kind, surface in sorted(counts):
        found[kind].append(surface)
    return found


def _by_spelling(kind: str, surfaces: Sequence[str], same: _Same) -> None:
    """Case, accents, dashes and spaces make no other thing: E530 is E-530."""
    first: dict[str, str] = {}
    for surface in surfaces:
        same.join((kind, first.setdefault(_spelling(surface), surface)), (kind, surface))


def _spelling(surface: str) -> str:
    """A name as it is compared; between digits a dash or a space counts: Gate 1-2 is not Gate 12."""
    bare = re.sub(r"[̀-ͯ]", "", unicodedata.normalize("NFKD", surface).casefold())
    return re.sub(r"(?<!\d)-|-(?!\d)", "", re.sub(r"[\s‐-―-]+", "-", bare))


def _by_number(kind: str, surfaces: Sequence[str], same: _Same, ordinary: Set[str]) -> None:
    """A number alone is the thing that has it, if one thing has; *changelog 8.1.7* is DriftOS 8.1.7.

    A version is a number two products may have. Names are told apart by their words that are not ordinary ones.
    """
    having: defaultdict[str, list[str]] = defaultdict(list)
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for surface in surfaces:
        if match := _TRAILING.search(surface):
            having[match["number"]].append(surface)
            numbers[_lead(surface)].add(match["number"])
    for number, of in having.items():
        own = {surface: frozenset(set(_lead(surface).casefold().split()) - ordinary) for surface in of}
        if len(set(own.values()) - {frozenset()}) > 1:
            continue
        for other in of[1:]:
            same.join((kind, of[0]), (kind, other))
        same.join((kind, of[0]), (kind, number))
        capitalised = [surface for surface in of if surface[0].isupper()]
        real = [surface for surface in of if own[surface]] or sorted(
            capitalised, key=lambda name: (len(numbers[_lead(name)]), same.counts[kind, name])
        )[-1:]
        same.doubtful.update((kind, name) for name in (of if any(own.values()) else capitalised) if name not in real)


def _lead(surface: str) -> str:
    """A name without the number behind it."""
    return _TRAILING.sub("", surface)


def _ordinary(chunks: Iterable[Chunk]) -> Set[str]:
    """Words the documents write in lower case, and function words."""
    found = set(FUNCTION_WORDS)
    for chunk in chunks:
        found.update(word for word in re.findall(r"(?<![\w.@/-])\w+(?![\w@/-])", chunk.text) if word.islower())
    return found


def _by_initial(surfaces: Sequence[str], same: _Same) -> None:
    """H. Zabala is Hiroshi Zabala, where no other Zabala's name begins so."""
    full: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for surface in surfaces:
        first, _, rest = surface.partition(" ")
        if rest and len(first.rstrip(".")) > 1:
            full[first[0], rest].append(surface)
    for surface in surfaces:
        match = _INITIAL.fullmatch(surface)
        if match and len(fits := full.get((match["initial"], match["rest"]), [])) == 1:
            same.join((PERSON, fits[0]), (PERSON, surface))


def _renamed(text: str, names: Names) -> Iterable[tuple[tuple[str, str], tuple[str, str]]]:
    if _RENAMED.search(text):
        found = names.find(text)
        for one, other in pairwise(found):
            between = text[one.end : other.start]
            if one.kind == other.kind and _RENAMED.fullmatch(between):
                yield (one.kind, one.surface), (other.kind, other.surface)


def _by_title(chunks: Sequence[Chunk], named: Mapping[str, Sequence[Named]], names: Names, same: _Same) -> None:
    """The number in a title or a file's name and the one name of that kind in the text mean what the document is about.

    And so does the one name with the number of that in the title: *Changelog 2.8.8* is about TideOS 2.8.8.
    """
    texts: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    titles: dict[str, tuple[str, ...]] = {}
    for chunk in chunks:
        texts[chunk.doc_id] |= {(name.kind, name.surface) for name in named[chunk.chunk_id]}
        titles[chunk.doc_id] = (*chunk.heading_path[:1], PurePosixPath(chunk.source_path).stem.replace("_", " "))
    for doc_id, (*title, file) in titles.items():
        for name in [name for text in (*title, file) for name in names.find(text)]:
            others = {key for key in texts[doc_id] if key[0] == name.kind and key[1] != name.surface}
            numbered = any(char.isdigit() for char in name.surface)
            if numbered and len(others) == 1 and not any(char.isdigit() for char in next(iter(others))[1]):
                same.join((name.kind, name.surface), next(iter(others)))
            number = _TRAILING.search(name.surface)
            alike = {key for key in others if number and (at := _TRAILING.search(key[1])) and at[0] == number[0]}
            if len(alike) == 1:
                same.join((name.kind, name.surface), next(iter(alike)))
                same.doubtful.add((name.kind, name.surface))
