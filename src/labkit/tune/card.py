"""The card of a training set: how much there is of what, how long it is, which bytes it was, what it knows of tests.

Whoever is handed an adapter can only ask the set's card what it has seen (Gebru et al. 2018, "Datasheets for
Datasets"). It counts and does not judge whether the conversations are good ones; it does not know who trained on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from labkit.errors import InputError
from labkit.llm.tasks import ABSTENTION, UNSUPPORTED, Task
from labkit.schema import Record
from labkit.tune.datasets import fingerprint
from labkit.tune.dialogue import IGNORED, Dialogue, encode
from labkit.tune.leakage import Found, Leaks

_NOTHING: Mapping[Task, str] = {"answer": ABSTENTION, "judge": UNSUPPORTED, "extract": ""}


class Lengths(Record):
    """How long something is, in tokens.

    Attributes:
        mean: of all.
        p50: half are at most this long.
        p95: all but a twentieth are.
        max: the longest.
    """

    mean: float
    p50: float
    p95: float
    max: int


class DataCard(Record):
    """What a training set holds.

    Attributes:
        task: which adapter learns from it.
        conversations: how many.
        too_long: of these, those with more tokens than a run takes in.
        turns: kind of question → how many.
        sources: world version or ``invented`` → conversations.
        prompt_tokens: of a conversation, what is read: system message, passages, questions, marks of the template.
        reply_tokens: of a conversation, what is learned.
        negative_share: of the turns, those rightly answered by "there is nothing": an abstention, ``no``, no line.
        sha256: of the set as JSON lines.
        leaks: what it holds of dev and test, by split.
    """

    task: Task
    conversations: int
    too_long: int
    turns: dict[str, int]
    sources: dict[str, int]
    prompt_tokens: Lengths
    reply_tokens: Lengths
    negative_share: float
    sha256: str
    leaks: tuple[Leaks, ...] = ()

    def markdown(self) -> str:
        """The card as a page: a heading, what there is, and a table each of lengths, turns, sources and leaks."""
        parts = [
            f"# Training set of the `{self.task}` adapter",
            f"{self.conversations:,} conversations with {sum(self.turns.values()):,} questions, {self.too_long:,} of "
            f"them too long to be used; {self.negative_share:.1%} of the questions are rightly answered by "
            f"{_NOTHING[self.task] or 'nothing'!r}. SHA-256 of the set: `{self.sha256}`.",
            _table(
                ("tokens of a conversation", "mean", "p50", "p95", "max"),
                [
                    (name, f"{one.mean:.1f}", f"{one.p50:.0f}", f"{one.p95:.0f}", f"{one.max:,}")
                    for name, one in (("read", self.prompt_tokens), ("learned", self.reply_tokens))
                ],
            ),
            _table(("kind of question", "n"), [(kind, f"{n:,}") for kind, n in self.turns.items()]),
            _table(("source", "conversations"), [(source, f"{n:,}") for source, n in self.sources.items()]),
        ]
        if self.leaks:
            parts.append(_leaks(self.leaks))
        return "\n\n".join(parts) + "\n"


def card(dialogues: Sequence[Dialogue], tokenizer: Any, *, longest: int, leaks: Sequence[Leaks] = ()) -> DataCard:
    """The card of a set.

    Args:
        dialogues: of one task.
        tokenizer: of the model that will learn them, with its chat template.
        longest: tokens of a conversation, above which a run leaves it out (:attr:`labkit.tune.recipe.Recipe.longest`).
        leaks: what was found of held-out splits.

    Raises:
        InputError: there is no conversation, or they are of several tasks.
    """
    tasks = {dialogue.task for dialogue in dialogues}
    if len(tasks) != 1:
        raise InputError(f"A card is of one task, not {len(tasks)}", where="card", todo="Make one for each set.")
    task = tasks.pop()
    encoded = [encode(dialogue, tokenizer) for dialogue in dialogues]
    learned = [sum(label != IGNORED for label in one.labels) for one in encoded]
    turns = [turn for dialogue in dialogues for turn in dialogue.turns]
    return DataCard(
        task=task,
        conversations=len(dialogues),
        too_long=sum(len(one.input_ids) > longest for one in encoded),
        turns=_counted(turn.kind for turn in turns),
        sources=_counted(dialogue.source for dialogue in dialogues),
        prompt_tokens=_lengths([len(one.input_ids) - n for one, n in zip(encoded, learned, strict=True)]),
        reply_tokens=_lengths(learned),
        negative_share=sum(turn.reply == _NOTHING[task] for turn in turns) / len(turns),
        sha256=fingerprint(dialogues),
        leaks=tuple(leaks),
    )


def _lengths(counts: Sequence[int]) -> Lengths:
    p50, p95 = np.percentile(counts, (50, 95))
    return Lengths(mean=float(np.mean(counts)), p50=float(p50), p95=float(p95), max=max(counts))


def _counted(items: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(items).items(), key=lambda pair: (-pair[1], pair[0])))


def _leaks(leaks: Sequence[Leaks]) -> str:
    kinds = ("names", "namesakes", "phrasings", "sequences", "boilerplate")
    rows = [(one.held, *(_share(getattr(one, kind)) for kind in kinds)) for one in leaks]
    examples = [
        f"- {kind} of {one.held}: {'; '.join(f'`{example}`' for example in found.examples)}"
        for one in leaks
        for kind in ("names", "phrasings", "sequences")
        if (found := getattr(one, kind)).count
    ]
    return "\n\n".join([_table(("held out", *kinds), rows), "\n".join(examples)]).strip()


def _share(found: Found) -> str:
    return f"{found.count:,} of {found.of:,}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
