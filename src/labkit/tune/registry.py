"""Which adapter is in use: versions with their figures in a model registry (MLflow), one of them the champion.

A folder of files says what an adapter is; a registry says which one serves, what it was measured at, and what served
before it. Here it is MLflow's, in one SQLite file and a folder of copies below ``settings.home``; a team would give a
server's address instead. What is taken out is checked against the hashes noted when it was put in.

It keeps and hands out. Whether a version deserves to be champion is the gate's business (:mod:`labkit.evaluate.gate`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import ConfigError, InputError, ModelError, ModelMismatch
from labkit.llm.lora import WEIGHTS, read_card
from labkit.models import file_sha256

CHAMPION = "champion"
"""The alias of the version that serves."""

_EXPERIMENT, _FOLDER = "adapters", "adapter"


@dataclass(frozen=True, slots=True)
class Entry:
    """A version of a task's adapter.

    Attributes:
        task: which adapter.
        version: counted from 1 within the task.
        metrics: what it was measured at.
        tags: base, prompt, world versions and the hash of each file (``sha256.<file>``).
        champion: whether it is the one that serves.
    """

    task: str
    version: int
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    champion: bool


class Registry:
    """Adapters by task and version.

    Args:
        home: a folder of its own, such as ``settings.home / "mlflow"``; made if it is not there.

    Raises:
        ConfigError: MLflow is not installed.
    """

    def __init__(self, home: Path) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
        try:
            from mlflow import MlflowClient
        except ModuleNotFoundError as error:
            raise ConfigError(
                "MLflow is not installed", where="labkit.tune.registry", todo="Run `make env`."
            ) from error
        home.mkdir(parents=True, exist_ok=True)
        self._copies = (home / "copies").resolve()
        self._client: Any = MlflowClient(f"sqlite:///{(home / 'registry.db').resolve()}")

    def register(self, folder: Path, metrics: Mapping[str, float]) -> int:
        """Put an adapter in: its files are copied, its figures noted.

        Args:
            folder: of an adapter with a card.
            metrics: name → value.

        Returns:
            The version it got.

        Raises:
            InputError: a figure is no finite number.
            ModelError: the folder has no card.
            ModelMismatch: its files are not those of its card.
        """
        if wrong := [name for name, value in metrics.items() if not math.isfinite(value)]:
            raise InputError(f"{wrong[0]} is {metrics[wrong[0]]}", where="register", todo="Measure it again.")
        card = read_card(folder)
        if card is None:
            raise ModelError("The adapter has no card", where=folder.name, todo="Train it with labkit.tune.train.")
        files = {file.name: file_sha256(file) for file in sorted(folder.iterdir()) if file.is_file()}
        _require_same(card.sha256, files, folder.name)
        client = self._client
        run = client.create_run(self._experiment(), run_name=f"{card.task} {card.sha256[WEIGHTS][:8]}")
        client.log_artifacts(run.info.run_id, str(folder), _FOLDER)
        for name, value in metrics.items():
            client.log_metric(run.info.run_id, name, value)
        client.set_terminated(run.info.run_id)
        if not client.search_registered_models(f"name = '{card.task}'"):
            client.create_registered_model(card.task)
        tags = {
            "base": card.base, "base_sha256": card.base_sha256, "prompt": card.prompt,
            "world_versions": " ".join(card.world_versions), **{f"sha256.{name}": one for name, one in files.items()},
        }  # fmt: skip
        source = f"{run.info.artifact_uri}/{_FOLDER}"
        return int(client.create_model_version(card.task, source, run.info.run_id, tags=tags).version)

    def promote(self, task: str, version: int) -> int | None:
        """Make a version the champion of its task.

        Returns:
            The champion before it, None if there was none: what to go back to.

        Raises:
            InputError: there is no such version.
        """
        entries = self.entries(task)
        if version not in {entry.version for entry in entries}:
            there = ", ".join(str(entry.version) for entry in entries) or "none"
            raise InputError(f"{task} has no version {version}", where="registry", todo=f"There are: {there}.")
        self._client.set_registered_model_alias(task, CHAMPION, str(version))
        return next((entry.version for entry in entries if entry.champion), None)

    def champion(self, task: str) -> Path:
        """The folder of the adapter that serves, its files checked.

        Raises:
            InputError: no version of the task was promoted.
            ModelMismatch: a file is not the one that was put in.
        """
        entry = next((one for one in self.entries(task) if one.champion), None)
        if entry is None:
            raise InputError(f"{task} has no champion", where="registry", todo="Promote a version.")
        source = self._client.get_model_version(task, str(entry.version)).source
        folder = Path(source.removeprefix("file://"))
        files = {file.name: file_sha256(file) for file in folder.glob("*") if file.is_file()}
        stated = {name.removeprefix("sha256."): one for name, one in entry.tags.items() if name.startswith("sha256.")}
        _require_same(stated, files, f"{task} {entry.version}")
        return folder

    def entries(self, task: str) -> list[Entry]:
        """The versions of a task, the first one first; none of a task that is not known."""
        found = self._client.search_registered_models(f"name = '{task}'")
        if not found:
            return []
        champion = found[0].aliases.get(CHAMPION)
        versions = self._client.search_model_versions(f"name = '{task}'")
        return [
            Entry(
                task,
                int(one.version),
                dict(self._client.get_run(one.run_id).data.metrics),
                dict(one.tags),
                str(one.version) == str(champion),
            )
            for one in sorted(versions, key=lambda one: int(one.version))
        ]

    def _experiment(self) -> str:
        known = self._client.get_experiment_by_name(_EXPERIMENT)
        if known is not None:
            return str(known.experiment_id)
        return str(self._client.create_experiment(_EXPERIMENT, artifact_location=str(self._copies)))


def _require_same(stated: Mapping[str, str], found: Mapping[str, str], where: str) -> None:
    for name in sorted(stated):
        if found.get(name) != stated[name]:
            has = f"has sha256 {found[name][:12]}" if name in found else "is missing"
            raise ModelMismatch(
                f"{name} {has}, {stated[name][:12]} was noted", where=where, todo="Register it again from its source."
            )
