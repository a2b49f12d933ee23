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
# # 02b · Inside one token
#
# A language model scores one next token, again and again. This chapter writes that step out in NumPy, on the real
# weights, and uses it to ask which word of a warning decides that nobody restarts a shuttle.
#
# ## Objectives
#
# After this chapter you can
#
# - compute a decoder's forward pass by hand, and prove that it is the library's;
# - say what temperature and top-p do to a warning, and set them on purpose;
# - find the input token, and the attention head, on which an answer hangs;
# - price a longer prompt: what grows with its length, what with the square, what the cache saves;
# - decide from a measurement where in a prompt the best passage belongs.
#
# **Needs** two cores, less than two gigabytes of memory and about a minute. No key, no GPU, no model hub.

# %% tags=["parameters"]
profile = "ci"
seed = 7

# %%
from labkit.course import record, setup, show

lab = setup(profile, seed)

# %% [markdown]
# ## 1 · A warning, and half of it
#
# In chapter 02 a piece of a page began with "restart the shuttle", cut off from the heading that forbids it. Here is
# the page's warning as it stands, the piece the assistant got, and a third version that lacks a single word.

# %%
from tokenizers import Tokenizer

from labkit.evaluate.corpus import built_world, read_questions
from labkit.models import resolve

world = built_world(lab, seed=seed, progress=False)
page = (world / "documents/support/knowledge/otter-carriage-e530.md").read_text(encoding="utf-8")
warning = "## With the carriage still up" + page.split("## With the carriage still up")[1].split("\n## ")[0]
versions = {
    "whole": warning,
    "cut": warning[warning.index("- restart") :],
    "one word less": warning.replace("must not", "must", 1),
}

folder = resolve(lab.chat_model, lab.home).path
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))


def encode(text):
    """Token ids of a text, without special tokens."""
    return tokenizer.encode(text, add_special_tokens=False).ids


def words(ids):
    """One printable piece of text per token."""
    return [tokenizer.decode([int(token)]).replace("\n", "↵") for token in ids]


for name, text in versions.items():
    print(f"{name:<14} {len(encode(text)):>3} tokens  {text[:58]!r} …")

# %% [markdown]
# After each version the model finishes one sentence: *"Therefore, with the carriage still up, you …"*. We want to read
# "must not" or "cannot". **Predict first:** how much does the missing heading change the probability of that? How much
# the missing word?
#
# ## 2 · The answer to reproduce
#
# First we take down what two others say: transformers, and labkit's decoder, which answers in this course. Each scores
# every token of the vocabulary; we keep the scores and give the memory back.

# %%
import gc
import json

import numpy as np
import torch
from transformers import AutoModelForCausalLM, TemperatureLogitsWarper, TopPLogitsWarper
from transformers.utils import logging

from labkit.llm.decoder import Decoder, read_safetensors

closing = "\nTherefore, with the carriage still up, you must"
prompt = encode(warning + closing)

logging.disable_progress_bar()
# Read as stored and widened after that: read as float32 at once, its memory does not all come back.
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).float().eval()
with torch.inference_mode():
    theirs = model(torch.tensor([prompt])).logits[0]
    cooled = TemperatureLogitsWarper(0.7)(None, theirs[-1:])
    their_choice = TopPLogitsWarper(0.9)(None, cooled).softmax(-1)[0].numpy()
theirs = theirs.numpy()
del model
gc.collect()

decoder = Decoder(folder)
labkits = decoder.logits(prompt)
del decoder
gc.collect()
print(f"scores kept: {theirs.shape[0]} positions × {theirs.shape[1]:,} tokens of vocabulary")

# %% [markdown]
# ## 3 · The pass, written out
#
# The weights are a dictionary of arrays. The embedding table turns a token's number into a vector and, at the end, a
# vector into scores.

# %%
from threadpoolctl import threadpool_limits

