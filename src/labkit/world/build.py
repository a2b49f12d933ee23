"""Building a world: cell after cell, streamed to disk.

``documents/`` holds what an enterprise would have; ``truth/`` what nobody there knows; ``questions/`` and ``traffic/``
what is asked. The same size, seed and pack give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tqdm import tqdm

from labkit.errors import InputError, WorldError
from labkit.world.arcs import add_arcs, arc_drafts, arc_questions
from labkit.world.asker import Asker
from labkit.world.blocks import Draft, Paragraph, plain
from labkit.world.chance import END, day_between, stream, weighted
from labkit.world.cleantext import flatten
from labkit.world.company import build_company
from labkit.world.compose import Plan, compose, extension, slug
from labkit.world.dirt import File, Soiler
from labkit.world.disk import MANIFEST, Disk, bytes_digest, content_digest
from labkit.world.facts import FactGraph
from labkit.world.pack import Pack, load_pack
from labkit.world.planner import Planner
from labkit.world.prose import Scene, Writer
from labkit.world.questions import Ledger, Question, Source
from labkit.world.revise import revised
from labkit.world.traffic import events, traffic
from labkit.world.wide import Themes

GENERATOR = 2
"""Raised whenever the same seed and pack would give other bytes."""
PROFILES = {"ci": 300, "full": 5_000}
CELL = 300
"""Documents a cell aims at."""
_MADE = 0.60
"""Share of a cell's documents that are planned; copies, revisions and debris are the rest."""
ACCESS_FILE = ".access.toml"


@dataclass(slots=True)
class WorldReport:
    """What was built."""

    world_version: str
    seed: int
    pack: str
    documents: int = 0
    facts: int = 0
    questions: dict[str, int] = field(default_factory=dict)
    defects: dict[str, int] = field(default_factory=dict)
    sha256: str = ""
    """Of every file below the world's folder but the manifest: names and bytes, in order."""
    content_sha256: str = ""
    """Of what the world says, whatever compressor the machine has; what ``datasets/worlds.toml`` pins."""


def size_of(profile: str) -> int:
    """Documents of a profile name or of a plain number.

    Raises:
        InputError: neither a profile nor a number from 20 to 1,000,000.
    """
    if profile in PROFILES:
        return PROFILES[profile]
    if profile.isdecimal() and 20 <= int(profile) <= 1_000_000:
        return int(profile)
    raise InputError(
        f"{profile!r} is no size of a world", todo=f"Use {', '.join(PROFILES)} or a number from 20 to 1000000."
    )


def world_version(pack: Pack, size: int, seed: int) -> str:
    """What every artefact made from a world is stamped with."""
    return f"{pack.version}-n{size}-s{seed}-g{GENERATOR}"


def build_world(
    profile: str, seed: int, out: Path, *, pack_dir: Path | None = None, progress: bool = True
) -> WorldReport:
    """Build a world of about the given number of documents into ``out``.

    Raises:
        InputError: the size makes no sense.
        PackError: the pack breaks its format or lacks what the ontology needs.
        WorldError: ``out`` exists and is not a world.
    """
    size = size_of(profile)
    pack = load_pack(pack_dir)
    report = WorldReport(world_version(pack, size, seed), seed, pack.name)
    with Disk(out) as disk:
        _Builder(pack, size, seed, disk, report).build(progress=progress)
    report.sha256, report.content_sha256 = bytes_digest(out), content_digest(out)
    disk.finish(asdict(report))
    return report


