import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.retrieve.stores import nearest
from labkit.retrieve.stores.nearest import Nearest


def unit(n, seed, dimensions=32):
    rows = np.random.default_rng(seed).normal(size=(n, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(st.integers(1, 60), st.integers(1, 80), st.integers(0, 2**20))
@settings(max_examples=40)
def test_it_finds_what_sorting_finds(n, k, seed):
    rows, mask = unit(n, seed), np.random.default_rng(seed).random(n) < 0.6
    at, scores = Nearest(rows).search(rows[0], mask, k)
    exact = sorted(np.flatnonzero(mask), key=lambda i: -float(rows[i] @ rows[0]))[:k]
    assert scores.tolist() == pytest.approx([float(rows[i] @ rows[0]) for i in exact], abs=1e-5)
    assert mask[at].all()


def test_nothing_qualifies():
    at, scores = Nearest(unit(5, 1)).search(unit(1, 2)[0], np.zeros(5, bool), 3)
    assert len(at) == len(scores) == 0


@pytest.fixture
def crowded(monkeypatch):
    """3,000 rows around 40 centres, far more than are compared one by one."""
    monkeypatch.setattr(nearest, "EXACT_UP_TO", 100)
    centres = unit(40, 1)
    rows = centres[np.arange(3_000) % 40] + 0.05 * np.random.default_rng(2).normal(size=(3_000, 32)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def truly(rows, question, mask, k):
    return set(np.argsort(-np.where(mask, rows @ question, -9), kind="stable")[:k].tolist())


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_lists_lose_hardly_anything(crowded, share):
    mask = np.random.default_rng(3).random(3_000) < share
    parted = Nearest(crowded.copy())
    shares = []
    for question in crowded[:50]:
        at, scores = parted.search(question, mask, 10)
        assert mask[at].all()
        assert scores == pytest.approx(crowded[at] @ question, abs=1e-5)
        shares.append(len(truly(crowded, question, mask, 10) & set(at.tolist())) / 10)
    assert np.mean(shares) >= 0.95


def test_lists_spare_most_of_the_work(crowded, monkeypatch):
    parted = Nearest(crowded.copy())
    compared = []
    products = nearest._products
    monkeypatch.setattr(nearest, "_products", lambda rows, vector: compared.append(len(rows)) or products(rows, vector))
    parted.search(crowded[0], np.ones(3_000, bool), 10)
    assert sum(compared) < 1_500


@pytest.mark.parametrize("far", [True, False])
def test_a_narrow_mask_loses_nothing_wherever_it_is(crowded, far):
    """What a reader may see can lie in lists that no unfiltered search would look into."""
    question = crowded[0]
    order = np.argsort(crowded @ question)
    mask = np.zeros(3_000, bool)
    mask[order[:90] if far else order[::33]] = True
    at, _ = Nearest(crowded.copy()).search(question, mask, 10)
    assert set(at.tolist()) == truly(crowded, question, mask, 10)


def test_as_many_as_qualify_come_back(crowded):
    mask = np.arange(3_000) < 2_000
    at, scores = Nearest(crowded.copy()).search(crowded[0], mask, 10_000)
    assert sorted(at.tolist()) == list(range(2_000))
    assert (np.diff(scores) <= 0).all()


def test_equal_vectors_can_be_parted(monkeypatch):
    monkeypatch.setattr(nearest, "EXACT_UP_TO", 10)
    same = np.tile(unit(1, 1), (200, 1))
    at, scores = Nearest(same.copy()).search(same[0], np.ones(200, bool), 5)
    assert len(set(at.tolist())) == 5
    assert scores == pytest.approx(np.ones(5), abs=1e-5)
