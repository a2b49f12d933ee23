"""The second drill: a check that went well, a pilot that did not, and the question which of the two to believe.

The assistant here shows the two sentences nearest to the question, so the drill needs no language model and every row
can be followed by eye. It sits a check, flattered by one of :data:`labkit.course.examfaults.EXAM_FAULTS`, and then the
pilot: other questions, asked by people, graded by people.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import zip_longest
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from labkit.course.examfaults import EXAM_FAULTS, LEAK, Exam, Item, Stated, honest
from labkit.course.faults import named
from labkit.course.sheet import Row, differ, shown, sit, summed
from labkit.course.wrongpart import listed, on_day
from labkit.errors import InputError
from labkit.evaluate.corpus import asked_by
from labkit.llm import Embedder
from labkit.pipeline import ABSTENTION
from labkit.retrieve import Index, flat_retriever, open_index
from labkit.retrieve import index as build_index
from labkit.retrieve.index import CHUNKS_FILE
from labkit.retrieve.store import place, search_text
from labkit.retrieve.terms import query_terms, terms
from labkit.retrieve.text import contains, identifiers, sentences
from labkit.schema import Answer, Chunk, Citation, Hit, RequestContext, Retriever, arrow_schema
from labkit.world.questions import Question

TYPES = ("single_hop", "time", "adversarial", "multi_hop", "unanswerable")
"""What people ask; the kinds take turns."""

SHEETS = ("check", "pilot")

PILOT = 120
SAMPLE = 6
_MIXTURES = 5  # tried before giving up: by chance a check may flatter too little to be noticed
_PASSAGES = 3
_STEP = 0.05  # what a place further down costs a sentence
_OVERLAP = 0.8  # share of a question's words that an answer in its own words holds

PAGE = """\
From: Ines Duarte
To: you
Subject: the slide and the pilot

Jean checked the assistant before the pilot: {check}.
Hexham Yard then had it for a week: {pilot}.

Same assistant, same index, same weeks. Marcus has both figures on one slide and asks which of them he may show and
what is the matter with the other. I would like to know what is the matter with the check, and the row that shows it.

{rows}

