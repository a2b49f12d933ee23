"""A training run kept by wandb on this machine, and a viewer for it that needs no account and no network.

wandb in offline mode writes one file a run, ``run-<id>.wandb``: a log of protobuf records in LevelDB's log format
(github.com/google/leveldb, ``doc/log_format.md``; wandb puts seven bytes of its own first and leaves checksums
unmasked). wandb 0.31 reads it in Go alone, to send it off; here it is read in Python. A run that was killed is read up
to its last whole record.

It draws what was logged and does not know what the figures mean.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEP = "train/global_step"
"""What transformers calls the step of a row."""
SAMPLES = "samples"
"""The key under which sample answers are logged."""
SHOWN: Mapping[str, str] = {"train/loss": "loss", "train/learning_rate": "learning rate"}
"""Series that are drawn, and what they are called; series of held-out figures (``eval/…``) are drawn as well."""

_IDENT = b":W&B\xe1\xbe\x00"  # the ident, 0xBEE1 little-endian, version 0
_BLOCK, _HEADER = 32_768, struct.Struct("<IHB")  # checksum, length, kind
_FULL, _FIRST, _LAST = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a run logged.

    Attributes:
        name: of the run.
        config: as wandb keeps it; trainer, model and adapter settings side by side.
        summary: last or best values.
        series: name → the steps and the values there.
        samples: tables of sample answers, by step: each row a mapping of column to value.
    """

    name: str
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    series: Mapping[str, tuple[Sequence[int], Sequence[float]]]
    samples: Mapping[int, Sequence[Mapping[str, Any]]]


@contextmanager
def tracked(
    folder: Path, name: str, *, project: str = "labkit", config: Mapping[str, Any] | None = None
) -> Iterator[Any]:
    """A wandb run on this machine; train inside it with ``report_to=["wandb"]`` and read it afterwards.

    Nothing is sent anywhere. Host name, program, git remote and hardware are not written down; package versions are.

    Args:
        folder: where wandb makes its own folder ``wandb/offline-run-…``.
        name: of the run.
        project: that it would belong to on a server.
        config: more settings to keep.

    Yields:
        wandb's run; ``Path(run.dir).parent`` is what :func:`history` reads, once this is left.
    """
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault(
        "WANDB_DATA_DIR", str(folder)
    )  # tables are copied there on their way, else to the home folder
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        mode="offline", host="", silent=True, console="off", disable_git=True, save_code=False, disable_code=True,
        x_disable_stats=True, x_disable_meta=True, x_disable_machine_info=True,
    )  # fmt: skip
    run = wandb.init(dir=str(folder), name=name, project=project, config=dict(config or {}), settings=settings)
    try:
        yield run
    finally:
        run.finish()


