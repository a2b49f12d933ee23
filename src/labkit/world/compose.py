"""From a plan to a document: layouts filled with passages and statements.

A :class:`Plan` says what a document is about, when, and which facts it states; :func:`compose` picks a layout and a
format and gives back a :class:`~labkit.world.blocks.Draft`. No planned fact is lost: what no item placed closes it.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

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
    plain,
    sentences,
)
from labkit.world.chance import weighted
from labkit.world.entries import DocumentClass, Layout, MessagePlan
from labkit.world.facts import Entity, Fact
from labkit.world.ontology import ONTOLOGY
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
_PARAGRAPH = 4
"""Statements a paragraph of nothing but facts may hold."""
_MOST_HOLES = 0.25
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
        self.scene = Scene(writer.pack, writer.graph, plan.about, plan.day, self.rng, plan.facts, plan.document.author)
        self.left = list(plan.facts)
        self.introduced: set[str] = set()
        self.used: set[str] = set()
        """Forms this document has used: nobody writes the same sentence twice on a page."""

    def draft(self) -> Draft:
        document = self.plan.document
        format_name = weighted(self.rng, list(document.formats), list(document.formats.values()))
        layout = self.rng.choice(document.layout)
        title = self.writer.render(self.rng.choice(document.title), self.scene).text
        self.named_in_title = self.plan.about.name in title or self.plan.about.details.get("id", "\0") in title
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
        oldest_first: list[Message] = []
        clock = self.rng.randint(6 * 60 + 30, 10 * 60)
        for number, plan in enumerate(layout.message):
            body = [block for item in plan.body for block in self.item(item)]
            if number == len(layout.message) - 1:
                body += self.remainder()
            if body:
                sender, to = self.scene.people[plan.sender], self.scene.people[_answered(layout, number)]
                oldest_first.append(_message(sender, to, self.plan.day, clock, tuple(body)))
                clock += self.rng.randint(9, 170)
        return list(reversed(oldest_first))

    def chat(self, layout: Layout) -> list[Block]:
        turns: list[Turn] = []
        clock = self.rng.randint(6 * 60, 20 * 60)

        def say(role: str, sentence: Sentence) -> None:
            nonlocal clock
            clock = min(clock + self.rng.randint(0, 7), 24 * 60 - 1)
            turns.append(Turn(self.scene.people[role].run(), _time(clock), sentence))

        for section in layout.sections:
            for item in section.body:
                for sentence in sentences(self.item(item)):
                    for who, part in _turns(sentence):
                        say(_SPEAKERS[who or self.rng.choice("abc")], part)
        for fact in self.drain():
            say(self.rng.choice(("author", "colleague")), self.state(fact))
        return list(turns)

    # Items: each yields zero or more blocks

    def item(self, item: str) -> Iterator[Block]:
        shape, _, rest = item.partition(":")
        if shape == "kv":
            yield from self.pairs(self.drain(rest))
        elif shape in {"table", "rows"}:
            yield from self.table(self.drain(rest))
        elif shape == "facts":
            yield from self.stated(self.drain(rest))
        else:
            parts = rest.split("+")
            bank, _, span = parts[0].partition(":")
            low, high = _span(span) or (1, 1)
            found = [p for _ in range(self.rng.randint(low, high)) for p in [self.passage(bank)] if p]
            if shape == "ol":  # steps are written in the order they are done
                found.sort(key=lambda passage: self.plan.document.bank[bank].index(passage[0]))
            passages = [sentence for _, sentence in found]
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
                last += [self.state(fact) for fact in self.drain(part.partition(":")[2])]
            else:
                last += [found[1] for found in [self.passage(part)] if found]
        yield from _paragraph(last)

    def passage(self, bank: str) -> tuple[str, Sentence] | None:
        document = self.plan.document
        return self.writer.passage((document.name, bank), document.bank[bank], self.scene, self.used)

    def state(self, fact: Fact) -> Sentence:
        named = fact.subject_id in self.introduced
        self.introduced.add(fact.subject_id)
        return self.writer.statement(fact, self.scene, named=named, used=self.used)

    def drain(self, wanted: str = "") -> list[Fact]:
        """The next facts an item asks for: of one relation (``part.torque``, ``part.*``), a few (``1-2``), or all.

        A few are about one kind of thing, so that a passage is not followed by news from elsewhere.
        """
        pattern, _, span = wanted.rpartition(":") if ":" in wanted else ("", "", wanted)
        if span and not span[0].isdigit():
            pattern, span = span, ""
        fitting = [fact for fact in self.left if not pattern or fnmatchcase(fact.relation, pattern)]
        limits = _span(span)
        if limits and fitting:
            kind = _kind(fitting[0])
            fitting = [fact for fact in fitting if _kind(fact) == kind][: self.rng.randint(*limits)]
        self.left = [fact for fact in self.left if fact not in fitting]
        return fitting

    def remainder(self) -> list[Block]:
        # A long tail of facts reads better as a table than as a list of sentences.
        if len(self.left) > 6 and self.plan.document.shape == "document":
            return list(self.table(self.drain()))
        return list(self.stated(self.drain()))

    def stated(self, facts: Sequence[Fact]) -> Iterator[Block]:
        """Paragraphs of statements, one kind of subject at a time."""
        for kind in dict.fromkeys(map(_kind, facts)):
            mine = [fact for fact in facts if _kind(fact) == kind]
            for start in range(0, len(mine), _PARAGRAPH):
                yield from _paragraph([self.state(fact) for fact in mine[start : start + _PARAGRAPH]])

    def pairs(self, facts: Sequence[Fact]) -> Iterator[Block]:
        about = self.plan.about
        pairs: list[tuple[str, Sentence]] = []
        spoken: list[Fact] = []
        for fact in facts:
            label = ONTOLOGY.relations[fact.relation].label
            if fact.subject_id != about.entity_id:
                label = f"{label} ({self.writer.graph.entities[fact.subject_id].name})"
            cell = self.cell(fact)
            if self.writer.claim(f"{label}: {cell.text}"):
                pairs.append((label, cell))
            else:  # said in these words elsewhere
                spoken.append(fact)
        if pairs and not self.named_in_title and any(fact.subject_id == about.entity_id for fact in facts):
            pairs.insert(0, ("Name" if about.kind == "person" else _title(about.kind), Sentence((entity_run(about),))))
        if pairs:
            yield Pairs(tuple(pairs))
        yield from self.stated(spoken)

    def table(self, facts: Sequence[Fact]) -> Iterator[Block]:
        for kind in dict.fromkeys(map(_kind, facts)):
            mine = [fact for fact in facts if _kind(fact) == kind]
            columns = list(dict.fromkeys(fact.relation for fact in mine))
            by_subject: dict[str, dict[str, Fact]] = {}
            for fact in mine:
                by_subject.setdefault(fact.subject_id, {})[fact.relation] = fact
            if len(mine) < (1 - _MOST_HOLES) * len(by_subject) * len(columns):
                yield from self.pairs(mine)  # nobody keeps a table of dashes
                continue
            header = (_title(kind), *(ONTOLOGY.relations[name].label for name in columns))
            rows = [
                (
                    Sentence((entity_run(self.writer.graph.entities[subject]),)),
                    *(self.cell(found[name]) if name in found else plain("–") for name in columns),
                )
                for subject, found in by_subject.items()
            ]
            yield Table(header, tuple(rows))

    def cell(self, fact: Fact) -> Sentence:
        return Sentence((self.writer.value(fact),), (fact.fact_id,))

    def filename(self) -> str:
        return slug(self.writer.label(self.rng.choice(self.plan.document.filename), self.scene))


def slug(text: str) -> str:
    """A file name without spaces or characters a file system minds."""
    kept = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", kept).strip("-.") or "document"


def _message(sender: Person, to: Person, day: date, clock: int, body: tuple[Block, ...]) -> Message:
    return Message(sender.run(), sender.address, to.run(), to.address, day, _time(clock), body)


def _answered(layout: Layout, number: int) -> str:
    """Who a mail goes to: outsiders write to the author, who answers them, or, within the house, each other."""
    plan: MessagePlan = layout.message[number]
    if plan.to:
        return plan.to
    if plan.sender != "author":
        return "author"
    others = [message.sender for message in layout.message if message.sender != "author"]
    return "contact" if "contact" in others or not others else others[0]


def _time(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _span(text: str) -> tuple[int, int] | None:
    low, _, high = text.partition("-")
    return (int(low), int(high)) if high else None


def _kind(fact: Fact) -> str:
    return ONTOLOGY.relations[fact.relation].subject


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
