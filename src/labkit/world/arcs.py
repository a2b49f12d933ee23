"""Arcs: the hand-written stories, as entities, facts and drafts of the ``core`` pool.

Their documents are written in Markdown inside the pack; :func:`arc_drafts` turns them into blocks, marks the sentences
that their evidence quotes, and the people they name: those who write from an address that is not the company's are
outsiders, whom policy redacts; all others are staff.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from labkit.errors import PackError
from labkit.world.blocks import Block, Draft, Heading, Items, Pairs, Paragraph, Run, Sentence, Table, Turn, plain
from labkit.world.chance import stream
from labkit.world.entries import Arc, ArcDocument
from labkit.world.facts import Entity, Fact, FactGraph
from labkit.world.pack import Pack
from labkit.world.prose import split_sentences
from labkit.world.questions import Ledger, Question

_FORMATS = {
    ".html": "html", ".md": "markdown", ".pdf": "pdf", ".docx": "docx", ".eml": "eml", ".txt": "text", ".json": "json",
    ".csv": "csv", ".xlsx": "xlsx",
}  # fmt: skip
_CHAT_LINE = re.compile(r"(?:\[?(\d{1,2}:\d{2})\]?\s+)?([^:|\n]{2,40}):[ \t]+(.*)", re.MULTILINE)
_TABLE_RULE = re.compile(r"\|?[\s:|-]+\|?")


def add_arcs(pack: Pack, graph: FactGraph) -> None:
    """Add every arc's entities and facts to a graph.

    Raises:
        WorldError: an id is taken or unknown.
    """
    for arc in pack.arcs:
        for entity in arc.entity:
            details = {"id": entity.id, **entity.details}
            graph.add_entity(Entity(entity.id, entity.kind, entity.name, "core", entity.aliases, details))
    for arc in pack.arcs:
        for fact in arc.fact:
            graph.add_fact(
                Fact(
                    fact_id=f"{arc.slug}/{fact.id}",
                    subject_id=fact.subject,
                    relation=fact.relation,
                    value=fact.value,
                    valid_from=fact.valid_from,
                    valid_to=fact.valid_to,
                    object_id=fact.object,
                    aliases=fact.aliases,
                    groups=fact.groups,
                    arc=arc.slug,
                )
            )


def arc_drafts(pack: Pack, graph: FactGraph, groups_of: dict[str, tuple[str, ...]], seed: int) -> Iterator[Draft]:
    """The documents of every arc; ``groups_of`` maps a top folder path to the groups that may read it.

    Raises:
        PackError: a format is unknown, or an evidence quote is not in its document.
    """
    cast = Cast.of(pack, graph)
    for arc in pack.arcs:
        for number, document in enumerate(arc.document, 1):
            yield _draft(arc, number, document, cast, groups_of, seed)


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody the stories of a pack know by name, and how a text may call them."""

    outsiders: frozenset[str]
    """Full, first and last names."""
    names: re.Pattern[str]

    @classmethod
    def of(cls, pack: Pack, graph: FactGraph) -> Cast:
        """The people of the stories: their persons, the writers of their documents, the speakers of their chats."""
        documents = [document for arc in pack.arcs for document in arc.document]
        writers = {document.author: bool(document.sender) for document in documents}
        speakers = {match[2] for d in documents if d.path.endswith(".json") for match in _CHAT_LINE.finditer(d.text)}
        persons = [name for entity in graph.of_kind("person", "core") for name in (entity.name, *entity.aliases)]
        known = dict.fromkeys((*persons, *speakers), False)
        people = {name: outside for name, outside in (known | writers).items() if " " in name}
        staff = {part for name, outside in people.items() if not outside for part in _calls(name)}
        outsiders = {part for name, outside in people.items() if outside for part in _calls(name)} - staff
        listed = sorted(staff | outsiders, key=lambda name: (-len(name), name))
        return cls(
            frozenset(outsiders), re.compile(rf"\b(?:{'|'.join(map(re.escape, listed))})\b" if listed else r"(?!)")
        )

    def run(self, name: str) -> Run:
        """A name as a run that says what policy does with it."""
        return Run(name, "person", "redact" if name in self.outsiders else "keep")


def _calls(name: str) -> tuple[str, ...]:
    """A full name, and the parts of it that may stand alone."""
    return (name, *(part for part in (name.split()[0], name.split()[-1]) if len(part) > 2))


def arc_questions(pack: Pack, ledger: Ledger) -> Iterator[Question]:
    """The hand-written questions, with the evidence their facts have."""
    for arc in pack.arcs:
        for number, asked in enumerate(arc.question, 1):
            facts = tuple(f"{arc.slug}/{fact}" for fact in asked.facts)
            sources = [s for fact in facts for s in ledger.readable(fact, asked.groups, asked.as_of)]
            yield Question(
                question_id=f"arc-{arc.slug}-{number}",
                split="core",
                type=asked.type,
                text=asked.text,
                value=asked.value,
                aliases=asked.aliases,
                facts=facts,
                documents=tuple(sorted({source.doc_id for source in sources})),
                evidence=tuple((source.doc_id, source.start, source.end) for source in sources),
                hops=asked.hops,
                asker=asked.asker,
                groups=asked.groups,
                as_of=asked.as_of,
                cost_if_wrong=asked.cost_if_wrong,
                hero=asked.hero,
                arc=arc.slug,
            )


