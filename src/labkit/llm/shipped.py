"""The adapters that come with labkit, at most one for each task, checked against their pins before use.

``python -m labkit.tune.adapters`` trains them again and says what to pin. What they can do is measured by
``labkit bench tune``; this module only knows where they lie.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from labkit.errors import ModelError, ModelMismatch
from labkit.llm.lora import WEIGHTS
from labkit.llm.tasks import TASKS, Task
from labkit.models import file_sha256

FOLDER = Path(__file__).with_name("adapters")
PINS = "pins.toml"


def shipped(task: Task, folder: Path = FOLDER) -> Path:
    """The folder of a task's adapter.

    Raises:
        ModelError: there is none for this task.
        ModelMismatch: its weights are not the pinned ones.
    """
    weights = folder / task / WEIGHTS
    if task not in TASKS or not weights.is_file():
        todo = f"Train it with `python -m labkit.tune.adapters` (tasks: {', '.join(TASKS)}) and name its folder."
        raise ModelError(f"No adapter for {task!r} comes with labkit", where="labkit/llm/adapters", todo=todo)
    pinned = str(tomllib.loads((folder / PINS).read_text(encoding="utf-8")).get(task))
    found = file_sha256(weights)
    if found != pinned:
        raise ModelMismatch(
            f"The weights have sha256 {found[:12]}…, pinned is {pinned[:12]}…",
            where=f"labkit/llm/adapters/{task}",
            todo="Take them from the repository again; if you trained them anew on purpose, pin the new hash.",
        )
    return folder / task
