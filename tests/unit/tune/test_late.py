"""What is trained is what is shipped."""

import numpy as np
import pytest
import torch

from labkit.llm.adapter import Adapter
from labkit.retrieve.late import LateInteraction
from labkit.tune.late import _Interaction


def test_the_trained_scores_are_those_of_the_shipped_interaction():
    rng = np.random.default_rng(0)
    query, document, weight = (
        rng.normal(size=size).astype(np.float32) for size in ((24, 32), (24, 32), 32)
    )  # as many numbers as keep the best of some matches above 0, which padding counts as
    question = rng.normal(size=(5, 32)).astype(np.float32)
    passages = [rng.normal(size=(n, 32)).astype(np.float16) for n in (9, 16, 40, 70)]
    model = object.__new__(_Interaction)
    model.query, model.document, model.weight = map(torch.from_numpy, (query, document, weight))
    shipped = LateInteraction("an-encoder", Adapter({}), query, document, weight)
    stored = [shipped.token_vectors(passage.astype(np.float32)) for passage in passages]
    trained = model._scores(torch.from_numpy(question), passages).numpy()
    assert shipped.scores(question, stored) == pytest.approx(trained, abs=0.01)
