"""The ingestion benchmark's own sums: quarantine, encodings, formats, speed, growth."""

import pytest

from labkit.bench.ingest import encoding_figure, quarantine_figures, text_figures
from labkit.bench.ingestgrowth import figures as growth_figures
from labkit.bench.peer import _figure, _net
from labkit.bench.process import Cost
from labkit.bench.truth import Clean


def world_of(tmp_path, *names):
    for name in (*names, ".access.toml"):
        (tmp_path / "documents").mkdir(exist_ok=True)
        (tmp_path / "documents" / name).write_text("x", encoding="utf-8")
    return tmp_path


def test_quarantine_is_judged_by_place_and_reason(tmp_path, case, refused):
    cases = [
        refused("bomb.docx", "bomb", "bomb"),
        refused("cut.pdf", "encrypted", "corrupt"),
        refused("good.txt", "corrupt", ""),
        case("read.pdf", must_refuse="mislabelled"),
        case("fine.txt"),
    ]
    found = quarantine_figures(world_of(tmp_path, *(c.path for c in cases)), cases)
    assert found["quarantine_recall"].value == pytest.approx(2 / 3)
    assert found["quarantine_reason_accuracy"].value == 0.5
    assert found["false_quarantine"].value == 1
    assert found["lost_files"].value == 0


def test_a_recognised_scan_is_no_missed_quarantine(tmp_path, case):
    scan = case("scan.pdf", must_refuse="no_text", stored={"defects": ("ocr",)})
    assert quarantine_figures(world_of(tmp_path, "scan.pdf"), [scan])["quarantine_recall"].value is None


def test_a_file_that_is_nowhere_or_in_two_places_is_lost(tmp_path, case, refused):
    twice = case("twice.txt")
    twice.quarantined = refused("twice.txt", "corrupt", "").quarantined
    nowhere = case("nowhere.txt")
    nowhere.document = None
    found = quarantine_figures(world_of(tmp_path, "twice.txt", "nowhere.txt", "unlisted.txt"), [twice, nowhere])
    assert found["lost_files"].value == 3


def test_only_spoiled_encodings_count_and_a_refused_file_has_none_right(case, refused):
    spoiled = case("a", "Älg", defects=frozenset({"mojibake"}))
    sound = case("b", "Ã„lg", Clean("Älg"))
    gone = refused("c", "corrupt", "")
    gone.defects = frozenset({"wrong_encoding"})
    gone.clean = Clean("Älg")
    assert encoding_figure([spoiled, sound])["encoding_repaired"].value == 1.0
    assert encoding_figure([spoiled, sound, gone])["encoding_repaired"].value == 0.5


def test_formats_are_judged_together_where_readers_meet_them_as_one(case, refused):
    cases = [case("a", format="csv"), case("b", format="xlsx"), case("c", format="pdf2"), refused("d", "corrupt", "")]
    cases[3].format = "pdf"
    found = text_figures(cases, {"a": 1.0, "b": 0.5, "c": 0.8}, seed=1)
    assert found["text_f1_table"].value == 0.75
    assert found["text_f1_pdf"].value == 0.4


def costs(ours, theirs, start=1.0):
    seconds = {"ours few": start, "ours all": start + ours, "theirs few": start, "theirs all": start + theirs}
    return {name: Cost(0.0, value, 0) for name, value in seconds.items()}


def test_speed_is_the_ratio_of_medians_with_the_spread_of_runs():
    runs = [costs(1.0, 6.0), costs(2.0, 8.0), costs(2.0, 20.0)]
    figure = _figure(runs, lambda cost: _net(cost, "theirs") / _net(cost, "ours"), "peer 1")
    assert figure.value == pytest.approx(4.0)
    assert figure.ci95 == pytest.approx((4.0, 10.0))
    assert (figure.n, figure.peer) == (3, "peer 1")


def test_growth_compares_cost_per_document():
    rows = [
        {"size": 300, "files": 400, "wall_s": 8.0, "cpu_s": 4.0, "peak_mb": 200.0},
        {"size": 5000, "files": 8000, "wall_s": 160.0, "cpu_s": 160.0, "peak_mb": 300.0},
    ]
    found = growth_figures(rows)
    assert found["cpu_s_per_document_300"].value == pytest.approx(0.01)
    assert found["time_growth_5000_over_300"].value == pytest.approx(2.0)
    assert found["memory_growth_5000_over_300"].value == pytest.approx(1.5)
