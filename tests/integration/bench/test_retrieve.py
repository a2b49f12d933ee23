"""The retrieval benchmark on a few questions: that it measures, not what."""

import pytest

from labkit.bench import Options, retrieve
from labkit.settings import get_settings


@pytest.fixture(scope="module")
def measured():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieve, "ADVERSARIAL", 60)
        patch.setattr(retrieve, "SIZES", dict.fromkeys(("ci", "laptop", "gpu"), (2_000,)))
        return retrieve.run(Options(get_settings(), "ci", 7, limit=60))


@pytest.mark.slow
def test_it_reports_quality_safety_and_time(measured):
    figures = measured[0].figures
    for name in (
        "single_hop_recall_at_5", "single_hop_mrr_at_10", "multi_hop_all_gold_at_10",
        "single_hop_recall_at_5_above_dense", "single_hop_recall_at_5_above_llamaindex",
        "ask_retrieval_p50_ms", "hybrid_2k_p50_ms", "ann_recall_at_10_2k",
        "build_s_2k", "open_s_2k", "peak_memory_mb_2k",
    ):  # fmt: skip
        assert name in figures, name
    assert figures["single_hop_recall_at_5"].value > 0.8
    assert figures["ann_recall_at_10_2k"].value == 1.0


@pytest.mark.slow
def test_nothing_leaks(measured):
    figures = measured[0].figures
    assert (figures["acl_leaks"].value, figures["as_of_errors"].value) == (0, 0)
    assert figures["acl_leaks"].n == 60


@pytest.mark.slow
def test_rows_hold_every_question_for_every_system(measured):
    result, rows = measured
    assert {row["system"] for row in rows} == {"default", "flat", "dense", "lexical", "rrf", "convex", "llamaindex"}
    per_system = {system: sum(row["system"] == system for row in rows) for system in {row["system"] for row in rows}}
    assert len(set(per_system.values())) == 1
    assert {row["world_version"] for row in rows} == {result.world_version}