threadpool_limits(1, "blas")  # so that the clock below counts work, not threads waiting for each other
weights = read_safetensors(folder)
config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
layers, width = config["num_hidden_layers"], config["hidden_size"]
heads, kv_heads, head_dim = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
print(f"{layers} layers, {heads} query heads sharing {kv_heads} key/value heads of {head_dim}, width {width}")
record("parameters", sum(array.size for array in weights.values()))

# %% [markdown]
# Three small pieces first. **RMSNorm** brings a vector to unit size. **Rotary positions** turn pairs of coordinates by
# an angle that grows with the position, so that the score of a query and a key depends on their *distance* only; the
# last line checks that. **SwiGLU**, the MLP, looks at one token alone.


# %%
def normed(x, name):
    size = np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(config["rms_norm_eps"]))
    return x / size * weights[name]


def rotated(x, positions):
    half = head_dim // 2
    speed = config["rope_parameters"]["rope_theta"] ** (-np.arange(half) / half)
    angle = np.outer(positions, speed)
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def mlp(x, layer):
    gate, up, down = (weights[f"model.layers.{layer}.mlp.{part}_proj.weight"] for part in ("gate", "up", "down"))
    g = x @ gate.T
    return (g / (1 + np.exp(-g)) * (x @ up.T)) @ down.T


query, key = np.random.default_rng(seed).standard_normal((2, 1, head_dim), dtype=np.float32)
near = rotated(query, [12]) @ rotated(key, [5]).T
far = rotated(query, [912]) @ rotated(key, [905]).T
print("same distance, same score:", bool(np.allclose(near, far, atol=1e-3)))

# %% [markdown]
# **Attention** is where tokens read each other. Every position asks with a query and offers a key and a value; a
# softmax over the scores says how much of each value is taken. The mask hides the future. In *grouped-query*
# attention several query heads share one key and value, which shrinks the cache of section 7.


# %%
def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(q, k, v, hidden):
    """Mixed values and the weights they were mixed with; all arrays start with the head."""
    scores = q @ k.swapaxes(1, 2) / np.float32(head_dim**0.5)
    looks = softmax(np.where(hidden, np.float32(-np.inf), scores))
    return looks @ v, looks


