"""From a plan to a document: layouts filled with passages and statements.

A :class:`Plan` says what a document is about, when, and which facts it states; :func:`compose` picks a layout and a
format and gives back a :class:`~labkit.world.blocks.Draft`. No planned fact is lost: what no item placed closes it.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from labkit.world.blocks import (
    Block,
    Draft,
    Heading,
    Items,
    Message,
    Pairs,
    Paragraph,
    Run,
    Sentence,
    Table,
    Turn,
    map_sentences,
    plain,
    sentences,
)
from labkit.world.chance import weighted
from labkit.world.facts import Entity, Fact
from labkit.world.ontology import ONTOLOGY
from labkit.world.entries import DocumentClass, Layout
from labkit.world.prose import Person, Scene, Writer, entity_run

_EXTENSIONS = {"markdown": "md", "text": "txt", "pdf2": "pdf"}
_CONTROLLED = frozenset(
    {
        "manual",
        "torque_sheet",
        "policy",
        "change_notice",
        "sla_amendment",
        "site_page",
        "error_guide",
        "purchasing_sheet",
    }
)
"""Classes whose documents carry a number and a revision, and are replaced by later ones."""
_TURN = re.compile(r"^\s*([abcABC])>\s*", re.MULTILINE)
_SPEAKERS = {"a": "author", "b": "colleague", "c": "colleague2"}


@dataclass(frozen=True, slots=True)
class Plan:
    """One document to be: its class, subject, day and facts."""

    doc_id: str
    document: DocumentClass
    about: Entity
    day: date
    facts: tuple[Fact, ...]
    seed: int


def extension(format_name: str) -> str:
    """The file name extension of a format."""
    return _EXTENSIONS.get(format_name, format_name)


def compose(plan: Plan, writer: Writer) -> Draft:
    """Write the document a plan asks for.

    Raises:
        PackError: a slot or statement the document needs is missing from the pack.
    """
    return _Composer(plan, writer).draft()


class _Composer:
    def __init__(self, plan: Plan, writer: Writer) -> None:
        self.plan, self.writer = plan, writer
        self.rng = random.Random(plan.seed)
        self.scene = Scene(writer.pack, writer.graph, plan.about, plan.day, self.rng, plan.facts)
        self.left = deque(plan.facts)
        self.introduced: set[str] = set()

    def draft(self) -> Draft:
        document = self.plan.document
        format_name = weighted(self.rng, list(document.formats), list(document.formats.values()))
        layout = self.rng.choice(document.layout)
        title = self.writer.render(self.rng.choice(document.title), self.scene).text
        blocks = self.blocks(layout)
        meta = {"author": self.scene.people["author"].name}
        if document.name in _CONTROLLED:
            meta |= {"number": f"{document.name[:2].upper()}-{self.rng.randint(1000, 9899)}", "revision": "A"}
        return Draft(
            doc_id=self.plan.doc_id,
            doc_class=document.name,
            pool=self.plan.about.pool,
            path=f"{document.folder}/{self.filename()}.{extension(format_name)}",
            format=format_name,
            title=title,
            author=self.scene.people["author"].name,
            date=self.plan.day,
            blocks=tuple(blocks),
            groups=document.groups,
            meta=meta,
            seed=self.plan.seed,
        )

    def blocks(self, layout: Layout) -> list[Block]:
        match self.plan.document.shape:
            case "thread":
                return self.thread(layout)
            case "chat":
                return self.chat(layout)
        blocks: list[Block] = []
        for section in layout.sections:
            body = [block for item in section.body for block in self.item(item)]
            heading = self.rng.choice(section.heading)
            if body and heading:
                blocks.append(Heading(self.writer.render(heading, self.scene).text))
            blocks.extend(body)
        return [*blocks, *self.remainder()]

    def thread(self, layout: Layout) -> list[Block]:
        oldest_first = []
        for number, plan in enumerate(layout.message):
            body = [block for item in plan.body for block in self.item(item)]
            if number == len(layout.message) - 1:
                body += self.remainder()
            sender = self.scene.people[plan.sender]
            to = self.scene.people["contact" if plan.sender != "contact" else "author"]
            if body:
                oldest_first.append(_message(sender, to, self.plan.day, self.rng, tuple(body)))
        return list(reversed(oldest_first))

    def chat(self, layout: Layout) -> list[Block]:
        turns: list[Turn] = []
        clock = self.rng.randint(6 * 60, 20 * 60)
        for section in layout.sections:
            for item in section.body:
                for block in self.item(item):
                    for sentence in sentences([block]):
                        for who, part in _turns(sentence):
                            clock = min(clock + self.rng.randint(0, 7), 24 * 60 - 1)
                            speaker = self.scene.people[_SPEAKERS[who or self.rng.choice("abc")]]
                            turns.append(Turn(speaker.run(), f"{clock // 60:02d}:{clock % 60:02d}", part))
        for fact in self.drain():
            speaker = self.scene.people[self.rng.choice(("author", "colleague"))]
            turns.append(Turn(speaker.run(), f"{clock // 60:02d}:{clock % 60:02d}", self.state(fact)))
        return list(turns)

    # Items: each yields zero or more blocks

    def item(self, item: str) -> Iterator[Block]:
        if item == "kv":
            yield from self.pairs()
        elif item in {"table", "rows"}:
            yield from self.table()
        elif item.startswith("facts"):
            yield from _paragraph([self.state(fact) for fact in self.drain(self.count(item))])
        else:
            shape, _, rest = item.partition(":")
            parts = rest.split("+")
            bank, _, span = parts[0].partition(":")
            low, high = (int(n) for n in span.split("-")) if span else (1, 1)
            passages = [p for _ in range(self.rng.randint(low, high)) for p in [self.passage(bank)] if p]
            if shape == "p":
                yield from self.woven(passages, parts[1:])
            elif len(passages) > 1:
                yield Items(tuple(passages), ordered=shape == "ol")
            else:
                yield from _paragraph(passages)

    def woven(self, passages: list[Sentence], rest: list[str]) -> Iterator[Block]:
        for passage in passages[:-1]:
            yield from _paragraph([passage])
        last = passages[-1:]
        for part in rest:
            if part.startswith("facts"):
                last += [self.state(fact) for fact in self.drain(self.count(part))]
            else:
                last += [p for p in [self.passage(part)] if p]
        yield from _paragraph(last)

    def passage(self, bank: str) -> Sentence | None:
        document = self.plan.document
        return self.writer.passage((document.name, bank), document.bank[bank], self.scene)

    def state(self, fact: Fact) -> Sentence:
        named = fact.subject_id in self.introduced
        self.introduced.add(fact.subject_id)
        return self.writer.statement(fact, self.scene, named=named)

    def count(self, item: str) -> int | None:
        span = item.partition(":")[2]
        if not span:
            return None
        low, high = (int(n) for n in span.split("-"))
        return self.rng.randint(low, high)

    def drain(self, count: int | None = None) -> list[Fact]:
        taken = len(self.left) if count is None else min(count, len(self.left))
        return [self.left.popleft() for _ in range(taken)]

    def remainder(self) -> list[Block]:
        # A long tail of facts reads better as a table than as a list of sentences.
        if len(self.left) > 6 and self.plan.document.shape == "document":
            return list(self.table())
        facts = self.drain()
        return [
            b
            for start in range(0, len(facts), 3)
            for b in _paragraph([self.state(f) for f in facts[start : start + 3]])
        ]

    def pairs(self) -> Iterator[Block]:
        pairs: list[tuple[str, Sentence]] = []
        spoken: list[Sentence] = []
        for fact in self.drain():
            label = ONTOLOGY.relations[fact.relation].label
            if fact.subject_id != self.plan.about.entity_id:
                label = f"{label} ({self.writer.graph.entities[fact.subject_id].name})"
            cell = self.cell(fact)
            if self.writer.claim(f"{label}: {cell.text}"):
                pairs.append((label, cell))
            else:  # said in these words elsewhere
                spoken.append(self.state(fact))
        if pairs:
            yield Pairs(tuple(pairs))
        yield from _paragraph(spoken)

    def table(self) -> Iterator[Block]:
        facts = self.drain()
        subjects = list(dict.fromkeys(fact.subject_id for fact in facts))
        relations = list(dict.fromkeys(fact.relation for fact in facts))
        for kind in dict.fromkeys(ONTOLOGY.relations[name].subject for name in relations):
            columns = [name for name in relations if ONTOLOGY.relations[name].subject == kind]
            header = (_title(kind), *(ONTOLOGY.relations[name].label for name in columns))
            rows = []
            for subject in subjects:
                mine = {fact.relation: fact for fact in facts if fact.subject_id == subject}
                if not mine.keys() & set(columns):
                    continue
                name = Sentence((entity_run(self.writer.graph.entities[subject]),))
                cells = tuple(self.cell(mine[c]) if c in mine else plain("–") for c in columns)
                rows.append((name, *cells))
            yield Table(header, tuple(rows))

    def cell(self, fact: Fact) -> Sentence:
        return Sentence((self.writer.value(fact),), (fact.fact_id,))

    def filename(self) -> str:
        return slug(self.writer.label(self.rng.choice(self.plan.document.filename), self.scene))


def slug(text: str) -> str:
    """A file name without spaces or characters a file system minds."""
    kept = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", kept).strip("-.") or "document"


def revised(draft: Draft, doc_id: str, day: date, replacement: dict[str, Fact], writer: Writer) -> Draft:
    """The next revision of a controlled document: same words, but new values where facts have changed.

    ``replacement`` maps the id of a fact the draft states to the one that holds on ``day``.
    """

    def revise(sentence: Sentence) -> Sentence:
        facts = [replacement.get(fact_id) for fact_id in sentence.facts]
        if not any(facts):
            return sentence
        now = next(fact for fact in facts if fact is not None)
        old = writer.graph.facts[sentence.facts[0]]
        said = next(
            (surface for surface in sorted(old.surfaces(), key=len, reverse=True) if surface in sentence.text), ""
        )
        runs = tuple(replace(run, text=run.text.replace(said, now.value)) for run in sentence.runs) if said else ()
        return Sentence(runs or (writer.value(now),), (now.fact_id,))

    revision = chr(ord(draft.meta.get("revision", "A")) + 1)
    stem, dot, ending = draft.path.rpartition(".")
    return replace(
        draft,
        doc_id=doc_id,
        date=day,
        path=f"{stem}-rev{revision}{dot}{ending}",
        blocks=tuple(map_sentences(draft.blocks, revise)),
        meta={**draft.meta, "revision": revision},
    )


def _message(sender: Person, to: Person, day: date, rng: random.Random, body: tuple[Block, ...]) -> Message:
    time = f"{rng.randint(7, 19):02d}:{rng.randint(0, 59):02d}"
    return Message(sender.run(), sender.address, to.run(), to.address, day, time, body)


def _paragraph(found: list[Sentence]) -> Iterator[Block]:
    if found:
        yield Paragraph(tuple(found))


def _turns(sentence: Sentence) -> Iterator[tuple[str, Sentence]]:
    """A passage written as ``a> …`` lines, as (speaker letter, sentence); prose without marks is one turn."""
    who = ""
    runs: list[Run] = []
    for run in sentence.runs:
        pieces = _TURN.split(run.text)
        for number, piece in enumerate(pieces):
            if number % 2:
                if any(r.text.strip() for r in runs):
                    yield who, _stripped(runs, sentence.facts)
                who, runs = piece.lower(), []
            elif piece:
                runs.append(replace(run, text=piece))
    if any(r.text.strip() for r in runs):
        yield who, _stripped(runs, sentence.facts)


def _stripped(runs: list[Run], facts: tuple[str, ...]) -> Sentence:
    first = replace(runs[0], text=runs[0].text.lstrip())
    rest = [first, *runs[1:]]
    rest[-1] = replace(rest[-1], text=rest[-1].text.rstrip())
    return Sentence(tuple(run for run in rest if run.text), facts)


def _title(kind: str) -> str:
    return {"error": "Error code", "rma": "RMA", "change": "Change notice"}.get(kind, kind.capitalize())
