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
# # Lab 02b · The assistant moves into the aisle
#
# The night desk wants the assistant on the Tern edge controller at every aisle gate, where memory is small and chats
# are long. That changes the requirements: attention that looks back only so far, a cache with a fixed size, answers
# that repeat, and a prompt whose order helps. Fill the gaps, run each check; it answers *not attempted*, *not yet* with
# a hint, or *right*.

# %%
import numpy as np

from labkit.course import NotAttempted, check

# %% [markdown]
# ### q1 · Attention through a window
#
# *Difficulty:* medium · *Minutes:* 15
#
# Many models look back over a window instead of everything, so that a long chat costs in proportion. Write one head:
# `q`, `k` and `v` are arrays of (positions, width), and position *i* may look at itself and at the `window - 1`
# positions before it, never ahead. Scores are divided by the root of the width, as in the chapter.
#
# <details><summary>Hint</summary>Subtract key positions from query positions as a table; the two conditions that hide
# a key are two comparisons on it. Hide before the softmax, or the rest will not add up to one.</details>


# %%
def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, window: int) -> np.ndarray:
    """The mixed values of one head, shape (positions, width)."""
    # <solution> how far back each key lies, then what is hidden, then softmax and mix
    back = np.arange(len(q))[:, None] - np.arange(len(k))
    scores = np.where((back < 0) | (back >= window), -np.inf, q @ k.T / np.sqrt(k.shape[1]))
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) @ v
    # </solution>


check.lab02b.q1(attend)

# %% [markdown]
# ### q2 · A cache that forgets, but not its first token
#
# *Difficulty:* medium · *Minutes:* 15
#
# The gate runs for weeks; the cache has room for a fixed number of positions. The chapter found that heads with nothing
# to say look at the first token, so that one stays. Write `append(cache, new, room)`: `cache` is an array of
# (positions, width), `new` one row. Return a **new** array that ends in `new` and has at most `room` rows (two or
# more): the first, and the newest. The old array belongs to other requests too.
#
# <details><summary>Hint</summary>Concatenate first. When that is one too long, the row to drop is the second.</details>


# %%
def append(cache: np.ndarray, new: np.ndarray, room: int) -> np.ndarray:
    """The cache with one more position, and no more than there is room for."""
    # <solution> append, then keep the first row and the newest
    grown = np.concatenate([cache, new[None]])
    if len(grown) <= room:
        return grown
    return np.concatenate([grown[:1], grown[-(room - 1) :]])
    # </solution>


check.lab02b.q2(append)

# %% [markdown]
# ### q3 · The same answer every night
#
# *Difficulty:* medium · *Minutes:* 15
#
# Dana Whitlock wants the gate to give the same answer to the same question; marketing wants its greeting to vary. Write
# `choice(scores, temperature, top_p)`: probabilities after both, in the chapter's order, for any temperature from
# **zero** up. At zero all the probability is on the best token. Scores may be as large as a thousand.
#
# <details><summary>Hint</summary>Treat zero first. The token that carries the sum across top-p belongs to the kept
# ones, so at least one is always kept.</details>


# %%
def choice(scores: np.ndarray, temperature: float, top_p: float) -> np.ndarray:
    """Next-token probabilities, shape as the scores; they add up to one."""
    # <solution> zero is greedy; else temperature, softmax, the fewest that reach top-p, and renormalise
    if temperature == 0:
        return np.eye(len(scores))[scores.argmax()]
    e = np.exp((scores - scores.max()) / temperature)
    p = e / e.sum()
    order = np.argsort(-p)
    kept = order[: np.searchsorted(np.cumsum(p[order]), top_p - 1e-12) + 1]
    narrowed = np.zeros_like(p)
    narrowed[kept] = p[kept] / p[kept].sum()
    return narrowed
    # </solution>


check.lab02b.q3(choice)

# %% [markdown]
# ### q4 · How many gates per controller?
#
# *Difficulty:* easy · *Minutes:* 10
#
# One controller serves several gates at once. Write `fit(config, weights, memory, context)`: how many requests, each
# with `context` tokens of cache, fit into `memory` bytes beside `weights` bytes of weights? The cache holds numbers of
# two bytes. `config` has `layers`, `heads`, `kv_heads` and `head_dim`. When not even the weights fit, none does.
#
# <details><summary>Hint</summary>Which of the heads have a key and a value of their own? And of what are there
# two?</details>


# %%
def fit(config: dict[str, int], weights: int, memory: int, context: int) -> int:
    """Whole requests that fit at the same time."""
    # <solution> bytes of one request, and how often they go into what is left
    each = config["layers"] * 2 * config["kv_heads"] * config["head_dim"] * 2 * context
    return max(0, memory - weights) // each
    # </solution>


check.lab02b.q4(fit)

# %% [markdown]
# Our model on a Tern, whose memory is given as two gigabytes, with chats of a thousand tokens and at full length:

# %% tags=["solution"]
smollm2 = {"layers": 30, "heads": 9, "kv_heads": 3, "head_dim": 64}
for context in (1000, 8192):
    print(f"{context:>5} tokens: {fit(smollm2, 269_000_000, 2_000_000_000, context)} requests")

# %% [markdown]
# ### q5 · The order of reading
#
# *Difficulty:* easy · *Minutes:* 10
#
# In the chapter the passage next to the question counted most. Write `order(question, passages)`: the positions of the
# passages (from 0) in the order in which the model shall read them. The more different words of the question a passage
# holds, the later it stands; capitals and marks at the ends of words do not matter. The list comes best first from
# retrieval, so of two with equally many words the first in the list stands later.
#
# <details><summary>Hint</summary>A set of words for each text, stripped and folded; then sort positions by a pair.
# </details>


# %%
def order(question: str, passages: list[str]) -> list[int]:
    """Positions of the passages as the model reads them, the best last."""

    # <solution> words of both as sets, then sort by what is shared
    def split(text):
        return {word.strip(".,;:!?").casefold() for word in text.split()}

    shared = [len(split(question) & split(passage)) for passage in passages]
    return sorted(range(len(passages)), key=lambda place: (shared[place], -place))
    # </solution>


check.lab02b.q5(order)

# %% [markdown]
# Put this function into `labs/my_system.py` under the same name, and measure whether it helps **there**:
#
# ```
# labkit bench answer --system labs/my_system.py
# ```
#
# The chapter measured nine short sentences; your system shows the model three. If your row does not move, that is a
# result: say so, with the interval.
