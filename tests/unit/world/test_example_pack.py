"""The example pack: it obeys the format it is an example of, and its words turn up."""

import json
from pathlib import Path

import pytest

from labkit.world.build import build_world, read_manifest
from labkit.world.pack import Pack, load_pack

NORTHLIGHT = Path(__file__).parents[3] / "datasets" / "packs" / "northlight"


@pytest.fixture(scope="module")
def northlight() -> Pack:
    return load_pack(NORTHLIGHT)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("northlight") / "world"
    build_world("100", 2, out, pack_dir=NORTHLIGHT, progress=False)
    return out


def test_it_uses_what_the_format_offers(northlight: Pack, pack: Pack):
    own = [f for f in northlight.families if f not in pack.families]
    assert len(own) >= 12
    assert {f.kind for f in own} >= {"statement", "question", "as_of"}
    assert {f.split for f in own} == {"train", "test"}
    assert {layout.name for layout in northlight.classes["ticket"].layout} == {"heard and done", "slip of paper"}
    assert "watch book" in {layout.name for layout in northlight.classes["shift_handover"].layout}
    assert len(northlight.classes["shift_handover"].layout) > 1
    assert [len(arc.document) for arc in northlight.arcs if arc.slug == "northlight-stiff-seal"] == [3]
    assert northlight.dirt.rates["mojibake"] > pack.dirt.rates["mojibake"]


def test_its_words_turn_up_and_the_replaced_ones_do_not(world: Path, northlight: Pack):
    lines = (world / "truth" / "texts.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {row["doc_id"]: row["text"] for row in map(json.loads, lines)}
    said = "\n".join(texts.values())
    for words in ("Sky and sea", "Over and out", "kettle", "Brattholmen Ice Store", "watch"):
        assert words in said, words
    documents = map(json.loads, (world / "truth" / "documents.jsonl").read_text(encoding="utf-8").splitlines())
    tickets = [texts[d["doc_id"]] for d in documents if d.get("class") == "ticket" and not d["arc"] and "states" in d]
    assert tickets
    assert all(any(mark in text for mark in ("Radio log", "as heard on channel", "watch: ")) for text in tickets)
    assert read_manifest(world).pack == "tidewater+northlight"


def test_its_questions_are_asked(world: Path):
    asked = (world / "questions" / "test.jsonl").read_text(encoding="utf-8")
    assert "in gloves" in asked or "Wrench in hand" in asked
    story = [json.loads(line) for line in (world / "questions" / "core.jsonl").read_text(encoding="utf-8").splitlines()]
    own = [q for q in story if q["arc"] == "northlight-stiff-seal"]
    assert {q["value"] for q in own} == {"1,200 operating hours", "4,000 operating hours"}
    assert all(q["evidence"] for q in own)
