from collections import Counter
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labkit.errors import StoreError
from labkit.graph.tables import Entity, Extraction, Mention, Statement, load, save

TABLES = ("entities.parquet", "mentions.parquet", "statements.parquet")


def extraction():
    return Extraction(
        "rules",
        [Entity(entity_id="site:Hexham", kind="site", name="Hexham", aliases=("HX", "Häxham")),
         Entity(entity_id="lot:A-10", kind="lot", name="A-10")],
        [Mention(entity_id="site:Hexham", chunk_id="c1", start=3, end=9)],
        [Statement(subject_id="lot:A-10", relation="lot.site", object_id="site:Hexham", value="Hexham", chunk_id="c1",
                   start=0, end=9, since=date(2025, 3, 1)),
         Statement(subject_id="lot:A-10", relation="lot.quantity", value="0.1 pieces", number=0.1, unit="pieces",
                   chunk_id="c2", start=0, end=9)],
    )  # fmt: skip


def test_what_is_saved_comes_back_in_its_order(tmp_path):
    made = extraction()
    save(made, tmp_path / "new" / "folder")
    found = load(tmp_path / "new" / "folder")
    assert found.extractor == "rules"
    assert (found.entities, found.mentions, found.statements) == (made.entities, made.mentions, made.statements)
    assert found.problems == Counter()


def test_an_empty_graph_comes_back_empty(tmp_path):
    save(Extraction("local"), tmp_path)
    found = load(tmp_path)
    assert found.extractor == "local"
    assert (found.entities, found.mentions, found.statements) == ([], [], [])


def test_saving_again_replaces_what_was_there(tmp_path):
    save(extraction(), tmp_path)
    save(Extraction("rules"), tmp_path)
    assert load(tmp_path).statements == []


def test_the_same_graph_makes_the_same_bytes(tmp_path):
    save(extraction(), tmp_path / "one")
    save(extraction(), tmp_path / "two")
    for name in TABLES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_table_is_told_by_its_name(tmp_path, name):
    save(extraction(), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(StoreError, match=name):
        load(tmp_path)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kept", [0, 4, 0.5, -1])
def test_a_table_that_was_cut_off_is_told_by_its_name(tmp_path, name, kept):
    save(extraction(), tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(kept * len(data)) if kept == 0.5 else kept])
    with pytest.raises(StoreError, match=name) as refused:
        load(tmp_path)
    assert "Build the graph again" in refused.value.todo


def test_a_table_of_another_program_is_refused(tmp_path):
    save(extraction(), tmp_path)
    table = pq.read_table(tmp_path / TABLES[0])
    pq.write_table(table.replace_schema_metadata({}), tmp_path / TABLES[0])
    with pytest.raises(StoreError, match=TABLES[0]):
        load(tmp_path)
    (tmp_path / TABLES[0]).write_text("entity_id,name\n")
    with pytest.raises(StoreError, match=TABLES[0]):
        load(tmp_path)


def test_what_could_not_be_used_is_saved_too(tmp_path):
    made = Extraction("llm", problems=Counter({"no such entity": 3, "“é”": 1}))
    save(made, tmp_path)
    assert load(tmp_path).problems == made.problems


@pytest.mark.parametrize("kind", ["of another form", "no text", "problems"])
def test_a_table_with_other_things_in_it_is_refused(tmp_path, kind):
    save(extraction(), tmp_path)
    about = {b"extractor": b"\xff" if kind == "no text" else b"rules"}
    about |= {b"problems": b"{"} if kind == "problems" else {}
    columns = pq.read_table(tmp_path / TABLES[1])
    if kind == "of another form":
        columns = columns.set_column(2, "start", pa.array(["first"]))
    pq.write_table(columns.replace_schema_metadata(about), tmp_path / TABLES[1])
    with pytest.raises(StoreError, match=TABLES[1]):
        load(tmp_path)
