"""The graph by rules: names in fields and sentences, joined where the data dictionary knows a relation between them.

No model reads anything here. A field's label says its relation; its subject is what the label names in brackets, the
head of its row, what the fields before it were about, or what the document is about. In a sentence, a thing and a thing
(or a quantity, a day, a phrase some field of that relation holds) of the right kinds are taken to be related. That a
sentence denies or only wonders, and who *it* and *the site* are, rules do not see.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from labkit.graph.agreement import agreed
from labkit.graph.codes import codes
from labkit.graph.contents import held, phrases_of
from labkit.graph.fields import Field, rows
from labkit.graph.names import Named, Names
from labkit.graph.naming import learn as learned
from labkit.graph.patterns import Telling, learn, tell
from labkit.graph.resolve import entities_of, entity_id, resolve
from labkit.graph.schema import Relation, Schema
from labkit.graph.tables import Extraction, Mention, Statement
from labkit.graph.values import Value, days, since, stated
from labkit.retrieve.text import Sentence, is_front_matter, sentences
from labkit.schema import Chunk

_SPEAKER = re.compile(r"^\[[^\]]{3,20}\] [^:\n]{2,60}: ?|^[^:\n]{2,40} \(\d\d?:\d\d(?::\d\d)?\): ?", re.MULTILINE)
_LISTED = re.compile(r"(?<=[.!?]), (?=[A-Z])")
_CLOSING = re.compile(
    r"^\W*(?:\w+ )?regards\b|\byours (?:sincerely|faithfully|truly)\b|\bon behalf of\b", re.IGNORECASE
)
_COLUMNS = re.compile(r"\S(?: {2,}|\t)\S")
_MOST_SUBJECTS = 4
"""Things of one kind in a sentence above which it is a list of names, not a statement about each."""


@dataclass(frozen=True, slots=True)
class _Said:
    subject: Named
    relation: str
    object: Named | None
    value: Value | None
    start: int
    end: int
    since: Value | None = None


class RulesExtractor:
    """Implements :class:`labkit.graph.tables.Extractor`.

    Args:
        schema: the data dictionary; by default the one that ships.
    """

    name = "rules"

    def __init__(self, schema: Schema | None = None) -> None:
        self.schema = schema or Schema.load()

    def extract(self, chunks: Sequence[Chunk]) -> Extraction:
        """The graph of these chunks; names and phrases are learned from all of them first."""
        found = Extraction(self.name)
        fields = {chunk.chunk_id: rows(chunk.text, self.schema) for chunk in chunks}
        names = learned(chunks, fields, self.schema)
        coded = codes(chunks, names, fields, self.schema)
        names = Names(names.kinds | {code: kind for kind, code in coded}, self.schema)
        phrases = phrases_of(fields, self.schema)
        named = {chunk.chunk_id: names.find(chunk.text) for chunk in chunks}
        standing = resolve(chunks, named, names, coded)
        in_fields: list[Statement] = []
        in_prose: list[Statement] = []
        for chunk in chunks:
            here, lines = named[chunk.chunk_id], fields[chunk.chunk_id]
            found.mentions += [
                Mention(entity_id=entity_id(name, standing), chunk_id=chunk.chunk_id, start=name.start, end=name.end)
                for name in here
            ]
            topics = [name for heading in chunk.heading_path for name in names.find(heading)]
            about = _without_date(chunk, lines)
            in_fields += [_statement(said, chunk, standing) for said in self._in_fields(about, here, topics, names)]
            prose = self._in_prose(chunk, here, lines, phrases)
            in_prose += [_statement(said, chunk, standing) for said in prose]
        in_prose += self._by_patterns(chunks, named, fields, standing, [*in_fields, *in_prose])
        found.statements = agreed(in_fields, in_prose, chunks, self.schema)
        found.entities = entities_of(standing)
        return found

    def _by_patterns(
        self, chunks: Sequence[Chunk], named: Mapping[str, Sequence[Named]],
        fields: Mapping[str, Sequence[Sequence[Field]]], standing: Mapping[tuple[str, str], str],
        statements: Sequence[Statement],
    ) -> Iterator[Statement]:  # fmt: skip
        """What sentences say that go like those whose values are known."""
        known: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        said = set()
        for statement in statements:
            known[statement.subject_id, statement.relation].add(statement.value.lower())
            said.add((statement.chunk_id, statement.start, statement.relation))
        tellings: list[Telling] = []
        where: list[tuple[Chunk, int, Named]] = []
        for chunk in chunks:
            taken = [(field.start, field.end) for line in fields[chunk.chunk_id] for field in line]
            for sentence in _lines(chunk.text):
                for name in named[chunk.chunk_id]:
                    if sentence.start <= name.start < sentence.end and not _within(name.start, taken):
                        at = name.start - sentence.start
                        end = at + name.end - name.start
                        tellings.append(Telling(sentence.text, entity_id(name, standing), name.kind, at, end))
                        where.append((chunk, sentence.start, name))
        for place, relation, value in tell(tellings, learn(tellings, known, self.schema)):
            chunk, start, name = where[place]
            if (chunk.chunk_id, start, relation) not in said:
                text = tellings[place].text
                begun = since(text) if self.schema.relation[relation].changes else None
                yield _statement(_Said(name, relation, None, value, start, start + len(text), begun), chunk, standing)

    def _in_fields(
        self, lines: Sequence[Sequence[Field]], named: Sequence[Named], topics: Sequence[Named], names: Names
    ) -> Iterator[_Said]:
        """What fields say."""
        starting = {name.start: name for name in named}
        current: dict[str, Named] = {}  # kind → what the fields before were about
        for line in lines:
            heads = [name for field in line if (name := starting.get(field.at)) and name.end <= field.end]
            for field in line:
                about = names.find(field.about)[:1] if field.about else []
                row = [name for name in heads if not field.at <= name.start < field.end]
                inside = [name for name in named if field.at <= name.start < field.end]
                first = [name for name in inside if name.start == field.at]
                for name in inside if first else [None]:
                    said = self._field(field, name, about or [*row, *current.values(), *topics])
                    if said and (name in [*first, None] or self.schema.relation[said.relation].several):
                        yield said
            if len(line) == 1 and len(heads) == 1 and not line[0].about:
                current[heads[0].kind] = heads[0]

    def _field(self, field: Field, name: Named | None, subjects: Sequence[Named]) -> _Said | None:
        """What a field says of the first of the subjects that such a field can be about."""
        for subject in subjects:
            for relation_name in self.schema.by_label.get(field.label, ()):
                relation = self.schema.relation[relation_name]
                if relation.subject == subject.kind:
                    object_, value = held(relation, field, name)
                    if object_ or value:
                        return _Said(subject, relation_name, object_, value, field.start, field.end)
        return None

    def _in_prose(
        self, chunk: Chunk, named: Sequence[Named], lines: Sequence[Sequence[Field]], phrases: Mapping[str, list[str]]
    ) -> Iterator[_Said]:
        """What sentences outside fields say; a day in a heading is that of the document."""
        text, heading = chunk.text, _heading(chunk)
        taken = [(field.start, field.end) for line in lines for field in line]
        speakers = [(match.start(), match.end()) for match in _SPEAKER.finditer(text)]
        free = [n for n in named if not _within(n.start, taken) and not _within(n.start, speakers)]
        for sentence in _lines(text):
            if _CLOSING.search(sentence.text):
                continue  # who signs a letter, and for whom
            here = [name for name in free if sentence.start <= name.start < sentence.end]
            by_kind: defaultdict[str, list[Named]] = defaultdict(list)
            for name in here:
                if name.surface not in {other.surface for other in by_kind[name.kind]}:
                    by_kind[name.kind].append(name)
            begun = since(sentence.text)
            told: set[str] = set()
            for relation_name, relation in sorted(
                self.schema.relation.items(), key=lambda item: item[1].value == "day"
            ):
                subjects = by_kind.get(relation.subject, [])
                if not 0 < len(subjects) <= _MOST_SUBJECTS:
                    continue
                from_then = begun if relation.changes else None
                if relation.object:
                    for subject, object_ in _paired(subjects, by_kind.get(relation.object, [])):
                        told.add(subject.surface)
                        yield _Said(subject, relation_name, object_, None, sentence.start, sentence.end, from_then)
                else:
                    values = stated(sentence.text, relation, phrases.get(relation_name, ()))
                    values = [v for v in values if not _within(sentence.start + v.start, taken)]
                    if relation.value == "day":
                        values = [v for v in values if sentence.start + v.start >= heading]
                        values = _dated(relation, sentence.text, values, begun)
                    for subject, value in _paired(subjects, values, sentence.start):
                        if relation.value == "day" and subject.surface in told:
                            continue  # the day since which something else is true
                        if relation.value == "words" and _overlap(subject, value, sentence.start):
                            continue  # a word of its own name: York Depot need not be in York
                        told.add(subject.surface)
                        yield _Said(subject, relation_name, None, value, sentence.start, sentence.end, from_then)


def _lines(text: str) -> Iterator[Sentence]:
    """Sentences; where columns are set with spaces, lines."""
    for sentence in _parted(sentences(text)):
        if "\n" in sentence.text and _COLUMNS.search(sentence.text):
            at = sentence.start
            for line in sentence.text.split("\n"):
                yield Sentence(at, at + len(line), line)
                at += len(line) + 1
        else:
            yield sentence


def _without_date(chunk: Chunk, lines: Sequence[Sequence[Field]]) -> Sequence[Sequence[Field]]:
    """The fields of a chunk without the document's own day, where that stands alone before all others."""
    if lines and len(lines[0]) == 1 and len(chunk.heading_path) < 2 and chunk.valid_from:
        first = lines[0][0]
        alone = len(lines) == 1 or "\n\n" in chunk.text[first.end : lines[1][0].start]
        day = days(first.value)
        if alone and day and day[0].text == first.value and day[0].number == chunk.valid_from.toordinal():
            return lines[1:]
    return lines


