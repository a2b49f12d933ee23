"""Checks of lab 04: a unit that matters, grades on a scale, a gate for the slowest answers, leaks, and a judge."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from labkit.course.check import question

Seconds = Sequence[float]

TORQUE = ("N·m", "Nm", "newton metres")
ANSWERS: tuple[tuple[str, bool], ...] = (
    ("Tighten it to 18 N·m.", True),
    ("18Nm, with a calibrated wrench", True),
    ("It takes 18 newton metres on all 4 screws.", True),
    ("18 N·m, that is 18 Nm", True),
    ("18 NM", True),
    ("18", False),
    ("18 mm", False),
    ("18 Nmm", False),
    ("18 screws, each to the usual N·m", False),
    ("118 N·m", False),
    ("18.5 N·m", False),
    ("1.18 N·m", False),
    ("18 N·m or 12 N·m, depending on the page", False),
    ("12 Nm", False),
    ("", False),
)


@question(
    hint="A regular expression finds every number with one of the units behind it, whole on both sides. "
    "All of those numbers must be the wanted one, and there must be one."
)
def q1(is_right: Callable[[str, str, list[str]], bool]) -> str | None:
    """Whether an answer gives the number with its unit, and no other number with that unit."""
    for text, wanted in ANSWERS:
        got = is_right(text, "18", list(TORQUE))
        if bool(got) is not wanted:
            return f"for {text!r} it said {got!r}"
    if not is_right("Charge it for 2.5 hours.", "2.5", ["hours", "h"]) or is_right("It took 2.5 hits.", "2.5", ["h"]):
        return "with another number and unit it went wrong: 2.5 hours, and 2.5 hits for the unit h"
    return None


def _amounts(text: str, units: Sequence[str]) -> list[str]:
    longest_first = "|".join(re.escape(unit) for unit in sorted(units, key=len, reverse=True))
    return re.findall(rf"(?<![\w.,])(\d+(?:[.,]\d+)*)\s?(?:{longest_first})(?!\w)", text, re.IGNORECASE)


@q1.solution
def _only_that_amount(text: str, number: str, units: list[str]) -> bool:
    return set(_amounts(text, units)) == {number}


@q1.wrong
def _number_anywhere(text: str, number: str, units: list[str]) -> bool:
    return number in re.findall(r"\d+(?:[.,]\d+)*", text)


@q1.wrong
def _some_amount(text: str, number: str, units: list[str]) -> bool:
    """Who names both figures is right half of the time and useless all of it."""
    return number in _amounts(text, units)


@q1.wrong
def _substring(text: str, number: str, units: list[str]) -> bool:
    return any(f"{number} {unit}".casefold() in text.casefold() for unit in units)


SCALE = ["wrong", "unsupported", "right"]
ONE = ["right", "right", "wrong", "unsupported", "right", "wrong", "wrong", "unsupported", "right", "right"]
NEAR = ["right", "unsupported", "wrong", "unsupported", "right", "unsupported", "wrong", "right", "right", "right"]
FAR = ["right", "wrong", "wrong", "unsupported", "right", "right", "wrong", "unsupported", "wrong", "right"]
KAPPAS: tuple[tuple[list[str], list[str], float | None], ...] = (
    (ONE, ONE, 1.0),
    (ONE, NEAR, 0.782608695652174),
    (ONE, FAR, 0.25),
    (ONE[:3], ["wrong", "wrong", "right"], -0.8),
    (["right"] * 3, ["right"] * 3, None),
)


@question(
    hint="Weigh each disagreement with the square of its distance on the scale. One minus (what was observed) over "
    "(what chance would bring, from how often each grader gives each grade)."
)
def q2(kappa: Callable[[list[str], list[str], list[str]], float | None]) -> str | None:
    """Quadratically weighted kappa of two graders on an ordered scale; None where chance alone would agree."""
    for one, other, wanted in KAPPAS:
        got = kappa(list(one), list(other), list(SCALE))
        if wanted is None:
            if got is not None:
                return f"two graders who always say the same one grade got {got!r}, not None"
        elif not isinstance(got, int | float) or not math.isclose(got, wanted, abs_tol=1e-6):
            return f"for {Counter(zip(one, other, strict=True)).most_common()} it gave {got!r}"
    return None


def _weighted(one: Sequence[str], other: Sequence[str], scale: Sequence[str], power: int) -> float | None:
    def distance(a: str, b: str) -> float:
        return float(abs(scale.index(a) - scale.index(b)) ** power) if power else float(a != b)

    observed = sum(distance(a, b) for a, b in zip(one, other, strict=True)) / len(one)
    chance = sum(distance(a, b) for a in one for b in other) / len(one) ** 2
    return 1 - observed / chance if chance else None


@q2.solution
def _quadratic(one: list[str], other: list[str], scale: list[str]) -> float | None:
    return _weighted(one, other, scale, 2)


q2.wrong(lambda one, other, scale: _weighted(one, other, scale, 0))
q2.wrong(lambda one, other, scale: _weighted(one, other, scale, 1))
q2.wrong(lambda one, other, scale: sum(a == b for a, b in zip(one, other, strict=True)) / len(one))


def answer_times(seed: int, *, body: float = 1.0, stuck: float = 0.02, n: int = 1500) -> list[float]:
    """Seconds of ``n`` answers: most around ``body``, and a share of them behind somebody else's long request."""
    rng = np.random.default_rng(seed)
    usual = body * rng.lognormal(0.0, 0.35, n)
    behind = rng.random(n) < stuck
    return [float(second) for second in np.where(behind, usual + rng.uniform(2.0, 9.0, n), usual)]


