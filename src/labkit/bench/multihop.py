"""Retrieval over somebody else's passages and multi-hop questions; by default MuSiQue's, 100 questions.

Each passage is one chunk whose file name is its title. A gold title counts as found when a passage of that title is
among the hits. Flat retrieval runs as it is, without a language model and without links between passages,
beside each of its paths alone and beside plain fusion; with ``--method hop`` retrieval along links between passages
beside it, still without a language model.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.bench.retrieve import systems
from labkit.errors import InputError
from labkit.evaluate.ranking import ranking_rows
from labkit.evaluate.statistics import mean_interval
from labkit.graph.links import link_retriever
from labkit.llm import Embedder, embedder
from labkit.retrieve import Index, index, open_index
from labkit.schema import Chunk, RequestContext, Retriever

DEPTHS = (2, 5, 10)
METHODS = ("flat", "hop")


@dataclass(frozen=True, slots=True)
class Passages:
    """A corpus and questions over it.

    Attributes:
        corpus: (title, text) pairs.
        questions: (question, gold titles) pairs.
        sha256: of both files.
    """

    corpus: Sequence[tuple[str, str]]
    questions: Sequence[tuple[str, frozenset[str]]]
    sha256: str


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Measure on the given files, or on MuSiQue from the public evaluation sets."""
    if options.method not in METHODS:
        raise InputError(f"There is no method {options.method!r}", todo=f"Take one of: {', '.join(METHODS)}.")
    if (options.corpus is None) != (options.questions is None):
        raise InputError("A corpus needs questions and questions a corpus", todo="Give --corpus and --questions.")
    if options.corpus and options.questions:
        passages, name = read_passages(options.corpus, options.questions), options.corpus.stem
    elif options.data is None or not (options.data / "musique-100").is_dir():
        why = "skipped: musique-100 is not there; set LABKIT_DATA, or give --corpus and --questions"
        skipped = {f"recall_at_{k}": Figure(value=None, unit="%", direction="higher", status=why) for k in DEPTHS}
        return _result(options, "", "", skipped), []
    else:
        passages, name = read_musique(options.data / "musique-100"), "musique-100"
    encoder = embedder(options.settings)
    with tempfile.TemporaryDirectory() as scratch:
        opened = index_passages(passages.corpus, Path(scratch), encoder)
        retrievers = systems(opened, encoder)
        flat = retrievers.pop("flat")
        if options.method == "hop":
            retrievers = {"default": link_retriever(opened, encoder), "flat": flat}
        else:
            retrievers = {"default": flat, **retrievers}
        rows = {system: _rows(retriever, passages) for system, retriever in retrievers.items()}
    figures: dict[str, Figure] = {}
    for system, found in rows.items():
        prefix = "" if system == "default" else f"{system}_"
        for measure in (*(f"recall_at_{k}" for k in DEPTHS), "all_gold_at_10"):
            figures[f"{prefix}{measure}"] = _percent([row[measure] for row in found], options.seed)
    listed = [
        {"system": system, "question_id": f"{name}-{n}", "question": question, **row}
        for system, found in rows.items()
        for n, ((question, _), row) in enumerate(zip(passages.questions, found, strict=True))
    ]
    return _result(options, name, passages.sha256, figures), listed


