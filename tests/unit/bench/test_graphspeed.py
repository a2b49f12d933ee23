import pytest

from labkit.bench import graphspeed
from labkit.schema import Chunk

TEXT = "Team: Night Desk\nLead: Ann Berg"


def test_a_graph_is_built_of_as_many_passages_as_are_asked_for(monkeypatch):
    built = []

    class Counting:
        def extract(self, chunks):
            built.append([chunk.chunk_id for chunk in chunks])

    monkeypatch.setattr(graphspeed, "RulesExtractor", Counting)
    monkeypatch.setattr(graphspeed, "BUILT", (1_000, 2_000, 4_000))
    some = [
        Chunk(chunk_id=f"c{n}", doc_id="d", source_path="d.md", ordinal=n, text=TEXT, start=0, end=len(TEXT), tokens=9,
              content_hash=str(n))
        for n in range(3)
    ]  # fmt: skip
    figures = graphspeed.build_times(some)
    assert [len(set(ids)) for ids in built] == [1_000, 2_000, 4_000]
    assert list(figures) == ["build_s_1k", "build_s_2k", "build_s_4k", "build_growth"]
    assert all(figure.value > 0 for figure in figures.values())
    growth = (figures["build_s_4k"].value / 4) / (figures["build_s_2k"].value / 2)
    assert figures["build_growth"].value == pytest.approx(growth)
