"""Adapters in MLflow: versions, figures, a champion, and files that are checked when they are taken out."""

import pytest

pytest.importorskip("mlflow", reason="MLflow is not in this environment")

from labkit.errors import InputError, ModelError, ModelMismatch
from labkit.llm.lora import CONFIG, WEIGHTS, AdapterCard
from labkit.models import file_sha256
from labkit.tune.registry import Registry


def adapter(folder, weights):
    """A folder with a card; what the weights mean is not looked at."""
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(weights)
    (folder / CONFIG).write_text("{}")
    card = AdapterCard(
        task="answer", base="tiny", base_sha256="0" * 64, prompt="cite@1", world_versions=("w1", "w2"),
        sha256={WEIGHTS: file_sha256(folder / WEIGHTS)},
    )  # fmt: skip
    (folder / "labkit.json").write_text(card.model_dump_json())
    return folder


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A registry with two versions."""
    home = tmp_path_factory.mktemp("registry")
    registry = Registry(home / "mlflow")
    for name, weights, value in (("one", b"1", 0.5), ("two", b"2", 0.75)):
        registry.register(adapter(home / name, weights), {"answer_gold_value_correct": value})
    return registry


def test_versions_keep_their_figures_and_where_they_come_from(filled):
    one, two = filled.entries("answer")
    assert (one.version, two.version) == (1, 2)
    assert one.metrics == {"answer_gold_value_correct": 0.5}
    assert one.tags["world_versions"] == "w1 w2"
    assert filled.entries("judge") == []


def test_the_champion_is_the_one_that_was_promoted_last(filled):
    with pytest.raises(InputError, match="judge has no champion"):
        filled.champion("judge")
    assert filled.promote("answer", 1) is None
    assert filled.promote("answer", 2) == 1
    assert (filled.champion("answer") / WEIGHTS).read_bytes() == b"2"
    assert [entry.champion for entry in filled.entries("answer")] == [False, True]
    with pytest.raises(InputError, match="no version 3"):
        filled.promote("answer", 3)


def test_a_copy_that_was_changed_is_not_handed_out(filled):
    filled.promote("answer", 1)
    copy = filled.champion("answer") / WEIGHTS
    copy.write_bytes(b"tampered")
    with pytest.raises(ModelMismatch, match=f"{WEIGHTS} has sha256"):
        filled.champion("answer")
    copy.unlink()
    with pytest.raises(ModelMismatch, match="is missing"):
        filled.champion("answer")


def test_what_should_not_go_in_does_not(filled, tmp_path):
    good = adapter(tmp_path / "good", b"3")
    with pytest.raises(InputError, match="is nan"):
        filled.register(good, {"x": float("nan")})
    (good / WEIGHTS).write_bytes(b"other")
    with pytest.raises(ModelMismatch, match="was noted"):
        filled.register(good, {})
    (good / "labkit.json").unlink()
    with pytest.raises(ModelError, match="no card"):
        filled.register(good, {})
    assert len(filled.entries("answer")) == 2