def read_manifest(world: Path) -> WorldReport:
    """The manifest of a built world.

    Raises:
        WorldError: there is none; the folder is no world, or its building was interrupted.
    """
    try:
        return WorldReport(**json.loads((world / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise WorldError(
            "This is not a finished world", where=str(world), todo="Build one: labkit world build --out DIR."
        ) from error


class _Builder:
    def __init__(self, pack: Pack, size: int, seed: int, disk: Disk, report: WorldReport) -> None:
        self.pack, self.size, self.seed, self.disk, self.report = pack, size, seed, disk, report
        self.cells = max(1, round(size / CELL))
        self.defects: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.themes = Themes(pack, seed)
        self.groups_of = {document.folder: document.groups for document in pack.classes.values()}

    def build(self, *, progress: bool) -> None:
        self._access()
        for cell in tqdm(range(self.cells), desc="building the world", unit="cell", disable=not progress):
            self._cell(cell, round(self.size * _MADE / self.cells))
        for question in self.themes.questions():
            self._question(question)
        self.report.questions = dict(sorted(self.asked.items()))
        self.report.defects = dict(sorted(self.defects.items()))

    def _access(self) -> None:
        for folder, groups in sorted({"": ("staff",), **self.groups_of}.items()):
            listed = ", ".join(f'"{group}"' for group in groups)
            text = f'groups = [{listed}]\ntenant = "tidewater"\n'
            self.disk.write_document(f"{folder}/{ACCESS_FILE}".lstrip("/"), text.encode())

    def _cell(self, cell: int, documents: int) -> None:
        graph = build_company(self.pack, self.seed, cell)
        writer = Writer(self.pack, graph, stream(self.seed, "words", cell))
        soiler = Soiler(self.pack, writer, stream(self.seed, "dirt", cell))
        planner = Planner(self.pack, graph, self.seed, cell, documents)
        ledger = Ledger()
        for draft, plan in self._drafts(planner, graph, writer, cell):
            scene = None if plan is None else Scene(self.pack, graph, plan.about, plan.day, stream(plan.seed, "dirt"))
            for file in soiler.files(draft, scene):
                self._file(file, ledger)
        if cell == 0:
            self._arcs(graph, soiler, ledger)
        self._truth(graph, planner)
        self._questions(graph, ledger, planner, cell)

    def _drafts(
        self, planner: Planner, graph: FactGraph, writer: Writer, cell: int
    ) -> Iterator[tuple[Draft, Plan | None]]:
        rng = stream(self.seed, "revisions", cell)
        for plan in planner.plans():
            draft = compose(plan, writer)
            later = self._revision(plan, draft, graph, writer, rng, planner)
            if later is None:
                yield draft, plan
            else:
                yield replace(draft, meta={**draft.meta, "superseded_by": later.doc_id}), plan
                yield later, None
        yield from ((draft, None) for draft in self._foreign(planner, writer, cell))

    def _revision(
        self, plan: Plan, draft: Draft, graph: FactGraph, writer: Writer, rng: Any, planner: Planner
    ) -> Draft | None:
        changed = {f.fact_id: f for f in plan.facts if f.valid_to is not None}
        rate = self.pack.dirt.rates.get("superseded", 0.0)
        if "number" not in draft.meta or not changed or rng.random() > rate:
            return None
        first = max(f.valid_to for f in changed.values() if f.valid_to is not None)
        day = day_between(rng, first, min(END, first + timedelta(days=45)))
        now = {f.fact_id: graph.at(f.subject_id, f.relation, day) for f in plan.facts}
        known = {old: fact for old, fact in now.items() if fact is not None}
        if any(fact.fact_id in planner.coverage.withheld for fact in known.values()):
            return None  # the new value is written down nowhere
        return revised(draft, f"{draft.doc_id}r", day, known, writer)

    def _foreign(self, planner: Planner, writer: Writer, cell: int) -> Iterator[Draft]:
        """Short documents in other languages; they state no fact of the graph."""
        rng = stream(self.seed, "languages", cell)
        banks = sorted(self.pack.dirt.languages.items())
        count = round(planner.documents * self.pack.dirt.rates.get("other_language", 0.0)) if banks else 0
        for number in range(count):
            language, lines = rng.choice(banks)
            chosen = [line for line in rng.sample(lines, min(len(lines), 4)) if writer.claim(line)]
            if not chosen:
                continue
            format_name = weighted(rng, ("markdown", "html", "docx", "text"), (3, 3, 2, 2))
            title = " ".join(chosen[0].split()[:6]).rstrip(".,;:")
            people = planner.graph.of_kind("person", "train")
            yield Draft(
                doc_id=f"{cell}-l{number:03d}",
                doc_class="note",
                pool="core",
                path=f"people/news/{language}/{slug(title).lower()}-{cell}-{number}.{extension(format_name)}",
                format=format_name,
                title=title,
                author=rng.choice(people).name,
                date=day_between(rng, date(2024, 1, 8), END),
                blocks=tuple(Paragraph((plain(line),)) for line in chosen),
                meta={"language": language},
                seed=rng.getrandbits(32),
            )

    def _file(self, file: File, ledger: Ledger) -> None:
        path = self.disk.write_document(file.path, file.raw)
        draft = file.draft
        for defect in file.defects:
            self.defects[defect["kind"]] += 1
        self.report.documents += 1
        row: dict[str, Any] = {
            "doc_id": draft.doc_id if draft else f"debris:{path}",
            "path": path,
            "sha256": hashlib.sha256(file.raw).hexdigest(),
            "defects": file.defects,
            "expected": "quarantine" if file.quarantine else "document",
            "reason": file.quarantine,
            "duplicate_group": file.group,
            "near_duplicate": file.near,
        }
        if draft is not None:
            row |= self._described(draft)
            if not file.quarantine:
                row["states"] = self._stated(draft, ledger)
        self.disk.truth("documents", row)

    def _described(self, draft: Draft) -> dict[str, Any]:
        return {
            "class": draft.doc_class,
            "format": draft.format,
            "pool": draft.pool,
            "title": draft.title,
            "author": draft.author,
            "date": draft.date.isoformat(),
            "groups": list(draft.groups),
            "language": draft.meta.get("language", "en"),
            "number": draft.meta.get("number", ""),
            "revision": draft.meta.get("revision", ""),
            "superseded_by": draft.meta.get("superseded_by", ""),
            "arc": draft.arc,
        }

    def _stated(self, draft: Draft, ledger: Ledger) -> list[str]:
        clean = flatten(draft)
        self.disk.truth("texts", {"doc_id": draft.doc_id, "text": clean.text, "tables": clean.tables})
        for span in clean.pii:
            self.disk.truth("pii", {"doc_id": draft.doc_id, **asdict(span), "text": clean.text[span.start : span.end]})
        for span in clean.evidence:
            self.disk.truth(
                "evidence", {"doc_id": draft.doc_id, "fact_id": span.label, "start": span.start, "end": span.end}
            )
            source = Source(draft.doc_id, span.start, span.end, draft.date, draft.groups)
            ledger.sources[span.label].append(source)
        return sorted({span.label for span in clean.evidence})

    def _arcs(self, graph: FactGraph, soiler: Soiler, ledger: Ledger) -> None:
        add_arcs(self.pack, graph)
        for draft in arc_drafts(self.pack, graph, self.groups_of, self.seed):
            for file in soiler.clean_file(draft):
                self._file(file, ledger)
        for arc in self.pack.arcs:
            self.disk.truth("arcs", {"slug": arc.slug, "chapter": arc.chapter, "summary": arc.summary})
        for question in arc_questions(self.pack, ledger):
            self._question(question)

    def _truth(self, graph: FactGraph, planner: Planner) -> None:
        for entity in graph.entities.values():
            self.disk.truth("entities", asdict(entity))
        for fact in graph:
            self.report.facts += 1
            withheld = fact.fact_id in planner.coverage.withheld
            self.disk.truth("facts", {**_dated(asdict(fact)), "withheld": withheld})
        for event in events(graph):
            self.disk.truth("events", event)

    def _questions(self, graph: FactGraph, ledger: Ledger, planner: Planner, cell: int) -> None:
        asker = Asker(self.pack, graph, ledger, planner.coverage.withheld, self.seed, cell)
        questions = list(asker.questions())
        for question in questions:
            self._question(question)
        self.themes.add(graph, ledger)
        for query in traffic(questions, per_day=8.0 / self.cells if self.cells < 8 else 1.0, seed=self.seed, cell=cell):
            self.disk.line("traffic/queries.jsonl", query)

    def _question(self, question: Question) -> None:
        split = "hero" if question.hero else question.split
        self.asked[f"{split}/{question.type}"] += 1
        self.disk.line(f"questions/{split}.jsonl", question.row())


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in row.items()}
