"""The order rows are learned in."""

from collections import Counter

from labkit.tune.recipe import Recipe
from labkit.tune.train import in_order

LENGTHS = [(place * 37) % 400 for place in range(240)]
RECIPE = Recipe(batch=4)


def batches(found, size=4):
    return [found[at : at + size] for at in range(0, len(found), size)]


def test_every_row_is_learned_once_a_pass_in_another_order():
    found = in_order(LENGTHS, 120, RECIPE)
    assert Counter(found[:240]) == Counter(found[240:]) == Counter(range(240))
    assert found[:240] != found[240:]


def test_rows_of_a_batch_are_of_like_length_and_batches_are_mixed():
    spread = [
        max(LENGTHS[i] for i in batch) - min(LENGTHS[i] for i in batch)
        for batch in batches(in_order(LENGTHS, 60, RECIPE))
    ]
    assert sum(spread) / len(spread) < 40  # at random some 240
    longest = [max(LENGTHS[i] for i in batch) for batch in batches(in_order(LENGTHS, 60, RECIPE))]
    assert longest != sorted(longest, reverse=True)


def test_as_many_rows_as_the_steps_take_the_same_for_a_seed():
    found = in_order(LENGTHS[:10], 7, RECIPE)
    assert len(found) == 28
    assert found == in_order(LENGTHS[:10], 7, RECIPE) != in_order(LENGTHS[:10], 7, Recipe(batch=4, seed=1))
