"""Bytes predicted from a config, against published counts and against folders."""

import pytest

from labkit.errors import InputError
from labkit.quantize import calculator, nearest, w8a8
from labkit.quantize.calculator import SCHEMES, SHAPES, cache_per_token, parameters, weights
from labkit.quantize.checkpoint import read_config, stored


@pytest.mark.parametrize(
    ("name", "total"),
    [("llama-2-7b", 6_738_415_616), ("llama-3.1-70b", 70_553_706_496), ("mistral-7b-v0.3", 7_248_023_552)],
)
def test_parameters_are_the_published_ones(name, total):
    assert parameters(SHAPES[name]).total == total
    assert weights(SHAPES[name], SCHEMES["bf16"]) == 2 * total


def test_the_cache_of_a_token():
    assert cache_per_token(SHAPES["llama-2-7b"]) == 2 * 32 * 4096 * 2
    assert cache_per_token(SHAPES["llama-3.1-70b"]) == 2 * 80 * 8 * 128 * 2
    assert cache_per_token(SHAPES["llama-3.1-70b"], bits=8) == 2 * 80 * 8 * 128


@pytest.mark.parametrize(("method", "scheme"), [(nearest, "gptq_g32"), (w8a8, "w8a8")])
def test_what_is_written_is_what_was_predicted(tiny, tmp_path, method, scheme):
    method(tiny, tmp_path / "out")
    written = sum(tensor.bytes for tensor in stored(tmp_path / "out"))
    assert weights(read_config(tiny), SCHEMES[scheme]) == written


def test_larger_groups_are_smaller():
    assert calculator.grouped(4, 32, zero=4) == 4.625
    assert calculator.grouped(4, 128, zero=4) < calculator.grouped(4, 64, zero=4)


def test_a_config_that_lacks_a_field_is_refused():
    with pytest.raises(InputError, match="vocab_size"):
        parameters({name: value for name, value in SHAPES["llama-2-7b"].items() if name != "vocab_size"})