All rows: labkit drill rows, labkit drill rows --pilot.
"""


class Assistant:
    """Implements :class:`labkit.schema.Answerer` without a language model: the two nearest of the found sentences.

    Args:
        retriever: finds passages.
    """

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever

    def ask(self, question: str, ctx: RequestContext) -> Answer:
        """Quote, or abstain where the passages do not name what the question names.

        Raises:
            InputError: the question is empty or too long.
        """
        hits = self._retriever.search(question, _PASSAGES, ctx)
        found = _nearest(question, hits)
        known = "\n".join(f"{hit.chunk.source_path}\n{search_text(hit.chunk)}" for hit in hits)
        if found is None or not all(contains(name, known) for name in identifiers(question)):
            return Answer(text=ABSTENTION, abstained=True, route="abstain")
        return Answer(text=found.quote, citations=(found,), route="quote")


class Pilot:
    """The scene of the drill; implements :class:`labkit.course.drill.Scene`.

    Args:
        index: the whole one.
        folder: of that index.
        embedder: what its vectors were made with.
        questions: people's.
        stated: the documents' sentences that answer them.
        scratch: where an index with leaked pages may be put.
    """

    def __init__(
        self, index: Index, folder: Path, embedder: Embedder, questions: Sequence[Question], stated: Stated,
        scratch: Path,
    ) -> None:  # fmt: skip
        self._index, self._folder, self._embedder = index, folder, embedder
        self._questions, self._stated, self._scratch = questions, stated, scratch
        self._known = {question.question_id: question for question in questions}

    def start(self, code: str, seed: int) -> tuple[str, dict[str, Any]]:
        """Sit the check and the pilot; the page shows both results and a sample of rows.

        Raises:
            InputError: with these questions the flattered check is no better than the pilot.
        """
        for mixture in range(seed, seed + _MIXTURES):
            pilot, rest = split(self._questions, mixture)
            check = named(code, EXAM_FAULTS).exam(rest, self._stated)
            assistant = self._installed(check)
            begun = {"check": sit(assistant, check, "C"), "pilot": sit(assistant, pilot, "P")}
            if differ(begun["check"], begun["pilot"]):
                return self._page(begun, seed), begun
        raise InputError("With these questions check and pilot agree", todo="Start with another --seed.")

    def _page(self, begun: Mapping[str, list[Row]], seed: int) -> str:
        rows = "\n\n".join(
            f"From the {name}:\n{shown(Random(seed).sample(sheet, min(SAMPLE, len(sheet))))}"
            for name, sheet in begun.items()
        )
        return PAGE.format(check=summed(begun["check"]), pilot=summed(begun["pilot"]), rows=rows)

    def ask(self, code: str, question: str, *, k: int, as_of: date | None) -> str:
        """What the assistant of the check answers, and what it found.

        Raises:
            InputError: the question is empty or too long, or k is out of range.
        """
        ctx = on_day(as_of)
        search = flat_retriever(open_index(self._scratch, self._embedder), self._embedder)
        answer = Assistant(search).ask(question, ctx)
        cited = f"\nfrom {answer.citations[0].source_path}" if answer.citations else ""
        return f"{answer.text}{cited}\n\n{listed(search.search(question, k, ctx))}"

    def rows(self, begun: Mapping[str, Any], which: str) -> str:
        """All rows of the check or of the pilot.

        Raises:
            InputError: there is no such sheet.
        """
        if which not in SHEETS:
            raise InputError(f"There is no sheet {which!r}", todo=f"There are: {', '.join(SHEETS)}.")
        return f"{summed(begun[which])}\n\n{shown(begun[which])}"

    def missing(self, code: str, evidence: str, begun: Mapping[str, Any]) -> str | None:
        """What a row lacks as evidence of the fault; None where it proves it.

        Raises:
            InputError: there is no such row.
        """
        row = next((row for name in SHEETS for row in begun[name] if row["row"] == evidence.strip().upper()), None)
        if row is None:
            raise InputError(f"There is no row {evidence!r}", todo="Name one, such as C-07: labkit drill rows.")
        sheet = "check" if row in begun["check"] else "pilot"
        proofs = {
            "own_faq": self._own_faq,
            "leaked_questions": self._leaked_questions,
            "easy_types_only": self._easy_types_only,
            "graded_by_contains": self._graded_by_contains,
        }
        lacks = proofs[code](row, sheet, begun)
        return lacks if lacks is None else f"{lacks}; what counts is {named(code, EXAM_FAULTS).proof}"

    def _own_faq(self, row: Row, sheet: str, begun: Mapping[str, Any]) -> str | None:
        if sheet != "check" or not row["right"]:
            return "that is no right row of the check"
        asked = terms(row["question"])
        said = set(terms(row["answer"]))
        if sum(term in said for term in asked) < _OVERLAP * len(asked):
            return "that row does not share its words with the answer"
        return "people's own wording gets the right answer too" if self._whole(row)[1] else None

    def _leaked_questions(self, row: Row, sheet: str, begun: Mapping[str, Any]) -> str | None:
        if sheet != "check" or not row["right"]:
            return "that is no right row of the check"
        answer, _ = self._whole(row)
        same = [citation.source_path for citation in answer.citations] == [row["cited"]]
        return "that row cites an honest page" if row["cited"] != LEAK or same else None

    def _easy_types_only(self, row: Row, sheet: str, begun: Mapping[str, Any]) -> str | None:
        if sheet != "pilot" or self._whole(row)[1]:
            return "that is no wrong row of the pilot"
        asked = {self._known[other["question_id"]].type for other in begun["check"]}
        return "the check asks for that too" if self._known[row["question_id"]].type in asked else None

    def _graded_by_contains(self, row: Row, sheet: str, begun: Mapping[str, Any]) -> str | None:
        if sheet != "check" or not row["right"]:
            return "that is no row of the check that counts as right"
        return "that row is right" if self._whole(row)[1] else None

    def _whole(self, row: Row) -> tuple[Answer, bool]:
        """What the assistant over the whole index answers to the people's wording, and whether that is right."""
        question = self._known[row["question_id"]]
        answer = Assistant(flat_retriever(self._index, self._embedder)).ask(question.text, asked_by(question))
        return answer, honest(question, answer.text, answer.abstained)

    def _installed(self, exam: Exam) -> Assistant:
        """The assistant on a copy of the index, with the exam's pages in it."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        shutil.copytree(self._folder, self._scratch)  # always, so that the folder does not give the fault away
        if exam.pages:
            rows = [chunk.model_dump() for chunk in (*self._index.store.chunks(), *exam.pages)]
            with TemporaryDirectory() as tables:
                pq.write_table(pa.Table.from_pylist(rows, arrow_schema(Chunk)), Path(tables) / CHUNKS_FILE)
                build_index(Path(tables), self._scratch, self._embedder, progress=False)
        return Assistant(flat_retriever(open_index(self._scratch, self._embedder), self._embedder))


def split(questions: Sequence[Question], seed: int) -> tuple[Exam, list[Question]]:
    """The pilot, and the questions left; in both the kinds take turns while they last, in random order."""
    kinds = [[q for q in questions if q.type == kind] for kind in TYPES]
    for kind in kinds:
        Random(seed).shuffle(kind)
    mixed = [question for turn in zip_longest(*kinds) for question in turn if question is not None]
    return Exam(tuple(Item(question.text, question) for question in mixed[:PILOT]), honest), mixed[PILOT:]


def stated_in(world: Path, questions: Sequence[Question]) -> dict[str, str]:
    """Question id → the sentence its evidence points at, from the texts the world was written with."""
    texts: dict[str, str] = {}
    with (world / "truth" / "texts.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            texts[row["doc_id"]] = row["text"]
    found = {}
    for question in questions:
        for doc_id, start, end in question.evidence[:1]:
            found[question.question_id] = texts[doc_id][start:end]
    return found


def _nearest(question: str, hits: Sequence[Hit]) -> Citation | None:
    """Of all passages, the sentence that shares most terms with the question, with the one after it."""
    wanted = set(query_terms(question))
    if not wanted:
        return None
    best: tuple[float, Citation] | None = None
    for rank, hit in enumerate(hits):
        chunk, around = hit.chunk, set(terms(place(hit.chunk)))
        parts = sentences(chunk.text)
        for n, part in enumerate(parts):
            own = set(terms(part.text))
            score = (len(wanted & (own | around)) + len(wanted & own) / 2) / len(wanted) - _STEP * rank
            if best is None or score > best[0] + 1e-9:
                last = parts[min(n + 1, len(parts) - 1)]
                best = (
                    score,
                    Citation(
                        chunk_id=chunk.chunk_id, source_path=chunk.source_path, start=chunk.start + part.start,
                        end=chunk.start + last.end, quote=chunk.text[part.start : last.end],
                    ),
                )  # fmt: skip
    return best[1] if best else None
