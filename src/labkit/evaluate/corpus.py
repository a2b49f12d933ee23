"""A world ready to be asked: built, ingested, indexed, once per size, seed and pack.

Each step is kept below ``settings.home`` and redone only when its input changed; a step that was interrupted is begun
again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from filelock import FileLock

from labkit.ingest import ingest, privacy_of
from labkit.ingest.fingerprint import code_fingerprint
from labkit.llm import Embedder
from labkit.retrieve import index as build_index
from labkit.retrieve.index import LAYOUT, late_fingerprint
from labkit.schema import RequestContext
from labkit.settings import Settings
from labkit.world.build import WorldReport, build_world, read_manifest, size_of, world_version
from labkit.world.pack import load_pack
from labkit.world.questions import Question


@dataclass(frozen=True, slots=True)
class Corpus:
    """Where the parts of a prepared corpus lie; ``world`` is None for a folder of somebody's own files."""

    documents: Path
    tables: Path
    index: Path
    world: Path | None = None

    def manifest(self) -> WorldReport | None:
        """The manifest of its world."""
        return read_manifest(self.world) if self.world else None


def built_world(settings: Settings, *, seed: int, pack_dir: Path | None = None, profile: str = "ci",
                progress: bool = True) -> Path:  # fmt: skip
    """The folder of a world, built now if it is not there yet.

    Raises:
        PackError, InputError: the pack or profile is wrong.
    """
    world = settings.home / "worlds" / world_version(load_pack(pack_dir), size_of(profile), seed)

    def build(out: Path) -> None:
        build_world(profile, seed, out, pack_dir=pack_dir, progress=progress)

    _once(world, build)
    return world


def prepare_world(settings: Settings, embedder: Embedder, *, seed: int, pack_dir: Path | None = None,
                  profile: str = "ci", progress: bool = True) -> Corpus:  # fmt: skip
    """Build, ingest and index a world, or find it already there.

    Raises:
        PackError, InputError: the pack or profile is wrong.
    """
    world = built_world(settings, seed=seed, pack_dir=pack_dir, profile=profile, progress=progress)
    return _prepare(world / "documents", world, world.name, settings, embedder, progress=progress)


def prepare_tables(settings: Settings, *, seed: int, pack_dir: Path | None = None, profile: str = "ci",
                   progress: bool = True) -> tuple[Path, Path]:  # fmt: skip
    """Build and ingest a world without indexing it; the tables and the world.

    Raises:
        PackError, InputError: the pack or profile is wrong.
    """
    world = built_world(settings, seed=seed, pack_dir=pack_dir, profile=profile, progress=progress)
    return _tables(world / "documents", world.name, settings, progress=progress), world


def prepare_folder(folder: Path, settings: Settings, embedder: Embedder, *, progress: bool = True) -> Corpus:
    """Ingest and index any folder of files, or find that done since its files last changed.

    Raises:
        InputError: the folder does not exist or holds no files.
    """
    key = hashlib.sha256(f"{folder.resolve()}".encode())
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        status = path.stat()
        key.update(f"{path.relative_to(folder).as_posix()}|{status.st_size}|{status.st_mtime_ns}".encode())
    name = f"{folder.resolve().name}-{key.hexdigest()[:12]}"
    return _prepare(folder, None, name, settings, embedder, progress=progress)


def _prepare(
    documents: Path, world: Path | None, name: str, settings: Settings, embedder: Embedder, *, progress: bool
) -> Corpus:
    tables = _tables(documents, name, settings, progress=progress)
    encoded = hashlib.sha256(f"{embedder.fingerprint}\0{late_fingerprint(embedder)}\0{LAYOUT}".encode()).hexdigest()[:8]
    index = settings.home / "indexes" / f"{tables.name}-{encoded}"

    def make_index(out: Path) -> None:
        build_index(tables, out, embedder, world=name if world else "", progress=progress)

    _once(index, make_index)
    return Corpus(documents, tables, index, world)


def _tables(documents: Path, name: str, settings: Settings, *, progress: bool) -> Path:
    privacy = privacy_of(settings)
    # What is kept was made by this code, with this privacy.
    made = hashlib.sha256(f"{code_fingerprint()}\0{privacy!r}".encode()).hexdigest()[:8]
    tables = settings.home / "tables" / f"{name}-{made}"
    _once(tables, lambda out: ingest(documents, out, privacy=privacy, progress=progress))
    return tables


def _once(target: Path, make: Callable[[Path], object]) -> None:
    """Run ``make`` into a fresh folder and rename it into place, unless it is there; others who want it wait."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if target.exists():
            return
        begun = target.with_name(f"{target.name}.partial")
        shutil.rmtree(begun, ignore_errors=True)
        make(begun)
        begun.rename(target)


def read_questions(world: Path, split: str) -> list[Question]:
    """The questions of a split (train, dev, test or hero)."""
    names = {f.name for f in fields(Question)}
    questions = []
    for line in (world / "questions" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        row["as_of"] = date.fromisoformat(row["as_of"])
        for name in ("aliases", "facts", "documents", "groups"):
            row[name] = tuple(row[name])
        row["evidence"] = tuple((doc_id, start, end) for doc_id, start, end in row["evidence"])
        questions.append(Question(**{name: row[name] for name in names}))
    return questions


def asked_by(question: Question) -> RequestContext:
    """A request by the question's asker, with what they may read, on the day they ask."""
    return RequestContext(
        principal=question.asker, groups=frozenset(question.groups), tenant="tidewater", as_of=question.as_of
    )


def gold_paths(world: Path) -> dict[str, frozenset[str]]:
    """fact_id → source paths of every readable file that states it, copies included."""
    found: dict[str, set[str]] = {}
    for row in _rows(world / "truth" / "documents.jsonl"):
        for fact_id in row.get("states", ()):
            found.setdefault(fact_id, set()).add(row["path"])
    return {fact_id: frozenset(paths) for fact_id, paths in found.items()}


def read_facts(world: Path) -> dict[str, tuple[str, ...]]:
    """fact_id → its value and the other accepted wordings of it."""
    return {row["fact_id"]: (row["value"], *row["aliases"]) for row in _rows(world / "truth" / "facts.jsonl")}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
