"""What may be measured with which adapter, and the area under a curve."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.bench import tune
from labkit.bench.tunedjudge import area
from labkit.errors import ModelMismatch
from labkit.llm.lora import AdapterCard

LEARNED = "tidewater-3cf4ab64-n300-s101-g2"


@pytest.fixture
def _learned(monkeypatch):
    card = AdapterCard(task="answer", base_sha256="", world_versions=(LEARNED, "invented"), sha256={})
    monkeypatch.setattr(tune, "read_card", lambda folder: card)


@pytest.mark.usefixtures("_learned")
@pytest.mark.parametrize(
    "measured",
    ["tidewater-3cf4ab64-n300-s7-g2", "tidewater-3cf4ab64-n5000-s101-g2", "tidewater+northlight-c203af7e-n300-s11-g2"],
)
def test_other_seeds_sizes_and_packs_may_be_measured(measured):
    tune.check_worlds(measured, [Path("answer")])


@pytest.mark.usefixtures("_learned")
@pytest.mark.parametrize(
    ("measured", "why"),
    [
        (LEARNED, "trained on this world"),
        ("tidewater-00000000-n300-s7-g2", "another make"),
        ("tidewater-3cf4ab64-n300-s7-g3", "another make"),
    ],
)
def test_the_world_it_learned_from_and_another_make_may_not(measured, why):
    with pytest.raises(ModelMismatch, match=why):
        tune.check_worlds(measured, [Path("answer")])


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(True, 0.9), (False, 0.1)], 1.0),
        ([(True, 0.1), (False, 0.9)], 0.0),
        ([(True, 0.5), (False, 0.5)], 0.5),
        ([(True, 0.9), (True, 0.2), (False, 0.5)], 0.5),
        ([(True, 0.9)], 0.5),
    ],
)
def test_area_by_hand(pairs, expected):
    assert area(pairs) == expected


@settings(deadline=None)  # the first import of scikit-learn takes a second
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5).map(float)), min_size=2))
def test_area_is_that_of_scikit_learn(pairs):
    from sklearn.metrics import roc_auc_score

    labels = [label for label, _ in pairs]
    if len(set(labels)) == 2:
        assert area(pairs) == pytest.approx(roc_auc_score(labels, [score for _, score in pairs]))
