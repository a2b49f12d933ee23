"""ragas' metrics on answers whose scores are known, and a judge that breaks its JSON."""

import asyncio
import json
import os

import numpy as np
import pytest

from labkit.errors import EndpointError, InputError
from labkit.evaluate.ragas import Sample, judged, model_free

GOOD = Sample(
    "How tight?", "18 N·m", ("Tighten it to 18 N·m.",), "18 N·m", ("Tighten it to 18 N·m.",), ("a.md",), ("a.md",)
)
BAD = Sample(
    "How tight?", "12 kg", ("It weighs 12 kg.",), "18 N·m", ("Tighten it to 18 N·m.",), ("x.md", "y.md"), ("a.md",)
)


def test_without_a_model():
    found = model_free([GOOD, BAD])
    assert found["exact_match"].values == (1, 0)
    assert found["string_presence"].values == (1, 0)
    assert found["id_context_recall"].values == (1, 0)
    assert found["id_context_precision"].values == (1, 0)
    assert found["context_recall"].values == (1, 0)
    assert all(scores.nan_rate == 0 and not scores.missing for scores in found.values())
    assert os.environ["RAGAS_DO_NOT_TRACK"] == "true"


def test_what_the_samples_lack_is_not_scored():
    bare = Sample("q", "a", (), "a")
    assert model_free([bare]).keys() == {"exact_match", "string_presence", "string_similarity"}
    for score in (model_free, lambda samples: judged(samples, url="http://localhost:1/v1", model="m")):
        with pytest.raises(InputError, match="no samples"):
            score([])


def test_it_runs_where_an_event_loop_already_runs():
    async def notebook():
        return model_free([GOOD])

    assert asyncio.run(notebook())["exact_match"].mean == 1


def says(text):
    """A judge that understands what ragas asks, and finds the first sample's statement true, the second's not."""
    wanted = "verdict" in text
    if "noncommittal" in text:
        return json.dumps({"question": "How tight?", "noncommittal": 0})
    if not wanted:
        statement = "It weighs 12 kg." if "12 kg" in text else "It is 18 N·m."
        return json.dumps({"statements": [statement], "claims": [statement]})
    true = int("It is 18 N·m." in text)
    return json.dumps({"statements": [{"statement": "s", "reason": "r", "verdict": true}]})


class Same:
    def encode(self, texts, ctx):
        return np.ones((len(texts), 2), np.float32)


def test_a_judge_over_http(endpoint):
    endpoint.say = says
    found = judged([GOOD, BAD], url=endpoint.url, model="m", embedder=Same())
    assert found["faithfulness"].values == (1, 0)
    assert found["answer_relevancy"].mean == pytest.approx(1)
    assert all(scores.nan_rate == 0 for scores in found.values())
    assert len(endpoint.asked) > 8


def test_broken_json_is_a_missing_score_that_is_counted(endpoint):
    endpoint.say = lambda text: says(text) if "18 N·m" in text else '{"statements": [oops'
    found = judged([GOOD, BAD], url=endpoint.url, model="m")["faithfulness"]
    assert found.values == (1, None)
    assert found.nan_rate == 0.5
    assert found.mean == 1
    assert sum(found.missing.values()) == 1
    assert "unusable reply" in next(iter(found.missing))


def test_no_statements_are_no_score(endpoint):
    endpoint.say = lambda text: '{"statements": [], "claims": []}'
    found = judged([GOOD], url=endpoint.url, model="m")["faithfulness"]
    assert (found.values, found.mean, found.nan_rate) == ((None,), None, 1)
    assert found.missing == {"no score (NaN)": 1}


def test_an_endpoint_that_fails_is_no_missing_score(endpoint):
    endpoint.status = 500
    with pytest.raises(EndpointError, match="failed"):
        judged([GOOD], url=endpoint.url, model="m")
