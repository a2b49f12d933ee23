"""Questions and passages about invented subjects, out of many ways to ask for a fact and to state it.

``relations/*.toml`` hold relations of running plants, business, people and works, places and nature: ten questions, ten
sentences and three form fields for each, written for this purpose without sight of any corpus or question that is
measured here. A passage states a few relations of one subject, so that the passages of a subject differ in what they
say and not in whom they name: a model that tells them apart has learned what a question asks for.
"""

from __future__ import annotations

import random
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("relations")

_STATED = (2, 4)  # relations per passage, from and to
_AS_FORM, _TITLED = 0.4, 0.5  # of the passages: form fields instead of sentences; sentences under the name as a title
_ASKED = 2  # questions per subject and relation
_SAME, _OTHER, _REST = 6, 4, 3  # wrong passages: of the same subject, of the same relation, of neither


@dataclass(frozen=True, slots=True)
class Relation:
    """One fact a subject can have, and the words for it.

    Attributes:
        subject: kind of thing that has it.
        name: unique within the kind.
        values: what it can be.
        labels: what a form calls it.
        questions: with ``{s}`` for the subject's name.
        statements: with ``{s}``, and ``{v}`` for the value.
    """

    subject: str
    name: str
    values: Sequence[str]
    labels: Sequence[str]
    questions: Sequence[str]
    statements: Sequence[str]


@dataclass(frozen=True, slots=True)
class Passage:
    """A text about a subject, and what it states.

    Attributes:
        text: the passage.
        about: the subject.
        states: name of the relation → value.
    """

    text: str
    about: str
    states: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the positions of passages: one that answers it, and others that do not, the likeliest first."""

    question: str
    right: int
    wrong: Sequence[int]


def invented(rng: random.Random, folder: Path = FOLDER) -> tuple[list[Passage], list[Asked]]:
    """Passages about every subject of every file, and questions over them."""
    passages: list[Passage] = []
    asked: list[Asked] = []
    for file in sorted(folder.glob("*.toml")):
        for relations, names in kinds(file):
            start = len(passages)
            for name in names:
                passages += passages_about(name, relations, rng)
            here = range(start, len(passages))
            for name in names:
                asked += (_question(name, relation, passages, here, rng) for relation in relations * _ASKED)
    return passages, asked


def kinds(file: Path) -> Iterator[tuple[list[Relation], list[str]]]:
    """The relations of each kind of subject in a file, and the subjects' names."""
    content: Mapping[str, list[dict[str, list[str]]]] = tomllib.loads(file.read_text(encoding="utf-8"))
    by_kind: defaultdict[str, list[Relation]] = defaultdict(list)
    for row in content["relation"]:
        relation = Relation(**row)  # type: ignore[arg-type]
        by_kind[relation.subject].append(relation)
    for kind, relations in by_kind.items():
        yield relations, content["subjects"][kind]  # type: ignore[call-overload]


def passages_about(name: str, relations: Sequence[Relation], rng: random.Random) -> Iterator[Passage]:
    """Each relation of a subject once, some of them a second time elsewhere."""
    values = {relation.name: rng.choice(relation.values) for relation in relations}
    again = relations if len(relations) < 6 else rng.sample(relations, len(relations) // 2)
    left = rng.sample([*relations, *again], len(relations) + len(again))
    while left:
        number = rng.randint(*_STATED)
        stated = {relation.name: relation for relation in left[:number]}
        left = left[number:]
        text = _text(name, list(stated.values()), values, rng)
        yield Passage(text, name, {one: values[one] for one in stated})


def _text(name: str, stated: Sequence[Relation], values: Mapping[str, str], rng: random.Random) -> str:
    if rng.random() < _AS_FORM:
        fields = [f"{rng.choice(relation.labels)}: {values[relation.name]}" for relation in stated]
        return _sentence(name) + "\n\n" + rng.choice([" | ", "\n", " / "]).join(fields)
    said = [_sentence(rng.choice(one.statements).format(s=name, v=values[one.name])) for one in stated]
    return (f"{name}\n" if rng.random() < _TITLED else "") + " ".join(said)


def _question(
    name: str, relation: Relation, passages: Sequence[Passage], here: Sequence[int], rng: random.Random
) -> Asked:
    own = [i for i in here if passages[i].about == name]
    others = [i for i in here if passages[i].about != name]
    right = [i for i in own if relation.name in passages[i].states]
    wrong = [
        [i for i in own if relation.name not in passages[i].states],
        [i for i in others if relation.name in passages[i].states],
        [i for i in others if relation.name not in passages[i].states],
    ]
    chosen = [
        i
        for group, number in zip(wrong, (_SAME, _OTHER, _REST), strict=True)
        for i in rng.sample(group, min(number, len(group)))
    ]
    return Asked(rng.choice(relation.questions).format(s=name), rng.choice(right), chosen)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
