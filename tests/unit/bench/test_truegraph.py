import json

import pytest

from labkit.bench.truegraph import TrueGraph, scores
from labkit.graph.graph import Graph
from labkit.graph.schema import Schema
from labkit.graph.tables import Entity, Extraction, Mention, Statement
from labkit.schema import Chunk

SCHEMA = Schema.model_validate({
    "kind": {"part": {}, "product": {}},
    "relation": {
        "part.product": {"subject": "part", "object": "product"},
        "part.torque": {"subject": "part", "value": "number", "units": ["Nm"]},
    },
})  # fmt: skip
TEXT = "The belt BT-1 fits the Heron; BT-1 takes 12 Nm."


@pytest.fixture
def truth(tmp_path):
    def write(name, rows):
        (tmp_path / "truth").mkdir(exist_ok=True)
        (tmp_path / "truth" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    write("entities", [
        {"entity_id": "p1", "kind": "part", "name": "belt BT-1", "aliases": ["BT-1"]},
        {"entity_id": "h", "kind": "product", "name": "Heron", "aliases": []},
    ])  # fmt: skip
    fact = {"subject_id": "p1", "object_id": None, "number": None, "aliases": []}
    write("facts", [
        fact | {"fact_id": "f1", "relation": "part.product", "value": "Heron", "object_id": "h"},
        fact | {"fact_id": "f2", "relation": "part.torque", "value": "12 N·m", "number": 12.0},
    ])  # fmt: skip
    write("documents", [{"path": "a.md", "pool": "test", "states": ["f1", "f2"]}, {"path": "odd.bin"}])
    return TrueGraph.read(tmp_path)


def measured(truth, statements, joined=True, split="test"):
    part = Entity(entity_id="part", kind="part", name="belt BT-1", aliases=("BT-1",) if joined else ())
    alone = Entity(entity_id="alone", kind="part", name="BT-1")
    heron = Entity(entity_id="heron", kind="product", name="Heron")
    at = [("part", 4, 13), ("heron", 23, 28), ("part" if joined else "alone", 30, 34)]
    extraction = Extraction(
        "rules", [part, heron] + ([] if joined else [alone]),
        [Mention(entity_id=e, chunk_id="c", start=start, end=end) for e, start, end in at],
        [Statement(chunk_id="c", start=0, end=9, **one) for one in statements],
    )  # fmt: skip
    chunk = Chunk(
        chunk_id="c", doc_id="a", source_path="a.md", ordinal=0, text=TEXT, start=0, end=len(TEXT), tokens=9,
        content_hash="c",
    )  # fmt: skip
    found = scores(extraction, Graph(extraction, [chunk], SCHEMA), truth, split)
    return {name: figure.value for name, figure in found.items()}


FITS = {"subject_id": "part", "relation": "part.product", "object_id": "heron", "value": "Heron"}
TAKES = {"subject_id": "part", "relation": "part.torque", "value": "12 Nm", "number": 12.0}


def test_all_that_is_true_and_nothing_else_is_one(truth):
    found = measured(truth, [FITS, TAKES])
    assert {found[f"rules_{name}_f1"] for name in ("entity", "relation", "edge", "value")} == {1.0}
    assert found["entity_resolution_f1"] == 1.0


def test_a_wrong_number_costs_precision_and_what_was_not_read_recall(truth):
    found = measured(truth, [FITS, TAKES | {"value": "21 Nm", "number": 21.0}])
    assert (found["rules_relation_precision"], found["rules_relation_recall"]) == (0.5, 0.5)
    assert (found["rules_edge_f1"], found["rules_value_f1"]) == (1.0, 0.0)


def test_a_fact_said_twice_counts_once(truth):
    assert measured(truth, [FITS, FITS, TAKES])["rules_relation_f1"] == 1.0


def test_names_of_one_thing_that_stay_apart_cost_recall(truth):
    assert measured(truth, [FITS, TAKES], joined=False)["entity_resolution_recall"] == 0.0


def test_documents_of_other_splits_do_not_count(truth):
    assert measured(truth, [FITS, TAKES], split="dev")["rules_entity_precision"] == 0.0
