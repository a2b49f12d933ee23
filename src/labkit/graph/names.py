"""The names of things, learned from the documents: a field *Supplier* vouches for what stands in it.

Numbers follow the numbering schemes of the data dictionary, persons are found by the tagger of :mod:`labkit.pii`, and a
capitalised phrase that ends in what its kind is called (*Removable Media Policy*) names itself. Names no field holds
are learned from the words around those that one does (Brin 1998, *Extracting patterns and relations from the World
Wide Web*). A name is found wherever it stands as a whole, those of one word only in the same case.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from labkit.graph.fields import Field
from labkit.graph.schema import Schema
from labkit.pii.names import names as persons
from labkit.retrieve.terms import FUNCTION_WORDS
from labkit.schema import Chunk

PERSON = "person"
_MOST_WORDS = 6
_WORD = re.compile(r"\w+(?:[-'’.&/]\w+)*")
_PIECE = re.compile(r"\w+")
# What makes a stretch of text part of a longer name: "Mbeki-Hexham", "O'Hexham"; "Hexham-North", "Hexham-2",
# "hexham.com"; and with a number "BT-4471-B", "BT-4471.2", "BT-4471/2".
_INSIDE_BEFORE = re.compile(r"\w[-‐‑'’.&]$")
_INSIDE_NAME = re.compile(r"\w|[-‐‑][A-ZÀ-Þ\d]|[.&]\w|/\d")
_INSIDE_NUMBER = re.compile(r"\w|[-‐‑.&]\w|/\d")
_LOWER = re.compile(r"^(?:[a-z]+ )+")
_LEADING = FUNCTION_WORDS | {"since"}
_IDENTIFIER = re.compile(r"\b[A-Z]{1,4}-?\d[\w-]*$")
_VERSION = re.compile(r"\b\d+(?:\.\d+)+$")
_CAPITALISED = re.compile(r"[A-ZÀ-ÞĀ-Ž][\w’'-]*(?: (?:(?:and|of|the|for|&|de|la|van) )?[A-ZÀ-ÞĀ-Ž][\w’'-]*){0,5}")
_SURE, _LIKELY = 3, 1
"""Votes of a field, and of a context."""
_MOSTLY = 0.8
_CONTEXTS, _SUPPORT, _PURE = 2, 2, 0.9
"""Words to either side that make a context, different known names it needs, and the share of one kind among them."""


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

    @classmethod
    def learn(cls, chunks: Sequence[Chunk], rows: Mapping[str, list[list[Field]]], schema: Schema) -> Names:
        """From the chunks and their fields (chunk id → rows)."""
        votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for chunk in chunks:
            for row in rows.get(chunk.chunk_id, ()):
                for field in row:
                    _vote(field, schema, votes)
            for mark in persons(chunk.text):
                name = chunk.text[mark.start : mark.end]
                if " " in name and not any(char.isdigit() for char in name):
                    votes[name][PERSON] = _LIKELY  # however often: the tagger takes some places for persons
        by_field = cls(_decided(votes), schema)
        for name, kind in _self_named(chunks, schema):
            if not any(named.start == 0 for named in by_field.find(name)):
                votes[name][kind] += _SURE
        for name, kind in _in_contexts(chunks, by_field, schema):
            votes[name][kind] += _LIKELY
        for chunk in chunks:
            for named in by_field.find(chunk.text):
                votes[named.surface][named.kind] += _LIKELY  # also what a numbering scheme found
        return cls(_decided(votes), schema)

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


def _vote(field: Field, schema: Schema, votes: dict[str, Counter[str]]) -> None:
    kind = schema.kind_of_label.get(field.label)
    if kind and _is_name(field.value, schema):
        votes[field.value][kind] += _SURE
    subjects = {schema.relation[name].subject for name in schema.by_label.get(field.label, ())}
    if not any(char.isdigit() for char in field.about):
        subjects = {kind for kind in subjects if not schema.kind[kind].number}
    if field.about and len(subjects) == 1 and _is_name(field.about, schema):
        votes[field.about][next(iter(subjects))] += _SURE


def _is_name(value: str, schema: Schema) -> bool:
    words = value.split()
    if value in schema.labels:  # the head of a table, or an empty field and the label behind it
        return False
    if not 0 < len(words) <= _MOST_WORDS or not value[-1].isalnum() or any(mark in value for mark in ":;,?!("):
        return False
    return words[0][0].isupper() or _IDENTIFIER.search(value) is not None


def _decided(votes: Mapping[str, Counter[str]]) -> dict[str, str]:
    """Each name's kind, and for a thing with a number (*belt tensioner BT-4471*) also the number alone.

    Where most names of a kind have a number, one that has none is not a name.
    """
    kinds = {name: max(sorted(count), key=count.__getitem__) for name, count in sorted(votes.items())}
    numbered = Counter(kind for name, kind in kinds.items() if _IDENTIFIER.search(name))
    total = Counter(kinds.values())
    kinds = {
        name: kind for name, kind in kinds.items()
        if numbered[kind] < _MOSTLY * total[kind] or _IDENTIFIER.search(name)
    }  # fmt: skip
    numbers: dict[str, set[str]] = {}
    for name in kinds:
        for pattern in (_IDENTIFIER, _VERSION):
            if (match := pattern.search(name)) and match.start() > 0:
                numbers.setdefault(match[0], set()).add(kinds[name])
    kinds |= {number: next(iter(of)) for number, of in numbers.items() if len(of) == 1 and number not in kinds}
    return kinds


def _self_named(chunks: Iterable[Chunk], schema: Schema) -> Iterable[tuple[str, str]]:
    """Capitalised phrases that end in a label of a kind."""
    ends = {
        label: name for name, kind in schema.kind.items() if name != PERSON for label in kind.labels if label.istitle()
    }
    if not ends:
        return
    either = "|".join(sorted(map(re.escape, ends)))
    pattern = re.compile(rf"\b((?:[A-Z][\w’'-]* ){{1,4}})({either})\b(?!:)")
    for chunk in chunks:
        for match in pattern.finditer(chunk.text):
            words = match[1].split()
            while words and words[0].lower() in FUNCTION_WORDS:
                words.pop(0)
            if words and all(word.isalpha() for word in "".join(words).split("-")) and words[0] not in schema.labels:
                yield " ".join([*words, match[2]]), ends[match[2]]


def _in_contexts(chunks: Sequence[Chunk], known: Names, schema: Schema) -> Iterable[tuple[str, str]]:
    """Capitalised phrases that stand where names of one kind do, and that are not made of ordinary words.

    Only for kinds that are told by nothing else: they have no numbers, and no tagger looks for them.
    """
    names_in: defaultdict[tuple[str, str], defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    unknown: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    ordinary = {word for surface, kind in known.kinds.items() if kind == PERSON for word in surface.lower().split()}
    for chunk in chunks:
        ordinary.update(word for word in _WORD.findall(chunk.text) if word.islower())
        for line in (*chunk.heading_path, *chunk.text.split("\n")):
            taken = known.find(line)
            for named in taken:
                names_in[_context(line, named.start, named.end)][named.kind].add(named.surface)
            for match in _CAPITALISED.finditer(line):
                if all(match.end() <= named.start or match.start() >= named.end for named in taken):
                    unknown[_context(line, match.start(), match.end())].add(match[0])
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for context, kinds in names_in.items():
        kind, of = max(kinds.items(), key=lambda item: (len(item[1]), item[0]))
        told = kind == PERSON or schema.kind[kind].number
        if not told and len(of) >= _SUPPORT and len(of) >= _PURE * sum(map(len, kinds.values())):
            for name in unknown.get(context, ()):
                words = _WORD.findall(name)
                if not name.isupper() and not all(word.lower() in ordinary for word in words):
                    votes[name][kind] += 1
    for name, count in sorted(votes.items()):
        yield name, max(sorted(count), key=count.__getitem__)


def _context(line: str, start: int, end: int) -> tuple[str, str]:
    left = re.findall(r"\w+|[^\w\s]", line[max(0, start - 40) : start])[-_CONTEXTS:]
    right = re.findall(r"\w+|[^\w\s]", line[end : end + 40])[: _CONTEXTS - 1]
    return " ".join(left), " ".join(right)
