"""What each way of making the fine-tuned model smaller costs: bytes, perplexity, task score, speed.

The model is the chat model with the ``answer`` adapter merged, in bf16. In domain is what test documents of the
generated world say after ingestion, out of domain the prose of the PEPs of ``--data``; methods are calibrated on train
documents, or on other PEPs where *generic* is said. The packaged base lay on a 4-bit grid, so every 4-bit figure has a
control beside it: ``off_grid_…`` is the same model with that grid destroyed (:mod:`labkit.quantize.offgrid`). Folders
are kept below ``settings.home`` and made once.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from labkit.bench.quantizemethods import SIZE_4, Make, beside_methods, control_methods, methods
from labkit.bench.quantizetexts import Texts, texts
from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.errors import ConfigError, DeadlineExceeded, ModelError
from labkit.evaluate.corpus import prepare_tables
from labkit.llm.shipped import shipped
from labkit.models import resolve
from labkit.quantize import calculator, load, serving
from labkit.quantize.change import change_kept
from labkit.quantize.checkpoint import ADAPTER, Checkpoint, read_record
from labkit.quantize.offgrid import off_grid
from labkit.quantize.perplexity import Perplexity, ratio
from labkit.quantize.report import PROMPT, Report, Row, Task
from labkit.tune.merge import merged_answer_model
from labkit.world.build import read_manifest

TOKENS = 20_000
"""Predicted tokens of each domain."""

SIZE_8 = 0.62
"""Largest size beside bf16 at which a method counts as one of 8 bits."""


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Measure every method on the fine-tuned model.

    Raises:
        ModelError: the fine-tuned model cannot be made or read.
    """
    source = merged_answer_model(options.settings)
    tables, world = prepare_tables(options.settings, seed=options.seed, pack_dir=options.pack, profile=options.profile)
    manifest = read_manifest(world)
    read = texts(tables, world, options.data, options.split, options.seed)
    home = options.settings.home / "quantized" / Checkpoint(source).sha256[:12]
    base = resolve(options.settings.chat_model, options.settings.home).path
    figures, rows = measure(
        source, home, read, tokens=options.limit or TOKENS, seed=options.seed, base=base, adapter=shipped("answer")
    )  # fmt: skip
    return BenchResult(
        bench="quantize", profile=options.profile, seed=options.seed, pack=manifest.pack, split=options.split,
        world_version=manifest.world_version, data_sha256=manifest.sha256, model_sha256=Checkpoint(source).sha256,
        figures=figures,
    ), rows  # fmt: skip


def measure(
    source: Path,
    home: Path,
    read: Texts,
    *,
    tokens: int,
    seed: int,
    base: Path | None = None,
    adapter: Path | None = None,
    task: Task | None = None,
) -> tuple[dict[str, Figure], Rows]:
    """Quantize a checkpoint in every way and measure what came of it.

    Args:
        source: the fine-tuned bf16 checkpoint.
        home: where the folders are kept.
        read: texts to measure on and to calibrate with.
        tokens: of each domain.
        seed: of bootstrap, calibration and control.
        base: the checkpoint before fine-tuning, if what is left of that is to be measured.
        adapter: what was merged into it, if it is to be measured beside the quantized base, too.
        task: asks a loaded model questions, if given.
    """
    figures: dict[str, Figure] = {}
    report = Report(read.measured, tokens, task, seed)
    report.add("bf16", source)
    for name, make in methods(read, source, home, seed).items():
        _add(report, name, source, home / name, make, figures)
    if base and adapter:
        for name, make in beside_methods(adapter).items():
            _add(report, name, base, home / name, make, figures)
    control = Report({"in_domain": read.measured["in_domain"]}, tokens, seed=seed)
    moved = home / "off_grid"
    if not moved.is_dir():
        off_grid(source, moved, seed=seed)
    control.add("off_grid", moved)
    for name, make in control_methods(read, home).items():
        _add(control, name, moved, home / name, make, figures)
    for row in (*report.rows, *control.rows[1:]):
        figures |= row_figures(row)
    figures |= best(report.rows, 4, SIZE_4) | best(report.rows, 8, SIZE_8)
    figures["calibration_in_domain_ratio"] = calibration(report, seed)
    figures["calculator_worst_error"] = prediction(report.rows, source)
    if read.skipped:
        figures["general_perplexity"] = Figure(value=None, status=f"skipped: {read.skipped}")
    if base:
        figures |= changes(report.rows, base, source, home)
    for row in report.rows:
        figures |= served(row.method, row.name, source if row.method == "bf16" else home / row.name, home)
    rows = [
        {"name": name, "domain": domain, "text": index, "nats": loss.nats, "tokens": loss.tokens}
        for one in (report, control) for name, domains in one.losses.items()
        for domain, some in domains.items() for index, loss in enumerate(some)
    ]  # fmt: skip
    rows += [
        {"name": name, "question_id": asked.question_id, "kind": asked.kind, "right": asked.right}
        for name, some in report.asked.items() for asked in some
    ]  # fmt: skip
    return figures, rows


