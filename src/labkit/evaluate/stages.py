"""Where a hundred questions die: the first stage that lost what the question needed.

A wrong answer is the end of a chain. Somebody has to find its first broken link before anything is worth improving:
a better ranking cannot find what ingestion lost, a better model cannot read what it was not shown. Each question is
put under one :class:`Stage`, judged from what the stages handed on; what the generator knows serves as truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from labkit.errors import InputError
from labkit.evaluate.grading import contains, tokens
from labkit.pipeline.select import Passage
from labkit.retrieve.store import search_text
from labkit.schema import Answer, Chunk, Hit
from labkit.world.questions import Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEPTH = 100
"""Hits among which a passage must be to count as retrieved."""


class Stage(StrEnum):
    """What became of a question, in the order of the pipeline; the last one is the good end."""

    NOT_INGESTED = "not ingested"
    """No chunk of a readable file holds what was asked."""
    NOT_RETRIEVED = "not retrieved"
    """Some chunk does, but it is not among the first :data:`DEPTH` hits."""
    RANKED_LOW = "ranked low"
    """It is among the hits, but the model was not given it."""
    CUT_AWAY = "cut away"
    """The model was given part of the chunk, without the sentence that counts."""
    NOT_USED = "not used"
    """The model had it in front of it; the system abstained, or answered from something else."""
    WRONGLY_READ = "wrongly read"
    """The answer cites the right passage and is wrong all the same."""
    INVENTED = "invented"
    """Answered although the right answer was to abstain."""
    ANSWERED = "answered"
    """Answered rightly, or abstained where that was right."""


@dataclass(frozen=True, slots=True)
class Need:
    """One fact a question needs: the chunks that hold it, and how it may be worded there."""

    chunk_ids: frozenset[str]
    wordings: tuple[str, ...]


def stage_of(
    question: Question, answer: Answer, right: bool, hits: Sequence[Hit], read: Sequence[Passage], needs: Sequence[Need]
) -> Stage:
    """The first stage that lost what the question needed.

    Args:
        question: as the world has it.
        answer: what the system said.
        right: whether :func:`labkit.evaluate.grading.grade` calls it right.
        hits: of the retriever, best first; at least :data:`DEPTH` should have been asked for.
        read: what the model was given.
        needs: one per fact of the question, from :func:`needs_of`. A multi-hop question dies where its first need is
            lost.

    Raises:
        InputError: the question is answerable and has no needs: what it asks for is stated nowhere (``global``
            questions, whose answer is spread over many documents).
    """
    if right:
        return Stage.ANSWERED
    if not question.value:
        return Stage.INVENTED
    if not needs:
        raise InputError("The question names no facts", where=question.question_id, todo="Leave out global questions.")
    found = {hit.chunk.chunk_id for hit in hits[:DEPTH]}
    given = {passage.chunk.chunk_id for passage in read}
    shown = [" ".join((*passage.chunk.heading_path, passage.text)) for passage in read]
    if any(not need.chunk_ids for need in needs):
        return Stage.NOT_INGESTED
    if any(found.isdisjoint(need.chunk_ids) for need in needs):
        return Stage.NOT_RETRIEVED
    if any(given.isdisjoint(need.chunk_ids) for need in needs):
        return Stage.RANKED_LOW
    if not all(any(_holds(text, need.wordings) for text in shown) for need in needs):
        return Stage.CUT_AWAY
    cited = {citation.chunk_id for citation in answer.citations}
    holding = frozenset().union(*(need.chunk_ids for need in needs))
    if answer.abstained or cited.isdisjoint(holding):
        return Stage.NOT_USED
    return Stage.WRONGLY_READ


def needs_of(
    question: Question, facts: Mapping[str, Sequence[str]], paths: Mapping[str, Collection[str]],
    chunks: Mapping[str, Sequence[Chunk]],
) -> list[Need]:  # fmt: skip
    """What a question needs, fact by fact.

    Args:
        question: names its facts; one it states no fact for needs nothing.
        facts: fact id → accepted wordings of its value.
        paths: fact id → files that state it, from :func:`labkit.evaluate.corpus.gold_paths`.
        chunks: source path → what ingestion made of the file; files it set aside as copies have none.
    """
    needs = []
    for fact_id in question.facts:
        # The question's own wordings are the widest for the fact it asks for.
        wordings = tuple(facts.get(fact_id, ()))
        if wordings and wordings[0] == question.value:
            wordings = (*wordings, *question.aliases)
        stating = [chunk for path in paths.get(fact_id, ()) for chunk in chunks.get(path, ())]
        holding = frozenset(chunk.chunk_id for chunk in stating if _holds(search_text(chunk), wordings))
        needs.append(Need(holding, wordings))
    return needs


def stage_counts(stages: Iterable[Stage]) -> dict[Stage, int]:
    """How many questions ended at each stage, every stage listed, in the order of the pipeline."""
    counted = Counter(stages)
    return {stage: counted[stage] for stage in Stage}


def picture(counts: Mapping[Stage, int]) -> tuple[Figure, str, dict[str, list[Any]]]:
    """Where the questions die: figure, alt text and table for :func:`labkit.course.picture.show`.

    One bar per stage, as long as the number of questions still alive when it began; what died there is dark.

    Raises:
        InputError: no question was counted.
    """
    from matplotlib.figure import Figure

    total = sum(counts.values())
    if total == 0:
        raise InputError("No question was counted", where="stage_counts")
    losses = [(stage, counts.get(stage, 0)) for stage in Stage if stage is not Stage.ANSWERED]
    alive, reached = total, []
    for _, lost in losses:
        reached.append(alive)
        alive -= lost
    names = [str(stage) for stage, _ in losses]
    fig = Figure(figsize=(7, 3.2))
    axes = fig.subplots()
    rest = [before - lost for before, (_, lost) in zip(reached, losses, strict=True)]
    axes.barh(names, rest, color="#c8d6e5", label="still alive")
    bars = axes.barh(names, [lost for _, lost in losses], left=rest, color="#8b1e3f", label="lost here")
    axes.bar_label(bars, labels=[str(lost) if lost else "" for _, lost in losses], padding=3)
    axes.invert_yaxis()
    axes.set_xlim(0, total * 1.08)
    axes.set_xlabel("questions")
    axes.set_title(f"Of {total} questions, {alive} are answered rightly", loc="left")
    axes.legend(loc="lower right", frameon=False)
    worst = max(losses, key=lambda pair: pair[1])
    alt = (
        f"Bars per stage of the pipeline: of {total} questions {alive} are answered rightly; most are lost at "
        f"'{worst[0]}' ({worst[1]}). " + ", ".join(f"{stage} {lost}" for stage, lost in losses) + "."
    )
    table: dict[str, list[Any]] = {
        "stage": [*names, str(Stage.ANSWERED)],
        "alive before": [*reached, alive],
        "lost": [*(lost for _, lost in losses), 0],
    }
    return fig, alt, table


def _holds(text: str, wordings: Sequence[str]) -> bool:
    said = tokens(text)
    return any(contains(said, tokens(wording)) for wording in wordings)
