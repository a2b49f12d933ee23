"""The first drill: a part was flown to the wrong robot, and somebody has to find out why.

The operator has the search as it runs now, the folder of documents and the complaints on the page. What is broken is
one of :data:`labkit.course.faults.STORE_FAULTS`. Nothing here needs a language model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from labkit.course.faults import STORE_FAULTS, TOP, named
from labkit.errors import InputError
from labkit.llm import Embedder
from labkit.retrieve import Index, flat_retriever
from labkit.schema import Hit, RequestContext, Retriever
from labkit.world.chance import END
from labkit.world.questions import Question

STAFF = RequestContext(principal="you", groups=frozenset({"staff"}), tenant="tidewater", as_of=END)
"""Who asks in a drill."""

DEPTH = 50
"""Hits compared to grade evidence."""

COMPLAINTS = 2
ON_PAGE = "that question is on the page; bring one of your own"
"""What a complaint lacks as evidence."""

_TRIED = 150  # questions tried to find that many
_ABOUT = ("part.", "error.", "lot.", "rma.", "change.", "incident.")  # what a spare part is ordered by

PAGE = """\
From: Priya Raman, night support
To: you, on call
Subject: wrong part on a plane, again

It is the Quay Nine coil all over again. A part left the central store tonight, by air, because of what the assistant
put on the screen, and it fits nothing in that hall. I have stopped everyone from ordering on its word alone.

What people asked, what stood first, and where they found it themselves in the end:

{complaints}

The documents are where they always were: {documents}

Finance asks who ticked the box. I ask you what is broken, and for one more question that shows it: not one of these,
they show that something is wrong and not what.
"""


class WrongPart:
    """The scene of the drill; implements :class:`labkit.course.drill.Scene`.

    Args:
        index: the whole one.
        embedder: what its vectors were made with.
        questions: complaints are drawn from these.
        paths: fact id → files that state it.
        documents: the folder as it is shown to the operator.
    """

    def __init__(
        self, index: Index, embedder: Embedder, questions: Sequence[Question], paths: Mapping[str, Collection[str]],
        documents: str,
    ) -> None:  # fmt: skip
        self._index, self._embedder = index, embedder
        self._questions, self._paths, self._documents = questions, paths, documents
        self._whole = flat_retriever(index, embedder)

    def start(self, code: str, seed: int) -> tuple[str, dict[str, Any]]:
        """The page, and the questions on it.

        Raises:
            InputError: in this world the fault does nobody any harm.
        """
        broken = self._broken(code)
        asked = [q for q in self._questions if q.value and q.facts and q.relation.startswith(_ABOUT)]
        asked = [q for q in asked if "staff" in q.groups and q.as_of == END and q.type != "adversarial"]
        Random(seed).shuffle(asked)
        complaints: list[str] = []
        texts: list[str] = []
        for question in asked[:_TRIED]:
            found = self._harmed(question, broken)
            if found is None:
                continue
            first, gold = found
            complaints.append(f'  "{question.text}"\n    first: {first}\n    it was in: {gold}')
            texts.append(question.text)
            if len(texts) == COMPLAINTS:
                break
        if not texts:
            raise InputError("No question of this world suffers from the fault", todo="Start with another --seed.")
        return PAGE.format(complaints="\n".join(complaints), documents=self._documents), {"asked": texts}

    def _harmed(self, question: Question, broken: Retriever) -> tuple[str, str] | None:
        """What stands first and what should, if the whole search has it among three and the broken one among none."""
        gold = {path for fact in question.facts for path in self._paths.get(fact, ())}
        whole = self._whole.search(question.text, TOP, STAFF)[:3]
        right = next((hit.chunk.source_path for hit in whole if hit.chunk.source_path in gold), None)
        if right is None:
            return None
        hits = broken.search(question.text, TOP, STAFF)
        if any(hit.chunk.source_path in gold for hit in hits):
            return None
        return (hits[0].chunk.source_path if hits else "(nothing)"), right

    def ask(self, code: str, question: str, *, k: int, as_of: date | None) -> str:
        """What the search shows now: place, dates, paths with their ranks, file, beginning of the passage.

        Raises:
            InputError: the question is empty or too long, or k is out of range.
        """
        return listed(self._broken(code).search(question, k, on_day(as_of)))

    def rows(self, begun: Mapping[str, Any], which: str) -> str:
        """There are none.

        Raises:
            InputError: always; this drill has no evaluation.
        """
        raise InputError("This drill has no sheet of rows", todo="Ask the search: labkit drill ask QUESTION.")

    def missing(self, code: str, evidence: str, begun: Mapping[str, Any]) -> str | None:
        """What a question lacks as evidence of the fault; None where it proves it.

        Raises:
            InputError: the question is empty or too long.
        """
        if on_page(evidence, begun["asked"]):
            return ON_PAGE
        fault = named(code, STORE_FAULTS)
        broken = self._broken(code).search(evidence, DEPTH, STAFF)
        whole = self._whole.search(evidence, DEPTH, STAFF)
        if fault.shows(evidence, broken, whole, STAFF):
            return None
        return f"a whole system does not answer that question otherwise in this way; what counts is {fault.proof}"

    def _broken(self, code: str) -> Retriever:
        store: Any = named(code, STORE_FAULTS).broken(self._index.store)
        return flat_retriever(replace(self._index, store=store), self._embedder)


def on_page(evidence: str, asked: Sequence[str]) -> bool:
    """Whether a question is one of those on the page, in whatever case and spacing."""
    return " ".join(evidence.casefold().split()) in {" ".join(text.casefold().split()) for text in asked}


def on_day(as_of: date | None) -> RequestContext:
    """A request of :data:`STAFF`, as of another day if one is given."""
    return STAFF if as_of is None else replace(STAFF, as_of=as_of)


def listed(hits: Sequence[Hit]) -> str:
    """Hits as lines for a terminal."""
    if not hits:
        return "nothing found"
    lines = []
    for place, hit in enumerate(hits, 1):
        chunk = hit.chunk
        until = f"until {chunk.valid_to}" if chunk.valid_to else "open"
        why = ", ".join(f"{path} {rank}" for path, rank in sorted(hit.why.items()))
        lines.append(f"{place:>2}. {chunk.source_path}  [{chunk.valid_from or 'undated'}, {until}]  found by: {why}")
        lines.append(f"    {' '.join(chunk.text.split())[:150]}")
    return "\n".join(lines)