def attention(x, layer, positions, hidden, past, muted):
    """What a layer's heads bring to each token, the looks, and the keys and values so far."""
    at = f"model.layers.{layer}.self_attn."
    q, k, v = ((x @ weights[f"{at}{p}_proj.weight"].T).reshape(len(x), -1, head_dim).swapaxes(0, 1) for p in "qkv")
    q, k = rotated(q, positions), rotated(k, positions)
    if past:
        k, v = (np.concatenate([old, new], axis=1) for old, new in zip(past, (k, v), strict=True))
    mixed, looks = attend(q, *(np.repeat(kept, heads // kv_heads, axis=0) for kept in (k, v)), hidden)
    mixed[[head for where, head in muted if where == layer]] = 0
    return mixed.swapaxes(0, 1).reshape(len(x), -1) @ weights[f"{at}o_proj.weight"].T, looks, (k, v)


# %% [markdown]
# The model is a loop: each layer *adds* what attention and MLP found to a running vector per token. Three arguments are
# for experiments: `blocked` positions that no other token may look at, `muted` heads, and `parts`, which lets several
# questions about the same passages share a pass without seeing each other.


# %%
def forward(ids, cache=None, blocked=(), muted=(), parts=None):
    """Vectors after the last layer, the cache for going on, and every layer's looks."""
    start = cache[0][0].shape[1] if cache else 0
    positions = places = np.arange(start, start + len(ids))
    hidden = np.arange(start + len(ids)) > places[:, None]
    for position in blocked:
        hidden[places != position, position] = True
    if parts is not None:  # the number of each token's part, ascending; every part continues the cache
        hidden[:, start:] |= parts[:, None] != parts
        positions = places - np.searchsorted(parts, parts)
    x, new_cache, looks = weights["model.embed_tokens.weight"][ids], [], []
    for layer in range(layers):
        at = f"model.layers.{layer}."
        y = normed(x, f"{at}input_layernorm.weight")
        found, seen, kept = attention(y, layer, positions, hidden, cache[layer] if cache else None, muted)
        x = x + found
        x = x + mlp(normed(x, f"{at}post_attention_layernorm.weight"), layer)
        new_cache.append(kept)
        looks.append(seen)
    return normed(x, "model.norm.weight"), new_cache, np.array(looks)


def logits(x):
    return x @ weights["model.embed_tokens.weight"].T


ours = logits(forward(prompt)[0])
record("worst_difference_to_transformers", np.abs(ours - theirs).max(), "", "lower")
record("worst_difference_to_labkit", np.abs(ours[-1] - labkits).max(), "", "lower")

# %% [markdown]
# Three programs, one model: what differs is the order in which numbers are added. Now your prediction.

# %% tags=["generated"]
NOT, MUST, CAN, CANNOT = (encode(word)[0] for word in (" not", " must", " can", " cannot"))


def forbids(text, **experiment):
    """Probability that "… you" goes on with "cannot" or "must not"."""
    hidden_states, _, _ = forward(encode(text + closing), **experiment)
    after_you, after_must = softmax(logits(hidden_states[-2:]))
    return after_you[CANNOT] + after_you[MUST] * after_must[NOT], after_you, after_must


print(f"{'version':<14} forbids   you must   you can   you must → not")
for name, text in versions.items():
    share, after_you, after_must = forbids(text)
    print(f"{name:<14} {share:7.3f} {after_you[MUST]:10.3f} {after_you[CAN]:9.3f} {after_must[NOT]:16.3f}")
    record(f"forbids_{name.replace(' ', '_')}", share, "", "higher")

# %% [markdown]
# <details><summary>What happened?</summary>
#
# Cut off from its heading, the list makes the model more ready to say that you *can* than that you must. The missing
# word is almost as bad: the model then takes the list for things you *must* do. Even after the whole warning the right
# continuation is no better than a coin toss: this is a small model. </details>
#
# Why not simply ask it? The next cell does.

# %% tags=["generated"]
YES, NO = encode(" Yes")[0], encode(" No")[0]
for name, text in {**versions, "no passage": ""}.items():
    states, _, _ = forward(encode(f"{text}\nQuestion: May I restart the shuttle from the panel?\nAnswer:"))
    p = softmax(logits(states[-1]))
    print(f"{name:<14} Yes {p[YES]:.2f}   No {p[NO]:.2f}")

# %% [markdown]
# Asked outright, it prefers "No" whether it read the warning or only its harmless half. The right answer for the wrong
# reason passes every demo; only a second input, for which the answer should *change*, finds it out.
#
# ## 4 · From scores to a word
#
# A softmax turns scores into probabilities. **Temperature** divides the scores first: below one sharpens, above one
# flattens. **Top-p** then keeps the fewest tokens that together hold a share p, and forgets the rest.


# %%
def choice(scores, temperature=1.0, top_p=1.0):
    """Next-token probabilities after temperature and top-p."""
    p = softmax(scores / temperature)
    order = np.argsort(-p)
    kept = order[: np.searchsorted(np.cumsum(p[order]), top_p) + 1]
    narrowed = np.zeros_like(p)
    narrowed[kept] = p[kept] / p[kept].sum()
    return narrowed


agree = np.abs(choice(theirs[-1], 0.7, 0.9) - their_choice).max()
print("equals transformers:", bool(agree < 1e-5))

# %% tags=["generated"]
from matplotlib import pyplot as plt

top = np.argsort(-ours[-1])[:7]
settings = {"temperature ½": (0.5, 1.0), "temperature 1": (1.0, 1.0), "temperature 2": (2.0, 1.0)}
shares = {name: choice(ours[-1], *setting)[top] for name, setting in settings.items()}
figure, axes = plt.subplots(figsize=(7.5, 3.4))
for place, ((name, share), hatch) in enumerate(zip(shares.items(), ["", "//", ".."], strict=True)):
    axes.bar(np.arange(len(top)) + 0.27 * (place - 1), share, 0.25, label=name, hatch=hatch, edgecolor="white")
axes.set_xticks(range(len(top)), [f"“{word}”" for word in words(top)])
axes.set_ylabel("probability")
axes.set_title("What comes after “… you must”")
axes.legend()
show(
    figure,
    alt="Probabilities of the likeliest next tokens at three temperatures; “not” leads, and heat takes its lead away.",
    data={"token": words(top), **shares},
)
record("not_at_temperature_one", choice(ours[-1])[NOT], "", "higher")
record("tokens_that_hold_nine_tenths", (choice(ours[-1], 1.0, 0.9) > 0).sum(), "tokens")

# %% [markdown]
# Greedy decoding says "not" every time; sampling at temperature one as often as the recorded figure, and its runner-up
# *orders* people to reach under a carriage. A setting copied from a tutorial decides how often a warning survives.
# Where an answer must be repeatable, set temperature zero, and log it.
#
# ## 5 · Which token decides?
#
# Hide one input token from all others, run again, and see what becomes of the prohibition. **Predict:** which token of
# heading and bullet matters most?

# %% tags=["generated"]
pieces = encode(warning)
start = len(encode(warning[: warning.index("- restart")]))
asked = [*range(len(encode(warning.split("\n")[0]))), *range(start, start + len(encode("- restart the shuttle from")))]
before = forbids(warning)[0]
after = [forbids(warning, blocked=[position])[0] for position in asked]

figure, axes = plt.subplots(figsize=(7, 4.2))
axes.barh(range(len(asked)), after, color="#0072b2")
axes.axvline(before, linestyle="--", color="#d55e00")
axes.text(before, -0.9, "nothing hidden", ha="center", va="bottom", color="#d55e00")
axes.set_yticks(range(len(asked)), [f"“{word}”" for word in words(np.array(pieces)[asked])])
axes.invert_yaxis()
axes.set_xlabel("probability of forbidding, with this token hidden")
show(
    figure,
    alt="Bars of the probability of forbidding when one token is hidden; hiding “must” or “not” brings it near zero.",
    data={"hidden token": words(np.array(pieces)[asked]), "probability": after},
)
worst = words([pieces[asked[int(np.argmin(after))]]])[0]
print(f"the token it hangs on: {worst!r}")
record("forbids_with_that_token_hidden", min(after), "", "lower")

# %% [markdown]
# The forbidden action itself hardly matters here. One short word in the heading carries the prohibition; its
# neighbours "you must", by which it is found, carry most of the rest. A chunker that drops headings or a cleaner that
# strips "stop words" removes exactly these.
#
# ## 6 · Which head did it?
#
# Some heads have a job that can be tested without any meaning: give the model random tokens, twice in a row. A head
# that looks from each token to the one that *followed it last time* is an **induction head** (Olsson et al. 2022). We
# score all heads on noise, then watch the winner read our sentence.

# %% tags=["generated"]
noise = np.random.default_rng(seed).integers(1000, 40000, 40)
_, _, looks = forward(np.concatenate([encode("\n"), noise, noise]))
second = np.arange(len(noise) + 1, 2 * len(noise) + 1)
induction = looks[:, :, second, second - len(noise) + 1].mean(-1)
ranked = [tuple(int(i) for i in divmod(int(flat), heads)) for flat in np.argsort(-induction.ravel())]
for layer, head in ranked[:5]:
    print(f"layer {layer:>2}, head {head}: {induction[layer, head]:.2f} of its attention")

_, _, looks = forward(prompt)
layer, head = ranked[0]
readers = range(len(prompt) - len(encode(closing)) + 1, len(prompt))
read = range(len(encode(warning.split("\n")[0])))
picture = looks[layer, head][np.ix_(readers, read)]
row, column = np.array(words(prompt))[list(readers)], np.array(words(prompt))[list(read)]

figure, axes = plt.subplots(figsize=(6.6, 5))
image = axes.imshow(picture, vmin=0, vmax=1)
axes.grid(False)
axes.set_xticks(range(len(column)), [f"“{word}”" for word in column], rotation=60, ha="right")
axes.set_yticks(range(len(row)), [f"“{word}”" for word in row])
axes.set_xlabel("token of the heading that is read")
axes.set_ylabel("token of our sentence that reads")
for (y, x), value in np.ndenumerate(picture):
    if value > 0.1:
        axes.text(x, y, f"{value:.1f}", ha="center", va="center", color="white" if value < 0.6 else "black")
figure.colorbar(image, label="share of attention")
show(
    figure,
    alt="Heat map of one head: words of our sentence look at what followed their twin in the heading, “must” at “not”.",
    data={"reading token": row, **{f"{i}: {word}": picture[:, i] for i, word in enumerate(column)}},
)
record("attention_of_must_on_not", picture[-1, column.tolist().index(" not")], "", "higher")

# %% [markdown]
# A head chosen on noise reads a safety notice: standing on "must", it finds the earlier "must" and looks at what came
# next. But where a head looks does not say whether it *matters*. That takes an experiment: mute the best three and,
# for comparison, three others, drawn several times.

# %% tags=["generated"]
states, _, _ = forward(prompt, muted=ranked[:3])
without = softmax(logits(states[-1]))[NOT]
rng = np.random.default_rng(seed)
others = [
    softmax(logits(forward(prompt, muted=[ranked[i] for i in rng.choice(range(20, len(ranked)), 3)])[0][-1]))[NOT]
    for _ in range(6)
]
print(f"“not” after “must”: as it is {softmax(ours[-1])[NOT]:.2f}, three induction heads muted {without:.2f}, ")
print(f"three others muted {np.min(others):.2f} to {np.max(others):.2f} in {len(others)} draws")
record("not_without_induction_heads", without, "", "lower")

sink = looks[:, :, 1:, 0].mean()
print(f"the first token, {words(prompt[:1])[0]!r}, gets {sink:.2f} of all attention; one of {len(prompt)}")
record("attention_on_the_first_token", sink)

# %% [markdown]
# The copying heads matter, others much less. The bright first column of the picture is something else: a softmax must
# put its weight somewhere, and heads with nothing to say put it on the first token, an **attention sink** (Xiao et al.
# 2024). Cut off the beginning of a long chat and you cut off the sink; the lab does better.
#
# ## 7 · What a longer prompt costs
#
# Keys and values of earlier tokens never change, because nobody may look ahead. Keep them, and a new token costs one
# row of work instead of the whole table. **Predict:** are the scores the same, and is as much time saved as work?

# %% tags=["timing"]
import time

new = 12


def continued(cached):
    """Greedy continuation of the prompt: ids, last scores, positions computed, seconds."""
    ids, computed, cache, started = list(prompt), 0, None, time.perf_counter()
    for _ in range(new):
        step = ids[len(cache[0][0][0]) :] if cached and cache else ids
        states, cache, _ = forward(step, cache if cached else None)
        scores = logits(states[-1])
        computed += len(step)
        ids.append(int(scores.argmax()))
    return ids, scores, computed, time.perf_counter() - started


plain, with_cache = continued(False), continued(True)
print(repr(tokenizer.decode(plain[0][len(prompt) :])))
record("same_tokens_with_cache", plain[0] == with_cache[0], "", "higher")
record("worst_difference_with_cache", np.abs(plain[1] - with_cache[1]).max(), "", "lower")
record("work_saved_by_cache", plain[2] / with_cache[2], "×", "higher")
record("time_saved_by_cache", plain[3] / with_cache[3], "×", "higher")

# %% [markdown]
# <details><summary>What happened?</summary>
#
# Same tokens, much less work, but less time saved than work: one token alone still reads every weight from memory.
# That gap is why servers answer many requests together (chapter 09). </details>
#
# The cache has a price in memory. And attention compares every token with every other, so reading a prompt has one part
# that grows with its length and one that grows with the square.

# %% tags=["timing"]
from functools import partial

per_token = layers * 2 * kv_heads * head_dim * 4
record("cache_bytes_per_token", per_token, "bytes")
print(f"full context of {config['max_position_embeddings']:,} tokens: {per_token * 8192 / 1e6:,.0f} MB of cache;")
print(f"without grouping, with a key and value for every query head: {heads // kv_heads} times that")

lengths = [128, 256, 512, 1024]
best = {"attention": [], "the rest (MLP)": []}
for n in lengths:
    q, k, v = np.random.default_rng(seed).standard_normal((3, 1, n, head_dim), dtype=np.float32)
    x = np.random.default_rng(seed).standard_normal((n, width), dtype=np.float32)
    future = np.triu(np.ones((n, n), bool), 1)
    for name, work in zip(best, (partial(attend, q, k, v, future), partial(mlp, x, 0)), strict=True):
        taken = []
        for _ in range(5):
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
        best[name].append(min(taken))
growth = {name: np.array(seconds) / seconds[0] for name, seconds in best.items()}

figure, axes = plt.subplots(figsize=(6.5, 3.6))
for name, ratio in growth.items():
    axes.loglog(lengths, ratio, label=name)
axes.set_xticks(lengths, [str(n) for n in lengths])
axes.minorticks_off()
axes.set_xlabel("tokens in the prompt")
axes.set_ylabel("time, shortest = 1")
axes.legend()
show(
    figure,
    alt="Time against prompt length on doubly logarithmic axes; attention climbs about twice as steeply as the rest.",
    data={"tokens": lengths, **growth},
)
record("attention_when_length_grows_eightfold", growth["attention"][-1], "×")
record("rest_when_length_grows_eightfold", growth["the rest (MLP)"][-1], "×")
linear = sum(a.size for name, a in weights.items() if a.ndim == 2 and "embed" not in name)
record("length_where_attention_is_half_the_work", linear / (2 * layers * heads * head_dim), "tokens")

# %% [markdown]
# On the clock our attention climbs faster than its count: it writes the whole table of scores to memory, which serving
# engines avoid. Counted, you pay mostly for the weights up to that last length, and for the square beyond it. Quote
# "attention is quadratic" together with the length at which it starts to hurt.
#
# ## 8 · Lost in the middle?
#
# Large models were found to use the beginning and the end of a long context, and to overlook its middle (Liu et al.
# 2024). This one? Nine sentences of the company, all of one kind, go into one prompt, and we ask about each. The order
# is rotated twice, so each sentence stands once in every third. **Predict** which third wins.

# %%
import re

cues = {
    "error.meaning": "The meaning of {} is",
    "incident.site": "The site of {} was",
    "incident.cause": "The cause of {} was",
    "change.part": "The part changed by {} is the",
}
texts = {}
for line in (world / "truth" / "texts.jsonl").open(encoding="utf-8"):
    document = json.loads(line)
    texts[document["doc_id"]] = document["text"]
groups = {relation: {} for relation in cues}
for question in [*read_questions(world, "train"), *read_questions(world, "dev")]:
    if question.type == "single_hop" and question.relation in cues:
        doc_id, begin, end = question.evidence[0]
        sentence = " ".join(texts[doc_id][begin:end].split())
        named = re.search(r"\b[A-Z]+-\d+\b", question.text)
        if named and named.group() in sentence and question.value in sentence and len(sentence) < 100:
            group = groups[question.relation]
            if len(group) < 9:
                group.setdefault(question.value, (named.group(), sentence))  # nine different values
groups = {relation: group for relation, group in groups.items() if len(group) == 9}
for relation, group in groups.items():
    print(f"{relation:<15} for example: {next(iter(group.values()))[1]}")

# %% [markdown]
# The passages are computed once; their cache serves nine questions in one pass. The figure is the log-probability of
# the whole right value; beside it, the same cue without passages.


# %% tags=["generated"]
def value_scores(rows, cache):
    """Log-probability of each row's value after its cue."""
    cues, values = [encode(f"\n{cue}") for cue, _, _ in rows], [encode(f" {value}") for _, value, _ in rows]
    asked = [[*cue, *value[:-1]] for cue, value in zip(cues, values, strict=True)]
    parts = np.repeat(np.arange(len(asked)), [len(ids) for ids in asked])
    states, _, _ = forward(np.concatenate(asked), cache, parts=parts)
    scores = []
    for part, (cue, value) in enumerate(zip(cues, values, strict=True)):
        p = softmax(logits(states[parts == part][len(cue) - 1 :]))
        scores.append(np.log(p[range(len(value)), value]).sum())
    return scores


thirds = ["first third", "middle third", "last third"]
scored = []
for relation, group in groups.items():
    rows = [(cues[relation].format(code), value, sentence) for value, (code, sentence) in group.items()]
    turned = {third: [] for third in thirds}
    caches = [forward(encode("\n".join(s for _, _, s in rows[3 * turn :] + rows[: 3 * turn])))[1] for turn in range(3)]
    _, nothing, _ = forward(encode("\n"))
    turned["no passages"] = value_scores(rows, nothing)
    by_turn = [value_scores(rows, cache) for cache in caches]
    for place in range(9):
        for turn in range(3):
            turned[thirds[(place - 3 * turn) % 9 // 3]].append(by_turn[turn][place])
    scored.append(turned)
table = {name: np.concatenate([turned[name] for turned in scored]) for name in scored[0]}

# %% tags=["generated"]
from labkit.evaluate.statistics import mean_interval

means = [table[third].mean() for third in thirds]
intervals = [mean_interval(table[third], seed) for third in thirds]
figure, axes = plt.subplots(figsize=(6, 3.4))
spread = np.abs(np.array(intervals).T - means)
axes.errorbar(thirds, means, yerr=spread, fmt="o", capsize=5, color="#0072b2")
axes.set_xlim(-0.5, 2.5)
axes.set_ylabel("log-probability of the value")
axes.set_xlabel("where the sentence stood")
show(
    figure,
    alt="Log-probability of the right value by place in the prompt, with intervals; the last third is best.",
    data={"place": thirds, "mean": means, "low": [i[0] for i in intervals], "high": [i[1] for i in intervals]},
)
print(f"n = {len(means)} × {len(table[thirds[0]])} scores; with no passages {table['no passages'].mean():.1f}")
for name, better, worse in (("last_over_middle", 2, 1), ("first_over_middle", 0, 1)):
    gain = table[thirds[better]] - table[thirds[worse]]
    low, high = mean_interval(gain, seed)
    print(f"{name}: paired 95 % interval {low:.2f} to {high:.2f}")
    record(name, gain.mean(), "nats", "higher")

# %% [markdown]
# <details><summary>What happened?</summary>
#
# Standing last helps; standing first does not, as far as the interval shows. The published curve belongs to other
# models and far longer prompts. Our intervals treat sentences as independent; they share a few kinds of fact, so the
# truth is wider. </details>
#
# **On Monday:** put the best passage last, next to the question, after checking that on your model; send fewer
# passages; keep what never changes in front, where a server can keep its cache.
#
# ## Checkpoint
#
# Before the lab: which of our figures would change with a larger model, and which follow from arithmetic? Why does
# hiding "must" hurt, when "not" is still there? Where in your own prompt stands the sentence nobody may miss?
#
# ## Recap
#
# - **Built:** one forward pass, equal to the library's; a sampler; a cache; a way to ask which token and which head.
# - **Broke:** a warning lost its force with one word, and a yes-or-no question hid that completely.
# - **Cost:** the cache per token, and the length at which attention overtakes the weights.
#
# ### Say it at work
#
# *"The prohibition hangs on one token of a heading: hide it, and little is left, as section 5 shows. I would carry
# headings with every piece, decode greedily and put the best passage last. Below the length in section 7, passages
# cost about in proportion."* You will be asked: *does that hold for the model we buy next year?* The arithmetic does,
# with its dimensions; the order has to be measured again.
#
# ### Read next
#
# Chapter 03 decides which passages get into the prompt at all. The lab of this chapter is
# `labs/02b_inside_one_token.ipynb`; it ends with a function for your own system.
