"""Low-rank changes of weights."""

import numpy as np
import pytest

from labkit.errors import ModelError
from labkit.llm.adapter import Adapter

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.normal(size=(4, 2)).astype(np.float32), RNG.normal(size=(2, 3)).astype(np.float32)
WEIGHTS = {"a.weight": np.ones((4, 3), np.float32), "b.weight": np.ones((4, 3), np.float32)}


def test_a_change_is_added_and_nothing_else_is_copied():
    changed = Adapter({"a.weight": (LEFT, RIGHT)}).applied(WEIGHTS)
    assert changed["a.weight"] == pytest.approx(1 + LEFT @ RIGHT)
    assert changed["b.weight"] is WEIGHTS["b.weight"]
    assert WEIGHTS["a.weight"].tolist() == np.ones((4, 3)).tolist()


@pytest.mark.parametrize("change", [{"c.weight": (LEFT, RIGHT)}, {"a.weight": (RIGHT.T, RIGHT)}])
def test_what_does_not_fit_is_refused_by_name(change):
    with pytest.raises(ModelError, match=next(iter(change))):
        Adapter(change).applied(WEIGHTS)


def test_arrays_round_trip():
    adapter = Adapter({"a.weight": (LEFT, RIGHT)})
    again = Adapter.from_arrays({**adapter.to_arrays(), "other": LEFT})
    assert again.fingerprint == adapter.fingerprint != Adapter({"b.weight": (LEFT, RIGHT)}).fingerprint
    assert Adapter({}).fingerprint == ""
