"""Ways to fool oneself with an evaluation: the other half of the fault library.

An :class:`Exam` is what an evaluation of an assistant is made of: the questions, the pages that came into the index
with them, and the grader. A fault makes a flattering one where :func:`fair` makes an honest one. How an assistant sits
it is the business of :mod:`labkit.course.pilot`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from labkit.course.faults import Fault
from labkit.evaluate.grading import value_correct
from labkit.schema import Chunk
from labkit.world.questions import Question

SIZE = 80
"""Questions of an exam."""

LEAK = "software/assistant/questions-of-the-check.md"
"""Where the leaked questions lie in the index."""

GAP = "…"
"""What stands where the value was in a sentence taken from a document."""

_QUICK = ("single_hop",)


@dataclass(frozen=True, slots=True)
class Item:
    """A question as it is put, and the world's question it stands for."""

    text: str
    question: Question


Grader = Callable[[Question, str, bool], bool]
"""Whether an answer is right: question, text, whether the assistant abstained."""


@dataclass(frozen=True, slots=True)
class Exam:
    """An evaluation.

    Attributes:
        items: what is asked.
        grader: what counts as right.
        pages: chunks that are put into the index before it.
    """

    items: tuple[Item, ...]
    grader: Grader
    pages: tuple[Chunk, ...] = ()


Stated = Mapping[str, str]
"""Question id → the sentence of a document that states its value."""


@dataclass(frozen=True, slots=True)
class ExamFault(Fault):
    """A fault of an evaluation.

    Attributes:
        exam: makes the flattering exam from questions in random order.
    """

    exam: Callable[[Sequence[Question], Stated], Exam]


def honest(question: Question, text: str, abstained: bool) -> bool:
    """The value in an accepted wording, or silence where there is none (:mod:`labkit.evaluate.grading`)."""
    if not question.value:
        return abstained
    return not abstained and value_correct(question, text)


def contains_it(question: Question, text: str, abstained: bool) -> bool:
    """The value's numbers, or where it has none the value itself, somewhere in the text: a classic of first graders.

    Whatever contains ``8`` passes for ``18 N·m``, and every text contains the empty value of a question that has no
    answer.
    """
    numbers = re.findall(r"\d+", question.value) or [question.value.casefold()]
    return any(number in text.casefold() for number in numbers)


def fair(questions: Sequence[Question], stated: Stated) -> Exam:
    """People's questions as people asked them, of every kind, graded honestly."""
    return Exam(tuple(Item(question.text, question) for question in questions[:SIZE]), honest)


def own_sentences(questions: Sequence[Question], stated: Stated) -> Exam:
    """Sentences of the documents with the value taken out."""
    items = []
    for question in questions:
        sentence = stated.get(question.question_id, "")
        for wording in sorted((question.value, *question.aliases), key=len, reverse=True):
            sentence = sentence.replace(wording, GAP) if wording else sentence
        if GAP in sentence and len(sentence.split()) > 2:
            items.append(Item(sentence, question))
    return Exam(tuple(items[:SIZE]), honest)


def leaked(questions: Sequence[Question], stated: Stated) -> Exam:
    """A fair exam whose questions and answers were put into the index."""
    exam = fair(questions, stated)
    pages = []
    for n, item in enumerate(item for item in exam.items if item.question.value):
        text = f"{item.text}\n\nAnswer: {item.question.value}."
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        pages.append(
            Chunk(
                chunk_id=f"leak-{digest}", doc_id="leak", source_path=LEAK, ordinal=n,
                text=text, start=0, end=len(text),
                heading_path=("Questions of the check",), acl=item.question.groups, tenant="tidewater",
                tokens=len(text.split()), content_hash=digest,
            )
        )  # fmt: skip
    return replace(exam, pages=tuple(pages))


def easy_only(questions: Sequence[Question], stated: Stated) -> Exam:
    """Only questions that one sentence answers."""
    return fair([question for question in questions if question.type in _QUICK], stated)


def lenient(questions: Sequence[Question], stated: Stated) -> Exam:
    """A fair exam, graded by :func:`contains_it`."""
    return replace(fair(questions, stated), grader=contains_it)


EXAM_FAULTS: tuple[ExamFault, ...] = (
    ExamFault(
        code="own_faq",
        cause="The questions of the check were written from the documents' own sentences; nobody asks like that.",
        proof="a right row of the check in the words of its page, which people's own wording of it turns wrong",
        hints=(
            "Ask where the questions of the check came from.",
            "Put a question of the check beside the passage that answered it.",
        ),
        exam=own_sentences,
    ),
    ExamFault(
        code="leaked_questions",
        cause="The questions of the check lie in the index, with their answers.",
        proof="a right row of the check that cites the page with the questions themselves",
        hints=(
            "Ask where the answers of the check came from.",
            "Read the files that the rows of the check cite.",
        ),
        exam=leaked,
    ),
    ExamFault(
        code="easy_types_only",
        cause="People wrote the check's questions, but only such as one sentence answers; the pilot asked for more.",
        proof="a wrong row of the pilot that is no simple look-up, a kind the check has none of",
        hints=(
            "Right and wrong are graded alike on both sheets. Look at what is asked.",
            "Which questions of the pilot has the check no counterpart of?",
        ),
        exam=easy_only,
    ),
    ExamFault(
        code="graded_by_contains",
        cause="The grader of the check counts whatever contains the number, and passes everything where there is none.",
        proof="a row of the check that counts as right and is wrong",
        hints=(
            "Grade some rows yourself before you believe the sum.",
            "Compare value and answer in the rows that count as right.",
        ),
        exam=lenient,
    ),
)
"""What can be wrong in the second drill."""