def log_samples(run: Any, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Log sample answers as a table.

    Args:
        run: from :func:`tracked`, or ``wandb.run``.
        step: of the training.
        rows: all with the same columns, such as question, right answer, answer.

    Raises:
        InputError: there is no row.
    """
    import wandb

    if not rows:
        raise InputError("A table of samples has rows", where="log_samples")
    columns = list(rows[0])
    table = wandb.Table(columns=columns, data=[[row[column] for column in columns] for row in rows])
    run.log({SAMPLES: table, STEP: step})


def history(run_folder: Path) -> Tracked:
    """What a run logged, from its folder (``offline-run-…``).

    Raises:
        InputError: there is no run in the folder, or its file is damaged or none of wandb's.
    """
    files = sorted(run_folder.glob("*.wandb"))
    if len(files) != 1:
        raise InputError(
            f"The folder holds {len(files)} runs", where=run_folder.name, todo="Give a folder wandb/offline-run-…"
        )
    from wandb.proto.wandb_internal_pb2 import Record

    name, config, summary = "", dict[str, Any](), dict[str, Any]()
    steps: defaultdict[str, list[int]] = defaultdict(list)
    values: defaultdict[str, list[float]] = defaultdict(list)
    samples: dict[int, Sequence[Mapping[str, Any]]] = {}
    for data in _records(files[0]):
        record = Record.FromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            name = record.run.display_name or name
            config |= _items(record.run.config.update)
        elif kind == "config":
            config |= _items(record.config.update)
        elif kind == "summary":
            summary |= _items(record.summary.update)
        elif kind == "history":
            row = _items(record.history.item)
            step = int(row.get(STEP, row.get("_step", record.history.step.num)))
            if path := row.get(f"{SAMPLES}.path"):
                samples[step] = _table(run_folder / "files" / path)
            for key, value in row.items():
                if key != STEP and not key.startswith(("_", f"{SAMPLES}.")) and isinstance(value, int | float):
                    steps[key].append(step)
                    values[key].append(float(value))
    return Tracked(name, config, summary, {key: (steps[key], values[key]) for key in steps}, samples)


def picture(run: Tracked) -> tuple[Figure, str, dict[str, list[Any]]]:
    """Loss, learning rate and held-out figures over the steps: figure, alt text and table for
    :func:`labkit.course.picture.show`.

    Raises:
        InputError: the run logged none of them.
    """
    from matplotlib.figure import Figure

    names = {key: SHOWN.get(key, key.removeprefix("eval/").replace("_", " ")) for key in run.series}
    drawn = [key for key in (*SHOWN, *sorted(run.series)) if key in run.series and (key in SHOWN or key[:5] == "eval/")]
    drawn = list(dict.fromkeys(drawn))
    if not drawn:
        raise InputError("The run logged neither a loss nor a held-out figure", where=run.name)
    fig = Figure(figsize=(7, 1.6 * len(drawn)), layout="constrained")
    panels = fig.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
    told = []
    for key, axes in zip(drawn, panels, strict=True):
        steps, values = run.series[key]
        axes.plot(steps, values, color="#1b4965", marker="o" if len(steps) < 40 else None, markersize=3)
        axes.set_ylabel(names[key])
        axes.grid(alpha=0.3)
        told.append(f"{names[key]} from {values[0]:.3g} to {values[-1]:.3g}, at most {max(values):.3g}")
    panels[-1].set_xlabel("step")
    fig.suptitle(run.name, x=0.02, ha="left")
    every = sorted({step for key in drawn for step in run.series[key][0]})
    table: dict[str, list[Any]] = {"step": [*every]}
    for key in drawn:
        at = dict(zip(*run.series[key], strict=True))
        table[names[key]] = [at.get(step, "") for step in every]
    return fig, f"Lines over {every[-1]} steps of training: {'; '.join(told)}.", table


def _items(items: Any) -> dict[str, Any]:
    """Key → value of a protobuf list of items; a nested key is written with dots."""
    return {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


def _table(file: Path) -> list[dict[str, Any]]:
    content = json.loads(file.read_text(encoding="utf-8"))
    return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]


def _records(file: Path) -> Iterator[bytes]:
    """The records of a log, put together from their parts; ends where the file was cut off."""
    data = file.read_bytes()
    if data[: len(_IDENT)] != _IDENT:
        raise InputError("Not a log of wandb", where=file.name, todo="Give the folder of a run of wandb 0.31.")
    at, parts = len(_IDENT), b""
    while True:
        left = _BLOCK - at % _BLOCK
        if left < _HEADER.size:  # the rest of a block that no header fits in is filled with zeros
            at += left
        if at + _HEADER.size > len(data):
            return
        checksum, length, kind = _HEADER.unpack_from(data, at)
        part = data[at + _HEADER.size : at + _HEADER.size + length]
        if kind == 0 or len(part) < length:
            return  # what was being written when the run was killed
        if zlib.crc32(part, zlib.crc32(bytes([kind]))) != checksum:
            raise InputError(
                "A record is damaged", where=f"{file.name}, byte {at}", todo="Copy the run's folder again."
            )
        at += _HEADER.size + length
        parts = part if kind in (_FULL, _FIRST) else parts + part
        if kind in (_FULL, _LAST):
            yield parts
