"""The ingestion benchmarks run from end to end on a small world."""

from pathlib import Path

import pytest

from labkit.bench import Options, peer, run
from labkit.bench.ingestgrowth import figures, ingested
from labkit.evaluate.corpus import built_world
from labkit.settings import Settings


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    built_world(settings, seed=3, profile="40", progress=False)
    return settings


def test_every_file_is_judged_and_none_is_lost(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "SAMPLE", 12)
    monkeypatch.setattr(peer, "REPETITIONS", 1)
    result = run("ingest", Options(home, "40", 3), rows_file=tmp_path / "rows.jsonl")
    found = result.figures
    assert found["lost_files"].value == 0
    assert found["false_quarantine"].value == 0
    # Each of these is far above what a broken parser, scorer or alignment of files would give.
    for name in ("text_f1_html", "text_f1_docx", "text_f1_eml", "text_f1_pdf"):
        assert (found[name].value or 0.0) > 0.8, name
    assert (found["pii_recall"].value or 0.0) > 0.8
    assert found["speed_ratio"].value is None or found["speed_ratio"].peer.startswith("markitdown")
    rows = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) >= (found["lost_files"].n or 0)


def test_growth_is_measured_by_the_command_people_run(home: Settings) -> None:
    world = built_world(home, seed=3, profile="40", progress=False)
    row = {"size": 40, **ingested(world / "documents")}
    assert row["files"] > 40
    assert row["peak_mb"] > 50
    found = figures([row, {**row, "size": 80}])
    assert found["time_growth_80_over_40"].value == found["memory_growth_80_over_40"].value == 1.0
