"""Codes: short names in capitals that stand for a thing, *Hexham (HXM)*.

In brackets behind names documents say which code is whose, and what the codes of a kind look like. Other words of that
look are codes too where documents leave no choice: wherever *HXM* stands, Hexham is what the document is about.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from labkit.graph.fields import Field
from labkit.graph.names import Named, Names
from labkit.graph.naming import kind_of_page
from labkit.graph.schema import Schema
from labkit.schema import Chunk

_BRACKETS = re.compile(r" \((?P<code>[A-Z][A-Z0-9-]{1,9})\)")
_WORD = re.compile(r"(?<![\w.@/-])[A-Z][A-Z0-9]+(?![\w@/-]|\.\w)")
_TITLE = re.compile(r"(?P<code>[A-Z][A-Z0-9]+)(?![\w@/-]|\.\w)")
_FEW = 2
"""Codes of one look a kind needs, fields a thing's page needs, and times a code has to stand outside titles."""

Codes = dict[tuple[str, str], str]
"""(kind, code) → the name it stands for; '' where only the code is known."""


def bracketed(text: str, names: Names) -> Iterable[tuple[Named, str]]:
    """The names in a text that have a code in brackets behind them, and the codes."""
    if " (" in text and _BRACKETS.search(text):
        for name in names.find(text):
            if match := _BRACKETS.match(text, name.end):
                yield name, match["code"]


def codes(
    chunks: Sequence[Chunk], names: Names, fields: Mapping[str, Sequence[Sequence[Field]]], schema: Schema
) -> Codes:
    """The codes that are not names themselves.

    What stands in brackets behind several things of a kind is a remark: *Hexham (UK)*, *Leeds (UK)*.

    Args:
        chunks: all of them.
        names: what is known of names.
        fields: chunk id → its fields; those of a page without a name tell of which kind the code in its title is.
        schema: says what fields are of.
    """
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    behind: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for chunk in chunks:
        for text in {chunk.text, *chunk.heading_path}:
            for name, code in bracketed(text, names):
                if code not in names.kinds:
                    found[code][name.kind] += 1
                    behind[name.kind, code].add(name.surface)
    most = {code: max(sorted(kinds), key=kinds.__getitem__) for code, kinds in sorted(found.items())}
    told = {(kind, code): min(behind[kind, code]) for code, kind in most.items() if _one(behind[kind, code])}
    return _alike(chunks, names, told, fields, schema) | told


def _one(surfaces: Iterable[str]) -> bool:
    return len({re.sub(r"\W", "", surface).casefold() for surface in surfaces}) == 1


def _alike(
    chunks: Sequence[Chunk], names: Names, told: Codes,
    fields: Mapping[str, Sequence[Sequence[Field]]], schema: Schema,
) -> Codes:  # fmt: skip
    """Codes that look like those of a kind: of the one thing that all documents name in which they stand."""
    ordinary = {word.upper() for chunk in chunks for word in re.findall(r"\b[a-z]+\b", chunk.text)}
    docs: defaultdict[str, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        docs[chunk.doc_id].append(chunk)
    looks = Counter((kind, _look(code)) for kind, code in told)
    looks.update((kind, _look(code)) for kind, code in {_page(of, fields, schema) for of in docs.values()} if kind)
    kinds = {look: kind for (kind, look), n in sorted(looks.items(), key=lambda item: item[1]) if n >= _FEW}
    standing: defaultdict[tuple[str, str], list[frozenset[str]]] = defaultdict(list)
    times: Counter[tuple[str, str]] = Counter()
    pages: set[tuple[str, str]] = set()
    for of in docs.values():
        titles = {chunk.heading_path[0] for chunk in of if chunk.heading_path}
        texts = (*(chunk.text for chunk in of), *titles, *{_file(chunk, names) for chunk in of})
        words = Counter(word for text in texts for word in _WORD.findall(text))
        keys = {(kinds[look], word) for word in words if (look := _look(word)) in kinds and word not in ordinary}
        for key in {key for key in keys if key not in told and key[1] not in names.kinds}:
            standing[key].append(_named(key[0], of, names))
            titled = any((title := _TITLE.match(text)) and title["code"] == key[1] for text in titles)
            times[key] += _FEW if titled else words[key[1]]
            pages |= {key} & {_page(of, fields, schema)}
    coded = {(kind, name) for (kind, _), name in told.items()}
    found: Codes = {}
    for key in sorted(standing, key=lambda key: (-len(standing[key]), key)):
        things = [named for named in standing[key] if named]
        common = frozenset.intersection(*things) if things else frozenset[str]()
        alone = [named for named in things if len(named) == 1]
        if (
            len(common) == 1
            and alone
            and 2 * len(things) >= len(standing[key])
            and times[key] >= _FEW
            and (key[0], name := min(common)) not in coded
        ):
            coded.add((key[0], name))
            found[key] = name
        elif not things and key in pages:
            found[key] = ""
    return found


def _file(chunk: Chunk, names: Names) -> str:
    """The words of a file's name that are no part of a known name in it."""
    stem = PurePosixPath(chunk.source_path).stem
    for name in reversed(names.find(stem)):
        stem = stem[: name.start] + stem[name.end :]
    return " ".join(re.split(r"[\W_]+", stem))


def _named(kind: str, of: Sequence[Chunk], names: Names) -> frozenset[str]:
    """The things of a kind that a document names: if its title names one, that."""
    titles = {chunk.heading_path[0] for chunk in of if chunk.heading_path}
    titled = frozenset(name.surface for title in titles for name in names.find(title) if name.kind == kind)
    if len(titled) == 1:
        return titled
    texts = {text for chunk in of for text in (chunk.text, *chunk.heading_path)}
    return frozenset(name.surface for text in texts for name in names.find(text) if name.kind == kind)


def _page(
    of: Sequence[Chunk], fields: Mapping[str, Sequence[Sequence[Field]]], schema: Schema
) -> tuple[str, str]:  # fmt: skip
    """The kind whose fields a document has, and the code its title begins with; '' where there is none."""
    title = next((match for chunk in of if chunk.heading_path and (match := _TITLE.match(chunk.heading_path[0]))), None)
    if title is None:
        return "", ""
    kind = kind_of_page((fields.get(chunk.chunk_id, ()) for chunk in of), schema)
    return (kind, title["code"]) if kind else ("", "")


def _look(code: str) -> str:
    return re.sub(r"\d", "0", re.sub(r"[A-Z]", "A", code))