PAIRS = 24


@question(
    hint="Resample both lists, with replacement, a few hundred times and take the difference of their p99 each time. "
    "It rose when nearly all of those differences are above zero. np.percentile takes an axis."
)
def q3(slower: Callable[[list[float], list[float]], bool]) -> str | None:
    """Whether the slowest answers became slower beyond chance."""

    def stopped(body: float, stuck: float) -> int:
        pairs = ((answer_times(2 * n), answer_times(2 * n + 1, body=body, stuck=stuck)) for n in range(PAIRS))
        return sum(bool(slower(before, after)) for before, after in pairs)

    if (alarms := stopped(1.0, 0.02)) > PAIRS // 6:
        return f"nothing had changed, and it stopped {alarms} of {PAIRS} releases"
    if (found := stopped(1.0, 0.06)) < PAIRS * 3 // 4:
        return f"three times as many answers were stuck behind others, and it stopped {found} of {PAIRS} releases"
    if (alarms := stopped(1.06, 0.015)) > PAIRS // 6:
        return f"all answers took a little longer, the slowest did not, and it stopped {alarms} of {PAIRS} releases"
    return None


@q3.solution
def _bootstrap(before: list[float], after: list[float]) -> bool:
    rng = np.random.default_rng(0)

    def p99(seconds: Seconds) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        drawn = rng.choice(np.asarray(seconds, dtype=float), (300, len(seconds)))
        return np.asarray(np.percentile(drawn, 99, axis=1), dtype=float)

    return bool(np.percentile(p99(after) - p99(before), 2.5) > 0)


@q3.wrong
def _any_rise(before: list[float], after: list[float]) -> bool:
    return bool(np.percentile(after, 99) > np.percentile(before, 99))


@q3.wrong
def _of_means(before: list[float], after: list[float]) -> bool:
    from scipy.stats import ttest_ind

    return bool(ttest_ind(np.log(before), np.log(after), alternative="less").pvalue < 0.05)


@q3.wrong
def _worst_case(before: list[float], after: list[float]) -> bool:
    return max(after) > max(before)


PAGES = [
    "Heron picker, fitting sheet. The gripper finger screws on the Heron picker are tightened to 12 N·m. Mark them.",
    "FAQ. How long does the Badger tug charge before the night shift starts? It charges for 4.5 hours.",
    "If E-417 shows on the Otter shuttle, the gripper vacuum is below its threshold. Check the hose first.",
    "Orders above 5,000 EUR are signed by the site manager and by Finance, in that order.",
]
WRITTEN_FROM: dict[str, int | None] = {
    "How long does the Badger tug charge before the night shift starts?": 1,
    "how long does the BADGER tug charge, before the night shift starts": 1,
    "The gripper finger screws on the Heron picker are tightened to what?": 0,
    "Orders above 5,000 EUR are signed by the site manager and by whom?": 3,
    "How tight should the finger screws of a Heron gripper be?": None,
    "Before the night shift starts, the Badger tug charges for how long?": None,
    "What does E-417 mean on the Otter shuttle?": None,
    "Who signs an order of 7,000 EUR?": None,
    "Is the gripper vacuum on the Heron picker or on the Otter shuttle?": None,
}
"""Question → the page it was written from."""


