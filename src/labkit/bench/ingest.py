"""What ingestion makes of a generated enterprise, judged on what its generator knows.

The world's documents are ingested afresh, then compared file by file: text, encodings, duplicates, versions, personal
data, quarantine. The speed is compared with another converter in the same run.
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.bench.copies import duplicate_figures, supersession_figure
from labkit.bench.peer import speed_figures
from labkit.bench.redaction import Leaks, leaks, recall_figures, staff_words
from labkit.bench.registry import Options, Rows
from labkit.bench.replacement import Replaced, by_kind, precision_figure, replaced_spans
from labkit.bench.result import BenchResult, Figure, share
from labkit.bench.textscore import difference, repaired_characters, stored_text, text_f1, true_text
from labkit.bench.truth import Case, read_cases
from labkit.evaluate.corpus import built_world
from labkit.evaluate.statistics import mean_interval
from labkit.ingest import ingest
from labkit.ingest.access import ACCESS_FILE
from labkit.world.build import read_manifest

GROUPS = {"pdf2": "pdf", "xlsx": "table", "csv": "table"}
"""Formats of the generator that are judged together with others; all else is judged by itself."""
_ENCODING = frozenset({"mojibake", "wrong_encoding"})


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Build the world if need be, ingest it, and judge."""
    world = built_world(options.settings, seed=options.seed, pack_dir=options.pack, profile=options.profile)
    manifest = read_manifest(world)
    with tempfile.TemporaryDirectory() as scratch:
        tables = Path(scratch) / "tables"
        ingest(world / "documents", tables, workers=os.cpu_count() or 1)
        cases = read_cases(world, tables)
    supersession, successors = supersession_figure(cases)
    judged = {case.path: case for case in cases if case.document is not None and case.clean is not None}
    staff = staff_words(cases)
    found = {path: leaks(case, staff) for path, case in judged.items()}
    scores = {path: text_f1(case.clean, case.document) for path, case in judged.items()}  # type: ignore[arg-type]
    replaced = replaced_spans(world / "documents", cases)
    figures = {
        **duplicate_figures(cases),
        "supersession_accuracy": supersession,
        **encoding_figure(cases),
        **text_figures(cases, scores, options.seed),
        **recall_figures(list(found.values())),
        **precision_figure(replaced),
        **quarantine_figures(world, cases),
        **speed_figures(world / "documents", cases, options.seed),
    }
    result = BenchResult(
        bench="ingest",
        profile=options.profile,
        seed=options.seed,
        pack=manifest.pack,
        world_version=manifest.world_version,
        data_sha256=manifest.sha256,
        figures=figures,
    )
    rows = [_row(case, scores.get(case.path), found.get(case.path), successors, replaced) for case in cases]
    return result, [*rows, *by_kind(replaced)]


def encoding_figure(cases: Sequence[Case]) -> dict[str, Figure]:
    """Share of the characters beyond ASCII that are right, over files with a spoiled encoding."""
    right = total = 0
    for case in cases:
        if case.defects & _ENCODING and case.clean is not None:
            hits, n = repaired_characters(case.clean, case.document)
            right, total = right + hits, total + n
    return {"encoding_repaired": share(right, total)}


def text_figures(cases: Sequence[Case], scores: dict[str, float], seed: int) -> dict[str, Figure]:
    """Mean token F1 by format; a readable file that is no document scores 0."""
    by_group: defaultdict[str, list[float]] = defaultdict(list)
    for case in cases:
        if case.clean is not None:
            by_group[GROUPS.get(case.format, case.format)].append(scores.get(case.path, 0.0))
    return {
        f"text_f1_{group}": Figure(
            value=sum(values) / len(values), n=len(values), ci95=mean_interval(values, seed), direction="higher"
        )
        for group, values in sorted(by_group.items())
    }


def quarantine_figures(world: Path, cases: Sequence[Case]) -> dict[str, Figure]:
    """Unreadable files found, with the right reason; readable ones refused; files that are nowhere or in two places."""
    # Text that was recognised on a scanned page is a better outcome than the refusal the truth expects.
    due = [c for c in cases if c.must_refuse and not (c.document is not None and "ocr" in c.document.defects)]
    refused = [case for case in due if case.quarantined is not None]
    right = sum(case.quarantined is not None and case.quarantined.reason == case.must_refuse for case in refused)
    readable = [case for case in cases if not case.must_refuse]
    false = sum(case.quarantined is not None for case in readable)
    files = [p for p in (world / "documents").rglob("*") if p.is_file() and p.name != ACCESS_FILE]
    placed = sum((case.document is None) != (case.quarantined is None) for case in cases)
    return {
        "quarantine_recall": share(len(refused), len(due)),
        "quarantine_reason_accuracy": share(right, len(refused)),
        "false_quarantine": Figure(value=float(false), n=len(readable), direction="lower"),
        "lost_files": Figure(value=float(len(files) - placed), n=len(files), direction="lower"),
    }


def _row(
    case: Case, score: float | None, found: Leaks | None, successors: dict[str, bool], replaced: Sequence[Replaced]
) -> dict[str, Any]:
    """Everything about one file that a developer looks for when a figure is low."""
    row: dict[str, Any] = {"path": case.path, "format": case.format, "defects": sorted(case.defects), "f1": score,
                           "must_refuse": case.must_refuse}  # fmt: skip
    if case.quarantined is not None:
        row |= {"refused": case.quarantined.reason, "message": case.quarantined.message}
    if case.document is not None:
        row |= {"stored_defects": list(case.document.defects), "duplicate_of": case.document.duplicate_of}
    if case.document is not None and case.clean is not None:
        row["missing"], row["extra"] = difference(true_text(case.clean), stored_text(case.document))
        if case.defects & _ENCODING:
            row["characters_right"] = repaired_characters(case.clean, case.document)
    if found is not None:
        wrong = [(span.kind, span.text) for span in replaced if span.path == case.path and not span.right]
        row |= {"kept_identifiers": found.kept_identifiers, "kept_names": found.kept_names, "replaced_wrongly": wrong}
    if case.path in successors:
        row |= {"supersession_right": successors[case.path]}
    return row
