"""Where questions die, on the generated company: what the stages are judged by is really there."""

import json
from collections import defaultdict

import pytest

from labkit.evaluate.corpus import gold_paths, prepare_world, read_questions
from labkit.evaluate.stages import needs_of
from labkit.ingest import read_chunks
from labkit.llm import embedder
from labkit.settings import get_settings


@pytest.fixture(scope="module")
def corpus():
    settings = get_settings()
    return prepare_world(settings, embedder(settings), seed=7, progress=False)


def test_nearly_every_fact_that_is_asked_for_stands_in_some_chunk(corpus):
    facts = {}
    for line in (corpus.world / "truth" / "facts.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        facts[row["fact_id"]] = (row["value"], *row["aliases"])
    chunks = defaultdict(list)
    for chunk in read_chunks(corpus.tables):
        chunks[chunk.source_path].append(chunk)
    paths = gold_paths(corpus.world)
    asked = [q for q in read_questions(corpus.world, "test") if q.value and q.facts][::8]
    needs = [need for question in asked for need in needs_of(question, facts, paths, chunks)]
    assert len(needs) > 150
    assert sum(bool(need.chunk_ids) for need in needs) / len(needs) > 0.95
