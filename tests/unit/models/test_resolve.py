import json

import pytest

from labkit import models
from labkit.errors import ModelError, ModelMismatch


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "tiny"
    path.mkdir()
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        (path / name).write_text("{}")
    return path


def test_a_packaged_model_is_checked_and_named(tmp_path):
    files = models.resolve("all-minilm-l6-v2", tmp_path)
    assert files.kind == "embed"
    assert files.license == "Apache-2.0"
    assert files.version == "all-minilm-l6-v2@53aa5117"
    assert (files.path / "model.safetensors").is_file()


def test_changed_bytes_are_refused(tmp_path, monkeypatch):
    catalogue = json.loads(json.dumps(models._catalogue()))
    catalogue["all-minilm-l6-v2"]["sha256"]["config.json"] = "0" * 64
    monkeypatch.setattr(models, "_catalogue", lambda: catalogue)
    with pytest.raises(ModelMismatch, match=r"config\.json.*pinned is 000000000000"):
        models.resolve("all-minilm-l6-v2", tmp_path)


def test_a_file_is_hashed_once_until_it_changes(folder, tmp_path, monkeypatch):
    hashed = []
    real = models.file_sha256
    monkeypatch.setattr(models, "file_sha256", lambda path: hashed.append(path.name) or real(path))
    before = models.resolve(str(folder), tmp_path).sha256
    assert len(hashed) == 3
    assert models.resolve(str(folder), tmp_path).sha256 == before
    assert len(hashed) == 3
    (folder / "model.safetensors").write_text("other weights")
    assert models.resolve(str(folder), tmp_path).sha256 != before
    assert hashed[3:] == ["model.safetensors"]


def test_damaged_memory_of_hashes_is_rebuilt(folder, tmp_path):
    before = models.resolve(str(folder), tmp_path).sha256
    (tmp_path / "models" / "sha256.json").write_text('{"half')
    assert models.resolve(str(folder), tmp_path).sha256 == before


@pytest.mark.parametrize("name", ["org/model", "org/model@main", "org/model@v1.0", "org/model@abc123"])
def test_a_hub_id_without_a_commit_is_refused(name, tmp_path):
    with pytest.raises(ModelError, match="names no commit"):
        models.resolve(name, tmp_path)


@pytest.mark.parametrize("name", ["gpt-nonexistent", "./no/such/folder"])
def test_an_unknown_name_lists_the_known_ones(name, tmp_path):
    with pytest.raises(ModelError, match="smollm2-135m-instruct"):
        models.resolve(name, tmp_path)


def test_an_incomplete_folder_says_what_is_missing(folder, tmp_path):
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        models.resolve(str(folder), tmp_path)


def test_two_first_uses_at_once_leave_one_complete_checkpoint(tmp_path, monkeypatch):
    target = tmp_path / "models" / "m-aaaaaaaa"

    def rival_finishes_first(gguf, scratch):
        (scratch / "ours").touch()
        target.mkdir()
        (target / "theirs").touch()

    monkeypatch.setattr(models, "_dequantize", rival_finishes_first)
    assert models._unpacked("m", tmp_path / "m.gguf", "a" * 64, tmp_path) == target
    assert [path.name for path in target.iterdir()] == ["theirs"]
    assert list((tmp_path / "models").glob(".unpacking-*")) == []


def test_an_interrupted_unpacking_leaves_nothing(tmp_path, monkeypatch):
    def dies(gguf, scratch):
        (scratch / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "_dequantize", dies)
    with pytest.raises(KeyboardInterrupt):
        models._unpacked("m", tmp_path / "m.gguf", "a" * 64, tmp_path)
    assert list((tmp_path / "models").iterdir()) == []
