"""Sentence patterns, learned from values that are known: *the headcount of machines at {site} is {value}*.

A field somewhere says that Cranmere has 20 robots; a sentence that names Cranmere and has a 20 in it shows how such
sentences go, and the next one tells of a site no field mentions (Agichtein and Gravano 2000, *Snowball*). A pattern is
the words between subject and value and a few around them, or of a number only those before it (*its fleet of 20*). It
is used if it was mostly right where the value is known: of two things, or of one where two words of it carry meaning.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from labkit.graph.schema import Schema
from labkit.graph.values import NUMBER, Value, number
from labkit.retrieve.terms import FUNCTION_WORDS

_AROUND = 4  # words before the first and behind the last of subject and value
_NEAR = 2  # words before a number that tell of it alone
_BETWEEN = 12  # words between them, at most
_RIGHT = 0.7  # of the values it finds where one is known
_WORD = re.compile(r"\w+|[^\w\s]")
_NUMBER = re.compile(rf"(?<![\w.,-]){NUMBER}(?![\w-])")
_SUBJECT, _HERE = "\x01", "\x02"
_WORDS_VALUE, _NUMBER_VALUE = r"(?P<value>\w[^;:()“”\"\n\x01]{0,70}?)", rf"(?P<value>{NUMBER})"


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
    """How sentences tell of a relation.

    Attributes:
        words: of meaning, that it is made of.
    """

    relation: str
    regex: re.Pattern[str]
    words: int = 2

    def value(self, telling: Telling) -> Value | None:
        """What a sentence tells by it."""
        match = self.regex.search(telling.open)
        if match is None:
            return None
        text = match["value"].rstrip(" ,.")
        start = match.start("value")
        if start > telling.start:
            start += telling.end - telling.start - 1
        return Value(start, start + len(text), text, number(text)) if text else None


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
    foreign = {name: _foreign(schema, name) for name, one in schema.relation.items() if one.value == "number"}
    found: dict[str, list[Pattern]] = {}
    for kind, here in by_kind.items():
        patterns: dict[tuple[str, str], Pattern] = {}
        for telling in here:
            for name in of_kind[kind]:
                for value in known.get((telling.subject_id, name), ()):
                    if made := _generalised(telling, value, foreign.get(name)):
                        source, words = made
                        patterns.setdefault((name, source), Pattern(name, re.compile(source), words))
                    for near in _beside(telling, value, foreign[name]) if name in foreign else ():
                        patterns.setdefault((name, near), Pattern(name, re.compile(near), 1))
        kept = [pattern for key, pattern in sorted(patterns.items()) if _holds(pattern, here, known)]
        found[kind] = sorted(kept, key=lambda pattern: -len(pattern.regex.pattern))
    return found


def tell(tellings: Iterable[Telling], patterns: Mapping[str, Sequence[Pattern]]) -> Iterator[tuple[int, str, Value]]:
    """What sentences tell: place of the sentence, relation and value, one value for each relation."""
    for place, telling in enumerate(tellings):
        told: set[str] = set()
        for pattern in patterns.get(telling.kind, ()):
            if pattern.relation not in told and (value := pattern.value(telling)):
                told.add(pattern.relation)
                yield place, pattern.relation, value


def _generalised(telling: Telling, value: str, foreign: re.Pattern[str] | None) -> tuple[str, int] | None:
    """The pattern of a sentence that holds a value, and its words of meaning; None if it does not, or has none.

    Of a number, ``foreign`` finds the units that it does not have.
    """
    text, is_number = telling.open, foreign is not None
    wanted = _NUMBER.search(value) if is_number else None
    literal = wanted[0] if wanted else value
    match = re.search(rf"(?<![\w,.-]){re.escape(literal)}(?![\w-]|[,.]\d)", text, re.IGNORECASE)
    if match is None or (foreign and foreign.search(text[: match.start()] + _HERE + text[match.end() :])):
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
    return f"{_literal(before)}\\s*{one}\\s*{_literal(between)}\\s*{other}{end}", len(words - FUNCTION_WORDS)


def _beside(telling: Telling, value: str, foreign: re.Pattern[str]) -> Iterator[str]:
    """Patterns of the words before a number, and of the one behind it too, wherever the thing stands.

    At least one of them has a meaning.
    """
    text, wanted = telling.open, _NUMBER.search(value)
    match = re.search(rf"(?<![\w,.-]){re.escape(wanted[0])}(?![\w-]|[,.]\d)", text) if wanted else None
    if match is None or foreign.search(text[: match.start()] + _HERE + text[match.end() :]):
        return
    before, behind = _WORD.findall(text[: match.start()])[-_NEAR:], _WORD.findall(text[match.end() :])[:1]
    for after in ([], behind):
        words = {word.lower() for word in (*before, *after) if len(word) > 2 and word.isalpha()}
        if _SUBJECT not in text[match.start() - 3 : match.end() + 3] and words - FUNCTION_WORDS:
            yield rf"(?<!\w){_literal(before)}\s*(?<![\w.,-]){_NUMBER_VALUE}(?![\w-])\s*{_literal(after)}"


def _foreign(schema: Schema, name: str) -> re.Pattern[str]:
    """Finds a number, left out, whose unit is that of other relations: 20 kg are no 20 robots."""
    own = schema.relation[name].units
    others = {unit for relation in schema.relation.values() for unit in relation.units} - set(own) | {"%"}
    either = "|".join(re.escape(unit) for unit in sorted(others, key=lambda unit: (-len(unit), unit)))
    its = "|".join(re.escape(unit) for unit in sorted(own, key=len, reverse=True))
    behind = rf"{_HERE}[\s-]?(?!(?:{its})(?!\w))(?:{either})(?!\w)"
    return re.compile(rf"{behind}|(?<!\w)(?!(?:{its})\s?{_HERE})(?:{either})\s?{_HERE}")


def _literal(words: Sequence[str]) -> str:
    return r"\s*".join(r"\d+" if word.isdigit() else re.escape(word) for word in words)


def _holds(pattern: Pattern, tellings: Iterable[Telling], known: Known) -> bool:
    subjects, right, wrong = set[str](), 0, 0
    for telling in tellings:
        values = known.get((telling.subject_id, pattern.relation))
        if values and (value := pattern.value(telling)):
            if any(value.text.lower() == one or one.startswith(f"{value.text.lower()} ") for one in values):
                subjects.add(telling.subject_id)
                right += 1
            else:
                wrong += 1
    return len(subjects) >= (1 if pattern.words > 1 else 2) and right >= _RIGHT * (right + wrong)