def read_passages(corpus: Path, questions: Path) -> Passages:
    """Read a JSON list of ``{title, text}`` and JSON lines of ``{question, gold_titles}``.

    Raises:
        InputError: a file cannot be read, has another shape, or a gold title is not in the corpus.
    """
    documents = [(_text(row, "title", corpus), _text(row, "text", corpus)) for row in _json_list(corpus)]
    titles = {title for title, _ in documents}
    asked = []
    for number, line in enumerate(_lines(questions), 1):
        try:
            row = json.loads(line)
            question, gold = row["question"], frozenset(row["gold_titles"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"Not a question with gold titles ({error!r})", where=f"{questions.name}, line {number}",
                todo='Write {"question": "…", "gold_titles": ["…"]}.',
            ) from error  # fmt: skip
        if not gold or gold - titles:
            missing = (
                f"gold titles that are not in the corpus: {sorted(gold - titles)[:3]}" if gold else "no gold title"
            )
            raise InputError(f"A question has {missing}", where=f"{questions.name}, line {number}")
        asked.append((question, gold))
    if not documents or not asked:
        raise InputError("There is nothing to measure", where=f"{corpus.name}, {questions.name}")
    digest = hashlib.sha256(corpus.read_bytes() + questions.read_bytes()).hexdigest()
    return Passages(documents, asked, digest)


def read_musique(folder: Path) -> Passages:
    """Read MuSiQue's own files (Trivedi et al. 2022): pooled corpus, and questions with supporting paragraphs.

    Raises:
        InputError: a file cannot be read or has another shape.
    """
    corpus, train = folder / "train_corpus.json", folder / "train.json"
    documents = [(_text(row, "title", corpus), _text(row, "text", corpus)) for row in _json_list(corpus)]
    asked = [
        (row["question"], frozenset(p["title"] for p in row["paragraphs"] if p["is_supporting"]))
        for row in _json_list(train)
    ]
    return Passages(documents, asked, hashlib.sha256(corpus.read_bytes() + train.read_bytes()).hexdigest())


def index_passages(corpus: Sequence[tuple[str, str]], folder: Path, encoder: Embedder) -> Index:
    """An index of passages, one chunk each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from labkit.schema import arrow_schema

    chunks = [_chunk(number, title, text, encoder) for number, (title, text) in enumerate(corpus)]
    table = pa.Table.from_pylist([chunk.model_dump() for chunk in chunks], schema=arrow_schema(Chunk))
    pq.write_table(table, folder / "chunks.parquet")
    index(folder, folder / "index", encoder)
    return open_index(folder / "index", encoder)


def _chunk(number: int, title: str, text: str, encoder: Embedder) -> Chunk:
    path = f"{number}/{_name(title)}.txt"  # the number keeps passages of one title apart
    return Chunk(
        chunk_id=f"{number:07}", doc_id=str(number), source_path=path, ordinal=0, text=text, start=0, end=len(text),
        tokens=encoder.count_tokens(text), content_hash=hashlib.sha256(text.encode()).hexdigest(), page=None,
    )  # fmt: skip


def _rows(retriever: Retriever, passages: Passages) -> list[dict[str, float]]:
    runs, gold = {}, {}
    for number, (question, titles) in enumerate(tqdm(passages.questions, unit="question", leave=False)):
        hits = retriever.search(question, max(DEPTHS), RequestContext())
        # Ranks are ranks of passages: one whose title was found before takes its place and adds nothing.
        runs[str(number)] = [_once(hit.chunk, rank, hits) for rank, hit in enumerate(hits)]
        gold[str(number)] = sorted(_name(title) for title in titles)
    found = ranking_rows(runs, gold, DEPTHS)
    return [found[str(number)] for number in range(len(passages.questions))]


def _once(chunk: Chunk, rank: int, hits: Sequence[Any]) -> str:
    title = _title(chunk)
    seen = any(_title(hit.chunk) == title for hit in hits[:rank])
    return f"{title}#{rank}" if seen else title


def _name(title: str) -> str:
    """A title as a file can be called."""
    return title.replace("/", " ")


def _title(chunk: Chunk) -> str:
    return chunk.source_path.split("/", 1)[1].removesuffix(".txt")


def _percent(values: Sequence[float], seed: int) -> Figure:
    interval = mean_interval(values, seed)
    scaled = (100 * interval[0], 100 * interval[1]) if interval else None
    return Figure(value=100 * sum(values) / len(values), unit="%", n=len(values), ci95=scaled, direction="higher")


def _result(options: Options, name: str, sha256: str, figures: dict[str, Figure]) -> BenchResult:
    return BenchResult(
        bench="multihop", profile=options.profile, seed=options.seed, split=name, data_sha256=sha256, figures=figures
    )


def _json_list(path: Path) -> list[Mapping[str, Any]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The corpus cannot be read ({error})", where=path.name) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError("Not a JSON list of objects", where=path.name, todo='Write [{"title": "…", "text": "…"}].')
    return rows


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The questions cannot be read ({error})", where=path.name) from error


def _text(row: Mapping[str, Any], name: str, path: Path) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise InputError(f"A passage has no {name}", where=path.name, todo='Write {"title": "…", "text": "…"}.')
    return value