@question(
    hint="Runs of three words, capitals and marks aside. A question is leaked when most of its runs stand in one page; "
    "the same words in another order are how people ask."
)
def q4(leaked: Callable[[list[str], list[str]], list[str]]) -> str | None:
    """The questions of a test set that were written from a page, in their order."""
    asked = list(WRITTEN_FROM)
    for pages in (PAGES, PAGES[::-1], PAGES[:1], []):
        got = leaked(list(asked), list(pages))
        wanted = [text for text, place in WRITTEN_FROM.items() if place is not None and PAGES[place] in pages]
        if not isinstance(got, list) or got != wanted:
            odd = sorted(set(got if isinstance(got, list) else []) ^ set(wanted))
            return f"with {len(pages)} pages it was wrong about {odd[0]!r}" if odd else f"it gave {got!r}"
    return None


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[\w-]+", text.casefold())
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


def _best_run(text: str, pages: Sequence[str]) -> float:
    runs = _runs(text)
    return max((len(runs & _runs(page)) / max(1, len(runs)) for page in pages), default=0.0)


@q4.solution
def _most_runs(questions: list[str], pages: list[str]) -> list[str]:
    return [text for text in questions if _best_run(text, pages) > 0.5]


@q4.wrong
def _word_for_word(questions: list[str], pages: list[str]) -> list[str]:
    return [text for text in questions if any(text in page for page in pages)]


@q4.wrong
def _same_words(questions: list[str], pages: list[str]) -> list[str]:
    """Honest questions about a page share its words too."""

    def words(text: str) -> set[str]:
        return set(re.findall(r"[\w-]+", text.casefold()))

    return [q for q in questions if any(len(words(q) & words(page)) > 0.5 * len(words(q)) for page in pages)]


@q4.wrong
def _any_run(questions: list[str], pages: list[str]) -> list[str]:
    return [text for text in questions if _best_run(text, pages) > 0]


HELD_BACK: tuple[tuple[str, str, str, bool], ...] = (
    (
        "What torque does GF-2210 take?",
        "GF-2210 is tightened to 12 N·m.",
        "GF-2210 is tightened to 12 N·m. Mark it.",
        True,
    ),
    (
        "What torque does GF-2210 take?",
        "12 N·m.",
        "For GF-2210 the sheet says 12 N·m.\nFor GF-2250 it says 18 N·m.",
        True,
    ),
    (
        "What torque does GF-2210 take?",
        "18 N·m.",
        "For GF-2210 the sheet says 12 N·m.\nFor GF-2250 it says 18 N·m.",
        False,
    ),
    ("What torque does GF-2210 take?", "GF-2210 is tightened to 120 N·m.", "GF-2210 is tightened to 12 N·m.", False),
    ("May I restart after E-417?", "Do not restart after E-417.", "After E-417, do not restart. Call the desk.", True),
    (
        "May I restart after E-417?",
        "You may restart after E-417.",
        "After E-417 you may not restart. Call the desk.",
        False,
    ),
    ("May I restart after E-471?", "Restart after E-471.", "After E-471, restart once and watch the panel.", True),
    ("May I restart after E-417?", "Restart once.", "After E-471, restart once. After E-417, call the desk.", False),
    (
        "How long does the tug charge?",
        "The tug charges for 4.5 hours.",
        "The tug charges for 4.5 hours on one socket.",
        True,
    ),
    ("How long does the tug charge?", "4.5 hours.", "The tug drives for 9 hours and charges for 4.5 hours.", True),
    (
        "How long does the tug charge?",
        "The tug charges for 4 hours.",
        "The tug charges for 4.5 hours on one socket.",
        False,
    ),
    (
        "How long does the tug charge?",
        "The tug charges for 4.5 hours.",
        "Charge the tug at night. It likes that.",
        False,
    ),
    ("Who leads Drive Train?", "Mbali Burkhardt leads Drive Train.", "Drive Train is led by Mbali Burkhardt.", True),
    ("Who leads Drive Train?", "Jean Martin leads Drive Train.", "Drive Train is led by Mbali Burkhardt.", False),
    ("Who leads Drive Train?", "Jean Martin.", "Jean Martin leads Vision.\nMbali Burkhardt leads Drive Train.", False),
    (
        "Who leads Drive Train?",
        "Mbali Burkhardt.",
        "Jean Martin leads Vision.\nMbali Burkhardt leads Drive Train.",
        True,
    ),
    ("Does the arm need a guard?", "The arm needs no guard.", "The arm needs no guard below 0.3 m/s.", True),
    ("Does the arm need a guard?", "The arm needs a guard.", "The arm needs no guard below 0.3 m/s.", False),
    ("When is an invoice of Corvane due?", "Within 30 days.", "Invoices of Corvane are due within 30 days.", True),
    ("When is an invoice of Corvane due?", "Within 30 days.", "Invoices of Halden are due within 30 days.", False),
    ("When is an invoice of Corvane due?", "Within 14 days.", "Invoices of Corvane are due within 30 days.", False),
    ("Which part does BS-2854 replace?", "It replaces BS-2845.", "BS-2854 replaces BS-2845 from May on.", True),
    ("Which part does BS-2854 replace?", "It replaces BS-2458.", "BS-2854 replaces BS-2845 from May on.", False),
    ("Where is the hose kept?", "The hose is kept in bay 6.", "The hose is kept in bay 6, next to the shelf.", True),
)
"""Question, answer, evidence, and what a person said: is the answer supported?"""
MIN_KAPPA = 0.6
_NOT = re.compile(r"\b(?:not|no|never|nor|without)\b|n't\b", re.IGNORECASE)
_SMALL = frozenset(
    re.findall(
        "[a-z]+", "a an the is are be it to of for on in at and or by do does may i you who what which where when"
    )
)


