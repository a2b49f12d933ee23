"""A small search for a better prompt: instructions by hand, few-shot examples from train, chosen on dev, told on test.

The idea is DSPy's: treat the prompt as parameters and let questions decide. Candidates race by successive halving, so
that the budget of model calls goes to the good ones. The winner of a race looks better on dev than it is; only its gain
on questions nobody chose by counts, and that may be nothing.

Sources: O. Khattab et al., *DSPy: Compiling Declarative Language Model Calls into Self-Improving Pipelines*, ICLR 2024;
K. Jamieson and A. Talwalkar, *Non-stochastic best arm identification and hyperparameter optimization*, AISTATS 2016.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labkit.errors import InputError
from labkit.evaluate.statistics import difference_interval, mcnemar
from labkit.llm import Prompt
from labkit.llm.prompts import parse_prompt
from labkit.schema import Record
from labkit.world.questions import Question


@dataclass(frozen=True, slots=True)
class Example:
    """A question that was answered rightly, with what was read, to be shown as a model of how to answer."""

    question: str
    passages: str
    answer: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prompt, and how many passages are put into it."""

    prompt: Prompt
    passages: int

    @property
    def name(self) -> str:
        """Prompt version and number of passages, e.g. ``brief-2@1f0c9a2b, 3 passages``."""
        return f"{self.prompt.version}, {self.passages} passages"


Score = Callable[[Candidate, Sequence[Question]], list[bool]]
"""Asks the questions with a candidate and says which were answered rightly."""


class Standing(Record):
    """How far a candidate came in the race."""

    candidate: str
    asked: int
    right: int


class Gain(Record):
    """The winner beside the baseline, on questions neither was chosen by."""

    baseline: str
    winner: str
    n: int
    baseline_right: float
    winner_right: float
    gain: float
    ci95: tuple[float, float] | None
    p_value: float
    """McNemar, two-sided."""

    @property
    def real(self) -> bool:
        """Whether the winner is better beyond chance."""
        return self.gain > 0 and self.p_value <= 0.05


def candidates(
    instructions: Mapping[str, str], passages: Sequence[int], examples: Sequence[Example], shots: Sequence[int] = (0,)
) -> list[Candidate]:
    """Every combination of instruction, number of passages and number of examples, in that order; the first leads.

    Args:
        instructions: name (lower-case words joined by ``_``) → what the model is told.
        passages: how many it reads.
        examples: from :func:`bootstrapped`, the ones to show first in front.
        shots: how many of the examples are shown.

    Raises:
        InputError: there is nothing to combine, or more shots are wanted than there are examples.
    """
    if not (instructions and passages and shots):
        raise InputError("There is no candidate", todo="Give an instruction, a number of passages and of shots.")
    if max(shots) > len(examples):
        raise InputError(f"{max(shots)} shots are wanted, there are {len(examples)} examples")
    return [
        Candidate(_prompt(f"{name}_{count}", text, examples[:count]), number)
        for name, text in instructions.items()
        for number in passages
        for count in shots
    ]


def bootstrapped(answered: Sequence[tuple[Example, bool]], count: int, seed: int) -> list[Example]:
    """``count`` examples among train questions that a first system answered rightly, drawn by seed.

    Raises:
        InputError: fewer were answered rightly.
    """
    right = [example for example, was_right in answered if was_right]
    if len(right) < count:
        raise InputError(f"Only {len(right)} train questions were answered rightly, {count} are wanted")
    return random.Random(seed).sample(right, count)


def race(
    entrants: Sequence[Candidate], dev: Sequence[Question], score: Score, *, budget: int, seed: int
) -> tuple[Candidate, list[Standing]]:
    """Successive halving: all are asked some questions, the better half some more, until one is left.

    Args:
        entrants: the baseline first; it wins ties.
        dev: questions to choose by; all entrants of a round are asked the same ones.
        score: asks them.
        budget: most questions to be asked, over all candidates.
        seed: of the questions' order.

    Returns:
        The winner, and how all of them stood when they left, winner first.

    Raises:
        InputError: there is no entrant or question, or the budget is below one question per candidate and round.
    """
    if not entrants or not dev:
        raise InputError("A race wants at least one candidate and one dev question")
    rounds = max(1, math.ceil(math.log2(len(entrants))))
    if budget < rounds * len(entrants):
        raise InputError(
            f"A budget of {budget} questions is too small for {len(entrants)} candidates",
            todo=f"Allow {rounds * len(entrants)} or more.",
        )
    questions = random.Random(seed).sample(list(dev), len(dev))
    alive = list(range(len(entrants)))
    right = [0] * len(entrants)
    asked = [0] * len(entrants)
    for _ in range(rounds):
        start = asked[alive[0]]
        batch = questions[start : start + budget // (rounds * len(alive))]
        for number in alive:
            right[number] += sum(score(entrants[number], batch)) if batch else 0
            asked[number] += len(batch)
        alive = sorted(alive, key=lambda number: (-right[number], number))[: math.ceil(len(alive) / 2)]
    order = sorted(range(len(entrants)), key=lambda n: (n != alive[0], -asked[n], -right[n], n))
    return entrants[alive[0]], [Standing(candidate=entrants[n].name, asked=asked[n], right=right[n]) for n in order]


def gain_on_test(
    baseline: Candidate,
    winner: Candidate,
    dev: Sequence[Question],
    test: Sequence[Question],
    score: Score,
    *,
    seed: int,
) -> Gain:
    """Ask the test questions with both.

    Raises:
        InputError: there are no test questions, or some of them were chosen by.
    """
    seen = {question.question_id for question in dev} & {question.question_id for question in test}
    if seen or not test:
        what = f"{len(seen)} test questions are dev questions too" if seen else "There are no test questions"
        raise InputError(what, todo="Tell the gain on questions the prompt was not chosen by.")
    before = score(baseline, test)
    after = before if winner == baseline else score(winner, test)
    return Gain(
        baseline=baseline.name, winner=winner.name, n=len(test),
        baseline_right=sum(before) / len(test), winner_right=sum(after) / len(test),
        gain=(sum(after) - sum(before)) / len(test),
        ci95=difference_interval(before, after, seed), p_value=mcnemar(before, after),
    )  # fmt: skip


def _prompt(name: str, instruction: str, examples: Sequence[Example]) -> Prompt:
    shown = ""
    for example in examples:
        question, passages, answer = _plain(example.question), _plain(example.passages), _plain(example.answer)
        shown += f"<documents>\n{passages}\n</documents>\n\nQuestion: {question}\nAnswer: {answer}\n\n"
    asked = "<documents>\n{passages}\n</documents>\n\nQuestion: {question}\n"
    return parse_prompt(name, f"# system\n{_plain(instruction)}\n\n# user\n{shown}{asked}")


def _plain(text: str) -> str:
    """Text that a prompt file takes as it stands: no places to fill, no line that would begin a part."""
    return text.replace("{", "(").replace("}", ")").replace("\n#", "\n ")