def row_figures(row: Row) -> dict[str, Figure]:
    """The figures of one row, named by it."""
    name = row.name
    found = {
        f"{name}_disk_mb": Figure(value=row.disk_bytes / 1e6, unit="MB", direction="lower"),
        f"{name}_size_ratio": Figure(value=row.size_ratio, direction="lower", peer="bf16"),
    }
    for domain, value in row.perplexity.items():
        suffix = "" if domain == "in_domain" else f"_{domain}"
        found[f"{name}_perplexity{suffix}"] = _perplexity(value, "")
        if row.method != "bf16":
            found[f"{name}_perplexity_ratio{suffix}"] = _perplexity(row.ratio[domain], "bf16")
    if row.memory_bytes is not None and row.tokens_per_s is not None:
        found[f"{name}_memory_mb"] = Figure(value=row.memory_bytes / 1e6, unit="MB", direction="lower")
        found[f"{name}_tokens_per_s"] = Figure(value=row.tokens_per_s, unit="1/s", direction="higher")
    for kind, score in row.scores.items():
        found[f"{name}_task_{kind}"] = Figure(value=score.share, n=score.n, direction="higher")
        if row.method != "bf16":
            found[f"{name}_task_{kind}_points"] = Figure(
                value=100 * score.change, unit="points", n=score.n, direction="higher", peer="bf16",
                ci95=(100 * score.ci95[0], 100 * score.ci95[1]) if score.ci95 else None,
            )  # fmt: skip
    return found


def best(rows: Sequence[Row], bits: int, size: float) -> dict[str, Figure]:
    """The method with the lowest perplexity in domain among those of so many bits that are small enough.

    Where a task was given, one that answers worse than bf16 by over a point is taken only if all do: perplexity does
    not see a small model go back to what it was before fine-tuning.
    """

    def merit(row: Row) -> tuple[bool, float]:
        return "all" in row.scores and row.scores["all"].change < -0.01, row.ratio["in_domain"].value

    prefix = "best_int4" if bits == 4 else "int8"
    fit = [
        row
        for row in rows
        if row.method != "bf16" and row.size_ratio <= size and (row.size_ratio <= SIZE_4) == (bits == 4)
    ]
    if not fit:
        return {f"{prefix}_size_ratio": Figure(value=None, status=f"failed: no method is below {size}")}
    found = min(fit, key=merit)
    figures = {
        f"{prefix}_size_ratio": Figure(value=found.size_ratio, direction="lower", peer="bf16",
                                       status=f"measured: {found.name}"),
        f"{prefix}_perplexity_ratio": _perplexity(found.ratio["in_domain"], "bf16"),
    }  # fmt: skip
    if score := found.scores.get("all"):
        figures[f"{prefix}_task_points"] = Figure(value=100 * score.change, unit="points", n=score.n,
                                                  direction="higher", peer="bf16")  # fmt: skip
    return figures


def calibration(report: Report, seed: int) -> Figure:
    """Perplexity in domain of GPTQ calibrated in domain over that of GPTQ calibrated on other prose."""
    pair = [report.losses[name]["in_domain"] for name in ("gptq_g32_generic", "gptq_g32") if name in report.losses]
    if len(pair) < 2:
        return Figure(value=None, status="skipped: GPTQ was not made with both kinds of texts")
    return _perplexity(ratio(pair[0], pair[1], seed), "gptq_g32_generic")


def prediction(rows: Sequence[Row], source: Path) -> Figure:
    """The calculator's largest relative error over the rows it has a scheme for."""
    config = Checkpoint(source).config
    schemes = {row.name: calculator.SCHEMES.get(row.name.replace("nearest", "gptq")) for row in rows}
    errors = [
        abs(calculator.weights(config, scheme) / row.disk_bytes - 1)
        for row in rows if (scheme := schemes[row.name]) is not None
    ]  # fmt: skip
    return Figure(value=max(errors), n=len(errors), direction="lower")


def changes(rows: Sequence[Row], base: Path, source: Path, home: Path) -> dict[str, Figure]:
    """What each 4-bit row kept of fine-tuning, where its weights can be read back."""
    readable = [
        row for row in rows
        if row.size_ratio <= SIZE_4 and row.memory_bytes is None and not (home / row.name / ADAPTER).is_dir()
    ]  # fmt: skip
    return {
        f"{row.name}_change_kept": Figure(value=change_kept(base, source, load(home / row.name)), direction="higher")
        for row in readable
    }  # fmt: skip


def served(method: str, name: str, folder: Path, home: Path) -> dict[str, Figure]:
    """For each engine that reads the folder: tokens a second of one answer, or why there was none."""
    found: dict[str, Figure] = {}
    if (folder / ADAPTER).is_dir():  # engines load adapters each in its own way: not asked here
        return found
    for engine in serving.engines_for(method):
        try:
            got = serving.answers(engine, folder, [PROMPT], log=home / f"{name}-{engine}.log")
        except ConfigError as error:
            figure = Figure(value=None, status=f"skipped: {error.what}")
        except (ModelError, DeadlineExceeded) as error:
            figure = Figure(value=None, status=f"failed: {error.what}"[:200])
        else:
            status = f"measured: {engine} {got.version} on {got.device}"
            if got.tokens_per_s is None:
                status = f"skipped: {got.note}"
            figure = Figure(value=got.tokens_per_s, unit="1/s", direction="higher", status=status)
        found[f"{name}_{engine.replace('-', '_')}_tokens_per_s"] = figure
    return found


def _add(report: Report, name: str, source: Path, folder: Path, make: Make, figures: dict[str, Figure]) -> None:
    try:
        _made(source, folder, make)
        report.add(name, folder)
    except ConfigError as error:  # an environment or package that this machine lacks
        figures[f"{name}_perplexity_ratio"] = Figure(value=None, status=f"skipped: {error.what}")
    except (ModelError, DeadlineExceeded) as error:  # one method that fails does not cost the others their figures
        figures[f"{name}_perplexity_ratio"] = Figure(value=None, status=f"failed: {error.what}"[:200])


def _made(source: Path, folder: Path, make: Make) -> None:
    record = read_record(folder) if folder.is_dir() else None
    if record is None or record.source_sha256 != Checkpoint(source).sha256:
        shutil.rmtree(folder, ignore_errors=True)
        make(source, folder)


def _perplexity(found: Perplexity, peer: str) -> Figure:
    return Figure(value=found.value, n=found.tokens, ci95=found.ci95, direction="lower", peer=peer)
