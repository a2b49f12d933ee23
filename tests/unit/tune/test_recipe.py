"""The numbers of a run, and what cannot be one."""

from types import SimpleNamespace

import pytest
import torch

from labkit.errors import InputError
from labkit.tune.recipe import Recipe, compute_dtype, shares


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"alpha": -1}, {"batch": 0}, {"longest": 0}])
def test_a_size_below_one_is_refused_by_name(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Recipe(**wrong)


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"rate": 1.0}, {"rate": -1e-3}, {"epochs": 0.0}])
def test_a_rate_or_length_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError, match="learning rate"):
        Recipe(**wrong)


def test_shares_counts_what_is_trained_and_a_packed_weight_by_its_values():
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Linear(6, 2))
    for parameter in model[0].parameters():
        parameter.requires_grad = False
    assert shares(model) == (14, 44)
    # bitsandbytes keeps two 4-bit values in a byte and the true shape in quant_state.
    model[0].weight = torch.nn.Parameter(torch.zeros(12, 1, dtype=torch.uint8), requires_grad=False)
    model[0].weight.quant_state = SimpleNamespace(shape=torch.Size((6, 4)))
    assert shares(model) == (14, 44)


def test_bfloat16_is_computed_in_where_the_hardware_multiplies_it_fast(monkeypatch):
    assert compute_dtype("cuda") == torch.bfloat16
    for has_amx, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda has_amx=has_amx: has_amx)
        assert compute_dtype("cpu") == dtype
