"""Words for facts and incident: passages of a pack rendered in the scene of one document.

A :class:`Scene` decides what every slot means in one document; a :class:`Writer` renders passages and statements for a
cell of the company and never emits the same sentence twice in it. This module knows nothing about layouts.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from labkit.errors import PackError
from labkit.world.blocks import Run, Sentence
from labkit.world.chance import split_of
from labkit.world.facts import Entity, Fact, FactGraph, Pool
from labkit.world.grammar import Slot, parse, render
from labkit.world.ontology import ONTOLOGY
from labkit.world.pack import Pack
from labkit.world.personal import address_of, personal_value
from labkit.world.values import date_surfaces, written

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”')]*\s+|\n+")
_WORD = re.compile(r"\w+")
_TRACKED_WORDS = 8
_TRIES = 8
_FAVOURITE = 0.6


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody a scene names; outsiders are no part of the fact graph and policy redacts them."""

    first: str
    last: str
    role: str
    outsider: bool = False
    company: str = "Tidewater Robotics"

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"

    @property
    def address(self) -> Run:
        """Mail address, marked as personal data."""
        return Run(address_of(self.first, self.last, self.company), "email", "redact" if self.outsider else "keep")

    def run(self, part: str = "") -> Run:
        """The person as a run that is marked as personal data."""
        text = {"first": self.first, "last": self.last, "role": self.role}.get(part, self.name)
        if part == "initials":
            text = self.first[0] + self.last[0]
        if part in {"role", "initials"}:
            return Run(text)
        return Run(text, "person", "redact" if self.outsider else "keep")


