"""Rows beside bf16: sizes, perplexities, answers by kind of question, and what is not claimed."""

import pytest

from labkit.errors import InputError
from labkit.quantize import nearest, w8a8
from labkit.quantize.report import Asked, Report, scores

BEFORE = [Asked("a", "lookup", True), Asked("b", "negation", True), Asked("c", "negation", True)]
AFTER = [Asked("a", "lookup", True), Asked("b", "negation", False), Asked("c", "negation", True)]


@pytest.fixture(scope="module")
def report(tiny, texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    nearest(tiny, folder / "nearest")
    w8a8(tiny, folder / "w8a8")
    made = Report({"in_domain": texts}, task=lambda loaded: BEFORE if loaded.method == "bf16" else AFTER)
    made.add("bf16", tiny)
    made.add("nearest_g32", folder / "nearest")
    made.add("w8a8", folder / "w8a8")
    return made


def test_every_row_is_compared_with_the_first(report):
    first, rounded, integers = report.rows
    assert (first.size_ratio, first.ratio["in_domain"].value) == (1.0, 1.0)
    assert rounded.size_ratio < integers.size_ratio < 1
    found = rounded.ratio["in_domain"]
    assert found.value == pytest.approx(rounded.perplexity["in_domain"].value / first.perplexity["in_domain"].value)
    assert found.tokens == 6 * 59
    assert found.ci95[0] < found.value < found.ci95[1]
    assert abs(integers.ratio["in_domain"].value - 1) < abs(found.value - 1)


def test_speed_and_memory_are_only_stated_where_the_method_itself_ran(report):
    first, rounded, integers = report.rows
    assert first.tokens_per_s > 0
    assert first.memory_bytes >= first.disk_bytes * 0.9
    for row in (rounded, integers):
        assert (row.tokens_per_s, row.memory_bytes) == (None, None)
    assert "reference" in report.table().splitlines()[2]


def test_questions_are_paired_and_negations_have_a_row(report):
    found = report.rows[1].scores
    assert (found["all"].n, found["negation"].n, found["lookup"].n) == (3, 2, 1)
    assert found["negation"].change == -0.5
    assert found["lookup"].change == 0
    with pytest.raises(InputError, match="same questions"):
        scores(BEFORE, AFTER[:2], 0)
    assert scores((), (), 0) == {}


def test_the_first_row_must_not_be_quantized(tiny, texts, tmp_path):
    nearest(tiny, tmp_path / "out")
    with pytest.raises(InputError, match="bf16"):
        Report({"in_domain": texts}).add("nearest", tmp_path / "out")