def _heading(chunk: Chunk) -> int:
    """Where the text behind a chunk's heading begins."""
    line = chunk.text.partition("\n")[0]
    bare = line.partition(": ")[2] if is_front_matter(line) else line
    return len(line) + 1 if bare.strip() in chunk.heading_path else 0


def _parted(found: Iterable[Sentence]) -> Iterator[Sentence]:
    """Sentences, also where a list of them was written in one line: *It rained., Cause, It froze.*"""
    for sentence in found:
        at = 0
        for comma in [*_LISTED.finditer(sentence.text), None]:
            end = comma.start() if comma else len(sentence.text)
            yield Sentence(sentence.start + at, sentence.start + end, sentence.text[at:end])
            at = comma.end() if comma else end


_Placed = TypeVar("_Placed", Named, Value)


def _paired(subjects: Sequence[Named], objects: Sequence[_Placed], offset: int = 0) -> list[tuple[Named, _Placed]]:
    """Every subject with every object; where there are several of both, each object with the nearest subject."""
    if len(subjects) == 1 or len(objects) == 1:
        return [(s, o) for s in subjects for o in objects]
    return [(min(subjects, key=lambda s: abs(s.start - (o.start + offset))), o) for o in objects]


def _dated(relation: Relation, text: str, found: Sequence[Value], begun: Value | None) -> list[Value]:
    """Of the days in a sentence those behind the field's label, else those since which nothing else is so."""
    labels = {label.casefold() for label in relation.labels}
    labelled = [day for day in found if labels & set(text[: day.start].casefold().split()[-2:])]
    others = [day for day in found if day != begun] if relation.changes or len(found) > 1 else list(found)
    return labelled or others


def _overlap(name: Named, value: Value, offset: int) -> bool:
    return name.start < value.end + offset and value.start + offset < name.end


def _within(at: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= at < end for start, end in spans)


def _statement(said: _Said, chunk: Chunk, standing: Mapping[tuple[str, str], str]) -> Statement:
    value, object_ = said.value, said.object
    return Statement(
        subject_id=entity_id(said.subject, standing), relation=said.relation,
        object_id=entity_id(object_, standing) if object_ else "",
        value=object_.surface if object_ else value.text if value else "",
        number=value.number if value else None, unit=value.unit if value else "",
        since=date.fromordinal(int(said.since.number or 1)) if said.since else None,
        chunk_id=chunk.chunk_id, start=said.start, end=said.end,
    )  # fmt: skip
