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
# # Lab 00 · A ruler, a price, and the right to stay silent
#
# The chapter graded with our ruler. Here you build your own, give silence a price, and write the first function of your
# own system. Fill the gaps, run each check; it answers *not attempted*, *not yet* with a hint, or *right*.

# %%
import re
from datetime import date

from labkit.course import NotAttempted, check

# %% [markdown]
# ### q1 · Is the value in it?
#
# *Difficulty:* easy · *Minutes:* 10
#
# Write `is_right(text, wordings)`: does the answer give the value in one of its accepted wordings? Capitals do not
# matter. A torque of a hundred and eighteen is not eighteen, and neither is a count of eighteen bolts.
#
# <details><summary>Hint</summary>Split both into tokens (numbers with their decimals, and words), then look for the
# wording's tokens as a run.</details>


# %%
def is_right(text: str, wordings: list[str]) -> bool:
    """Whether the text gives the value in an accepted wording."""

    # <solution> tokens of both, then a run of the one in the other
    def split(words):
        return re.findall(r"\d+(?:[.,]\d+)*|[^\W\d]+", words.casefold())

    said = split(text)
    for wording in wordings:
        wanted = split(wording)
        if any(said[i : i + len(wanted)] == wanted for i in range(len(said) - len(wanted) + 1)):
            return True
    return False
    # </solution>


check.lab00.q1(is_right)

# %% [markdown]
# ### q2 · What did it cost?
#
# *Difficulty:* easy · *Minutes:* 10
#
# Marcus Oyelaran pays. A wrong answer costs its price. Silence where there was an answer costs `lookup`, because
# somebody has to look it up. Silence where there was nothing to say is right, and free. Write `money(rows, lookup)`:
# EUR lost per 100 questions. A row has `answerable`, `abstained`, `right` and `cost`. No rows lose nothing.
#
# <details><summary>Hint</summary>Sort out the right ones first; then only two cases are left.</details>


# %%
def money(rows: list[dict], lookup: float) -> float:
    """EUR lost per 100 questions."""
    # <solution> right, silent, wrong
    lost = 0.0
    for row in rows:
        if row["right"]:
            continue
        lost += lookup if row["abstained"] else row["cost"]
    return 100 * lost / len(rows) if rows else 0.0
    # </solution>


check.lab00.q2(money)

# %% [markdown]
# ### q3 · The right to stay silent
#
# *Difficulty:* medium · *Minutes:* 15
#
# One night E-417 was read as E-471 and the wrong part flew out (chapter 03 tells the story). Write `abstain(question,
# hits)`: silence is due when there are no passages, or when an identifier in the question (letters, a hyphen, digits)
# stands in none of them. Capitals do not matter; half an identifier is none. A passage's text is `hit.chunk.text`.
#
# <details><summary>Hint</summary>A regular expression with a word boundary on both sides, the same for question and
# passages; then compare sets.</details>


# %%
def abstain(question: str, hits: list) -> bool:
    """Whether these passages are too thin to answer from."""

    # <solution> identifiers of the question against those of all passages
    def identifiers(text):
        return {found.casefold() for found in re.findall(r"\b[A-Za-z]+-\d+\b", text)}

    if not hits:
        return True
    known = set().union(*(identifiers(hit.chunk.text) for hit in hits))
    return not identifiers(question) <= known
    # </solution>


check.lab00.q3(abstain)

# %% [markdown]
# Put this function into `labs/my_system.py` under the same name, and measure:
#
# ```
# labkit bench answer --system labs/my_system.py
# ```
#
# Your row now stands on your scoreboard. The other stages are still the course's; each lab replaces one.
#
# ### q4 · The page in force
#
# *Difficulty:* medium · *Minutes:* 10
#
# The chapter asked what holds now. The auditor asks what held *then*. Write `in_force(pages, day)`: of pages with a
# `date`, the newest written on or before the day, or `None` when there was none. The pages come in no order.
#
# <details><summary>Hint</summary>Filter first, then take the maximum by date; mind the day itself.</details>


# %%
def in_force(pages: list[dict], day: date) -> dict | None:
    """The page that was in force on a day."""
    # <solution> the newest of what had been written
    written = [page for page in pages if page["date"] <= day]
    return max(written, key=lambda page: page["date"], default=None)
    # </solution>


check.lab00.q4(in_force)

# %% [markdown]
# ### Your ten grades
#
# Before you look at ours in section 6 of the chapter, grade the same ten answers yourself: `right`, `wrong` or
# `unsupported`. Keep the list; chapters 04 and 11 ask for it.
#
# Then compare. Where you differ from us, write down why: that sentence is worth more than the grade.

# %%
from labkit.evaluate.grades import hand_grades

for number, row in enumerate(hand_grades("00_demo"), 1):
    print(f"{number:>2}. {row.question}\n    answer: {row.answer[:140]}")
    for passage in row.passages:
        print(f"    read:   {' '.join(passage.split())[:220]}")
