"""The benchmark's choices: what counts as prose, which method is best, what is skipped with a reason."""

import pytest

from labkit.bench import quantize as bench
from labkit.bench.quantizetexts import Texts, prose
from labkit.errors import ConfigError
from labkit.quantize import nearest
from labkit.quantize.perplexity import Perplexity
from labkit.quantize.report import Row, Score


def row(name, size, ratio, method="x"):
    value = Perplexity(ratio, (ratio - 0.01, ratio + 0.01), 20_000, 40)
    return Row(name, method, "e", 1, None, size, {"in_domain": value}, {"in_domain": value}, None)


def test_the_best_of_each_size():
    rows = [row("bf16", 1.0, 1.0, "bf16"), row("q8", 0.57, 1.01), row("int8", 0.61, 1.002), row("fat", 0.63, 1.0),
            row("q4", 0.37, 1.2), row("mixed", 0.45, 1.04), row("nf4", 0.42, 1.15)]  # fmt: skip
    four, eight = bench.best(rows, 4, 0.45), bench.best(rows, 8, 0.62)
    assert four["best_int4_size_ratio"].status == "measured: mixed"
    assert four["best_int4_perplexity_ratio"].value == 1.04
    assert four["best_int4_perplexity_ratio"].ci95 == pytest.approx((1.03, 1.05))
    assert (eight["int8_size_ratio"].value, eight["int8_perplexity_ratio"].value) == (0.61, 1.002)
    assert bench.best(rows[:4], 4, 0.45)["best_int4_size_ratio"].status.startswith("failed")


def test_what_forgets_the_task_is_not_the_best():
    rows = [row("q4", 0.37, 1.0), row("beside", 0.38, 1.01)]
    forgot, kept = (Score(0.9 + change, 500, change, None) for change in (-0.05, 0.0))
    rows[0].scores["all"], rows[1].scores["all"] = forgot, kept
    found = bench.best(rows, 4, 0.45)
    assert found["best_int4_size_ratio"].status == "measured: beside"
    assert found["best_int4_task_points"].value == 0.0


def test_prose_is_sentences():
    text = f"""PEP: 8
Title: Style

Abstract
========

{"This is a sentence about style. " * 8}

.. note:: {"not this " * 40}.

* {"a list " * 50}.

    {"code() " * 50}.

Short one.
"""
    assert prose(text) == ("This is a sentence about style. " * 8).strip()


def test_a_method_that_this_machine_lacks_is_skipped_with_the_reason(tiny, texts, tmp_path, monkeypatch):
    def absent(source, out):
        raise ConfigError("The environment quantize is not built")

    def nothing(*_, **__):
        raise ConfigError("no engine here")

    monkeypatch.setattr(bench, "methods", lambda *_: {"nearest_g32": nearest, "gptq_g32": absent})
    monkeypatch.setattr(bench, "control_methods", lambda *_: {"off_grid_nearest_g32": nearest})
    monkeypatch.setattr(bench.serving, "answers", nothing)
    read = Texts({"in_domain": texts}, {"in_domain": texts}, texts, "LABKIT_DATA holds no PEPs")
    figures, rows = bench.measure(tiny, tmp_path, read, tokens=200, seed=7)
    assert figures["gptq_g32_perplexity_ratio"].status == "skipped: The environment quantize is not built"
    assert figures["nearest_g32_perplexity_ratio"].n == 4 * 59
    assert figures["nearest_g32_gptqmodel_tokens_per_s"].value is None
    assert figures["off_grid_nearest_g32_perplexity_ratio"].value > 1
    assert figures["general_perplexity"].status.startswith("skipped")
    assert figures["calculator_worst_error"].value < 0.2  # headers weigh much beside a model of 30,000 numbers
    assert figures["calibration_in_domain_ratio"].value is None
    assert {row["name"] for row in rows} == {"bf16", "nearest_g32", "off_grid", "off_grid_nearest_g32"}
    again, _ = bench.measure(tiny, tmp_path, read, tokens=200, seed=7)  # folders are found again
    assert again["nearest_g32_perplexity"] == figures["nearest_g32_perplexity"]
