from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labkit.bench.themes import _hidden_in
from labkit.graph.graphrag.project import Audience, Project
from labkit.schema import Chunk

STAFF = Audience(tenant="default", group="staff", as_of=date(2025, 12, 31))
SECRET = "The board has set aside 2,205 k EUR a year for the retrofit crew of Hexham."
PUBLIC = "The retrofit crew of Hexham meets on Mondays at nine in the former canteen."


def chunk(text, group):
    return Chunk(
        chunk_id=text[:9], doc_id="d", source_path="d.md", ordinal=0, text=text, start=0, end=len(text), tokens=9,
        content_hash=text[:9], acl=(group,),
    )  # fmt: skip


CHUNKS = [chunk(SECRET, "board"), chunk(PUBLIC, "staff")]


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path, "corpus", "rules", STAFF)
    made.folder.mkdir(parents=True)
    return made


def test_a_passage_in_a_compressed_column_is_a_leak(project):
    words = [*SECRET.split(), f"It is said: {SECRET}"]  # its parts stand before it, so it is written by reference
    pq.write_table(pa.table({"summary": words}), project.folder / "reports.parquet", compression="zstd")
    assert SECRET.encode() not in (project.folder / "reports.parquet").read_bytes()
    assert _hidden_in(project, CHUNKS, STAFF) == 1


def test_a_line_broken_anew_is_still_the_passage(project):
    (project.folder / "log.txt").write_text(SECRET.replace("2,205 k", "2,205\n   k"))
    assert _hidden_in(project, CHUNKS, STAFF) == 1


def test_what_the_audience_may_read_is_none(project):
    (project.folder / "log.txt").write_text(PUBLIC)
    assert _hidden_in(project, CHUNKS, STAFF) == 0
    assert _hidden_in(project, [chunk(PUBLIC, "board"), *CHUNKS], STAFF) == 0
