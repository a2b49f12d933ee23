"""Contexts over invented subjects: 223 relations, each asked and stated in ten ways by people who saw no corpus.

They are why a tuned model reads sentences nobody at Tidewater would write. Passages of one context are about one or
two subjects of a kind, so the right name, the right relation and the right passage all have to be told apart.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from labkit.llm.tasks import Quote, Shown
from labkit.tune.context import Context, Readable
from labkit.tune.relation import FOLDER, Passage, Relation, kinds, passages_about

SOURCE = "invented"

_PASSAGES = (1, 2, 3, 3)  # passages of a context, by how often they stand here
_SECOND_SUBJECT = 0.6
_ABSENT = 4


def contexts(rng: random.Random, *, rounds: int = 1, folder: Path = FOLDER) -> Iterator[Context]:
    """Contexts that show every relation of every subject about once a round, in random order."""
    for _ in range(rounds):
        found = []
        for file in sorted(folder.glob("*.toml")):
            for relations, names in kinds(file):
                passages = [passage for name in names for passage in passages_about(name, relations, rng)]
                found += list(_kind(relations, names, passages, rng))
        rng.shuffle(found)
        yield from found


def _kind(
    relations: Sequence[Relation], names: Sequence[str], passages: Sequence[Passage], rng: random.Random
) -> Iterator[Context]:
    by_name: defaultdict[str, list[Passage]] = defaultdict(list)
    for passage in passages:
        by_name[passage.about].append(passage)
    by_relation = {relation.name: relation for relation in relations}
    for name in names:
        left = rng.sample(by_name[name], len(by_name[name]))
        while left:
            size = rng.choice(_PASSAGES)
            chosen, left = left[:size], left[size:]
            if rng.random() < _SECOND_SUBJECT:
                other = rng.choice([one for one in names if one != name])
                chosen.append(rng.choice(by_name[other]))
            rng.shuffle(chosen)
            yield _context(chosen, by_relation, names, rng)


def _context(
    passages: Sequence[Passage], relations: Mapping[str, Relation], names: Sequence[str], rng: random.Random
) -> Context:
    quotes: defaultdict[tuple[str, str], list[Quote]] = defaultdict(list)
    values: dict[tuple[str, str], str] = {}
    for place, passage in enumerate(passages, 1):
        for relation, value in passage.states.items():
            quotes[passage.about, relation].append(Quote(place, passage.said[relation]))
            values[passage.about, relation] = value
    facts = [
        Readable(
            about, name, value, tuple(quotes[about, name]),
            [form.format(s=about) for form in relations[name].questions],
            [_sentence(form.format(s=about, v=value)) for form in relations[name].statements],
            [other for other in relations[name].values if other != value],
        )
        for (about, name), value in values.items()
    ]  # fmt: skip
    return Context(tuple(map(_shown, passages)), facts, list(_absent(passages, values, relations, names, rng)), SOURCE)


def _absent(
    passages: Sequence[Passage], values: Mapping[tuple[str, str], str], relations: Mapping[str, Relation],
    names: Sequence[str], rng: random.Random,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    about = sorted({passage.about for passage in passages})
    here = sorted(values)
    for _ in range(_ABSENT):
        guess = values[rng.choice(here)]
        if rng.random() < 0.6:
            name, unsaid = rng.choice(about), sorted(relations)
            unsaid = [relation for relation in unsaid if (name, relation) not in values]
            relation = rng.choice(unsaid) if unsaid else ""
        else:
            others = [one for one in names if one not in about]
            name, relation = rng.choice(others), rng.choice(here)[1]
        if relation:
            yield rng.choice(relations[relation].questions).format(s=name), guess


def _shown(passage: Passage) -> Shown:
    first, _, rest = passage.text.partition("\n")
    return Shown(first, rest.strip()) if rest else Shown("", passage.text)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
