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
# # Lab 06 · The desk's own adapter
#
# Priya's desk wants an adapter trained on its own chats, and it is to run on the Tern edge controller. That changes
# what the chapter did: some replies in those chats are wrong, the controller has no room for full scales, and nobody
# has looked whether the set may be trained on at all. No model is needed: each check brings its own small data. Fill
# the gaps, run each check; it answers *not attempted*, *not yet* with a hint, or *right*.
#
# Chapter 06 itself is still a draft (`notebooks/drafts/`), and no adapter ships yet; nothing here needs either.

# %%
import math
import re

from labkit.course import NotAttempted, check

# %% [markdown]
# ### q1 · What counts
#
# *Difficulty:* easy · *Minutes:* 20
#
# The chapter learned every reply of a conversation. In the desk's chats people voted some replies down: those are read,
# so that the next question makes sense, and not learned. Write `counts(tokens, bad)`: for each token, whether a loss is
# computed of it. A turn opens with `<system>`, `<user>` or `<assistant>` and closes with `<end>`; a reply that was cut
# off has no `<end>`. `bad` holds the numbers of the replies voted down, from 0.
#
# <details><summary>Hint</summary>One loop, two things to remember: whose turn it is, and the number of the reply. Which
# of the two marks around a reply does the model have to write itself?</details>

# %%
CHAT = ["<user>", "How", "long", "?", "<end>", "<assistant>", "24", "months", "<end>"]


def counts(tokens: list[str], bad: set[int]) -> list[bool]:
    """Whether a token is learned."""
    # <solution> remember whose turn it is and which reply
    found, role, reply = [], "", -1
    for token in tokens:
        mark = token in ("<system>", "<user>", "<assistant>")
        if mark:
            role = token
            reply += token == "<assistant>"
        found.append(role == "<assistant>" and not mark and reply not in bad)
    return found
    # </solution>


check.lab06.q1(counts)

# %% [markdown]
# What would a model do that has never learned an end mark, and what did the untuned model of the chapter do?
#
# ### q2 · Four bits and a small scale
#
# *Difficulty:* medium · *Minutes:* 30
#
# The chapter kept the scale of each block in 32 bits. The controller gets eight: scales are whole steps, and the
# largest of all is 255 of them. A scale is rounded **up**, so that no weight is cut off. Write `stored(weights, levels,
# block)`: the weights as they come back. A block's scale is its largest magnitude, rounded; each weight becomes the
# nearest of `levels` times the scale. Between two levels the one nearer to zero wins, so that every build gives the
# same bytes. The last block may be shorter, and a block may hold nothing but zeros.
#
# <details><summary>Hint</summary>The step is the largest magnitude of all weights over 255. `min(levels, key=…)` takes
# a pair as its key: first the distance, then the magnitude of the level. Look out for divisions by zero.</details>


# %%
def stored(weights: list[float], levels: list[float], block: int) -> list[float]:
    """The weights after four bits each and eight bits for each scale."""
    # <solution> block by block: scale up to a step, nearest level, back
    step = max(map(abs, weights), default=0) / 255
    found = []
    for start in range(0, len(weights), block):
        part = weights[start : start + block]
        scale = max(map(abs, part))
        if scale:
            scale = math.ceil(scale / step) * step
        for weight in part:
            share = weight / scale if scale else 0.0
            found.append(scale * min(levels, key=lambda level: (abs(level - share), abs(level))))
    return found
    # </solution>


check.lab06.q2(stored)

# %% [markdown]
# Count: how many bits does a weight take now in blocks of 64, and how many in blocks of 32? QLoRA calls this *double
# quantization*, and does it a little better.
#
# ### q3 · Fit to train on?
#
# *Difficulty:* hard · *Minutes:* 35
#
# Before anybody spends an hour of two cores, somebody reads the set. You will not: write `unfit(rows, held_out)`, all
# reasons against it as pairs of a row's id and a word. A row has an `id`, `passages` and `turns`, pairs of question and
# reply. The words: `name`, if a held-out name stands anywhere in the row; `uncited`, if a reply cites nothing, or
# something that was not shown; `unsupported`, if none of the passages it cites holds its words; and for all of it
# `("the set", "one kind")`, if every reply is `Not in the passages.`, or none is. That sentence needs no citation.
# Capitals do not matter, whole words do: *E-41* does not stand in *E-417*, and *18 months* not in *118 months*.
#
# <details><summary>Hint</summary>Three small functions: does this stand in that, whole? What is wrong with one row?
# With the set? `(?<![\w.-])` and `(?![\w-])` are what `\b` should have been here.</details>

# %%
SILENT = "Not in the passages."
ROWS = [
    {"id": "a", "passages": ["Belt 7 | Maker: Ridgeway"], "turns": [("Who makes belt 7?", "Ridgeway [1]")]},
    {"id": "b", "passages": ["Belt 7 | Maker: Ridgeway"], "turns": [("Its price?", SILENT), ("Its width?", "40 mm")]},
]


def unfit(rows: list[dict], held_out: set[str]) -> set[tuple[str, str]]:
    """What speaks against training on these conversations."""

    # <solution> row by row, then the set
    def stands(text, words):
        return re.search(rf"(?<![\w.-]){re.escape(words.casefold())}(?![\w-])(?!\.\w)", text.casefold())

    found = set()
    for row in rows:
        texts = [*row["passages"], *(part for turn in row["turns"] for part in turn)]
        if any(stands(text, name) for text in texts for name in held_out):
            found.add((row["id"], "name"))
        for _, reply in row["turns"]:
            if reply == SILENT:
                continue
            cited = [int(number) for number in re.findall(r"\[(\d+)\]", reply)]
            value = re.sub(r"\s*\[\d+\]", "", reply).strip()
            if not cited or any(not 1 <= number <= len(row["passages"]) for number in cited):
                found.add((row["id"], "uncited"))
            elif not any(stands(row["passages"][number - 1], value) for number in cited):
                found.add((row["id"], "unsupported"))
    if len({reply == SILENT for row in rows for _, reply in row["turns"]}) < 2:
        found.add(("the set", "one kind"))
    return found
    # </solution>


check.lab06.q3(unfit)

# %% [markdown]
# Which of the four reasons would have stopped the adapter that promised last year's warranty? None. Its set was well
# formed, and its answers were true when they were written. What would you have to ask of a *question* to keep it out?
#
# With an adapter of your own (`python -m labkit.tune.adapters`), your `answer` in `labs/my_system.py` may call a tuned
# reader: `LocalChat.adapted(folder)`, asked by `prompt_of("answer")`. Cite what it quotes, stay silent where it does,
# and measure it: `labkit bench answer --system labs/my_system.py`.
#
# Say beforehand which type of question will gain most, and which not at all.
