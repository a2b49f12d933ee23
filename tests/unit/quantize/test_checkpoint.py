"""What is refused before anything is rounded, and what is left when writing fails."""

import json
import shutil
import subprocess
import sys

import pytest

from labkit.errors import InputError, ModelError
from labkit.quantize import load, nearest, w8a8
from labkit.quantize.checkpoint import Checkpoint, kind_of, read_record, stored, weight_bytes, writing


@pytest.fixture
def copy(tiny, tmp_path):
    return shutil.copytree(tiny, tmp_path / "copy")


def test_a_checkpoint_is_read_from_its_headers(tiny):
    found = Checkpoint(tiny)
    assert len(found.linears) == 14
    assert found.linears[0] == "model.layers.0.mlp.down_proj.weight"
    assert found.bytes == 2 * sum(tensor.count for tensor in found.tensors.values())
    assert {kind_of(name) for name in found.tensors} == {"embedding", "attention", "mlp", "norm"}


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused(copy, name):
    (copy / name).unlink()
    with pytest.raises(ModelError):
        Checkpoint(copy)


def test_another_architecture_is_refused(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"architectures": ["GPT2LMHeadModel"]}))
    with pytest.raises(ModelError, match="LlamaForCausalLM"):
        nearest(copy, copy.parent / "out")


def test_weights_that_are_cut_off_are_refused(copy):
    data = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(data[:-10])
    with pytest.raises(ModelError, match="cut off"):
        list(stored(copy))


def test_what_is_quantized_is_not_quantized_again(tiny, tmp_path):
    nearest(tiny, tmp_path / "once")
    with pytest.raises(ModelError, match="already"):
        nearest(tmp_path / "once", tmp_path / "twice")


@pytest.mark.parametrize("group", [0, 12, 64, 128])
def test_a_group_that_does_not_divide_is_refused_with_those_that_do(tiny, tmp_path, group):
    with pytest.raises(InputError, match="16, 32"):
        nearest(tiny, tmp_path / "out", group=group)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_not_written_over(tiny, tmp_path):
    with pytest.raises(InputError, match="there already"):
        w8a8(tiny, tmp_path)


def test_a_disk_without_room_is_refused_at_once(tiny, tmp_path):
    with pytest.raises(ModelError, match="MB are needed"), writing(tmp_path / "out", Checkpoint(tiny), 10**18):
        pytest.fail("it began to write")


def test_a_failure_leaves_nothing(tiny, tmp_path):
    def half(scratch):
        (scratch / "model.safetensors").write_bytes(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), writing(tmp_path / "out", Checkpoint(tiny), 0) as scratch:
        half(scratch)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="limits are a matter of Unix")
@pytest.mark.parametrize("method", ["nearest", "w8a8"])
def test_a_disk_that_fills_up_leaves_no_half_checkpoint(tiny, tmp_path, method):
    """The limit on file sizes stands for the end of the disk: writing fails in the middle of the weights."""
    program = f"""
import resource, sys
from pathlib import Path
from labkit.errors import ModelError
from labkit.quantize import {method}
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    {method}(Path(sys.argv[1]), Path(sys.argv[2]))
except ModelError as error:
    print("refused:", error)
"""
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", program, tiny, out], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.startswith("refused:"), done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_says_what_made_it(tiny, tmp_path):
    made = nearest(tiny, tmp_path / "out")
    assert read_record(tmp_path / "out") == made
    assert made.source_sha256 == Checkpoint(tiny).sha256
    assert weight_bytes(tmp_path / "out") == (tmp_path / "out" / "model.safetensors").stat().st_size
    assert (tmp_path / "out" / "tokenizer.json").is_file()


def test_a_damaged_record_or_an_unknown_method_is_refused(tiny, tmp_path):
    nearest(tiny, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "quantized.json").read_text())
    (tmp_path / "out" / "quantized.json").write_text(json.dumps(record | {"method": "magic"}))
    with pytest.raises(ModelError, match="magic"):
        load(tmp_path / "out")
    (tmp_path / "out" / "quantized.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        load(tmp_path / "out")
