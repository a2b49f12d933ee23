# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 04 · The evaluation is evaluated
#
# Ines hands you the evaluation of another team. Their grader ignores units, their graders use a scale, their gate has
# to watch the slowest answers, and somebody wrote the test questions in a hurry. Last, you write a judge, and it will
# be measured as the chapter measured ours. Fill the gaps, run each check; it answers *not attempted*, *not yet* with a
# hint, or *right*.

# %%
import re

import numpy as np

from labkit.course import NotAttempted, check

# %% [markdown]
# ### q1 · Eighteen what?
#
# *Difficulty:* easy · *Minutes:* 15
#
# On the shop floor a figure without its unit is an accident. Write `is_right(text, number, units)`: true when the text
# gives the number **with** one of the unit's wordings (capitals aside, with or without a space), and no *other* number
# with that unit. Who says "18 N·m or 12 N·m" has not answered.
#
# <details><summary>Hint</summary>Build one regular expression: a number with its decimals, not part of a longer one,
# then a unit (longest wording first), not followed by a letter. Collect all it finds and compare sets.</details>


# %%
def is_right(text: str, number: str, units: list[str]) -> bool:
    """Whether the text gives this amount, and no other in that unit."""
    # <solution> every number with the unit behind it
    unit = "|".join(re.escape(unit) for unit in sorted(units, key=len, reverse=True))
    found = re.findall(rf"(?<![\w.,])(\d+(?:[.,]\d+)*)\s?(?:{unit})(?!\w)", text, re.IGNORECASE)
    return set(found) == {number}
    # </solution>


check.lab04.q1(is_right)

# %% [markdown]
# ### q2 · Nearly agreed
#
# *Difficulty:* medium · *Minutes:* 20
#
# Their graders say *wrong*, *unsupported* or *right*. To confuse the last two is a nuance, to confuse the ends is a
# scandal; the chapter's kappa treats both alike. Write `kappa(one, other, scale)`, quadratically weighted: one minus
# the mean squared distance (in steps on the scale) of the pairs, over the mean squared distance of *every* grade of the
# one with *every* grade of the other. `None` where the latter is zero.
#
# <details><summary>Hint</summary>`scale.index(grade)` makes numbers of grades. The first mean is over
# `zip(one, other)`, the second over two nested loops.</details>


# %%
def kappa(one: list[str], other: list[str], scale: list[str]) -> float | None:
    """Agreement on a scale, beyond chance."""
    # <solution> squared steps, observed and by chance
    left, right = ([scale.index(grade) for grade in grades] for grades in (one, other))
    observed = sum((a - b) ** 2 for a, b in zip(left, right, strict=True)) / len(left)
    chance = sum((a - b) ** 2 for a in left for b in right) / len(left) ** 2
    return 1 - observed / chance if chance else None
    # </solution>


check.lab04.q2(kappa)

# %% [markdown]
# ### q3 · A gate for the slowest
#
# *Difficulty:* hard · *Minutes:* 25
#
# Priya does not mind the average; she minds the answer that takes nine seconds while a line stands. The contract speaks
# of the 99th percentile, which is no proportion: neither McNemar nor a mean will do. Write `slower(before, after)`:
# true when the p99 of the seconds rose beyond chance. The requests are different ones, so nothing is paired.
#
# <details><summary>Hint</summary>The bootstrap: draw each list anew with replacement, a few hundred times
# (`rng.choice(seconds, (300, len(seconds)))`), take `np.percentile(…, 99, axis=1)` of each draw, and ask whether nearly
# all differences are above zero.</details>


# %%
def slower(before: list[float], after: list[float]) -> bool:
    """Whether the slowest answers became slower, beyond chance."""
    # <solution> bootstrap both, compare their p99
    rng = np.random.default_rng(0)
    tails = [np.percentile(rng.choice(seconds, (300, len(seconds))), 99, axis=1) for seconds in (after, before)]
    return bool(np.percentile(tails[0] - tails[1], 2.5) > 0)
    # </solution>


check.lab04.q3(slower)

# %% [markdown]
# ### q4 · Written from the page
#
# *Difficulty:* medium · *Minutes:* 15
#
# Some of their test questions are sentences of the documents with a question mark. Write `leaked(questions, pages)`:
# the questions, in their order, of which more than half of the three-word runs stand in one page. Capitals and marks do
# not count, hyphens inside words do. An honest question shares the page's words, but not their order.
#
# <details><summary>Hint</summary>A function that gives the set of runs of a text; then for each question the largest
# share over the pages. Find words with `[\w-]+`.</details>


# %%
def leaked(questions: list[str], pages: list[str]) -> list[str]:
    """The questions that were written from a page."""

    # <solution> three-word runs of question and page
    def runs(text):
        words = re.findall(r"[\w-]+", text.casefold())
        return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}

    known = [runs(page) for page in pages]
    return [text for text in questions if any(2 * len(runs(text) & page) > len(runs(text)) for page in known)]
    # </solution>


check.lab04.q4(leaked)

# %% [markdown]
# ### q5 · Your judge
#
# *Difficulty:* hard · *Minutes:* 40
#
# Write `judge(question, answer, evidence)`: does the evidence say what the answer says, of what was asked? The check
# compares you with a person, on answers you do not see, and wants a kappa that always agreeing, counting words or
# looking for numbers does not reach. The mistakes are those of real systems: the neighbour's figure, a lost *not*, half
# a number, another product's rule.
#
# <details><summary>Hint</summary>Cut the evidence into sentences and lines. Take the one that shares most words with
# the question. The answer's numbers and codes must be in it, most of the words it adds too, it must be negative exactly
# where the answer is, and the names in the question must stand in the evidence.</details>


# %%
def judge(question: str, answer: str, evidence: str) -> bool:
    """Whether the evidence supports the answer."""

    # <solution> the sentence about the question; its numbers, names, words and its "not"
    def words(text):
        found = re.findall(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:-\d+)?", text.casefold())
        small = set(re.findall(r"\w+", "a an the is are be it to of for on in at and or by do does may i you who what"))
        return {re.sub(r"(?:ed|s|d)$", "", word) if word.isalpha() else word for word in found} - small

    def negative(text):
        return re.search(r"\b(?:not|no|never|nor|without)\b|n't\b", text, re.IGNORECASE) is not None

    parts = [part for part in re.split(r"(?<=[.!?])\s+|\n", evidence) if part.strip()]
    if not parts:
        return False
    asked, said = words(question), words(answer)
    about = max(parts, key=lambda part: len(asked & words(part)))
    known, added = words(about), said - asked
    exact = {word for word in added if re.search(r"\d", word)}
    named = {name.casefold() for name in re.findall(r"\b[A-Z][a-z]+|\b[A-Z]+-\d+", question[1:])}
    if not exact <= known or not named & asked <= words(evidence) or negative(answer) != negative(about):
        return False
    return len(added & known) >= 0.6 * len(added)
    # </solution>


check.lab04.q5(judge)

# %% [markdown]
# Put this function into `labs/my_system.py` under the same name. Then hold it against your own ten grades of chapter
# 00: its kappa there will be lower, with an interval as wide as the chapter's. Which answers would you grade next?
