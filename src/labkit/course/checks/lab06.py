"""Checks of lab 06: which tokens are learned, four bits with small scales, and whether a set is fit to train on."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeAlias

from labkit.course.check import question

END = "<end>"
ROLES = ("<system>", "<user>", "<assistant>")

Tokens: TypeAlias = list[str]
Counts: TypeAlias = Callable[[Tokens, set[int]], Sequence[bool]]

TALKS: tuple[tuple[str, str, frozenset[int], str], ...] = (
    (
        "one question",
        "<system> Answer . <end> <user> How long ? <end> <assistant> 18 months [1] <end>",
        frozenset(),
        "18 months [1] <end>",
    ),
    (
        "two questions",
        "<system> Answer . <end> <user> How long ? <end> <assistant> 18 months [1] <end> "
        "<user> And the belt ? <end> <assistant> Not in the passages . <end>",
        frozenset(),
        "18 months [1] <end> Not in the passages . <end>",
    ),
    (
        "three questions, the second answered wrongly",
        "<user> How long ? <end> <assistant> 18 months [1] <end> <user> Since when ? <end> <assistant> 2024 <end> "
        "<user> Who says so ? <end> <assistant> Marcus [2] <end>",
        frozenset({1}),
        "18 months [1] <end> Marcus [2] <end>",
    ),
    (
        "a reply cut off by the limit",
        "<user> List the sites . <end> <assistant> Leeds [1] <end> <user> All of them ! <end> <assistant> Leeds Lyon",
        frozenset(),
        "Leeds [1] <end> Leeds Lyon",
    ),
    (
        "a cut reply that was wrong too",
        "<user> List the sites . <end> <assistant> Leeds [1] <end> <user> All of them ! <end> <assistant> Leeds Lyon",
        frozenset({1}),
        "Leeds [1] <end>",
    ),
)
"""What it is, its tokens, which replies were voted down, and the tokens that count."""


@question(
    hint="Walk over the tokens and remember whose turn it is and which reply this is. The opening mark is given, so it "
    "is not learned; the end mark of a good reply is, or the model never learns to stop."
)
def q1(counts: Counts) -> str | None:
    """Which tokens of a conversation a loss is computed of."""
    for what, text, bad, wanted in TALKS:
        tokens = text.split()
        got = list(counts(list(tokens), set(bad)))
        if len(got) != len(tokens):
            return f"for the {len(tokens)} tokens of {what} it gave {len(got)} marks"
        learned = " ".join(token for token, count in zip(tokens, got, strict=True) if count)
        if learned != wanted:
            return f"of {what} it learns {learned or 'nothing'!r}"
    return None


def _walked(tokens: Iterable[str]) -> list[tuple[str, str, int]]:
    """Each token, whose turn it stands in, and the number of the reply (-1 before the first)."""
    role, reply, found = "", -1, []
    for token in tokens:
        if token in ROLES:
            role = token
            reply += role == ROLES[-1]
        found.append((token, role, reply))
    return found


@q1.solution
def _good_replies_and_their_end(tokens: Tokens, bad: set[int]) -> list[bool]:
    return [role == "<assistant>" and token not in ROLES and reply not in bad for token, role, reply in _walked(tokens)]


@q1.wrong
def _without_the_end(tokens: Tokens, bad: set[int]) -> list[bool]:
    learned = _good_replies_and_their_end(tokens, bad)
    return [count and token != END for token, count in zip(tokens, learned, strict=True)]


@q1.wrong
def _the_mark_too(tokens: Tokens, bad: set[int]) -> list[bool]:
    return [role == "<assistant>" and reply not in bad for _, role, reply in _walked(tokens)]


q1.wrong(lambda tokens, bad: _good_replies_and_their_end(tokens, set()))
q1.wrong(lambda tokens, bad: [reply == 0 and role == "<assistant>" for _, role, reply in _walked(tokens)])
q1.wrong(lambda tokens, bad: [token not in ROLES and role != "<system>" for token, role, _ in _walked(tokens)])
q1.wrong(lambda tokens, bad: _good_replies_and_their_end(tokens, {n for n in range(9) if bad and n >= min(bad)}))


LEVELS = (-1.0, -0.5, -0.25, -0.125, 0.0, 0.125, 0.25, 0.5, 1.0)
STEPS = 255
"""The largest scale in steps: what eight bits hold."""
ROWS: tuple[tuple[str, list[float], int], ...] = (
    ("one block", [255.0, -120.0, 40.0, 2.0], 4),
    ("two blocks of very different size", [255.0, -120.0, 40.0, 10.0, 4.0, -2.0, 1.0, 0.25], 4),
    ("a block whose largest weight is negative", [-255.0, 100.0, 60.0, 20.0, 3.0, -8.0, 2.0, 1.0], 4),
    ("a last block that is shorter", [255.0, -130.0, 60.0, 10.0, 64.0, 17.0], 4),
    ("a block of nothing but zeros", [255.0, 64.0, 0.0, 0.0, 0.0, 0.0], 2),
    ("zeros alone", [0.0, 0.0, 0.0], 2),
    ("a scale between two steps", [255.0, 0.0, 6.25, -3.0, 100.75, 25.0], 2),
    ("a weight halfway between two levels", [255.0, 0.0, 64.0, 24.0, -64.0, -48.0], 2),
)
"""What it is, the weights and the size of a block. The largest is 255 or 0, so a step of the scales is 1."""

Weights: TypeAlias = list[float]
Stored: TypeAlias = Callable[[Weights, list[float], int], Sequence[float]]


@question(
    hint="For each block take the largest magnitude, round it up to a whole step (largest of all, over 255), divide by "
    "it, take the nearest level, multiply again. Mind a scale of 0, and a tie: the level nearer to 0."
)
def q2(stored: Stored) -> str | None:
    """Weights as they come back from four bits and a scale of eight bits for each block."""
    for what, weights, block in ROWS:
        got = [float(value) for value in stored(list(weights), list(LEVELS), block)]
        wanted = _restored(weights, LEVELS, block)
        if len(got) != len(weights):
            return f"for {what} it gave {len(got)} weights, not {len(weights)}"
        for place, (one, other) in enumerate(zip(got, wanted, strict=True)):
            if not math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9):
                return f"for {what}, {weights} in blocks of {block}, weight {place} came back as {one:g}"
    return None


def _level(share: float, levels: Iterable[float]) -> float:
    return min(levels, key=lambda level: (abs(level - share), abs(level)))


def _restored(weights: Sequence[float], levels: Iterable[float], block: int, up: bool = True) -> list[float]:
    blocks = [weights[start : start + block] for start in range(0, len(weights), block)]
    step = max(map(abs, weights), default=0.0) / STEPS
    found: list[float] = []
    for part in blocks:
        scale = max(map(abs, part))
        if scale:
            scale = (math.ceil(scale / step) if up else round(scale / step)) * step
        found += [scale * _level(weight / scale, levels) if scale else 0.0 for weight in part]
    return found


@q2.solution
def _scales_rounded_up(weights: Weights, levels: list[float], block: int) -> list[float]:
    return _restored(weights, levels, block)


@q2.wrong
def _one_scale_for_all(weights: Weights, levels: list[float], block: int) -> list[float]:
    return _restored(weights, levels, len(weights))


@q2.wrong
def _scales_as_they_are(weights: Weights, levels: list[float], block: int) -> list[float]:
    found: list[float] = []
    for start in range(0, len(weights), block):
        part = weights[start : start + block]
        scale = max(map(abs, part)) or 1.0
        found += [scale * _level(weight / scale, levels) for weight in part]
    return found


@q2.wrong
def _largest_instead_of_magnitude(weights: Weights, levels: list[float], block: int) -> list[float]:
    found: list[float] = []
    step = (max(weights) or 1.0) / STEPS
    for start in range(0, len(weights), block):
        part = weights[start : start + block]
        scale = math.ceil(max(part) / step) * step or 1.0
        found += [scale * _level(weight / scale, levels) for weight in part]
    return found


q2.wrong(lambda weights, levels, block: _restored(weights, levels, block, up=False))
q2.wrong(lambda weights, levels, block: _restored(weights[: len(weights) // block * block], levels, block))


Row: TypeAlias = dict[str, Any]
Reasons: TypeAlias = set[tuple[str, str]]
Unfit: TypeAlias = Callable[[list[Row], set[str]], Collection[tuple[str, str]]]

SILENT = "Not in the passages."
HELD_OUT = frozenset({"E-41", "Otter 9", "Dockside"})
THE_SET = "the set"

_NOTE = "Pump K-2\nThe seal of pump K-2 lasts 118 months. Error E-417 stops it."
_FORM = "Belt 7 | Maker: Ridgeway | Width: 40 mm"
GOOD: tuple[Row, ...] = (
    {"id": "c1", "passages": [_NOTE, _FORM], "turns": [("Who makes belt 7?", "Ridgeway [2]")]},
    {"id": "c2", "passages": [_FORM], "turns": [("How wide is belt 7?", "40 mm [1]"), ("And its price?", SILENT)]},
    {"id": "c3", "passages": [_NOTE], "turns": [("Which error stops K-2?", "e-417 [1]")]},
)
SETS: tuple[tuple[str, tuple[Row, ...], Reasons], ...] = (
    ("a good set", GOOD, set()),
    (
        "a set that asks about a held-out name",
        (*GOOD, {"id": "c4", "passages": [_FORM], "turns": [("Who drives otter 9?", SILENT)]}),
        {("c4", "name")},
    ),
    (
        "a set with a held-out name in a passage only",
        (*GOOD, {"id": "c4", "passages": [_FORM + " | Site: Dockside"], "turns": [("How wide?", "40 mm [1]")]}),
        {("c4", "name")},
    ),
    (
        "a set with an answer that another passage says",
        (*GOOD, {"id": "c4", "passages": [_NOTE, _FORM], "turns": [("Who makes belt 7?", "Ridgeway [1]")]}),
        {("c4", "unsupported")},
    ),
    (
        "a set with a part of a number for an answer",
        (*GOOD, {"id": "c4", "passages": [_NOTE], "turns": [("How long does it last?", "18 months [1]")]}),
        {("c4", "unsupported")},
    ),
    (
        "a set with a wrong second turn",
        (*GOOD, {"id": "c4", "passages": [_FORM], "turns": [("Width?", "40 mm [1]"), ("Maker?", "Halden [1]")]}),
        {("c4", "unsupported")},
    ),
    (
        "a set with an answer from nowhere",
        (*GOOD, {"id": "c4", "passages": [_FORM], "turns": [("Who makes belt 7?", "Ridgeway")]}),
        {("c4", "uncited")},
    ),
    (
        "a set that cites what was not shown",
        (*GOOD, {"id": "c4", "passages": [_FORM], "turns": [("Who makes belt 7?", "Ridgeway [2]")]}),
        {("c4", "uncited")},
    ),
    (
        "a set whose only silence is gone",
        tuple({**row, "turns": row["turns"][:1]} for row in GOOD),
        {(THE_SET, "one kind")},
    ),
    (
        "a set of silences about a held-out name",
        ({"id": "c9", "passages": [], "turns": [("Where is Dockside?", SILENT), ("And Otter 9?", SILENT)]},),
        {("c9", "name"), (THE_SET, "one kind")},
    ),
)
"""What it is, the conversations, and what is wrong with them."""


@question(
    hint="Take each reply apart with a regular expression: the words, and the numbers in brackets. Look for whole "
    "words in small letters: nothing alphanumeric, nor a decimal point or hyphen with more behind it, may touch them."
)
def q3(unfit: Unfit) -> str | None:
    """What speaks against training on a set of conversations."""
    for what, rows, wanted in SETS:
        given = [{**row, "passages": list(row["passages"]), "turns": list(row["turns"])} for row in rows]
        got = {tuple(reason) for reason in unfit(given, set(HELD_OUT))}
        if missed := sorted(wanted - got):
            return f"in {what} it did not see {missed[0]}"
        if added := sorted(map(str, got - wanted)):
            return f"in {what} it found {added[0]}"
    return None


def _whole(text: str, words: str) -> bool:
    """Whether words stand in a text, whole, whatever their case."""
    return re.search(rf"(?<![\w.-]){re.escape(words.casefold())}(?![\w-])(?!\.\w)", text.casefold()) is not None


def _of(row: Row, held_out: Iterable[str], stands: Callable[[str, str], bool] = _whole) -> Reasons:
    told = [*row["passages"], *(part for turn in row["turns"] for part in turn)]
    found = {"name"} if any(stands(text, name) for text in told for name in held_out) else set()
    for _, reply in row["turns"]:
        if reply == SILENT:
            continue
        cited = [int(number) for number in re.findall(r"\[(\d+)\]", reply)]
        value = re.sub(r"\s*\[\d+\]", "", reply).strip()
        if not cited or not all(1 <= number <= len(row["passages"]) for number in cited):
            found.add("uncited")
        elif not any(stands(row["passages"][number - 1], value) for number in cited):
            found.add("unsupported")
    return {(row["id"], reason) for reason in found}


def _one_kind(rows: Iterable[Row]) -> Reasons:
    silent = {reply == SILENT for row in rows for _, reply in row["turns"]}
    return {(THE_SET, "one kind")} if len(silent) < 2 else set()


def _row_by_row_then_the_set(rows: list[Row], held_out: set[str]) -> Reasons:
    return _one_kind(rows).union(*(_of(row, held_out) for row in rows))


q3.solution(_row_by_row_then_the_set)


@q3.wrong
def _without_the_set(rows: list[Row], held_out: set[str]) -> Reasons:
    return _row_by_row_then_the_set(rows, held_out) - {(THE_SET, "one kind")}


@q3.wrong
def _names_in_questions_only(rows: list[Row], held_out: set[str]) -> Reasons:
    asked = {row["id"] for row in rows if any(_whole(turn[0], name) for turn in row["turns"] for name in held_out)}
    return {(of, why) for of, why in _row_by_row_then_the_set(rows, held_out) if why != "name" or of in asked}


@q3.wrong
def _silence_needs_a_citation(rows: list[Row], held_out: set[str]) -> Reasons:
    silent = {(row["id"], "uncited") for row in rows if any(reply == SILENT for _, reply in row["turns"])}
    return _row_by_row_then_the_set(rows, held_out) | silent


@q3.wrong
def _any_passage_will_do(rows: list[Row], held_out: set[str]) -> Reasons:
    joined = [{**row, "passages": ["\n".join(row["passages"])] * len(row["passages"])} for row in rows]
    return _row_by_row_then_the_set(joined, held_out)


@q3.wrong
def _letters_are_enough(rows: list[Row], held_out: set[str]) -> Reasons:
    each = (_of(row, held_out, lambda text, words: words.casefold() in text.casefold()) for row in rows)
    return _one_kind(rows).union(*each)
