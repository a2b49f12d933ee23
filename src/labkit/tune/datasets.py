"""The training sets of the three adapters, put together: ``python -m labkit.tune.datasets --out FOLDER`` writes them.

Most of the conversations are over documents of generated worlds as retrieval finds them, the others over invented
subjects, except that facts are extracted from documents alone.
The worlds are none that anything is measured on, and only their train splits are used. A set is the same for the same
seeds and code; its card says what it holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from labkit.llm.tasks import TASKS, Shown, Task
from labkit.retrieve.text import says_something, sentences
from labkit.settings import Settings, get_settings
from labkit.tune import answering, extracting, judging, made
from labkit.tune.context import Context
from labkit.tune.dialogue import Dialogue
from labkit.tune.retrieved import Contexts

SEEDS = (101, 102, 103)
"""Worlds whose train splits are learned from."""
SEED = 6
"""Of the random choices in the sets."""

_RETRIEVED = {"single_hop": 180, "time": 60, "adversarial": 80, "unanswerable": 80, "forbidden": 20}
_GOLD = {"single_hop": 60, "time": 60, "adversarial": 80, "multi_hop": 180, "comparison": 90}
"""Questions of each type and world, at most."""
_PHRASED, _DATED = 300, 200
"""Further questions of each world over its facts, and of those for a day."""
_WITHOUT = 0.2  # of the answerable questions: asked a second time of sentences that do not answer
_FURTHER = 0.3  # of the contexts: asked a second question
_OF_WORLDS = {"answer": 2_700, "judge": 1_200}
_OF_INVENTED = {"answer": 1_100, "judge": 800}
_PASSAGES, _SILENT = 3_000, 1.0  # sentences to extract from; as many of those that state nothing
_LONGEST_CHARS = 800

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one world teaches.

    Attributes:
        retrieved: contexts as the pipeline meets them.
        gold: contexts that hold all that is needed.
        passages: sentences with what is extracted from them.
    """

    retrieved: Sequence[Context]
    gold: Sequence[Context]
    passages: Sequence[Dialogue]


def lesson(settings: Settings, seed: int) -> Lesson:
    """The contexts and passages of one world's train split."""
    world, rng = Contexts(settings, seed, "train"), random.Random(seed)
    by_type: defaultdict[str, list[Any]] = defaultdict(list)
    for question in world.questions:
        by_type[question.type].append(question)
    for questions in by_type.values():
        rng.shuffle(questions)
    asked = [one for kind, n in _RETRIEVED.items() for one in by_type[kind][:n]]
    asked += world.phrased(rng, _PHRASED)
    retrieved = [world.retrieved(one, rng) for one in asked]
    # On most days nothing had been written yet; that a day is named must not come to mean that there is no answer.
    dated = [(one, world.retrieved(one, rng)) for one in world.phrased(rng, _DATED, dated=True)]
    told = [(one, context) for one, context in dated if context.asked and context.asked.value]
    asked += [one for one, _ in told]
    retrieved += [context for _, context in told]
    retrieved += [world.retrieved(one, rng, without=True) for one in asked if one.value and rng.random() < _WITHOUT]
    gold = [world.gold(one, rng) for kind, n in _GOLD.items() for one in by_type[kind][-n:]]
    passages = []
    for chunk in world.chunks():
        title = " > ".join(chunk.heading_path) or chunk.source_path
        for sentence in sentences(chunk.text):
            if says_something(sentence, chunk.heading_path):
                seen = world.truth.seen(chunk.source_path, sentence.text, title)
                passages.append(extracting.dialogue(Shown(title, sentence.text), seen, world.truth.version))
    return Lesson(retrieved, [context for context in gold if context is not None], passages)


def build(task: Task, settings: Settings, *, seeds: Sequence[int] = SEEDS, seed: int = SEED,
          lessons: Callable[[Settings, int], Lesson] = lesson) -> list[Dialogue]:  # fmt: skip
    """The conversations one adapter learns from, in random order.

    Args:
        task: which adapter.
        settings: where worlds and indexes are kept.
        seeds: worlds to learn from.
        seed: of the choices.
        lessons: makes what a world teaches.
    """
    rng = random.Random(f"{seed} {task}")
    taught = [lessons(settings, one) for one in seeds]
    if task == "extract":
        found = _passages(taught, rng)
    else:
        made_of = answering.dialogues if task == "answer" else judging.dialogues
        contexts = _mixed([context for one in taught for context in (*one.retrieved, *one.gold)], rng)
        of_worlds = islice(_each(made_of, contexts, rng), _OF_WORLDS[task])
        of_invented = islice(_each(made_of, made.contexts(rng), rng), _OF_INVENTED[task])
        found = [*of_worlds, *of_invented]
    return _mixed(found, rng)


def write(dialogues: Sequence[Dialogue], file: Path) -> str:
    """Write conversations as JSON lines; the SHA-256 of the file."""
    text = "".join(json.dumps(one.row(), ensure_ascii=False) + "\n" for one in dialogues)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(dialogues: Iterable[Dialogue]) -> str:
    """The SHA-256 of what :func:`write` would write."""
    digest = hashlib.sha256()
    for one in dialogues:
        digest.update((json.dumps(one.row(), ensure_ascii=False) + "\n").encode())
    return digest.hexdigest()


def _passages(taught: Sequence[Lesson], rng: random.Random) -> list[Dialogue]:
    """Sentences to extract from, each text once; of those that state nothing no more than of the others."""
    each = {one.turns[0].user: one for lesson_ in taught for one in lesson_.passages}
    fitting = [one for one in each.values() if len(one.turns[0].user) <= _LONGEST_CHARS]
    telling = _mixed([one for one in fitting if one.turns[0].reply], rng)[:_PASSAGES]
    silent = _mixed([one for one in fitting if not one.turns[0].reply], rng)
    return [*telling, *silent[: round(_SILENT * len(telling))]]


def _each(
    made_of: Callable[[Context, random.Random, int], list[Dialogue]], contexts: Iterable[Context], rng: random.Random
) -> Iterator[Dialogue]:
    return (one for context in contexts for one in made_of(context, rng, 2 if rng.random() < _FURTHER else 1))


def _mixed(items: Sequence[_T], rng: random.Random) -> list[_T]:
    return rng.sample(list(items), len(items))


def main() -> None:
    """Write the sets and what they hold."""
    parser = argparse.ArgumentParser(prog="python -m labkit.tune.datasets", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--task", choices=TASKS, action="append")
    options = parser.parse_args()
    for task in options.task or TASKS:
        dialogues = build(task, get_settings())
        sha256 = write(dialogues, options.out / f"{task}.jsonl")
        kinds = Counter(turn.kind for dialogue in dialogues for turn in dialogue.turns)
        print(f"{task}: {len(dialogues)} conversations, sha256 {sha256[:12]}, {dict(kinds)}")  # noqa: T201


if __name__ == "__main__":
    main()
