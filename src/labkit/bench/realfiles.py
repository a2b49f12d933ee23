"""The pipeline on files nobody here wrote: is every file accounted for, and what do obvious questions get?

Reads the runbooks and PEPs below ``--data`` (LABKIT_DATA) and asks the questions of ``datasets/real_questions.toml``,
which are recorded with their answers, right or wrong.
"""

from __future__ import annotations

import time
import tomllib
from datetime import date
from pathlib import Path

from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.errors import BenchError
from labkit.evaluate.corpus import prepare_folder
from labkit.evaluate.grading import LOOKUP_COST, grade
from labkit.ingest import read_documents, read_quarantine
from labkit.llm import embedder
from labkit.pipeline import build_pipeline
from labkit.schema import PUBLIC, RequestContext
from labkit.world.questions import Question

CORPORA = ("prometheus-runbooks", "peps")
QUESTIONS = Path("datasets") / "real_questions.toml"


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Ingest and index each corpus that is there, and ask.

    Raises:
        BenchError: no data folder is given, or it holds none of the corpora.
    """
    if options.data is None:
        raise BenchError("This benchmark reads public data", todo="Set LABKIT_DATA or give --data DIR.")
    folders = [options.data / name for name in CORPORA if (options.data / name).is_dir()]
    if not folders:
        raise BenchError(f"None of {', '.join(CORPORA)} is there", where=str(options.data))
    rows: Rows = []
    figures: dict[str, Figure] = {}
    for folder in folders:
        found, asked = measure(folder, options)
        figures |= found
        rows += asked
    figures["right"] = Figure(value=sum(row["right"] for row in rows) / len(rows), n=len(rows), direction="higher")
    return BenchResult(bench="realfiles", profile=options.profile, seed=options.seed, figures=figures), rows


def measure(folder: Path, options: Options) -> tuple[dict[str, Figure], Rows]:
    """Files lost (must be none), and one row per question whose file the folder holds."""
    settings = options.settings
    corpus = prepare_folder(folder, settings, embedder(settings))
    documents = {document.source_path for document in read_documents(corpus.tables)}
    refused = {row.source_path for row in read_quarantine(corpus.tables)}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    lost = files - documents - refused
    twice = documents & refused
    pipeline = build_pipeline(corpus.index, settings)
    rows: Rows = []
    for question in read_questions():
        gold = {path for path in documents if path.rpartition("/")[2] == question.documents[0]}
        if question.documents[0] and not gold:
            continue
        started = time.perf_counter()
        answer = pipeline.ask(question.text, RequestContext(groups=frozenset({PUBLIC})))
        graded = grade(question, answer, gold, time.perf_counter() - started)
        rows.append({"corpus": folder.name, "question": question.text, "expected": question.value,
                     "answer": answer.text, "abstained": answer.abstained, "right": graded.right,
                     "citation_right": graded.citation_correct,
                     "cited": [citation.source_path for citation in answer.citations]})  # fmt: skip
    name = folder.name.replace("-", "_")
    return {
        f"{name}_files": Figure(value=float(len(files)), direction="none"),
        f"{name}_lost": Figure(value=float(len(lost) + len(twice)), n=len(files), direction="lower"),
        f"{name}_quarantined": Figure(value=float(len(refused)), n=len(files), direction="none"),
    }, rows


def read_questions(path: Path = QUESTIONS) -> list[Question]:
    """The recorded questions, in the world's own form so that one grader serves both.

    Raises:
        BenchError: not run from the repository's root.
    """
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8"))["question"]
    except OSError as error:
        raise BenchError(
            "The recorded questions are missing", where=str(path), todo="Run it in the checkout."
        ) from error
    return [
        Question(
            question_id=f"real-{number}",
            split="core",
            type="single_hop" if row["answers"] else "unanswerable",
            text=row["text"],
            value=row["answers"][0] if row["answers"] else "",
            aliases=tuple(row["answers"][1:]),
            documents=(row["file"],),
            as_of=date(2026, 1, 1),
            cost_if_wrong=LOOKUP_COST,
        )
        for number, row in enumerate(listed, 1)
    ]
