"""Sentence patterns, learned from values that are known: *the headcount of machines at {site} is {value}*.

A field somewhere says that Cranmere has 20 robots; a sentence that names Cranmere and has a 20 in it shows how such
sentences go, and the next one tells of a site no field mentions (Agichtein and Gravano 2000, *Snowball*). A pattern is
the words between subject and value and a few around them. It is used if it was right more often than not where the
value is known, and if there are words in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from labkit.graph.schema import Schema
from labkit.graph.values import Value
from labkit.retrieve.terms import FUNCTION_WORDS

_AROUND = 3  # words before the first and behind the last of subject and value
_BETWEEN = 12  # words between them, at most
_RIGHT = 0.7  # of the values it finds where one is known
_WORD = re.compile(r"\w+|[^\w\s]")
_NUMBER = re.compile(r"(?<![\w.,-])\d[\d,.]*(?![\w-])")
_SUBJECT = "\x01"
_WORDS_VALUE, _NUMBER_VALUE = r"(?P<value>\w[^;:()“”\"\n]{0,70}?)", r"(?P<value>\d[\d,.]*)"


@dataclass(frozen=True, slots=True)
class Telling:
    """A sentence and a thing it names: ``text[start:end]``."""

    text: str
    subject_id: str
    kind: str
    start: int
    end: int

    @property
    def open(self) -> str:
        """The sentence with the thing left out."""
        return f"{self.text[: self.start]}{_SUBJECT}{self.text[self.end :]}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """How sentences tell of a relation."""

    relation: str
    regex: re.Pattern[str]

    def value(self, telling: Telling) -> Value | None:
        """What a sentence tells by it."""
        match = self.regex.search(telling.open)
        if match is None:
            return None
        text = match["value"].rstrip(" ,.")
        start = match.start("value")
        if start > telling.start:
            start += telling.end - telling.start - 1
        number = float(text.replace(",", "")) if re.fullmatch(r"\d[\d,]*(?:\.\d+)?", text) else None
        return Value(start, start + len(text), text, number) if text else None


Known = Mapping[tuple[str, str], set[str]]
"""(subject, relation) → values in lower case."""


def learn(tellings: Sequence[Telling], known: Known, schema: Schema) -> dict[str, list[Pattern]]:
    """Kind of the subject → patterns that hold, those with more words first."""
    of_kind: defaultdict[str, list[str]] = defaultdict(list)
    for name, relation in schema.relation.items():
        if relation.value in {"words", "number"}:
            of_kind[relation.subject].append(name)
    by_kind: defaultdict[str, list[Telling]] = defaultdict(list)
    for telling in tellings:
        by_kind[telling.kind].append(telling)
    found: dict[str, list[Pattern]] = {}
    for kind, here in by_kind.items():
        patterns: dict[tuple[str, str], Pattern] = {}
        for telling in here:
            for name in of_kind[kind]:
                for value in known.get((telling.subject_id, name), ()):
                    if source := _generalised(telling, value, schema.relation[name].value == "number"):
                        patterns.setdefault((name, source), Pattern(name, re.compile(source)))
        kept = [pattern for key, pattern in sorted(patterns.items()) if _holds(pattern, here, known)]
        found[kind] = sorted(kept, key=lambda pattern: -len(pattern.regex.pattern))
    return found


def tell(tellings: Iterable[Telling], patterns: Mapping[str, Sequence[Pattern]]) -> Iterator[tuple[int, str, Value]]:
    """What sentences tell: place of the sentence, relation and value, one value for each relation."""
    for number, telling in enumerate(tellings):
        told: set[str] = set()
        for pattern in patterns.get(telling.kind, ()):
            if pattern.relation not in told and (value := pattern.value(telling)):
                told.add(pattern.relation)
                yield number, pattern.relation, value


def _generalised(telling: Telling, value: str, is_number: bool) -> str | None:
    """The pattern of a sentence that holds a value; None where it does not, or says too little else."""
    text = telling.open
    wanted = _NUMBER.search(value) if is_number else None
    literal = wanted[0] if wanted else value
    match = re.search(rf"(?<![\w,.-]){re.escape(literal)}(?![\w-]|[,.]\d)", text, re.IGNORECASE)
    if match is None:
        return None
    subject = text.index(_SUBJECT)
    first, last = sorted(((subject, subject + 1), match.span()))
    before = _WORD.findall(text[: first[0]])[-_AROUND:]
    between = _WORD.findall(text[first[1] : last[0]])
    after = _WORD.findall(text[last[1] :])[:_AROUND]
    words = {word.lower() for word in (*before, *between, *after) if word[0].isalpha()}
    if len(between) > _BETWEEN or not words - FUNCTION_WORDS:
        return None
    slots = (_SUBJECT, _NUMBER_VALUE if is_number else _WORDS_VALUE)
    one, other = slots if subject < match.start() else slots[::-1]
    end = r"\s*" + _literal(after) if after else r"\s*$"
    return f"{_literal(before)}\\s*{one}\\s*{_literal(between)}\\s*{other}{end}"


def _literal(words: Sequence[str]) -> str:
    return r"\s*".join(r"\d+" if word.isdigit() else re.escape(word) for word in words)


def _holds(pattern: Pattern, tellings: Iterable[Telling], known: Known) -> bool:
    right = wrong = 0
    for telling in tellings:
        values = known.get((telling.subject_id, pattern.relation))
        if values and (value := pattern.value(telling)):
            if any(value.text.lower() == one or one.startswith(f"{value.text.lower()} ") for one in values):
                right += 1
            else:
                wrong += 1
    return right > 0 and right >= _RIGHT * (right + wrong)
