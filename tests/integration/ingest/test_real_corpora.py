"""Real files: the public runbooks and PEPs, and the encoder's own tokenizer."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.ingest import IngestReport, ingest, read_chunks, read_documents, read_quarantine
from labkit.ingest.chunk import BUDGET
from labkit.ingest.read import Source, read_file
from labkit.ingest.reading import Reading
from labkit.ingest.tokens import count_tokens, tokenizer_file
from labkit.schema import Chunk, Document
from labkit.settings import get_settings

CORPORA = ("prometheus-runbooks", "peps")


def corpora() -> Path:
    data = get_settings().data
    if data is None or not all((data / name).is_dir() for name in CORPORA):
        pytest.skip(f"LABKIT_DATA does not hold {' and '.join(CORPORA)}")
    return data


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], dict[str, tuple[Path, IngestReport]]]:
    data = corpora()
    files, runs = {}, {}
    for name in CORPORA:
        files[name] = data / name
        out = tmp_path_factory.mktemp(name)
        runs[name] = (out, ingest(data / name, out, workers=2, progress=False))
    return files, runs


def tables(run: tuple[Path, IngestReport]) -> tuple[dict[str, Document], list[Chunk]]:
    return {document.source_path: document for document in read_documents(run[0])}, list(read_chunks(run[0]))


@pytest.mark.data
@pytest.mark.parametrize("name", CORPORA)
def test_none_lost(
    ingested: tuple[dict[str, Path], dict[str, tuple[Path, IngestReport]]],
    name: str,
    record_property: Callable[[str, object], None],
) -> None:
    files, runs = ingested
    present = sorted(path.relative_to(files[name]).as_posix() for path in files[name].rglob("*") if path.is_file())
    documents, chunks = tables(runs[name])
    refused = [row.source_path for row in read_quarantine(runs[name][0])]
    assert sorted([*documents, *refused]) == present
    assert refused == []
    at: dict[str, int] = {}
    for chunk in chunks:
        text = documents[chunk.source_path].text
        assert text[chunk.start : chunk.end] == chunk.text
        assert not text[at.get(chunk.source_path, 0) : chunk.start].strip()
        assert chunk.tokens == count_tokens(chunk.text)
        assert chunk.tokens <= BUDGET or "\n" not in chunk.text
        at[chunk.source_path] = chunk.end
    assert all(not document.text[at[path] :].strip() for path, document in documents.items())
    report = runs[name][1]
    record_property("files_per_second", round(report.files / report.seconds))


@pytest.mark.data
def test_runbook_sections_are_paths(ingested: tuple[dict[str, Path], dict[str, tuple[Path, IngestReport]]]) -> None:
    _, chunks = tables(ingested[1]["prometheus-runbooks"])
    path = "content/runbooks/node/NodeNetworkReceiveErrs.md"
    titles = [chunk.heading_path for chunk in chunks if chunk.source_path == path]
    assert [title[-2:] for title in dict.fromkeys(titles) if len(title) > 2] == [
        ("NodeNetworkReceiveErrs", section) for section in ("Meaning", "Impact", "Diagnosis", "Mitigation")
    ]
    assert len({title[0] for title in titles}) == 1, "the document's title leads every path"


@pytest.mark.data
def test_pep_headings_dates_and_references(
    ingested: tuple[dict[str, Path], dict[str, tuple[Path, IngestReport]]],
) -> None:
    files, runs = ingested
    documents, chunks = tables(runs["peps"])
    pep = documents["pep-0008.rst"]
    assert (pep.title, str(pep.valid_from)) == ("Style Guide for Python Code", "2001-07-05")
    paths = {chunk.heading_path for chunk in chunks if chunk.source_path == "pep-0008.rst"}
    assert ("Style Guide for Python Code", "Code Lay-out", "Tabs or Spaces?") in paths
    assert "PEP 257 (Docstring Conventions)" in pep.text
    # Every number a PEP refers to by role is still named in its text; in a literal block the role stays as written.
    for path, document in documents.items():
        source = (files["peps"] / path).read_text(encoding="utf-8")
        outside_literals = re.sub(r"``.*?``", "", source)
        for number in re.findall(r"^[^.`\n]*:pep:`(\d+)`", outside_literals, re.M):
            assert f"PEP {number}" in document.text or f":pep:`{number}`" in document.text, (path, number)


@pytest.mark.data
def test_words_of_peps_arrive(ingested: tuple[dict[str, Path], dict[str, tuple[Path, IngestReport]]]) -> None:
    """Judged before redaction, which takes the authors' names on purpose."""
    folder = ingested[0]["peps"]
    shares = []
    for path in sorted(folder.rglob("*.rst")):
        words = set(re.findall(r"[^\W_]{4,}", path.read_text(encoding="utf-8")))
        reading = read_file(Source(path, path.name))
        assert isinstance(reading, Reading)
        text = "\n".join(block.text for block in reading.blocks)
        shares.append(len(words & set(re.findall(r"[^\W_]{4,}", text))) / max(1, len(words)))
    assert sum(shares) / len(shares) > 0.985  # the rest is markup, comments and directive options


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=120))
def test_counting_by_words_equals_the_tokenizer(text: str) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file()))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    assert count_tokens(text) == len(tokenizer.encode(text, add_special_tokens=False))
