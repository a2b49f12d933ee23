"""Pins and figures of the worlds the repository vouches for: ``datasets/worlds.toml`` and the table of the data card.

Both are written by :func:`pin` and compared by tests, so that nobody changes the world without noticing.
"""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import WorldError
from labkit.world.build import build_world, read_manifest

WORLDS = (("40", 1), ("ci", 7))
"""Profile and seed of the pinned worlds; the last one is the one the data card describes."""
PINS, CARD = "worlds.toml", "README.md"
BEGIN, END = "<!-- figures: written by `labkit world pin` -->", "<!-- end of figures -->"
_HEAD = "# What two worlds must say, on every machine. Written by `labkit world pin`; compared by the tests.\n"


@dataclass(frozen=True, slots=True)
class Pin:
    """The digest a world of a profile and seed must have."""

    profile: str
    seed: int
    world_version: str
    content_sha256: str


def pin(datasets: Path, *, progress: bool = True) -> list[Pin]:
    """Build the pinned worlds and write their digests and figures into ``datasets``.

    Raises:
        WorldError: the data card lacks the markers of its table.
    """
    pins = []
    with tempfile.TemporaryDirectory() as scratch:
        for profile, seed in WORLDS:
            world = Path(scratch) / f"{profile}-{seed}"
            report = build_world(profile, seed, world, progress=progress)
            pins.append(Pin(profile, seed, report.world_version, report.content_sha256))
        card = datasets / CARD
        card.write_text(with_figures(card.read_text(encoding="utf-8"), world), encoding="utf-8")
    rows = [
        f'\n[[world]]\nprofile = "{p.profile}"\nseed = {p.seed}\nworld_version = "{p.world_version}"\n'
        f'content_sha256 = "{p.content_sha256}"\n'
        for p in pins
    ]
    (datasets / PINS).write_text(_HEAD + "".join(rows), encoding="utf-8")
    return pins


def read_pins(datasets: Path) -> list[Pin]:
    """The pins as they were written."""
    return [Pin(**row) for row in tomllib.loads((datasets / PINS).read_text(encoding="utf-8"))["world"]]


def check_pin(pinned: Pin, world: Path) -> None:
    """Compare a built world with its pin.

    Raises:
        WorldError: it says something else than the pinned one.
    """
    found = read_manifest(world)
    if found.content_sha256 != pinned.content_sha256:
        raise WorldError(
            f"The world of {pinned.profile}, seed {pinned.seed} is not the pinned one: "
            f"it is {found.world_version}, not {pinned.world_version}",
            where=str(world),
            todo="If that was meant, raise GENERATOR in world/build.py (unless only the pack changed) and run "
            "`labkit world pin`.",
        )


def with_figures(card: str, world: Path) -> str:
    """The data card with the figures of a built world between its markers.

    Raises:
        WorldError: the markers are missing.
    """
    before, mark, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise WorldError("The data card has no place for its figures", where=CARD, todo=f"Put in {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{figures(world)}{END}{after}"


def figures(world: Path) -> str:
    """What is in a world, as Markdown tables."""
    report = read_manifest(world)
    documents = list(_rows(world / "truth" / "documents.jsonl"))
    words = sum(len(row["text"].split()) for row in _rows(world / "truth" / "texts.jsonl"))
    pii = Counter(row["action"] for row in _rows(world / "truth" / "pii.jsonl"))
    facts = list(_rows(world / "truth" / "facts.jsonl"))
    return "\n".join(
        [
            f"World `{report.world_version}`:",
            "",
            "| figure | value |",
            "| --- | ---: |",
            f"| files | {len(documents):,} |",
            f"| … that must end in quarantine | {sum(d['expected'] == 'quarantine' for d in documents):,} |",
            f"| … not readable by all staff | {sum('staff' not in d.get('groups', ['staff']) for d in documents):,} |",
            f"| words of clean text | {words:,} |",
            f"| entities | {sum(1 for _ in _rows(world / 'truth' / 'entities.jsonl')):,} |",
            f"| facts | {len(facts):,} |",
            f"| … that changed within the two years | {sum(f['valid_to'] is not None for f in facts):,} |",
            f"| … withheld: true, written nowhere | {sum(f['withheld'] for f in facts):,} |",
            f"| spans of personal data, to redact / to keep | {pii['redact']:,} / {pii['keep']:,} |",
            "",
            *_table("format", Counter(d["format"] for d in documents if "format" in d), "files"),
            "",
            *_table("dirt", Counter(report.defects), "files"),
            "",
            *_questions(report.questions),
            "",
        ]
    )


def _table(name: str, counts: Counter[str], unit: str) -> list[str]:
    return [f"| {name} | {unit} |", "| --- | ---: |", *(f"| {key} | {counts[key]:,} |" for key in sorted(counts))]


def _questions(counts: dict[str, int]) -> list[str]:
    splits = [s for s in ("train", "dev", "test", "hero", "core") if any(key.startswith(f"{s}/") for key in counts)]
    types = sorted({key.partition("/")[2] for key in counts})
    rows = [f"| {t} | " + " | ".join(f"{counts.get(f'{s}/{t}', 0):,}" for s in splits) + " |" for t in types]
    return [f"| questions | {' | '.join(splits)} |", f"| --- |{' ---: |' * len(splits)}", *rows]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
