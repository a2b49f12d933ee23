"""The encoder benchmark: what it reads and how it counts."""

import json

import numpy as np
import pytest

from labkit.bench.embed import Task, musique, recall_at, run
from labkit.bench.registry import BENCHES, Options
from labkit.errors import BenchError
from labkit.settings import Settings


def test_recall_counts_labels_among_the_nearest():
    task = Task(
        passages=["p0", "p1", "p2", "p3"], labels=["a", "b", "a", "c"], questions=["q0", "q1", "q2"],
        gold=[frozenset({"a"}), frozenset({"b", "c"}), frozenset()], source="test",
    )  # fmt: skip
    passages = np.eye(4, dtype=np.float32)
    questions = np.asarray([[0.1, 0.0, 0.9, 0.5], [0.0, 0.9, 0.5, 0.1], [1, 0, 0, 0]], np.float32)
    assert recall_at(1, passages, questions, task) == [1.0, 0.5, 0.0]
    assert recall_at(3, passages, questions, task) == [1.0, 1.0, 0.0]


def test_musique_is_read(tmp_path):
    folder = tmp_path / "musique-100"
    folder.mkdir()
    (folder / "train_corpus.json").write_text(json.dumps([{"title": "T", "text": "x"}, {"title": "U", "text": "y"}]))
    paragraphs = [
        {"title": "U", "paragraph_text": "y", "is_supporting": True},
        {"title": "T", "paragraph_text": "x", "is_supporting": False},
    ]
    (folder / "train.json").write_text(json.dumps([{"question": "why?", "paragraphs": paragraphs}]))
    task = musique(tmp_path)
    assert task.passages == task.labels == ["T\nx", "U\ny"]
    assert (task.questions, task.gold) == (["why?"], [frozenset({"U\ny"})])


@pytest.mark.parametrize("text", ["{", "[1]", '[{"title": "T"}]'])
def test_damaged_data_is_an_error_that_names_the_folder(tmp_path, text):
    (tmp_path / "musique-100").mkdir()
    for name in ("train_corpus.json", "train.json"):
        (tmp_path / "musique-100" / name).write_text(text)
    with pytest.raises(BenchError, match="musique-100"):
        musique(tmp_path)


def test_an_endpoint_is_not_measured():
    assert "embed" in BENCHES
    with pytest.raises(BenchError, match="this process"):
        run(Options(Settings(embed_url="http://127.0.0.1:9/v1"), "ci", 7))