@question(
    hint="Judge sentence by sentence (lines count): the one that is about what was asked must hold every number and "
    "name of the answer, and a negation exactly where the answer has one."
)
def q5(judge: Callable[[str, str, str], bool]) -> str | None:
    """Whether evidence supports an answer: measured as kappa with a person, on answers you have not seen."""
    from labkit.evaluate.agreement import agreement

    said = ["accept" if judge(*row[:3]) else "reject" for row in HELD_BACK]
    found = agreement(["accept" if row[3] else "reject" for row in HELD_BACK], said)
    kappa = 0.0 if found.kappa is None else found.kappa
    if kappa >= MIN_KAPPA:
        return None
    rows = zip(HELD_BACK, said, strict=True)
    missed = Counter("accepted too much" if not row[3] else "refused too much" for row, verdict in rows
                     if (verdict == "accept") is not row[3])  # fmt: skip
    worst = missed.most_common(1)[0][0]
    return f"kappa with the person is {kappa:.2f}, {MIN_KAPPA} is wanted; mostly it {worst}"


def _words(text: str) -> set[str]:
    found = re.findall(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:-\d+)?", text.casefold())
    return {re.sub(r"(?:ed|s|d)$", "", word) if word.isalpha() else word for word in found} - _SMALL


@q5.solution
def _by_the_sentence(question: str, answer: str, evidence: str) -> bool:
    parts = [part for part in re.split(r"(?<=[.!?])\s+|\n", evidence) if part.strip()]
    if not parts:
        return False
    asked, said = _words(question), _words(answer)
    about = max(parts, key=lambda part: len(asked & _words(part)))
    known = _words(about)
    exact = {word for word in said if re.search(r"\d", word)}
    added = said - asked
    named = {word.casefold() for word in re.findall(r"\b[A-Z][a-z]+|\b[A-Z]+-\d+", question[1:])}
    if not exact - asked <= known or not {w for w in named if w in asked} <= known | _words(evidence):
        return False
    if bool(_NOT.search(answer)) is not bool(_NOT.search(about)):
        return False
    return len(added & known) >= 0.6 * len(added)


q5.wrong(lambda question, answer, evidence: True)


@q5.wrong
def _overlap(question: str, answer: str, evidence: str) -> bool:
    said = _words(answer)
    return len(said & _words(evidence)) >= 0.6 * len(said)


@q5.wrong
def _length(question: str, answer: str, evidence: str) -> bool:
    return len(answer) >= 20


@q5.wrong
def _numbers_only(question: str, answer: str, evidence: str) -> bool:
    return set(re.findall(r"\d+(?:[.,]\d+)*", answer)) <= set(re.findall(r"\d+(?:[.,]\d+)*", evidence))
