"""Batches by length: every text once, no batch too large, hardly any padding."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labkit.llm.bert import pool
from labkit.llm.embed import _BATCH_TOKENS, MAX_TOKENS, _by_length, _clip, _pad


@given(st.lists(st.integers(2, MAX_TOKENS), max_size=200))
def test_batches_hold_every_text_once_within_the_budget(lengths):
    batches = list(_by_length(lengths, _BATCH_TOKENS))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) * max(lengths[i] for i in batch) <= _BATCH_TOKENS for batch in batches)
    ordered = [lengths[i] for batch in batches for i in batch]
    assert ordered == sorted(lengths, reverse=True)


def test_a_corpus_is_padded_by_less_than_a_twentieth():
    lengths = np.random.default_rng(7).integers(20, 250, 1000).tolist()
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in _by_length(lengths, _BATCH_TOKENS))
    assert padded < 1.05 * sum(lengths)


def test_a_long_text_keeps_its_closing_token():
    assert _clip([1, 2, 3]) == [1, 2, 3]
    clipped = _clip([101, *range(1000, 2000), 102])
    assert (len(clipped), clipped[0], clipped[-1]) == (MAX_TOKENS, 101, 102)


def test_padding_does_not_count_in_the_mean():
    ids, mask = _pad([[5, 6, 7], [8]])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    states = np.asarray([[[1, 0], [0, 1], [1, 1]], [[0, 3], [99, 99], [99, 99]]], np.float32)
    np.testing.assert_allclose(pool(states, mask), [[0.5**0.5, 0.5**0.5], [0, 1]], atol=1e-6)
