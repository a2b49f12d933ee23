"""Trains the adapters that come with labkit: ``python -m labkit.tune.adapters --out FOLDER [--task TASK]``.

Prints what to pin in ``labkit/llm/adapters/pins.toml``. Two CPU cores read some 400 tokens a second (docs/tuning.md has
the sizes of the sets). A run that was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from labkit.llm.lora import WEIGHTS
from labkit.llm.shipped import shipped
from labkit.llm.tasks import TASKS, Task
from labkit.models import file_sha256, resolve
from labkit.settings import Settings, get_settings
from labkit.tune.datasets import build, fingerprint
from labkit.tune.recipe import Recipe
from labkit.tune.train import Trained, train

RECIPE = Recipe()
STARTS: dict[Task, Task] = {"judge": "answer", "extract": "answer"}
"""What goes on from another task's adapter: who has learned to find a statement need not learn it again."""


def train_adapter(task: Task, settings: Settings, out: Path, *, device: str = "cpu") -> Trained:
    """Train one adapter on its whole set; its state while training is kept below ``settings.home``.

    One that starts from another task's takes the folder beside ``out``, else the shipped one.
    """
    dialogues = build(task, settings)
    data = fingerprint(dialogues)
    checkpoints = settings.home / "training" / f"{task}-{data[:12]}"
    base = resolve(settings.chat_model, settings.home)
    notes = {"data_sha256": data}
    start = None
    if task in STARTS:
        beside = out.with_name(STARTS[task])
        start = beside if beside.is_dir() else shipped(STARTS[task])
    return train(base, dialogues, out, RECIPE, device=device, start=start, checkpoints=checkpoints, notes=notes)


def main() -> None:
    """Train and print the pins."""
    parser = argparse.ArgumentParser(prog="python -m labkit.tune.adapters", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the adapters, one folder each")
    parser.add_argument("--task", choices=TASKS, action="append", help="only this one; may be repeated")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    for task in options.task or TASKS:
        made = train_adapter(task, get_settings(), options.out / task, device=options.device)
        print(f'{task} = "{file_sha256(made.folder / WEIGHTS)}"  # {made.seconds / 60:.0f} min')  # noqa: T201


if __name__ == "__main__":
    main()
