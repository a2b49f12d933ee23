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
# # Lab 02 · The night desk's chats, another model's budget
#
# The chapter cut pages for our encoder. Now the texts are chats and tickets, the budget is counted by somebody else's
# tokenizer, and one torn rule is a failure, however good the average. Fill the gaps, run each check; it answers *not
# attempted*, *not yet* with a hint, or *right*.

# %%
import re

from labkit.course import NotAttempted, check
from labkit.ingest.tokens import count_tokens

# %% [markdown]
# ### q1 · A chat, in somebody else's tokens
#
# *Difficulty:* easy · *Minutes:* 10
#
# A message is said by one person at one minute; cut it and nobody knows who forbade what. Write
# `pack(messages, count, budget)`: the messages in order, in groups as full as they get. A group is sent as its
# messages joined by line breaks, and `count(text)`, a tokenizer you know nothing about, may charge at most `budget`
# for it. A message too long by itself stays whole, alone in its group.
#
# <details><summary>Hint</summary>Ask `count` about the very text you would send. Tokens of parts need not add up to the
# tokens of the whole, and a line break costs too.</details>


# %%
def pack(messages: list[str], count, budget: int) -> list[list[str]]:
    """Whole messages, in order, packed into groups within a budget of tokens."""
    # <solution> add to the last group if the joined text still fits
    groups: list[list[str]] = []
    for message in messages:
        if groups and count("\n".join([*groups[-1], message])) <= budget:
            groups[-1].append(message)
        else:
            groups.append([message])
    return groups
    # </solution>


check.lab02.q1(pack)

# %% [markdown]
# Try it on the night of E-530, with the tokenizer of the chat model:
#
# ```python
# from tokenizers import Tokenizer
# from labkit.models import resolve
# from labkit.settings import get_settings
#
# settings = get_settings()
# chat = Tokenizer.from_file(str(resolve(settings.chat_model, settings.home).path / "tokenizer.json"))
# pack(messages, lambda text: len(chat.encode(text).ids), 120)
# ```
#
# ### q2 · Is it torn?
#
# *Difficulty:* medium · *Minutes:* 10
#
# Recall is content when one good copy exists. Dana Whitlock is not: the technician may be shown the other one. Write
# `torn(passages, rule, item)`, all of them `(start, end)` offsets into one text: is there a passage that shows the
# item, or a part of it, without the whole rule and the whole item? The rule stands before the item.
#
# <details><summary>Hint</summary>Two tests for each passage: does it touch the item at all, and if so, does it reach
# from the rule's start to the item's end?</details>


# %%
def torn(passages: list[tuple[int, int]], rule: tuple[int, int], item: tuple[int, int]) -> bool:
    """Whether some passage shows the item, or a part of it, without the rule."""
    # <solution> any passage that touches the item and is not whole
    return any(
        start < item[1] and end > item[0] and not (start <= rule[0] and end >= item[1]) for start, end in passages
    )
    # </solution>


check.lab02.q2(torn)

# %% [markdown]
# ### q3 · Found, at what price?
#
# *Difficulty:* easy · *Minutes:* 10
#
# Marcus Oyelaran pays by the token, so recall among the best *k* means nothing to him. Write
# `found(ranked, tokens, gold, budget)`: is a passage of `gold` among those read? The reader takes passages in the order
# of `ranked`, each costs `tokens[passage]`, and stops at the first that no longer fits whole into `budget`.
# (The chapter's reader took half a passage; this one is stricter.)
#
# <details><summary>Hint</summary>Subtract first, then ask whether you are below zero; only then look into
# `gold`.</details>


# %%
def found(ranked: list[str], tokens: dict[str, int], gold: set[str], budget: int) -> bool:
    """Whether evidence is among the whole passages read within a budget of tokens."""
    # <solution> read in order, stop at what does not fit
    for passage in ranked:
        budget -= tokens[passage]
        if budget < 0:
            return False
        if passage in gold:
            return True
    return False
    # </solution>


check.lab02.q3(found)

# %% [markdown]
# ### q4 · The stage: cut without tearing
#
# *Difficulty:* hard · *Minutes:* 40
#
# Write `chunk(document)`: passages of `document.text` as `(start, end)` offsets, in order, not overlapping, with
# nothing but white space between them, each at most 64 tokens by `count_tokens`. And:
#
# - a list (lines that begin with `- ` or a number and a full stop) stays together with the block above it;
# - a table, or any other block between blank lines, is not cut while it fits;
# - a paragraph that does not fit is cut after sentences, never inside a sentence that fits;
# - a sentence without any seam still has to fit, cut between words;
# - passages are packed: cutting everything to crumbs tears nothing and helps nobody.
#
# <details><summary>Hint</summary>Three small steps: blocks between blank lines (gluing lists upwards), then pieces of
# those that are too large (sentences, and words only of a sentence that is itself too large), then packing: extend the
# last passage while it fits.</details>

# %%
BUDGET = 64


def chunk(document) -> list[tuple[int, int]]:
    """Passages of a document as (start, end) offsets into its text."""
    # <solution> blocks, then pieces of the large ones, then packing
    text = document.text
    blocks: list[tuple[int, int]] = []
    for match in re.finditer(r"\S(?:.|\n(?!\s*\n))*", text):
        start, end = match.span()
        if blocks and re.match(r"- |\d+\. ", match.group()):
            start = blocks.pop()[0]
        blocks.append((start, end))

    def fits(start, end):
        return count_tokens(text[start:end]) <= BUDGET

    def pieces(start, end, seams=(r"(?<=[.!?])\s+", r"\s+")):
        if fits(start, end) or not seams:
            return [(start, end)]
        inner = [match.end() for match in re.compile(seams[0]).finditer(text, start, end)]
        parts = zip([start, *inner], [*inner, end], strict=True)
        return [piece for part in parts for piece in pieces(*part, seams[1:])]

    passages: list[tuple[int, int]] = []
    for start, end in (piece for block in blocks for piece in pieces(*block)):
        if passages and fits(passages[-1][0], end):
            passages[-1] = (passages[-1][0], end)
        elif start < end:
            passages.append((start, end))
    return passages
    # </solution>


check.lab02.q4(chunk)

# %% [markdown]
# Put this function into `labs/my_system.py` under the same name, together with what it needs. It acts before an index
# exists, so `labkit bench answer` goes on asking the course's index until you build your own.
#
# Then read what it made of one page of the check: would you hand each passage, alone, to a person at a machine?

# %%
from labkit.course.checks.lab02 import RULES, document

if check.lab02.q4(chunk).state == "right":
    for start, end in chunk(document(RULES)):
        print(f"{count_tokens(RULES[start:end]):>3} tokens  {' '.join(RULES[start:end].split())[:90]}")

# %% [markdown]
# ### Say it at work
#
# *"Our chunker has a test that fails when a rule is torn, and that test is not recall."* You will be asked what happens
# to a list longer than the budget. Have an answer: headings travel with every passage, or the passage is refused.