def _draft(
    arc: Arc,
    number: int,
    document: ArcDocument,
    cast: Cast,
    groups_of: dict[str, tuple[str, ...]],
    seed: int,
) -> Draft:
    place = f"arcs/{arc.slug}: {document.path}"
    suffix = PurePosixPath(document.path).suffix
    if suffix not in _FORMATS:
        raise PackError(f"Unknown format {suffix!r}", where=place, todo=f"Use one of {', '.join(sorted(_FORMATS))}.")
    quotes = {evidence.quote: f"{arc.slug}/{evidence.fact}" for evidence in document.evidence}
    blocks = tuple(_blocks(document, quotes, cast, chat=suffix == ".json"))
    text = document.text.replace("\n", " ")
    for quote in quotes:
        if " ".join(quote.split()) not in " ".join(text.split()):
            raise PackError(f"The quote {quote[:60]!r} is not in the text", where=place, todo="Quote it word for word.")
    folder = max((f for f in groups_of if document.path.startswith(f"{f}/")), key=len, default="")
    return Draft(
        doc_id=f"arc-{arc.slug}-{number}",
        doc_class=document.doc_class,
        pool="core",
        path=document.path,
        format=_FORMATS[suffix],
        title=document.title,
        author=document.author,
        date=document.date,
        blocks=blocks,
        groups=groups_of.get(folder, ("staff",)),
        meta={"author": document.author, **{k: v for k, v in (("from", document.sender), ("to", document.to)) if v}},
        seed=stream(seed, "arc", document.path).getrandbits(32),
        arc=arc.slug,
    )


def _blocks(document: ArcDocument, quotes: dict[str, str], cast: Cast, *, chat: bool) -> Iterator[Block]:
    def sentence(text: str) -> Sentence:
        facts = tuple(fact for quote, fact in quotes.items() if " ".join(quote.split()) in " ".join(text.split()))
        return Sentence(_runs(text, cast), facts)

    for part in re.split(r"\n\s*\n", document.text.strip()):
        lines = [line.rstrip() for line in part.strip().splitlines()]
        while lines and lines[0].startswith("#"):
            marks, _, heading = lines.pop(0).partition(" ")
            if heading.strip() != document.title:
                yield Heading(heading.strip(), max(2, len(marks)))
        if not lines:
            continue
        if chat and all(_CHAT_LINE.fullmatch(line) for line in lines):
            for line in lines:
                time, speaker, said = _CHAT_LINE.fullmatch(line).groups()  # type: ignore[union-attr]
                yield Turn(cast.run(speaker), time or "", sentence(said))
        elif all(line.startswith("|") for line in lines):
            rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            body = [row for row, line in zip(rows[1:], lines[1:], strict=True) if not _TABLE_RULE.fullmatch(line)]
            yield Table(tuple(rows[0]), tuple(_row(row, sentence) for row in body))
        elif all(re.match(r"([-*]|\d+\.)\s", line) for line in lines):
            items = tuple(sentence(re.sub(r"^([-*]|\d+\.)\s+", "", line)) for line in lines)
            yield Items(items, ordered=lines[0][0].isdigit())
        elif len(lines) > 1 and all(re.fullmatch(r"\**[A-Z][^:.]{1,40}:\**\s+\S.*", line) for line in lines):
            split = [line.replace("*", "").split(":", 1) for line in lines]
            yield Pairs(tuple((label, sentence(value.strip())) for label, value in split))
        else:
            yield Paragraph(_sentences(" ".join(lines), quotes, sentence))


def _sentences(text: str, quotes: dict[str, str], sentence: Callable[[str], Sentence]) -> tuple[Sentence, ...]:
    """Sentences of a paragraph; neighbours that share one quote stay together."""
    parts: list[str] = []
    for piece in split_sentences(text):
        joined = f"{parts[-1]} {piece}" if parts else piece
        if parts and any(q in joined and q not in parts[-1] and q not in piece for q in quotes):
            parts[-1] = joined
        else:
            parts.append(piece)
    return tuple(sentence(part) for part in parts)


def _row(cells: list[str], sentence: Callable[[str], Sentence]) -> tuple[Sentence, ...]:
    """A table row; a quote that spans cells belongs to the first of them."""
    whole = sentence(" | ".join(cells))
    found = [sentence(cell) for cell in cells]
    stated = {fact for cell in found for fact in cell.facts}
    rest = tuple(fact for fact in whole.facts if fact not in stated)
    return (Sentence(found[0].runs, (*found[0].facts, *rest)), *found[1:]) if rest else tuple(found)


def _runs(text: str, cast: Cast) -> tuple[Run, ...]:
    text = re.sub(r"\*\*|__|`", "", text)
    runs: list[Run] = []
    end = 0
    for match in cast.names.finditer(text):
        runs += [Run(text[end : match.start()]), cast.run(match[0])]
        end = match.end()
    return tuple(run for run in (*runs, Run(text[end:])) if run.text) or plain("").runs
