"""Citation and abstention scores by hand."""

import pytest

from labkit.evaluate.citations import abstention_score, citation_score, mean_citation_score
from labkit.evaluate.grading import Grade


def test_every_fact_wants_a_file_and_every_file_a_fact():
    needs = [{"a.md", "a-copy.md"}, {"b.md"}]
    assert citation_score(["a-copy.md", "a-copy.md"], needs).precision == 1
    assert citation_score(["a-copy.md"], needs).recall == 0.5
    both = citation_score(["a.md", "b.md", "x.md"], needs)
    assert (both.precision, both.recall) == (pytest.approx(2 / 3), 1)


def test_nothing_to_count_is_not_zero():
    silent = citation_score([], [{"a.md"}])
    assert (silent.precision, silent.recall) == (None, 0)
    assert citation_score(["a.md"], []).recall is None
    mean = mean_citation_score([silent, citation_score(["a.md"], [{"a.md"}])])
    assert (mean.precision, mean.recall) == (1, 0.5)
    assert mean_citation_score([]).precision is None


def graded(answerable, abstained):
    return Grade("q", "single_hop", answerable, abstained, False, False, 0.0, 0.0)


def test_abstention():
    found = abstention_score([graded(False, True), graded(False, True), graded(False, False), graded(True, True),
                              graded(True, False)])  # fmt: skip
    assert (found.precision, found.recall, found.answered) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 0.4)
    assert found.f1 == pytest.approx(2 / 3)
    none = abstention_score([graded(True, False)])
    assert (none.precision, none.recall, none.f1, none.answered) == (None, None, None, 1.0)
    assert abstention_score([]).answered is None
