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


def test_the_sketch_loses_hardly_anything(monkeypatch):
    monkeypatch.setattr(nearest, "EXACT_UP_TO", 100)
    monkeypatch.setattr(nearest, "SKETCH", 8)
    monkeypatch.setattr(nearest, "RESCORED", 300)
    centres = unit(40, 1)
    rows = centres[np.arange(3_000) % 40] + 0.05 * np.random.default_rng(2).normal(size=(3_000, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    mask = np.random.default_rng(3).random(3_000) < 0.5
    sketched = Nearest(rows)
    shares = []
    for question in rows[:50]:
        exact = set(np.argsort(-np.where(mask, rows @ question, -9))[:10].tolist())
        shares.append(len(exact & set(sketched.search(question, mask, 10)[0].tolist())) / 10)
    assert np.mean(shares) >= 0.95
