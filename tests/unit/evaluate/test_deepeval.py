"""deepeval with one of our models as judge, where it is installed; a clear word where it is not."""

import json

import pytest

from labkit.errors import ConfigError, EndpointError, InputError
from labkit.evaluate.deepeval import available, judged
from labkit.evaluate.ragas import Sample
from labkit.llm.http import HttpChat

GOOD = Sample("How tight?", "It is 18 N·m.", ("Tighten it to 18 N·m.",), "18 N·m")
BAD = Sample("How heavy?", "It weighs 12 kg.", ("Tighten it to 18 N·m.",), "9 kg")
installed = pytest.mark.skipif(not available(), reason="deepeval is not part of this environment")


def says(text):
    """Understands what deepeval asks: statements about 18 N·m are true."""
    verdict = {"verdict": "yes" if "It is 18" in text else "no", "reason": "r"}
    said = "It is 18 N·m." if "It is 18" in text else "It weighs 12 kg."
    return json.dumps({"claims": [said], "truths": ["It is 18 N·m."] * ("It is 18" in text) or ["Tighten it."],
                       "statements": [said], "verdicts": [verdict]})  # fmt: skip


@installed
def test_a_judge_over_http(endpoint):
    endpoint.say = says
    found = judged([GOOD, BAD], HttpChat(endpoint.url, model="m"))
    assert found["faithfulness"].values == (1, 0)
    assert found["answer_relevancy"].values == (1, 0)


@installed
def test_broken_json_is_counted(endpoint):
    endpoint.say = lambda text: "I would say so." if "12 kg" in text else says(text)
    found = judged([GOOD, BAD], HttpChat(endpoint.url, model="m"))["faithfulness"]
    assert (found.values, found.nan_rate) == ((1, None), 0.5)
    assert sum(found.missing.values()) == 1


@installed
def test_an_endpoint_that_fails_is_no_missing_score(endpoint):
    endpoint.status = 500
    with pytest.raises(EndpointError):
        judged([GOOD], HttpChat(endpoint.url, model="m", retries=0))


@pytest.mark.skipif(available(), reason="deepeval is installed here")
def test_its_absence_is_said():
    with pytest.raises(ConfigError, match="not installed"):
        judged([GOOD], HttpChat("http://127.0.0.1:1/v1", model="m"))


def test_samples_are_needed():
    with pytest.raises(InputError, match="no samples"):
        judged([], HttpChat("http://127.0.0.1:1/v1", model="m"))
