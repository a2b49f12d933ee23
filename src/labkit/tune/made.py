"""Contexts over invented subjects: 223 relations, each asked and stated in ten ways by people who saw no corpus.

They are why a tuned model reads sentences nobody at Tidewater would write. What stands beside the answer says other
things of the same subject or the same of others, so the right name and the right relation have to be told apart. The
answer stands in every place, in the first ones most often, as where a selector has put them in order.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from labkit.llm.tasks import Quote, Shown
from labkit.pipeline.statements import STATEMENTS
from labkit.tune.context import Asked, Context, Readable
from labkit.tune.relation import FOLDER, Relation, kinds

SOURCE = "invented"

_UNANSWERED = 0.2  # of the contexts
_OWN, _SAME = (2, 4), (1, 3)  # others: of the subject, from and to; of the relation
_AT = (0.5, 0.18, 0.12, 0.08, 0.07, 0.05)  # how often the answer stands in each place
_AS_FIELD, _AS_ROW, _NAMED = 0.2, 0.1, 0.5  # of the statements; of the sentences: under the subject's name
_TITLES = ("", "Overview", "Notes", "Details", "Handbook > General", "Records", "Messages", "What you should know")
_RIVALS = 6


class _Stated(NamedTuple):
    """A sentence, field or row, and what it states, the value as it is written there."""

    name: str
    relation: str
    value: str
    shown: Shown


def contexts(rng: random.Random, *, rounds: int = 1, folder: Path = FOLDER) -> Iterator[Context]:
    """Contexts that are asked for every relation of every subject once a round, in random order."""
    for _ in range(rounds):
        found = []
        for file in sorted(folder.glob("*.toml")):
            for relations, names in kinds(file):
                kind = _Kind(relations, names, rng)
                found += [kind.context(name, relation) for name in names for relation in relations]
        rng.shuffle(found)
        yield from found


class _Kind:
    """The relations and subjects of one kind, with a value for each."""

    def __init__(self, relations: Sequence[Relation], names: Sequence[str], rng: random.Random) -> None:
        self._relations: Mapping[str, Relation] = {relation.name: relation for relation in relations}
        self._names, self._rng = names, rng
        self._values = {(name, one.name): rng.choice(one.values) for name in names for one in relations}

    def context(self, name: str, relation: Relation) -> Context:
        """Statements around one fact, and the question for it."""
        rng = self._rng
        answered = rng.random() >= _UNANSWERED
        keys = rng.sample(self._beside(name, relation.name), STATEMENTS - answered)
        if answered:
            keys.insert(min(rng.choices(range(len(_AT)), _AT)[0], len(keys)), (name, relation.name))
        stated = [self._stated(*key) for key in keys]
        question = rng.choice(relation.questions).format(s=name)
        right = self._values[name, relation.name].casefold()
        wrong = rng.choice([one.value for one in stated if one.value.casefold() != right] or [""])
        asked = Asked(question, "", (), SOURCE, wrong)
        if answered:
            place = keys.index((name, relation.name))
            asked = Asked(question, stated[place].value, (Quote(place + 1, stated[place].value),), SOURCE, wrong)
        return Context(
            tuple(one.shown for one in stated), self._facts(stated), list(self._absent(name, relation.name, stated)),
            SOURCE, asked,
        )  # fmt: skip

    def _beside(self, name: str, relation: str) -> list[tuple[str, str]]:
        """What stands beside a fact, at least as much as is shown: of the subject, of the relation, and others."""
        rng = self._rng
        own = [(name, one) for one in self._relations if one != relation]
        same = [(one, relation) for one in self._names if one != name]
        rest = [(one, other) for one in self._names if one != name for other in self._relations if other != relation]
        chosen = rng.sample(own, min(len(own), rng.randint(*_OWN))) + rng.sample(same, rng.randint(*_SAME))
        return chosen + rng.sample(rest, max(0, STATEMENTS - len(chosen)))

    def _stated(self, name: str, relation: str) -> _Stated:
        rng, value, words = self._rng, self._values[name, relation], self._relations[relation]
        dice = rng.random()
        if dice < _AS_FIELD:
            shown = Shown(name, f"{rng.choice(words.labels)}: {value}")
        elif dice < _AS_FIELD + _AS_ROW:
            shown = Shown(rng.choice(_TITLES), f"{name} | {rng.choice(words.labels)}: {value}")
        else:
            said = rng.choice(words.statements).format(s=name, v=value)
            shown = Shown(name if rng.random() < _NAMED else rng.choice(_TITLES), _sentence(said))
        at = shown.text.lower().index(value.lower())  # a sentence may begin with it
        return _Stated(name, relation, shown.text[at : at + len(value)], shown)

    def _facts(self, stated: Sequence[_Stated]) -> list[Readable]:
        places: defaultdict[tuple[str, str], list[Quote]] = defaultdict(list)
        for place, one in enumerate(stated, 1):
            places[one.name, one.relation].append(Quote(place, one.value))
        return [
            Readable(
                name, relation, self._values[name, relation], tuple(quotes),
                [form.format(s=name) for form in self._relations[relation].questions],
                [_sentence(form.format(s=name, v=self._values[name, relation]))
                 for form in self._relations[relation].statements],
                [one for one in self._relations[relation].values if one != self._values[name, relation]][:_RIVALS],
            )
            for (name, relation), quotes in places.items()
        ]  # fmt: skip

    def _absent(self, name: str, relation: str, stated: Sequence[_Stated]) -> Iterator[tuple[str, str]]:
        """Questions the statements do not answer, with a value a guesser would take: of the subject, and of others."""
        here = {(one.name, one.relation) for one in stated}
        unsaid = [(name, one) for one in self._relations if (name, one) not in here and one != relation]
        unsaid += [(one, relation) for one in self._names if (one, relation) not in here and one != name]
        for absent, asked in self._rng.sample(unsaid, min(2, len(unsaid))):
            guess = self._rng.choice(stated).value
            yield self._rng.choice(self._relations[asked].questions).format(s=absent), guess


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
