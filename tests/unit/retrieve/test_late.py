from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import ModelError, ModelMismatch
from labkit.llm.adapter import Adapter
from labkit.retrieve import late as module
from labkit.retrieve.late import BLOCK, LateInteraction


def interaction(dimensions=16, width=8, seed=0):
    rng = np.random.default_rng(seed)
    projection = rng.normal(size=(width, dimensions)).astype(np.float32)
    return LateInteraction("an-encoder", Adapter({}), projection, projection, np.zeros(dimensions, np.float32))


def states(n, seed, dimensions=16):
    return np.random.default_rng(seed).normal(size=(n, dimensions)).astype(np.float32)


def test_the_score_is_the_mean_of_each_tokens_best_match():
    late = interaction()
    question, passages = states(3, 1), [states(5, 2), states(7, 3)]

    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    exact = [(unit(question @ late.query.T) @ unit(p @ late.document.T).T).max(1).mean() for p in passages]
    found = late.scores(question, [late.token_vectors(p) for p in passages])
    assert found == pytest.approx(exact, abs=0.01)  # vectors are kept in 8 bits


@given(st.lists(st.integers(1, 70), min_size=1, max_size=6), st.integers(1, 5))
def test_half_of_the_score_is_within_the_best_window(lengths, asked):
    late = interaction()
    question, passages = states(asked, 1), [states(n, 10 + i) for i, n in enumerate(lengths)]
    stored = [late.token_vectors(p) for p in passages]
    found = late.matches(question, stored)
    for i, vectors in enumerate(stored):
        windows = [vectors[at : at + 2 * BLOCK] for at in range(0, max(1, len(vectors) - BLOCK), BLOCK)]
        alone = late.matches(question, windows)
        assert found.near[i] == pytest.approx((alone.weights @ alone.best).max(), abs=1e-5)
        assert found.scores[i] == pytest.approx((found.weights @ found.best[:, i] + found.near[i]) / 2, abs=1e-5)
        assert late.scores(question, [vectors])[0] == pytest.approx(found.scores[i], abs=1e-5)


def test_a_passage_scores_itself_highest():
    late = interaction()
    passages = [states(6, seed) for seed in range(10)]
    stored = [late.token_vectors(p) for p in passages]
    assert [int(late.scores(p, stored).argmax()) for p in passages] == list(range(10))


def test_tokens_that_weigh_nothing_do_not_count():
    plain = interaction()
    question = np.concatenate([states(1, 1), 9 * np.eye(1, 16, dtype=np.float32)])
    weight = np.zeros(16, np.float32)
    weight[0] = -50.0
    weighted = LateInteraction("an-encoder", Adapter({}), plain.query, plain.document, weight)
    stored = [plain.token_vectors(states(5, 2))]
    assert weighted.scores(question, stored) == pytest.approx(plain.scores(question[:1], stored), abs=1e-4)


def test_no_tokens_score_nothing():
    late = interaction()
    nothing = np.zeros((0, 0), np.int8)
    assert late.scores(states(3, 1), [nothing, late.token_vectors(states(2, 2))])[0] == 0.0
    assert late.scores(np.zeros((0, 16), np.float32), [late.token_vectors(states(2, 2))]).tolist() == [0.0]
    assert late.scores(states(3, 1), []).tolist() == []


def test_bytes_round_trip_and_name_themselves():
    change = (np.ones((4, 2), np.float16), np.eye(2, 3, dtype=np.float16))
    data = replace(interaction(), adapter=Adapter({"layer.weight": change})).to_bytes()
    again = LateInteraction.from_bytes(data)
    assert (again.encoder, again.to_bytes()) == ("an-encoder", data)
    assert [array.tolist() for array in again.adapter.changes["layer.weight"]] == [array.tolist() for array in change]
    assert again.fingerprint != LateInteraction.from_bytes(interaction(seed=1).to_bytes()).fingerprint


def test_the_shipped_weights_are_the_pinned_ones():
    shipped = LateInteraction.shipped()
    assert shipped.fingerprint == module.SHA256[:12]
    assert shipped.query.shape == shipped.document.shape == (192, 384)
    assert len(shipped.adapter.changes) == 6 * 6  # linear weights of six layers


def test_changed_and_missing_weights_are_refused(tmp_path):
    with pytest.raises(ModelMismatch, match=r"late\.npz"):
        module._shipped(module.FILE, "0" * 64)
    with pytest.raises(ModelError, match=r"gone\.npz"):
        module._shipped(tmp_path / "gone.npz", module.SHA256)
