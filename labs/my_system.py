"""My system: one function per lab, yours to fill.

Each function starts blank. A lab tells you when to fill which; fill it here and the function takes its place in the
real pipeline, while the course's own stage stands in for those you have not reached. Then see how you do:

    labkit bench answer --system labs/my_system.py

That puts a *you* row on your scoreboard. You may add helpers and imports; keep the names and parameters below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.course import NotAttempted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labkit.schema import Document, Hit, RequestContext, Retriever


def clean(text: str) -> str:
    """Repair the text of one document: mojibake, boilerplate, broken lines. (Chapter 01)"""
    raise NotAttempted("clean")


def chunk(document: Document) -> list[tuple[int, int]]:
    """Cut a document: the passages as (start, end) offsets into ``document.text``, in order. (Chapter 02)"""
    raise NotAttempted("chunk")


def order(question: str, passages: list[str]) -> list[int]:
    """In which order the model reads the passages: positions from 0, each once. (Chapter 02b)"""
    raise NotAttempted("order")


def retrieve(question: str, k: int, ctx: RequestContext, paths: Mapping[str, Retriever] | None = None) -> list[Hit]:
    """Find the k best passages the asker may see, as of the asker's date. (Chapter 03)

    ``paths`` are the store's searches, "dense" and "lexical": each has ``search(question, k, ctx)``.
    """
    raise NotAttempted("retrieve")


def answer(question: str, hits: list[Hit], ctx: RequestContext) -> tuple[str, list[int]]:
    """Answer from the hits: the text, and which hits (positions from 0) it rests on. (Chapter 00)"""
    raise NotAttempted("answer")


def abstain(question: str, hits: list[Hit]) -> bool:
    """Whether these hits are too thin to answer from. (Chapter 00)"""
    raise NotAttempted("abstain")


def judge(question: str, answer: str, evidence: str) -> bool:
    """Whether the evidence supports the answer. (Chapter 04)"""
    raise NotAttempted("judge")
