"""The adapters that come with labkit are the pinned ones, or none."""

import tomllib

import pytest

from labkit.errors import ModelError, ModelMismatch
from labkit.llm.lora import WEIGHTS, read_card
from labkit.llm.shipped import FOLDER, PINS, shipped
from labkit.llm.tasks import TASKS, prompt_of
from labkit.models import file_sha256

PINNED = tomllib.loads((FOLDER / PINS).read_text(encoding="utf-8"))


def test_what_is_pinned_is_there_and_what_is_there_is_pinned():
    assert PINNED.keys() <= set(TASKS)
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == PINNED.keys()


@pytest.mark.parametrize("task", PINNED)
def test_each_says_what_it_is(task):
    folder = shipped(task)
    card = read_card(folder)
    assert card is not None
    assert card.task == task
    assert card.prompt == prompt_of(task).version  # else it is asked in other words than it learned
    assert card.world_versions
    assert card.sha256[WEIGHTS] == file_sha256(folder / WEIGHTS)
    assert (folder / WEIGHTS).stat().st_size < 3_000_000


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "answer").mkdir()
    (tmp_path / "answer" / WEIGHTS).write_bytes(b"something else")
    (tmp_path / PINS).write_text('answer = "00"\n')
    with pytest.raises(ModelMismatch, match=r"pinned is 00.*labkit/llm/adapters/answer"):
        shipped("answer", tmp_path)


def test_a_task_without_an_adapter_is_refused(tmp_path):
    with pytest.raises(ModelError, match="No adapter for 'answer' comes with labkit"):
        shipped("answer", tmp_path)
