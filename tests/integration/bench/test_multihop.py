"""Multi-hop retrieval on files somebody hands in, with the real encoder."""

import json

import pytest

from labkit.bench import Options
from labkit.bench.multihop import run
from labkit.errors import InputError
from labkit.settings import get_settings

CORPUS = [
    {"title": "AC/DC", "text": "AC/DC are a rock band formed in Sydney."},
    {"title": "Sydney", "text": "Sydney is the largest city of Australia."},
    {"title": "Sydney", "text": "The harbour of Sydney is crossed by a bridge."},
    {"title": "Soup", "text": "Soup is a liquid dish that is eaten warm."},
    {"title": "Bread", "text": "Bread is baked from flour and water."},
]
QUESTIONS = [{"question": "In which country was AC/DC formed, in Sydney?", "gold_titles": ["AC/DC", "Sydney"]}]


def options(tmp_path, corpus=CORPUS, questions=QUESTIONS):
    (tmp_path / "corpus.json").write_text(json.dumps(corpus), encoding="utf-8")
    lines = questions if isinstance(questions, str) else "".join(json.dumps(row) + "\n" for row in questions)
    (tmp_path / "questions.jsonl").write_text(lines, encoding="utf-8")
    return Options(get_settings(), "ci", 7, corpus=tmp_path / "corpus.json", questions=tmp_path / "questions.jsonl")


def test_gold_titles_are_found_with_slashes_and_shared_titles(tmp_path):
    result, rows = run(options(tmp_path))
    assert result.figures["recall_at_5"].value == 100
    assert result.figures["all_gold_at_10"].value == 100
    assert {row["system"] for row in rows} == {"default", "dense", "lexical", "rrf", "convex"}
    assert result.data_sha256


@pytest.mark.parametrize(
    ("corpus", "questions", "what"),
    [
        ({"title": "x"}, QUESTIONS, "JSON list"),
        ([{"title": "x"}], QUESTIONS, "no text"),
        (CORPUS, "not json\n", "line 1"),
        (CORPUS, [{"question": "Who?", "gold_titles": ["Nobody"]}], "Nobody"),
        (CORPUS, [{"question": "Who?", "gold_titles": []}], "no gold title"),
        (CORPUS, "", "nothing to measure"),
    ],
)
def test_files_of_another_shape_are_refused(tmp_path, corpus, questions, what):
    with pytest.raises(InputError, match=what):
        run(options(tmp_path, corpus, questions))


def test_one_file_alone_is_refused(tmp_path):
    with pytest.raises(InputError, match="corpus needs questions"):
        run(Options(get_settings(), "ci", 7, corpus=tmp_path / "corpus.json"))


def test_without_the_public_set_it_says_so(tmp_path):
    result, rows = run(Options(get_settings(), "ci", 7, data=tmp_path))
    assert rows == []
    assert "musique-100" in result.figures["recall_at_2"].status
