"""What the adapters are good for, and what training them costs: answers, judgements, extraction, memory, forgetting.

Base and adapter are asked the same, on a split whose entities and wordings no training set holds. Every figure has its
number of questions; the figures by type of question stand beside the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.bench.trainingcost import cost_figures
from labkit.bench.tunedanswer import answer_figures
from labkit.bench.tunedextract import extract_figures
from labkit.bench.tunedjudge import judge_figures
from labkit.errors import ModelMismatch
from labkit.evaluate.corpus import built_world
from labkit.llm.lora import read_card
from labkit.llm.tasks import TASKS
from labkit.models import resolve
from labkit.world.build import read_manifest

PARTS = ("answer", "judge", "extract", "cost")
"""What is measured; ``--method`` names some of them, joined with +."""


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Measure adapters on a split of a world."""
    parts = PARTS if options.method == "flat" else options.method.split("+")
    settings = options.settings
    world = built_world(settings, seed=options.seed, pack_dir=options.pack, profile=options.profile)
    manifest = read_manifest(world)
    check_worlds(manifest.world_version, [options.adapter(task) for task in TASKS if task in parts])
    figures: dict[str, Figure] = {}
    rows: Rows = []
    for part, measure in (("answer", answer_figures), ("judge", judge_figures), ("extract", extract_figures)):
        if part in parts:
            found, some = measure(options)
            figures |= found
            rows += some
    if "cost" in parts:
        figures |= cost_figures(options)
    result = BenchResult(
        bench="tune",
        profile=options.profile,
        seed=options.seed,
        pack=manifest.pack,
        split=options.split,
        world_version=manifest.world_version,
        data_sha256=manifest.sha256,
        model_sha256=resolve(settings.chat_model, settings.home).sha256,
        figures=figures,
    )
    return result, rows


def check_worlds(measured: str, adapters: Sequence[Path]) -> None:
    """See that no adapter was trained on the world it is measured on, nor on another make of the same company.

    Raises:
        ModelMismatch: one was.
    """
    for adapter in adapters:
        card = read_card(adapter)
        for learned in card.world_versions if card else ():
            if learned == measured:
                raise ModelMismatch("The adapter was trained on this world", where=f"{adapter.name}, {learned}",
                                    todo="Measure it on another seed.")  # fmt: skip
            if _make(learned)[0] == _make(measured)[0] and _make(learned) != _make(measured):
                raise ModelMismatch(
                    f"The adapter was trained on another make of this company ({learned}), measured is {measured}",
                    where=adapter.name,
                    todo="Train it again: `python -m labkit.tune.adapters`.",
                )


def _make(version: str) -> tuple[str, str, str]:
    """Pack, hash of the pack and generator of a world's version, such as ``tidewater-3cf4ab64-n300-s7-g2``."""
    if version.count("-") < 4:
        return version, "", ""
    pack, hash_, _, _, generator = version.rsplit("-", 4)
    return pack, hash_, generator
