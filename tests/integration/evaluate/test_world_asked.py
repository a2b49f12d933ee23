"""The whole path on the generated company: built, ingested, indexed, asked."""

import dataclasses
import json
from datetime import date

import pytest

from labkit.bench.answer import ask_all, sample
from labkit.evaluate.corpus import prepare_world, read_questions
from labkit.ingest import read_documents, read_quarantine
from labkit.llm import embedder
from labkit.pipeline import build_pipeline, default_retriever
from labkit.retrieve import open_index
from labkit.schema import RequestContext
from labkit.settings import get_settings

SEED = 7


@pytest.fixture(scope="module")
def corpus():
    settings = get_settings()
    return prepare_world(settings, embedder(settings), seed=SEED, progress=False)


@pytest.fixture(scope="module")
def pipeline(corpus):
    return build_pipeline(corpus.index, get_settings(), world=corpus.manifest().world_version)


@pytest.fixture(scope="module")
def retriever(corpus):
    encoder = embedder(get_settings())
    return default_retriever(open_index(corpus.index, encoder), encoder)


def staff(**changes):
    return dataclasses.replace(
        RequestContext(groups=frozenset({"staff"}), tenant="tidewater", as_of=date(2025, 12, 31)), **changes
    )


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_file_is_a_document_or_in_quarantine(corpus):
    files = {p.relative_to(corpus.documents).as_posix() for p in corpus.documents.rglob("*") if p.is_file()}
    files = {path for path in files if not path.endswith(".access.toml")}
    documents = {document.source_path for document in read_documents(corpus.tables)}
    refused = {row.source_path for row in read_quarantine(corpus.tables)}
    assert documents | refused == files
    assert not documents & refused


def test_unreadable_files_are_refused_for_the_true_reason(corpus):
    reasons = {row.source_path: row.reason for row in read_quarantine(corpus.tables)}
    expected = {row["path"]: row["reason"] for row in rows(corpus.world / "truth" / "documents.jsonl") if row["reason"]}
    assert {path: reasons.get(path) for path in expected} == expected


def test_staff_never_retrieve_what_staff_may_not_read(corpus, retriever):
    restricted = [q for q in read_questions(corpus.world, "test") if "staff" not in q.groups or q.type == "forbidden"]
    assert len(restricted) > 20
    for question in restricted[:24]:
        for hit in retriever.search(question.text, 10, staff()):
            assert "staff" in hit.chunk.acl, (question.text, hit.chunk.source_path)


def test_nothing_from_the_future_is_retrieved(corpus, retriever):
    day = date(2024, 9, 1)
    for question in sample(read_questions(corpus.world, "test"), 18, SEED):
        for hit in retriever.search(question.text, 10, staff(as_of=day)):
            assert hit.chunk.valid_from is None or hit.chunk.valid_from <= day


def test_another_tenant_sees_nothing(retriever):
    assert retriever.search("gripper finger screws", 10, staff(tenant="norrland")) == []


def test_the_answer_carries_a_source(corpus, pipeline):
    answer = pipeline.ask("How tight should the gripper finger screws on the Heron picker be?", staff())
    assert not answer.abstained
    assert answer.citations
    known = {document.source_path for document in read_documents(corpus.tables)}
    assert all(citation.source_path in known for citation in answer.citations)
    assert answer.versions.world == corpus.manifest().world_version


def test_a_comparison_is_answered_by_facts_that_the_asker_may_read(corpus, pipeline):
    compared = [q for q in read_questions(corpus.world, "dev") if q.type == "comparison"][:6]
    readable = {document.source_path: document.acl for document in read_documents(corpus.tables)}
    graded = ask_all(pipeline, compared, corpus, progress=False)
    by_facts = [(grade, answer) for grade, answer in graded if answer.route == "facts"]
    assert len(by_facts) >= 3
    assert sum(grade.right for grade, _ in by_facts) >= len(by_facts) - 1
    for question, (_, answer) in zip(compared, graded, strict=True):
        assert all(set(readable[c.source_path]) & set(question.groups) for c in answer.citations)


@pytest.mark.parametrize(
    "question",
    ["What was the downtime of INC-0001?", "What is the CEO's blood type?", "Which torque does part ZZ-0000 take?"],
)
def test_it_abstains_where_nothing_is_known(pipeline, question):
    answer = pipeline.ask(question, staff())
    assert answer.abstained, answer.text
    assert not answer.citations


def test_it_never_tells_staff_a_secret(corpus, pipeline):
    facts = {row["fact_id"]: row for row in rows(corpus.world / "truth" / "facts.jsonl")}
    secrets = {fact["value"] for fact in facts.values() if "staff" not in fact["groups"]}
    forbidden = [q for q in read_questions(corpus.world, "test") if q.type == "forbidden"][:6]
    for _, answer in ask_all(pipeline, forbidden, corpus, progress=False):
        assert not any(secret in answer.text for secret in secrets if len(secret) > 6), answer.text


def test_the_same_question_gets_the_same_answer(pipeline):
    first, second = (
        pipeline.ask("How tight should the gripper finger screws on the Heron picker be?", staff()) for _ in range(2)
    )
    assert (first.text, first.citations, first.confidence) == (second.text, second.citations, second.confidence)