class Scene:
    """What the slots mean in one document: its people, things, dates, and where chance comes from."""

    def __init__(
        self,
        pack: Pack,
        graph: FactGraph,
        about: Entity,
        day: date,
        rng: random.Random,
        facts: Sequence[Fact] = (),
        author: str = "",
    ) -> None:
        self.pack, self.graph, self.about, self.day, self.rng = pack, graph, about, day, rng
        self.pool: Pool = about.pool
        self.people = self._people(author)
        self._things: dict[str, Entity] = {about.kind: about}
        for fact in facts:  # what the document talks about anyway
            for entity_id in (fact.subject_id, fact.object_id):
                if entity_id is not None:
                    self._things.setdefault(graph.entities[entity_id].kind, graph.entities[entity_id])
        self._favourites = {name: self._drawn(name) for name in ("bay", "asset")}
        self._hour = rng.randint(0, 23)
        self.earlier = day - timedelta(days=rng.randint(1, 9))
        self.later = day + timedelta(days=rng.randint(2, 16))

    def _people(self, author: str) -> dict[str, Person]:
        staff = self.graph.of_kind("person", self.pool)
        chosen = self.rng.sample(staff, min(4, len(staff)))
        signs = self.graph.at(self.about.entity_id, author, self.day) if author else None
        if signs and signs.object_id:
            writer = self.graph.entities[signs.object_id]
            chosen = [writer, *(person for person in chosen if person is not writer)]
        people = {}
        for number, role in enumerate(("author", "colleague", "colleague2", "manager")):
            entity = chosen[number % len(chosen)]
            job = self.graph.at(entity.entity_id, "person.role", self.day)
            title = job.value if job else "engineer"
            people[role] = Person(entity.details["first"], entity.details["last"], title)
        people["contact"] = self._outsider()
        return people

    def _outsider(self) -> Person:
        company = self.graph.of_kind("customer", self.pool) or [self.about]
        if self.about.kind in {"supplier", "customer"}:
            company = [self.about]
        first, last = (
            self.rng.choice([name for name in self.pack.pools[key] if self.pool in ("core", split_of(name))])
            for key in ("first_names", "surnames")
        )
        roles = self.pack.lists.get("roles", ("buyer",))
        return Person(first, last, self.rng.choice(roles), outsider=True, company=self.rng.choice(company).name)

    def thing(self, kind: str) -> Entity:
        """The entity a slot of that kind means here: the neighbour of what the document is about, or some other."""
        if kind not in self._things:
            near = [
                self.graph.entities[fact.object_id]
                for relation in ONTOLOGY.about(self.about.kind)
                if relation.object == kind
                for fact in [self.graph.at(self.about.entity_id, relation.name, self.day)]
                if fact is not None and fact.object_id is not None
            ]
            base = "part" if kind == "part2" else kind
            others = [e for e in self.graph.of_kind(base, self.pool) if e not in self._things.values()]
            if not near and not others:
                raise PackError(f"There is no {base} to fill the slot {{{kind}}}", todo="Do not use it in this class.")
            self._things[kind] = near[0] if near else self.rng.choice(others)
        return self._things[kind]

    def slot(self, slot: Slot) -> Run:
        """The words for a slot.

        Raises:
            PackError: it means nothing here.
        """
        if slot.name in self.people:
            return self.people[slot.name].run(slot.part)
        if slot.name in ONTOLOGY.kinds or slot.name == "part2":
            return entity_run(self.thing(slot.name), slot.part)
        if slot.name == "pii":
            who = self.people["contact"]
            value = personal_value(slot.part, who.first, who.last, who.company, self.rng)
            return Run(value, slot.part, "redact")
        return Run(self._plain(slot))

    def _plain(self, slot: Slot) -> str:
        rng = self.rng
        match slot.name:
            case "n":
                low, high = slot.span.split("-")
                return str(rng.randint(int(low), int(high)))
            case "dec":
                low, high = slot.span.split("-")
                return f"{rng.uniform(float(low), float(high)):.1f}"
            case "time":
                return f"{(self._hour + rng.randint(0, 2)) % 24:02d}:{rng.randint(0, 59):02d}"
            case "bay" | "asset":  # most of a document happens in one place, to one machine
                return self._favourites[slot.name] if rng.random() < _FAVOURITE else self._drawn(slot.name)
            case "lex":
                return rng.choice(self.pack.lex[slot.part])
            case "date":
                return self.day.isoformat() if slot.part == "iso" else date_surfaces(self.day)[0]
            case "earlier":
                return date_surfaces(self.earlier)[0]
            case "later":
                return date_surfaces(self.later)[0]
            case "weekday":
                return self.day.strftime("%A")
            case "month":
                return self.day.strftime("%B")
            case "year":
                return str(self.day.year)
        raise PackError(f"The slot {{{slot.name}}} means nothing in a document", todo="See docs/packs.md.")

    def _drawn(self, name: str) -> str:
        if name == "bay":
            return f"{self.rng.choice('ABCDEFGHK')}{self.rng.randint(1, 38)}"
        return f"{self.rng.choice(('HX', 'OT', 'PK', 'TR', 'LM'))}-{self.rng.randint(100, 989):04d}"


def entity_run(entity: Entity, part: str = "") -> Run:
    """An entity's name, or a part of it; people are marked as personal data that policy keeps."""
    text = entity.details.get(part, entity.name) if part and part != "name" else entity.name
    return Run(text, "person", "keep") if entity.kind == "person" else Run(text)


