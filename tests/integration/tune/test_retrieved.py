"""Contexts of a split show documents of that split and no others."""

import random

import pytest

from labkit.settings import get_settings
from labkit.tune.retrieved import Contexts


@pytest.mark.slow
def test_training_sees_train_documents_only():
    world = Contexts(get_settings(), 7, "train")
    asked = [question for question in world.questions if question.type in {"unanswerable", "aggregation"}][::4]

    def pools(passage):
        """Of the documents that hold a passage's text; copies may lie in several."""
        holding = [
            path for path, chunks in world._chunks.items() if any(passage.text in chunk.text for chunk in chunks)
        ]
        return {world.truth.pools.get(path, "") for path in holding}

    def foreign(contexts):
        return [p for context in contexts for p in context.passages if "train" not in pools(p)]

    rng = random.Random(0)
    found = [world.retrieved(question, rng) for question in asked]
    assert sum(len(context.passages) for context in found) > len(asked)
    assert foreign(found) == []
    # As the running system reads them, the others are there: the check can find them.
    assert foreign(world.retrieved(question, rng, everything=True) for question in asked)
    values = {value for context in found for fact in context.facts for value in fact.rivals}
    other = {name for one in world.truth.entities.values() if one["pool"] == "test" for name in (one["name"],)}
    shared = {name for one in world.truth.entities.values() if one["pool"] != "test" for name in (one["name"],)}
    assert values
    assert not values & (other - shared)
