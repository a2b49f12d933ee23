from dataclasses import replace
from types import SimpleNamespace

import pytest

from labkit.errors import StoreError
from labkit.graph import cache
from labkit.graph.rules import RulesExtractor
from labkit.retrieve.index import Index
from labkit.schema import Chunk, RequestContext

TEXTS = (
    "Team: Night Desk\nLead: Ann Berg\nLocation: Hall 2",
    "Team: Repair Desk\nLead: Bo Lind\nLocation: Hall 3",
    "The Night Desk is led by Ann Berg.",
)


class Counting(RulesExtractor):
    """Counts how often a graph is made."""

    made = 0

    def extract(self, chunks):
        Counting.made += 1
        return super().extract(chunks)


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "RulesExtractor", Counting)
    Counting.made = 0
    return opened(tmp_path, TEXTS)


def opened(folder, texts, version="v1"):
    chunks = [
        Chunk(
            chunk_id=f"c{n}", doc_id=f"d{n}", source_path=f"{n}.md", ordinal=0, text=text, start=0, end=len(text),
            tokens=9, content_hash=str(n),
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip
    return Index(SimpleNamespace(chunks=lambda: iter(chunks)), SimpleNamespace(version=version), None, folder)


def leads(graph):
    told = graph.told("team:Night Desk", RequestContext(groups=frozenset({"public"})))
    return [fact.value for fact in told.get("team.lead", ())]


def kept(index):
    return [path.name for path in index.folder.iterdir() if path.is_dir()]


def test_a_graph_is_built_once_and_read_from_then_on(index):
    first, second = cache.open_graph(index), cache.open_graph(index)
    assert Counting.made == 1
    assert leads(first) == leads(second) == ["Ann Berg"]
    assert first.facts == second.facts
    assert first.entities == second.entities


def test_what_is_indexed_now_has_a_graph_of_its_own_and_the_old_one_goes(index):
    cache.open_graph(index)
    before = kept(index)
    changed = opened(index.folder, (TEXTS[0].replace("Ann Berg", "Cy Young"), TEXTS[1]), version="v2")
    assert leads(cache.open_graph(changed)) == ["Cy Young"]
    assert Counting.made == 2
    assert len(kept(index)) == 1
    assert kept(index) != before


def test_what_a_graph_is_made_by_is_the_same_code_that_rules_read_with(monkeypatch):
    seen = []
    monkeypatch.setattr(cache, "sources_fingerprint", lambda *places: seen.extend(places) or "0" * 16)
    cache._made_by.__wrapped__()
    assert all(place.exists() for place in seen)
    names = {place.name for place in seen}
    assert {"rules.py", "schema.toml", "terms.py", "text.py", "dates.py", "pii"} <= names
    assert not {"graphrag", "picture", "chains.npz"} & names


def test_a_graph_of_other_code_is_not_used(index, monkeypatch):
    cache.open_graph(index)
    monkeypatch.setattr(cache, "_made_by", lambda: "0123456789abcdef")
    cache.open_graph(index)
    assert Counting.made == 2


@pytest.mark.parametrize("damage", ["", "half", None])
def test_a_damaged_graph_is_built_again(index, damage):
    whole = cache.open_graph(index)
    table = next(index.folder.glob("graph-*/statements.parquet"))
    if damage is None:
        table.unlink()
    else:
        table.write_bytes(table.read_bytes()[: len(damage) * 20])
    assert cache.open_graph(index).facts == whole.facts
    assert Counting.made == 2
    assert cache.open_graph(index).facts == whole.facts
    assert Counting.made == 2


def test_what_breaks_off_leaves_no_graph_behind(index, monkeypatch):
    def breaks(extraction, folder):
        folder.mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(cache, "save", breaks)
        with pytest.raises(KeyboardInterrupt):
            cache.open_graph(index)
    assert leads(cache.open_graph(index)) == ["Ann Berg"]
    assert len(kept(index)) == 1


def test_a_folder_that_cannot_be_written_is_named_and_what_to_do(index):
    nowhere = index.folder / "file"
    nowhere.write_text("")
    with pytest.raises(StoreError, match="cannot be written") as refused:
        cache.open_graph(replace(index, folder=nowhere))
    assert "labkit index" in refused.value.todo


def test_no_chunks_are_a_graph_of_nothing(index):
    assert cache.open_graph(opened(index.folder, (), version="empty")).facts == []
