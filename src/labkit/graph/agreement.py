"""Which statements stand when fields and sentences disagree.

A field says outright what it says; that a sentence tells of a relation is inferred from what it names. So fields count
more, and sentences worded like those that contradict fields (*hold the training until the photographs from Hexham,
promised 3 May*) are not believed where no field is.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from labkit.graph.schema import Schema
from labkit.graph.tables import Statement
from labkit.retrieve.terms import FUNCTION_WORDS
from labkit.retrieve.text import is_front_matter
from labkit.schema import Chunk

_LOWER = re.compile(r"(?<![\w-])[a-z]{3,}(?![\w-])")
_DOUBT = math.log(0.5)
"""What the words of a sentence must speak against it to be left out."""

_Key = tuple[str, str]
"""Subject and relation."""


def agreed(
    in_fields: Sequence[Statement], in_prose: Sequence[Statement], chunks: Sequence[Chunk], schema: Schema
) -> list[Statement]:
    """All statements that stand, by chunk.

    What a document has a field for, its sentences do not tell otherwise, and what never changes those of no other
    document. But they do tell another day than a field *Date*, which may be that of the document. Where a relation has
    several values, one says nothing against another.
    """
    order = {chunk.chunk_id: place for place, chunk in enumerate(chunks)}
    doc = {chunk.chunk_id: chunk.doc_id for chunk in chunks}
    text = {chunk.chunk_id: chunk.text for chunk in chunks}
    here: defaultdict[tuple[str, _Key], set[str | float]] = defaultdict(set)
    anywhere: defaultdict[_Key, set[str | float]] = defaultdict(set)
    for s in in_fields:
        relation = schema.relation[s.relation]
        own = relation.value == "day" and any(is_front_matter(f"{label.lower()}: ") for label in relation.labels)
        if not relation.several and not own:
            anywhere[s.subject_id, s.relation].add(s.content)
            here[doc[s.chunk_id], (s.subject_id, s.relation)].add(s.content)
    settled = {name for name, relation in schema.relation.items() if not relation.changes}
    weights = _weights((s for s in in_prose if s.relation in settled), anywhere, text)
    free = []
    for s in in_prose:
        key = s.subject_id, s.relation
        known = here.get((doc[s.chunk_id], key)) or (anywhere.get(key) if s.relation in settled else None)
        against = sum(weights.get((s.relation, word), 0.0) for word in _words(s, text))
        if s.content in known if known else against >= _DOUBT:
            free.append(s)
    return sorted([*in_fields, *free], key=lambda s: order[s.chunk_id])


def _weights(
    in_prose: Iterable[Statement], fixed: Mapping[_Key, set[str | float]], text: Mapping[str, str]
) -> dict[tuple[str, str], float]:
    """Relation and word → how much the word speaks for a sentence, by the subjects of which fields tell as much."""
    subjects: defaultdict[tuple[str, str, bool], set[str]] = defaultdict(set)
    for s in in_prose:
        if known := fixed.get((s.subject_id, s.relation)):
            for word in _words(s, text):
                subjects[s.relation, word, s.content in known].add(s.subject_id)
    right, wrong = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for (relation, word, is_right), of in subjects.items():
        (right if is_right else wrong)[relation, word] = len(of)
    return {key: math.log((right[key] + 1) / (wrong[key] + 1)) for key in right.keys() | wrong.keys()}


def _words(statement: Statement, text: Mapping[str, str]) -> set[str]:
    """The words of meaning in a statement's sentence, without names."""
    sentence = text[statement.chunk_id][statement.start : statement.end].replace(statement.value, " ")
    return set(_LOWER.findall(sentence)) - FUNCTION_WORDS