@dataclass(slots=True)
class Writer:
    """Renders a pack's words for one cell, each sentence at most once."""

    pack: Pack
    graph: FactGraph
    rng: random.Random
    seen: set[int] = field(default_factory=set)
    _decks: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def passage(
        self, bank: tuple[str, str], lines: Sequence[str], scene: Scene, used: set[str] | None = None
    ) -> tuple[str, Sentence] | None:
        """A passage of a bank that says nothing the cell has heard before, with the form it was made from.

        Forms in ``used`` are left out, the one chosen is added. None when the bank is exhausted.
        """
        used = set() if used is None else used
        for _ in range(min(_TRIES, 2 * len(lines))):
            form = self._deal(bank, lines)
            if form in used:
                continue
            sentence = self.render(form, scene)
            if self.claim(sentence.text):
                used.add(form)
                return form, sentence
        return None

    def statement(self, fact: Fact, scene: Scene, *, named: bool, used: set[str] | None = None) -> Sentence:
        """A fact in prose, by a family of the fact's own split; ``named`` when the text has introduced the subject.

        Forms in ``used`` are avoided while there are others, the one chosen is added.

        Raises:
            PackError: nobody wrote a statement for the relation and split.
        """
        subject = self.graph.entities[fact.subject_id]
        families = self.pack.family(fact.relation, "statement", "train" if subject.pool == "core" else subject.pool)
        if not families:
            raise PackError(
                f"No {subject.pool} statement for {fact.relation}", where=self.pack.name, todo="Add a family."
            )
        used = set() if used is None else used
        forms = [form for family in families for form in family.forms]
        fresh = [form for form in forms if form not in used] or forms
        for _ in range(_TRIES):
            form = self.rng.choice(fresh)
            sentence = self._state(form, fact, subject, scene, named=named)
            if self.claim(sentence.text):
                break
        used.add(form)
        return sentence

    def _state(self, form: str, fact: Fact, subject: Entity, scene: Scene, *, named: bool) -> Sentence:
        def slot(slot: Slot) -> Run:
            match slot.name:
                case "subject":
                    short = named and subject.aliases and subject.kind != "person" and self.rng.random() < 0.3
                    return Run(subject.aliases[0]) if short else entity_run(subject)
                case "value":
                    return self.value(fact)
                case "date":
                    return Run(date_surfaces(fact.valid_from)[0])
            return scene.slot(slot)

        return Sentence(_tidy(render(parse(form), self.rng, Run, slot)), (fact.fact_id,))

    def value(self, fact: Fact) -> Run:
        """A fact's value as a document writes it."""
        if fact.object_id is not None:
            return entity_run(self.graph.entities[fact.object_id])
        return Run(written(fact.surfaces(), self.rng))

    def render(self, form: str, scene: Scene) -> Sentence:
        """A form in a scene, whether heard before or not."""
        return Sentence(_tidy(render(parse(form), self.rng, Run, scene.slot)))

    def label(self, form: str, scene: Scene) -> str:
        """A file name: as written, without a capital first letter."""
        return "".join(run.text for run in render(parse(form), self.rng, Run, scene.slot))

    def claim(self, text: str) -> bool:
        """Take the sentences of a text for this document; False when one of them was taken before."""
        keys = {hash_of(part) for part in split_sentences(text) if len(_WORD.findall(part)) >= _TRACKED_WORDS}
        if keys & self.seen:
            return False
        self.seen |= keys
        return True

    def _deal(self, bank: tuple[str, ...], lines: Sequence[str]) -> str:
        deck = self._decks.setdefault(bank, [])
        if not deck:  # every passage once before any comes again
            deck.extend(self.rng.sample(lines, len(lines)))
        return deck.pop()


def split_sentences(text: str) -> list[str]:
    """Sentences of a text, as the repetition figures count them."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip()]


def hash_of(sentence: str) -> int:
    """A key that ignores case, spacing and punctuation; the same on every machine."""
    words = " ".join(_WORD.findall(sentence.lower())).encode()
    return int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "big")


def _tidy(runs: list[Run]) -> tuple[Run, ...]:
    """Capitalise sentence starts and drop empty runs."""
    tidy: list[Run] = []
    before = ""
    for run in runs:
        text = run.text
        starts = not before.strip() or (before.rstrip().endswith((".", "!", "?")) and before[-1:].isspace())
        if starts and text[:1].islower() and run.pii != "email" and not text.startswith(("http", "www.")):
            text = text[0].upper() + text[1:]
        if text:
            tidy.append(Run(text, run.pii, run.action))
            before = text if text.strip() else before + text
    return tuple(tidy)
