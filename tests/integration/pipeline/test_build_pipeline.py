"""The default pipeline end to end: MiniLM, LanceDB and SmolLM2, on a handful of passages."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labkit.errors import IndexMissing
from labkit.llm import embedder
from labkit.pipeline import ABSTENTION, build_pipeline
from labkit.retrieve import index
from labkit.schema import Answerer, Chunk, RequestContext, arrow_schema
from labkit.settings import Settings

PASSAGES = [
    ("torque-2023", "The gripper bolts are tightened to 18 N·m.", {"valid_to": date(2025, 1, 1)}),
    ("torque-2025", "The gripper bolts are tightened to 21 N·m.", {"valid_from": date(2025, 1, 1)}),
    ("alarm-417", "Error E-417 means that the belt has slipped. Do not restart the controller.", {}),
    ("alarm-471", "Error E-471 means that the motor is too hot. Wait ten minutes.", {}),
    ("board", "The acquisition of Norrland costs 40 million euros.", {"acl": ("board",)}),
    ("leave", "Employees have 28 days of paid leave every year.", {}),
]


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    folder, settings = tmp_path_factory.mktemp("pipeline"), Settings(device="cpu")
    rows = [
        Chunk(
            chunk_id=name,
            doc_id=name,
            source_path=f"{name}.md",
            ordinal=0,
            text=text,
            start=0,
            end=len(text),
            tokens=12,
            content_hash=name,
            **fields,
        ).model_dump()
        for name, text, fields in PASSAGES
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(Chunk)), folder / "chunks.parquet")
    index(folder, folder / "index", embedder(settings), world="w1", progress=False)
    return build_pipeline(folder / "index", settings, world="w1")


def ctx(**changes):
    return RequestContext(**{"as_of": date(2026, 1, 1), **changes})


@pytest.mark.parametrize(
    ("question", "source", "value"),
    [
        ("How many days of paid leave do employees have?", "leave.md", "28"),
        ("What does error E-417 mean?", "alarm-417.md", "belt"),
        ("What does error E-471 mean?", "alarm-471.md", "motor"),
    ],
)
def test_answers_are_cited(system, question, source, value):
    assert isinstance(system, Answerer)
    answer = system.ask(question, ctx())
    assert not answer.abstained
    assert value in answer.text
    assert answer.citations[0].source_path == source
    assert value in answer.citations[0].quote
    assert answer.versions.model.startswith("smollm2-135m-instruct@")
    assert answer.versions.world == "w1"
    assert answer.usage.prompt_tokens > 0


@pytest.mark.parametrize(("day", "value"), [(date(2024, 6, 1), "18"), (date(2025, 6, 1), "21")])
def test_the_answer_is_the_one_in_force(system, day, value):
    answer = system.ask("How many N·m are the gripper bolts tightened to?", ctx(as_of=day))
    assert f"{value} N·m" in answer.citations[0].quote
    assert value in answer.text


def test_what_the_asker_may_not_read_does_not_exist(system):
    question = "What does the acquisition of Norrland cost?"
    answer = system.ask(question, ctx())
    assert (answer.text, answer.citations) == (ABSTENTION, ())
    allowed = system.ask(question, ctx(groups=frozenset({"board"})))
    assert allowed.citations[0].chunk_id == "board"


@pytest.mark.parametrize(
    "question", ["What does error E-999 mean?", "How do I bake bread?", "How many days of leave has Brightmart?"]
)
def test_what_is_not_there_is_not_answered(system, question):
    assert system.ask(question, ctx()).text == ABSTENTION


def test_the_same_question_gets_the_same_answer(system):
    first, second = (system.ask("What does error E-417 mean?", ctx()) for _ in range(2))
    assert first.model_copy(update={"timings": {}}) == second.model_copy(update={"timings": {}})


def test_no_index_no_pipeline(tmp_path):
    with pytest.raises(IndexMissing):
        build_pipeline(tmp_path, Settings(device="cpu"))
