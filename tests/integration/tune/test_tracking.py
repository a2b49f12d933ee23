"""A run kept by wandb on this machine is read back without it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.errors import InputError
from labkit.tune.tracking import _records, history, log_samples, picture, tracked
from labkit.tune.train import train

ANSWERS = [
    {"question": "Who?", "right": "Edna", "answer": "Edna [1]"},
    {"question": "Älg?", "right": "", "answer": "x"},
]


@pytest.fixture(scope="module")
def run_folder(base, dialogues, tmp_path_factory):
    """A run of twenty steps with a held-out score and samples."""
    import torch

    from labkit.tune import recipe as module
    from labkit.tune.recipe import Recipe

    folder = tmp_path_factory.mktemp("tracked")
    small = Recipe(method="lora", rank=2, alpha=4, from_layer=0, rate=1e-2, batch=2, epochs=4)
    with pytest.MonkeyPatch.context() as patch, tracked(folder, "a run", config={"why": {"deep": 1}}) as run:
        patch.setattr(module, "compute_dtype", lambda device: torch.float32)
        train(base, dialogues, folder / "answer", small, report_to=["wandb"], run_name="a run")
        run.log({"eval/exact": 0.25, "train/global_step": 10})
        run.log({"eval/exact": 0.5, "train/global_step": 20})
        log_samples(run, 20, ANSWERS)
        run.log({f"filler/{n}": "x" * 200 for n in range(400)})  # more than a block of the log
        return Path(run.dir).parent


@pytest.fixture(scope="module")
def run(run_folder):
    return history(run_folder)


def test_loss_rate_score_and_samples_come_back(run):
    assert run.name == "a run"
    steps, losses = run.series["train/loss"]
    assert steps == list(range(1, 21))
    assert losses[-1] < losses[0]
    assert run.series["train/learning_rate"][0] == steps
    assert run.series["eval/exact"] == ([10, 20], [0.25, 0.5])
    assert run.samples == {20: ANSWERS}


def test_settings_and_summary_come_back(run):
    assert run.config["why"] == {"deep": 1}
    assert run.config["learning_rate"] == 1e-2
    assert run.summary["eval/exact"] == 0.5


def test_nothing_of_the_machine_is_kept(run_folder):
    from wandb.proto.wandb_internal_pb2 import Record

    records = [Record.FromString(data) for data in _records(next(run_folder.glob("*.wandb")))]
    (started,) = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    assert (started.host, started.git.remote_url, list(started.settings.item)) == ("", "", [])
    assert not any(record.WhichOneof("record_type") in ("stats", "environment") for record in records)
    assert not any(run_folder.rglob("wandb-metadata.json"))


def test_the_picture_says_what_it_shows(run):
    fig, alt, table = picture(run)
    assert "loss from" in alt
    assert "exact from 0.25 to 0.5" in alt
    assert table["step"] == list(range(1, 21))
    assert [value for value in table["exact"] if value != ""] == [0.25, 0.5]
    assert len({len(column) for column in table.values()}) == 1
    assert [axes.get_ylabel() for axes in fig.axes] == ["loss", "learning rate", "exact"]


def test_a_run_that_was_killed_is_read_as_far_as_it_goes(run_folder, tmp_path, run):
    killed = tmp_path / "killed"
    shutil.copytree(run_folder, killed)
    file = next(killed.glob("*.wandb"))
    data = file.read_bytes()
    assert len(data) > 32_768, "records that go over the end of a block"
    file.write_bytes(data[:12_000])
    cut = history(killed)
    assert cut.name == run.name
    steps, losses = cut.series["train/loss"]
    assert 0 < len(steps) < 20
    assert losses == run.series["train/loss"][1][: len(steps)]


def test_a_damaged_log_and_another_file_are_refused(run_folder, tmp_path):
    file = next(run_folder.glob("*.wandb"))
    data = bytearray(file.read_bytes())
    data[60] ^= 0xFF
    damaged, other = tmp_path / "damaged", tmp_path / "other"
    for folder, content in ((damaged, bytes(data)), (other, b"not a log")):
        folder.mkdir()
        (folder / file.name).write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        history(damaged)
    with pytest.raises(InputError, match="Not a log of wandb"):
        history(other)
    with pytest.raises(InputError, match="0 runs"):
        history(tmp_path / "nowhere")


def test_a_run_without_figures_is_not_drawn(run):
    with pytest.raises(InputError, match="neither a loss"):
        picture(replace(run, series={"train/epoch": ([1], [1.0])}))
    with pytest.raises(InputError, match="has rows"):
        log_samples(None, 1, [])
