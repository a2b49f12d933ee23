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
# # 07 · Quantization
#
# A model in four bits fits where sixteen do not. What it loses is not spread evenly: the average looks well, and a
# *not* is gone. Here we make the tuned reader smaller in five ways and look for what is missing.
#
# ## Objectives
#
# After this chapter you can
#
# - round weights by hand, and say what a group's scale and a table of embeddings cost in bytes;
# - measure what a build lost: perplexity with an interval, replies, and each kind of decision on a row of its own;
# - catch a rounding that threw the fine-tune away, which perplexity does not;
# - notice weights that somebody rounded before you, and take their help away;
# - reckon the memory of a 7B or 70B model, and choose a method with figures.
#
# **Needs** two cores, four gigabytes of memory, two of disk and about four minutes. No key, no GPU, no model hub.

# %% tags=["parameters"]
profile = "ci"
seed = 7

# %%
import gc
import json
import random
import re
import tempfile
import warnings
from pathlib import Path

import numpy as np

from labkit.course import record, scoreboard_row, setup, show
from labkit.evaluate.corpus import asked_by, prepare_world, read_facts, read_questions
from labkit.llm import embedder
from labkit.llm.shipped import shipped
from labkit.models import resolve
from labkit.quantize.checkpoint import ADAPTER, Checkpoint, weight_bytes
from labkit.retrieve import open_index
from labkit.tune.merge import merged_answer_model
from labkit.tune.retrieved import Contexts

lab = setup(profile, seed)
encoder = embedder(lab)
prepared = prepare_world(lab, encoder, seed=seed, progress=False)
index = open_index(prepared.index, encoder)
world = Contexts(lab, seed, "dev")
base, adapter = resolve(lab.chat_model, lab.home), shipped("answer")
source = merged_answer_model(lab)
plain, tuned = Checkpoint(base.path), Checkpoint(source)
rng = random.Random(seed)
scratch = tempfile.TemporaryDirectory()
work = Path(scratch.name)
print(f"{base.name} with its answer adapter merged: {weight_bytes(source) / 1e6:,.0f} MB in bfloat16")

# %% [markdown]
# ## 1 · The word that did not fit
#
# In September Astrid Lindqvist put the assistant on the Tern itself: four bits a weight, inside its two gigabytes. In
# October a Tern told an operator at Halden's clean store what she may wipe the lidar ring with. The page in its prompt
# said that she may not. What the documents know:

# %%
from labkit.evaluate.statistics import proportion_interval
from labkit.retrieve.text import sentences

hero = next(q for q in read_questions(prepared.world, "core") if q.arc == "07-lost-negation")
print(f"{hero.text}\nright: {hero.value}; wrong costs {hero.cost_if_wrong:,.0f} EUR\n")
for chunk in sorted(index.store.chunks(), key=lambda chunk: (chunk.source_path, chunk.ordinal)):
    for sentence in sentences(chunk.text):
        if "lost the negation in" in sentence.text or "cleaned with isopropanol" in sentence.text:
            print(f"{chunk.source_path}\n    {' '.join(sentence.text.split())}")
told = read_facts(prepared.world)
lost, measured = map(int, told["07-lost-negation/lost-measured"][0].split(" of "))
_, tried = map(int, told["07-lost-negation/lost-claimed"][0].split(" of "))
low, high = proportion_interval(0, tried)
print(f"\nnone of {tried}: 95 % interval {low:.3f} to {high:.3f}; on the longer sheet {lost / measured:.3f} were lost")

# %% [markdown]
# Forty sentences, picked by two people over lunch. **Predict:** had they been drawn at random from a build that loses
# that share, how likely is it that none of them shows it?
#
# And our own model? We let it read the page, stop it where the two readings part, and see by how much it prefers the
# word that stands there. Call that its **lead**, in nats. **Predict** it as a probability between the two.

# %% tags=["generated"]
import torch

from labkit.llm.tasks import Quote, Shown, answered, flat, numbered, prompt_of
from labkit.quantize import load
from labkit.tune.dialogue import IGNORED, Dialogue, Turn, encode

record("chance_of_none", (1 - lost / measured) ** tried, "", "lower")
RING = ("The lidar ring may not be cleaned with isopropanol.", "The lidar ring may be cleaned with isopropanol.")
loaded = load(source)
tokenizer = loaded.tokenizer


def ids_of(passages, quoted, question="What does each of them say?"):
    """Token ids of a conversation in which the reply quotes passages whole, in order."""
    user = prompt_of("answer").messages(passages=numbered(passages), question=question)[1]["content"]
    quotes = [Quote(place, flat(passage)) for place, passage in enumerate(quoted, 1)]
    reply = answered(quotes[-1].words, quotes)
    return encode(Dialogue("answer", (Turn(user, reply),), "chapter 07"), tokenizer).input_ids


def parting(ids, others):
    """Where two lists of tokens part, and how the second goes on."""
    place = next(n for n, (one, other) in enumerate(zip(ids, others, strict=False)) if one != other)
    return place, others[place]


def lead(scores, ids, place, wrong=None):
    """By how much the right token at a place is preferred to a wrong one, or to all others."""
    row = scores[place - 1].clone()
    right = float(row[ids[place]])
    row[ids[place]] = -torch.inf
    return right - float(row.max() if wrong is None else row[wrong])


def read_by(model, ids):
    """The scores of the next token at every place."""
    with torch.inference_mode():
        return model(torch.tensor([ids]), use_cache=False).logits[0].float()


page = [Shown("Heron", RING[0])]
ids = ids_of(page, page)
place, wrong = parting(ids, ids_of(page, [Shown("Heron", RING[1])]))
ahead = lead(read_by(loaded.model, ids), ids, place, wrong)
print(f"…{tokenizer.decode(ids[place - 4 : place])} →{tokenizer.decode([ids[place]])} or{tokenizer.decode([wrong])}")
print(f"lead of the right one: {ahead:+.2f}")
record("sure_of_the_not", 1 / (1 + np.exp(-ahead)), "", "higher")
del loaded
_ = gc.collect()

# %% [markdown]
# So it was hardly bad luck. It was the sheet: nearly all of the forty said *do not*, and what went missing was the
# quiet kind.
#
# ## 2 · Rounding by hand
#
# Sixteen levels, and for each *group* of neighbouring weights a scale and the level that stands for zero. That is
# round-to-nearest, the naive peer of everything that follows. One matrix of the model, by hand and by labkit:

# %%
from labkit.llm.lora import read_lora
from labkit.quantize import grid

layer, part = max(read_lora(adapter, base).changes)
matrix = f"model.layers.{layer}.{'self_attn' if part in 'qkvo' else 'mlp'}.{part}_proj.weight"
W = tuned.read(matrix)


def by_hand(weights, group):
    """Weights after a trip to sixteen levels, each group with a scale in half precision and a level for zero."""
    parts = weights.reshape(len(weights), -1, group)
    low, high = np.minimum(parts.min(-1), 0), np.maximum(parts.max(-1), 0)
    step = np.maximum((high - low) / 15, high / 14).astype(np.float16).astype(np.float32)[..., None]
    zero = np.clip(np.round(-low[..., None] / step), 1, 15)
    codes = np.clip(np.round(parts / step + zero), 0, 15)
    return ((codes - zero) * step).reshape(weights.shape)


def error(restored, weights):
    """Root of the mean squared error over that of the weights."""
    return float(np.sqrt(np.mean((restored - weights) ** 2) / np.mean(weights**2)))


ours, theirs = by_hand(W.numpy(), 32), grid.nearest(W, 32).restored().numpy()
print(f"{matrix}, {tuple(W.shape)}")
record("weights_that_agree", np.mean(np.abs(ours - theirs) < 1e-6), "of weights", "higher")
record("error_of_groups_of_32", error(ours, W.numpy()), "of the weights", "lower")

# %% [markdown]
# **Predict:** with a scale for each 16 weights or one for a whole row, by how much does the error differ, and the file?

# %%
from matplotlib import pyplot as plt

from labkit.errors import InputError
from labkit.quantize import calculator

groups = [16, 32, 64, 192, 576]
bits = [calculator.grouped(4, group, zero=4) for group in groups]
errors = [error(by_hand(W.numpy(), group), W.numpy()) for group in groups]
files = [calculator.weights(tuned.config, calculator.Scheme(b, column=32)) / weight_bytes(source) for b in bits]
figure, axes = plt.subplots(figsize=(7, 2.8))
axes.plot(bits, errors)
for x, y, group in zip(bits, errors, groups, strict=True):
    axes.annotate(f" {group} a scale", (x, y), va="bottom")
axes.set(xlabel="bits a weight, scales counted", ylabel="error over the weights", xlim=(None, max(bits) + 0.25))
alt = "Error against bits a weight for five group sizes: smaller groups cost bits and lower the error, less each time."
show(figure, alt=alt, data={"group": groups, "bits": bits, "error": errors, "file over bf16": files})
record("bits_of_groups_of_32", bits[1], "bits", "lower")
record("error_of_rows_over_16", errors[-1] / errors[0], "×", "lower")
record("file_of_16_over_rows", files[0] / files[-1], "×", "lower")
try:
    tuned.check_group(128)
except InputError as refused:
    print(refused)

# %% [markdown]
# The usual 128 does not divide this model's layers. Some tools find that out after they have saved.
#
# **Predict:** four bits instead of sixteen. Is the file a quarter?

# %%
shapes = {base.name: tuned.config} | {name: calculator.SHAPES[name] for name in ("mistral-7b-v0.3", "llama-3.1-70b")}
print(f"{'':<24}{'embeddings of parameters':>26}{'of 4-bit bytes':>17}{'4-bit over bf16':>18}")
for name, config in shapes.items():
    count, small = calculator.parameters(config), calculator.weights(config, calculator.SCHEMES["gptq_g32"])
    outside, whole = count.embedding + count.head, calculator.weights(config, calculator.SCHEMES["bf16"])
    print(f"{name:<24}{outside / count.total:>26.3f}{2 * outside / small:>17.3f}{small / whole:>18.3f}")
    if name == base.name:
        record("embeddings_of_parameters", outside / count.total, "of parameters")
        record("embeddings_of_4_bit_bytes", 2 * outside / small, "of bytes")
        record("gptq_file_over_bf16", small / whole, "×", "lower")

# %% [markdown]
# <details><summary>A quarter?</summary>
#
# No. Scales take their bits, and most methods leave the table of token vectors alone. In a large model that is a
# footnote; in this one the table is nearly half of what is left. A size without embeddings is an advertisement.
# </details>
#
# ## 3 · A grid that was there before
#
# SmolLM2 reaches us in a package that stores it as Q4_1: blocks of 32 weights, sixteen even levels between the lowest
# and the highest. Unpacked it is called bfloat16, and it is. **Predict** what Q4_1 costs a model that has been there,
# and what it does to the fine-tune on top. The *control* is the same model with random factors moved between its
# matrices: it computes the same, and no block has a grid any more.

# %%
from labkit.quantize import ggml
from labkit.quantize.offgrid import off_grid

off_grid(source, work / "off_grid", seed=seed)
before, after, control = (
    checkpoint.read(matrix).numpy() for checkpoint in (plain, tuned, Checkpoint(work / "off_grid"))
)


def q4_1(weights):
    """Weights after a trip to sixteen even levels between the lowest and the highest of each 32."""
    blocks = weights.reshape(-1, 32)
    low = blocks.min(1, keepdims=True)
    step = (blocks.max(1, keepdims=True) - low) / 15
    codes = np.floor((blocks - low) / np.maximum(step, 1e-12) + 0.5).clip(0, 15)
    halves = (part.astype(np.float16).astype(np.float32) for part in (step, low))
    return (codes * next(halves) + next(halves)).reshape(weights.shape)


def kept(restored):
    """The part of the adapter's change that is left: the projection of what came of it on it."""
    change = after - before
    return float((change * (restored - before)).sum() / np.square(change).sum())


print(f"{'':<12}{'values in a block':>20}{'error of Q4_1':>16}{'of nearest, g32':>18}")
for name, weights in {"base": before, "fine-tuned": after, "control": control}.items():
    values = np.mean([len(np.unique(block)) for block in weights.reshape(-1, 32)])
    print(
        f"{name:<12}{values:>20.1f}{error(q4_1(weights), weights):>16.4f}{error(by_hand(weights, 32), weights):>18.4f}"
    )
    record(f"values_in_a_block_{name.replace('-', '_')}", values, "of 32")
same = np.abs(q4_1(after) - ggml.rounded(tuned.read(matrix), "Q4_1").numpy()) < 1e-6
record("q4_1_that_agree", np.mean(same), "of weights", "higher")
record("error_of_the_second_rounding", error(q4_1(before), before), "of the weights", "lower")
record("error_of_the_first_rounding", error(q4_1(control), control), "of the weights", "lower")
step = np.ptp(before.reshape(-1, 32), axis=1).mean() / 15
record("change_over_step", np.abs(after - before).mean() / step, "of a step")
record("kept_here_by_q4_1", kept(q4_1(after)), "of the change", "higher")
record("kept_here_by_nearest", kept(by_hand(after, 32)), "of the change", "higher")

# %% [markdown]
# <details><summary>What does it cost?</summary>
#
# The base hardly anything: it finds its own levels again. That says something about the package and nothing about Q4_1.
# And the adapter moves a weight by a fraction of a step, so the nearest level is mostly the one it came from: rounding
# undoes the lesson. Another grid does not pull back; it adds noise to all directions alike. </details>
#
# Counting the values of a block takes a minute and works on any checkpoint you are handed.
#
# ## 4 · Five builds and a sheet
#
# Perplexity asks how surprised a build is by test documents. Nobody phones about surprise, so we write a *sheet* out of
# dev documents: sentences and their opposites, one said of the Heron, the other of the Otter, to be read back. Both are
# asked, or a build that always says *not* would win. The same with a number. And questions with the reply they should
# get: it counts if every token of it would be the build's first choice.

# %%
from labkit.retrieve.text import is_negative
from labkit.tune import answering

LOUD = ((r"\b(do|Do|DO) (?:not|NOT)\b", r"\1"),)
QUIET = (
    (r"\b(is|are|was|were|has|have|had|does|did|may|must|can|could|will|would|should) not\b", r"\1"),
    (r"\bcannot\b", "can"),
    (r"\bno longer\b", "still"),
    (r"\bnever\b", "always"),
    (r"\bNever\b", "Always"),
    (r"\bwithout\b", "with"),
)
NUMBER = re.compile(r"(?<![\w.,:/+-])\d\d(?![\w.,:/-])")


def opposite(text, ways):
    """A sentence with its only negation taken away; None where it has no such one, or two."""
    for pattern, instead in ways:
        other, found = re.subn(pattern, instead, text, count=1)
        if found:
            return None if is_negative(other) else other
    return None


said = {" ".join(s.text.split()) for chunk in world.chunks() if chunk.lang == "en" for s in sentences(chunk.text)}
said = sorted(s for s in said if 30 <= len(s) <= 100 and "|" not in s and s[0].isupper() and s[-1] in ".!")
rng.shuffle(said)
pairs = {"do not": [], "quiet not": [RING], "number": []}
for text in said:
    digits = None if is_negative(text) else NUMBER.search(text)
    if other := opposite(text, LOUD):
        pairs["do not"].append((text, other))
    elif other := opposite(text, QUIET):
        pairs["quiet not"].append((text, other))
    elif digits:
        first = str(int(digits[0][0]) % 9 + 1)
        pairs["number"].append((text, text[: digits.start()] + first + text[digits.start() + 1 :]))
for kind, found in pairs.items():
    print(f"{kind:<10} {len(found):>3} sentences, such as {found[1][0]!r}")

# %% tags=["generated"]
MOST = {"do not": 6, "quiet not": 8, "number": 4} if profile == "ci" else dict.fromkeys(pairs, 40)
sheet = []  # token ids, and decisions: kind, places that must be right, the wrong token or None for any other
for kind, found in pairs.items():
    for number, (text, other) in enumerate(found[: MOST[kind]]):
        one, two = (text, other) if number % 2 else (other, text)
        both = [Shown("Heron", one), Shown("Otter", two)]
        ids, decisions = ids_of(both, both), []
        for here, misread in ((one, [Shown("Heron", two)]), (two, [Shown("Heron", one), Shown("Otter", one)])):
            place, wrong = parting(ids, ids_of(both, misread))
            decisions.append((kind if here == text or kind == "number" else "opposite", [place], wrong))
        sheet.append((ids, decisions))

for kind, of_type, tried, taken in (("reply", "single_hop", 9, 7), ("silence", "unanswerable", 4, 3)):
    encoded, questions = [], [question for question in world.questions if question.type == of_type]
    for question in rng.sample(questions, len(questions)):
        context = world.gold(question, rng) if kind == "reply" else world.retrieved(question, rng, everything=True)
        if context is not None and context.asked is not None and bool(context.asked.value) == (kind == "reply"):
            encoded.append(encode(answering.dialogues(context, rng)[0], tokenizer))
        if len(encoded) == tried:
            break
    for ids, labels in sorted(encoded, key=lambda turn: len(turn.input_ids))[:taken]:
        sheet.append((ids, [(kind, [n for n, label in enumerate(labels) if label != IGNORED], None)]))
asked = [kind for _, decisions in sheet for kind, _, _ in decisions]
print(", ".join(f"{kind} {asked.count(kind)}" for kind in dict.fromkeys(asked)))
print(f"{sum(len(ids) for ids, _ in sheet):,} tokens to read")
record("decisions", len(asked), "decisions")

# %% [markdown]
# Now the builds. `int8` and `nf4` are bitsandbytes' and compute in their own arithmetic. Q8_0 and Q4_1 are GGUF, for
# llama.cpp and its kin; here they are read back into bfloat16, so what they say is theirs, and their speed is not. The
# last one rounds the *base* and leaves the adapter beside it in sixteen bits. **Predict** two orders before you run it:
# by size, and by right decisions.

# %%
from labkit.quantize import beside, gguf, int8, nf4

BESIDE = "gguf_q4_1_beside"
BUILDS = {
    "int8": int8,
    "gguf_q8_0": lambda a, b: gguf(a, b, weights="Q8_0"),
    "nf4": nf4,
    "gguf_q4_1": lambda a, b: gguf(a, b, weights="Q4_1"),
    BESIDE: lambda a, b: beside(lambda c, d: gguf(c, d, weights="Q4_1"), a, adapter, b),
}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name, make in BUILDS.items():
        made = make(base.path if name == BESIDE else source, work / name)
        print(f"{name:<18} {made.bits} bits, {made.group or 'a row'} a scale, for {made.engine}")

# %% tags=["timing"]
from labkit.bench.quantizetexts import texts
from labkit.quantize.report import Asked, Report

TOKENS = 2_000 if profile == "ci" else 20_000
read = texts(prepared.tables, prepared.world, None, "test", seed)
leads = []


def exam(loaded):
    """The sheet put to a build; how far the right token leads is kept beside."""
    found = []
    for ids, decisions in sheet:
        scores = read_by(loaded.model, ids)
        found += [min(lead(scores, ids, place, wrong) for place in places) for _, places, wrong in decisions]
    leads.append(np.array(found))
    return [Asked(str(n), kind, ahead > 0) for n, (kind, ahead) in enumerate(zip(asked, found, strict=True))]


report = Report({"in_domain": read.measured["in_domain"]}, TOKENS, exam, seed)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in ("bf16", *BUILDS):
        report.add(name, source if name == "bf16" else work / name)
rows = {row.name: row for row in report.rows}
print(report.table(), "\n")
for name in BUILDS:
    found = rows[name].ratio["in_domain"]
    low, high = found.ci95 or (float("nan"),) * 2
    print(f"{name:<18} perplexity {found.value:.3f}×, 95 % {low:.3f} to {high:.3f}, {found.tokens:,} tokens")
    record(f"size_{name}", rows[name].size_ratio, "×", "lower")
    record(f"perplexity_{name}", found.value, "×", "lower")
for name in ("int8", "nf4"):
    record(f"speed_{name}", rows[name].tokens_per_s / rows["bf16"].tokens_per_s, "×", "higher")

# %% [markdown]
# Few texts, wide intervals; the big table, in domain and out of it, is `labkit bench quantize`. Read the speed, too:
# fewer bytes are no promise of fewer seconds. That depends on who wrote the kernel for your processor.
#
# ## 5 · The fine-tune that went away
#
# Look at `gguf_q4_1`: small, and perplexity has little against it. Section 3 said what to suspect. `change_kept`
# measures it over all layers; the *replies* are what the adapter was trained for. **Predict** them for the build that
# rounded the merged weights, and for the one with the adapter beside.

# %% tags=["generated"]
from labkit.quantize.change import change_kept

for name in ("gguf_q8_0", "gguf_q4_1"):
    share = change_kept(base.path, source, load(work / name))
    gc.collect()
    print(f"{name:<18} kept {share:.3f} of what the adapter changed")
    record(f"change_kept_{name}", share, "of the change", "higher")
print()
for name, row in rows.items():
    hit = {kind: round(row.scores[kind].share * row.scores[kind].n) for kind in ("reply", "silence")}
    print(
        f"{name:<18} perplexity {row.ratio['in_domain'].value:.3f}×   replies {hit['reply']} of"
        f" {row.scores['reply'].n}   silences {hit['silence']} of {row.scores['silence'].n}"
    )
    record(f"replies_{name}", hit["reply"], f"of {row.scores['reply'].n}", "higher")
beside_more = weight_bytes(work / BESIDE) / weight_bytes(work / "gguf_q4_1") - 1
record("beside_costs", beside_more, "of the bytes", "lower")

# %% [markdown]
# <details><summary>Who kept it?</summary>
#
# Perplexity compares with the tuned model on prose, where the base is as good or better; so going back to the base
# passes for a success. Only a task that the base cannot do can see the difference. The adapter beside a rounded base is
# whole by construction, for a few bytes more. </details>
#
# ## 6 · Without the help
#
# What would four bits cost a model that was never packaged so? The control of section 3 tells. (It is fair if NF4,
# which brings levels of its own, comes out alike on both sides: the bench checks that.)

# %% tags=["generated"]
from labkit.quantize.perplexity import losses, ratio

gguf(work / "off_grid", work / "off_grid_q4_1", weights="Q4_1")
unrounded, apart = report.losses["bf16"]["in_domain"], {}
for name in ("off_grid", "off_grid_q4_1"):
    loaded = load(work / name)
    now = losses(loaded.model, loaded.tokenizer, read.measured["in_domain"], tokens=TOKENS)
    apart[name] = ratio(unrounded, now, seed)
    low, high = apart[name].ci95 or (float("nan"),) * 2
    print(f"{name:<16} perplexity {apart[name].value:.3f}×, 95 % {low:.3f} to {high:.3f}")
    del loaded
    gc.collect()
print(f"{'as packaged':<16} perplexity {rows[BESIDE].ratio['in_domain'].value:.3f}×, adapter beside")
record("perplexity_off_grid", apart["off_grid"].value, "×", "lower")
record("perplexity_off_grid_q4_1", apart["off_grid_q4_1"].value, "×", "lower")

# %% [markdown]
# The first line checks the control: moved factors alone cost nothing but rounding. The gap between the other two is a
# gift of the packager. Whoever reports the last line as *the cost of four bits* has measured a coincidence.
#
# ## 7 · Drill: lost negations
#
# Priya writes at night: *a Tern contradicts the page again; which build is it, and what else does it get wrong?* The
# averages are above. Before you unfold the sheet, **write down** two things: which kind of decision changes first, and
# where it stood in the large build.

# %% tags=["generated"]
from labkit.evaluate.statistics import difference_interval

kinds = ("do not", "quiet not", "opposite", "number")
print(f"{'right':<18}" + "".join(f"{kind:>14}" for kind in ("all", *kinds)))
for name, row in rows.items():
    shares = (f"{row.scores[kind].share:>9.2f} ({row.scores[kind].n:>2})" for kind in ("all", *kinds))
    print(f"{name:<18}" + "".join(shares))
of_kind = {kind: np.array([k == kind for k in asked]) for kind in kinds}
whole, by_build = leads[0], dict(zip(rows, leads, strict=True))
print(f"\n{'lead, changed by':<18}" + "".join(f"{kind:>24}" for kind in kinds))
for name in BUILDS:
    cells = []
    for mask in of_kind.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy's, where nearly all differences are the same
            low, high = difference_interval(whole[mask], by_build[name][mask], seed) or (0.0, 0.0)
        cells.append(f"{(by_build[name] - whole)[mask].mean():>+9.2f} [{low:+.2f}, {high:+.2f}]")
    print(f"{name:<18}" + "".join(f"{cell:>24}" for cell in cells))
ring = asked.index("quiet not")  # the page of section 1 is the first of its kind
print("\nlead on the page of section 1:", ", ".join(f"{name} {found[ring]:+.2f}" for name, found in by_build.items()))
negated = of_kind["do not"] | of_kind["quiet not"]
for name in ("bf16", *BUILDS):
    record(f"negations_right_{name}", int((by_build[name][negated] > 0).sum()), f"of {negated.sum()}", "higher")
record("lead_of_quiet_over_loud", whole[of_kind["quiet not"]].mean() - whole[of_kind["do not"]].mean(), "", "higher")
record("lead_on_negations_nf4", (by_build["nf4"] - whole)[negated].mean(), "", "higher")

# %% [markdown]
# A flip is rare and comes late; a lead moves every time, so a dozen sentences show a drift before any of them turns.
# Now where the flips come from:

# %% tags=["generated"]
decided = np.any(list(of_kind.values()), axis=0)
figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for axes, name in zip(panels, ("nf4", "gguf_q4_1"), strict=True):
    for kind, mask in of_kind.items():
        axes.plot(whole[mask], by_build[name][mask], linestyle="", fillstyle="none", label=kind)
    axes.axhline(0, color="#7f7f7f", linestyle=":", marker="")
    axes.axline((0, 0), slope=1, color="#7f7f7f", linestyle="-", linewidth=0.8, marker="")
    axes.set(xlabel="lead in bf16", title=name)
panels[0].set(ylabel="lead in the build")
panels[0].legend(loc="upper left", fontsize=9)
alt = "Lead in two 4-bit builds against lead in bf16: marks lie about the diagonal; those below zero are read wrongly."
data = {"kind": np.array(asked)[decided], "bf16": whole[decided]}
show(figure, alt=alt, data=data | {name: by_build[name][decided] for name in ("nf4", "gguf_q4_1")})
narrow = np.abs(whole) <= np.median(np.abs(whole[decided]))
turned = {name: decided & ((whole > 0) != (by_build[name] > 0)) for name in BUILDS}
for name, flips in turned.items():
    print(f"{name:<18} turned {flips.sum()}, of them from the narrower half {(flips & narrow).sum()}")
flips = sum(turned.values())
record("turned", flips.sum(), "decisions", "lower")
record("turned_from_the_narrower_half", flips[narrow].sum() / max(1, flips.sum()), "of those turned")

# %% [markdown]
# <details><summary>Which change first?</summary>
#
# Noise turns what was a close call, whatever it is about; the last figure says how far that held here. So the large
# build's leads tell you where to look before anybody quantizes: put the narrow ones on the sheet, and give each kind
# its floor. An average over easy sentences is the release note of section 1. Whether the quiet ones stood narrower than
# the loud ones here, `lead_of_quiet_over_loud` says; the postmortem spoke of another model. </details>
#
# ## 8 · Where four bits hurt
#
# Round one layer at a time, leave the rest, and measure how far the next-token distribution moves. On the packaged
# weights an untouched layer would cost exactly nothing, so we scan the control. **Predict:** attention or feed-forward;
# the bottom, the middle or the top?

# %% tags=["generated"]
from labkit.bench.quantizemethods import SIZE_4
from labkit.quantize import sensitivity

costs = sensitivity.scan(work / "off_grid", read.scan[:4], tokens=48 if profile == "ci" else sensitivity.TOKENS)
budget = int(SIZE_4 * weight_bytes(source)) - weight_bytes(work / "off_grid_q4_1")
chosen = set(sensitivity.choose(costs, budget))
depth = range(tuned.config["num_hidden_layers"])
hurt, spared = {"self_attn": [0.0] * len(depth), "mlp": [0.0] * len(depth)}, [0] * len(depth)
for cost in costs:
    _, _, number, block, *_ = cost.name.split(".")
    hurt[block][int(number)] += cost.divergence
    spared[int(number)] += cost.name in chosen
figure, axes = plt.subplots(figsize=(7, 3))
axes.plot(depth, hurt["self_attn"], label="attention, four matrices")
axes.plot(depth, hurt["mlp"], label="feed-forward, three matrices")
axes.set(xlabel="layer", ylabel="divergence, nats a token", yscale="log")
axes.legend(loc="upper center")
alt = "Divergence by layer when its matrices are rounded one at a time: a few layers cost many times what others do."
show(figure, alt=alt, data={"layer": list(depth), "attention": hurt["self_attn"], "mlp": hurt["mlp"], "at 8": spared})
for cost in sorted(costs, key=lambda cost: -cost.divergence / cost.more_bytes)[:5]:
    print(f"{cost.name:<48} {cost.divergence:.5f} nats a token, {cost.more_bytes / 1e3:,.0f} kB more at 8 bits")
total = sum(cost.divergence for cost in costs)
record(
    "bought_back", sum(cost.divergence for cost in costs if cost.name in chosen) / total, "of the divergence", "higher"
)
record("at_8_bits", len(chosen) / len(costs), "of the layers")

# %% [markdown]
# <details><summary>Where?</summary>
#
# Rules of thumb about this seldom survive the next model; look how uneven the curves are, and scan yours. </details>
#
# `gguf(…, keep=chosen)` writes that mixture, and the bench measures it. Divergences of single layers are added as if
# they did not interact, and these rest on a few dozen tokens: enough for a picture, not for a release.
#
# ## 9 · Other rooms
#
# **GPTQ** looks at what a layer is given: it rounds one input after another and lets those that are left make up for
# the error. **AWQ** scales up what is strongly used. Both want gptqmodel, whose pins are not the lab's, so they run in
# an environment of their own; AWQ takes up to half an hour and is left to `labkit.quantize.awq`. And a folder that no
# server reads is a file, not a build: who reads which?

# %% tags=["timing"]
from importlib.util import find_spec

from labkit.errors import ConfigError
from labkit.quantize import gptq, serving
from labkit.quantize.job import python_of

try:
    gptq(source, work / "gptq_g32", read.calibration["in_domain"][:8], group=32, seed=seed)
    loaded = load(work / "gptq_g32")
    now = losses(loaded.model, loaded.tokenizer, read.measured["in_domain"], tokens=TOKENS)
    size = weight_bytes(work / "gptq_g32") / weight_bytes(source)
    print(f"GPTQ, groups of 32, 8 texts: size {size:.3f}×, perplexity {ratio(unrounded, now, seed).value:.3f}×")
    del loaded
    gc.collect()
except ConfigError as absent:
    print(f"no GPTQ here: {absent}")
print()
for name, engine in serving.ENGINES.items():
    try:
        here = not engine.package or find_spec(engine.package) is not None
        here = here and bool(not engine.environment or python_of(engine.environment))
    except ConfigError:
        here = False
    print(f"{name:<10} reads {', '.join(engine.reads):<24} {'here' if here else 'not on this machine'}")

# %% [markdown]
# auto-gptq, the archived ancestor, reads the same folders and quantizes on CUDA only.
#
# ## 10 · Will it fit?
#
# What a file takes is arithmetic, so it can be reckoned before anybody downloads it. First against the folders we have.
# **Predict** for the rest: which of these fits a card of 24 GB, and which one of 80, with a cache for sixteen requests
# of four thousand tokens each?

# %%
worst = 0.0
for name, row in rows.items():
    if name in calculator.SCHEMES:
        reckoned = calculator.weights(tuned.config, calculator.SCHEMES[name])
        off = reckoned / row.disk_bytes - 1
        worst = max(worst, abs(off))
        print(f"{name:<12} reckoned {reckoned / 1e6:>7.1f} MB, written {row.disk_bytes / 1e6:>7.1f} MB, off {off:+.2%}")
record("calculator_worst_error", worst, "", "lower")

CARDS, REQUESTS, LENGTH = (24e9, 80e9), 16, 4_096
schemes = ("bf16", "int8", "gptq_g128", "nf4", "gguf_q4_1")
print(f"\n{'GB of weights':<18}" + "".join(f"{name:>13}" for name in schemes) + f"{'cache':>10}")
fits = {}
for name, shape in calculator.SHAPES.items():
    cache = REQUESTS * LENGTH * calculator.cache_per_token(shape)
    sizes = {scheme: calculator.weights(shape, calculator.SCHEMES[scheme]) for scheme in schemes}
    print(f"{name:<18}" + "".join(f"{size / 1e9:>13.1f}" for size in sizes.values()) + f"{cache / 1e9:>10.1f}")
    fits[name] = {card: [s for s, size in sizes.items() if size + cache <= card] for card in CARDS}
for name, by_card in fits.items():
    print(f"{name:<18}", *(f"{card / 1e9:.0f} GB: {', '.join(found) or 'none'};" for card, found in by_card.items()))
cache_ratio = np.divide(*(calculator.cache_per_token(calculator.SHAPES[n]) for n in ("llama-2-7b", "mistral-7b-v0.3")))
record("cache_of_llama_2_over_mistral", cache_ratio, "×", "lower")

# %% [markdown]
# <details><summary>Which fits?</summary>
#
# Look at the last column: of two models of one size the older keeps keys and values for every head, and its cache
# outweighs its weights. Quantizing weights does nothing about that. And leave room: activations and what a server
# reserves are not reckoned here. </details>
#
# ## 11 · What it is worth
#
# Chapter 06's pipeline and questions, two settings changed: the base is the Q4_1 build read back, the adapter is the
# one beside it. The seconds are those of restored weights: they say nothing about llama.cpp.

# %% tags=["generated"]
from labkit.bench.answer import ask_all, figures, sample
from labkit.pipeline import build_pipeline
from labkit.tune.recipe import quiet

loaded = load(work / BESIDE)
with quiet():
    loaded.model.unload().save_pretrained(work / "served")
    loaded.tokenizer.save_pretrained(work / "served")
del loaded
gc.collect()
small = lab.model_copy(update={"chat_model": str(work / "served"), "answer_adapter": str(work / BESIDE / ADAPTER)})
system = build_pipeline(prepared.index, small)
questions = sample(read_questions(prepared.world, "test"), 27, seed)
graded = ask_all(system, questions, prepared, progress=False)
result = figures([grade for grade, _ in graded], seed)
root = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "pyproject.toml").is_file())
rows_before = json.loads((root / "datasets" / "scoreboard.json").read_text(encoding="utf-8"))
if was := next((row for row in rows_before if row["chapter"] == "06"), None):
    print(f"answers right {was['answers_right']:.2f} → {result['answers_right'].value:.2f}")
    print(f"money lost per 100: {was['money_lost']:,.0f} → {result['money_lost_per_100'].value:,.0f} EUR")
print(f"weights {weight_bytes(source) / 1e6:,.0f} → {weight_bytes(work / BESIDE) / 1e6:,.0f} MB")
print(f"\n{hero.text}\n    {system.ask(hero.text, asked_by(hero)).text}")
seconds = [grade.seconds for grade, _ in graded]
scoreboard_row(
    chapter="07",
    system="tuned reader, four-bit base",
    answers_right=result["answers_right"].value,
    answers_right_ci=result["answers_right"].ci95,
    n=len(questions),
    citations_right=result["citation_correct"].value or 0.0,
    money_lost=result["money_lost_per_100"].value,
    p99_s=result["p99_s"].value,
    cost_per_1000=1000 * 2 * sum(seconds) / len(seconds) / 3600 * lab.core_hour_eur,
    got_worse="one more build to examine at every release: replies, negations, numbers, and the engine that reads it",
)

# %% [markdown]
# What became worse? There are two artefacts now that must not be mixed up, and a sheet with an owner. And the price of
# this row holds for this base only: section 6 says what another would pay.
#
# ## 12 · Which one
#
# The chapter in one table, with this run's figures:

# %% tags=["generated"]


def told_by(name):
    """Size, perplexity and replies of a build."""
    row = rows[name]
    score = row.scores["reply"]
    hits = round(score.share * score.n)
    return f"size {row.size_ratio:.2f}, perplexity {row.ratio['in_domain'].value:.3f}×, replies {hits} of {score.n}"


table = [
    ("room for eight bits", told_by("gguf_q8_0"), "eight bits, and stop thinking"),
    ("eight bits in transformers", told_by("int8"), "int8; time it on your processor first"),
    ("a base packaged in 4 bits, an adapter", told_by(BESIDE), "round the base, adapter beside"),
    ("the same, merged", told_by("gguf_q4_1"), "not before change_kept was read"),
    ("four bits while training", told_by("nf4"), "nf4 (chapter 06)"),
    ("a base that was never rounded", f"Q4_1 {apart['off_grid_q4_1'].value:.3f}×", "mixed, GPTQ; or eight bits"),
    ("vLLM must read it", f"{', '.join(serving.ENGINES['vllm-cpu'].reads)}", "GPTQ, or w8a8"),
    ("a large model on one card", "section 10", "four bits; then mind the cache"),
]
for need, figure_, choice in table:
    print(f"{need:<38} {figure_:<52} → {choice}")

# %% [markdown]
# ## Checkpoint
#
# A vendor offers a 4-bit build of your tuned model: a third of the size, perplexity unchanged. Which three measurements
# do you ask for, and which one would you make yourself within a minute?
#
# ## Recap
#
# - **Built:** rounding with groups by hand, five builds with one report, a sheet with opposites, a calculator that was
#   checked.
# - **Broke:** forty sentences over lunch, a fine-tune rounded away, a cost that was the packager's, a quarter that is
#   none.
# - **Cost:** bytes for scales and embeddings, a sheet to keep, and one more thing that can be the wrong version.
#
# ### Say it at work
#
# *"The build is this small with embeddings counted. Perplexity moved by this much, within this interval; replies,
# negations and numbers each have a row, and I know the close calls of the large build. The adapter lies beside the
# rounded base, because merged it was rounded away."* You will be asked: *everybody says four bits cost nothing; why is
# ours different?* They measured large models, on averages. Ours is small, its base had been rounded before, and we read
# the *nots*.
#
# ### Read next
#
# Chapter 08 makes the model smaller by leaving layers out, and faster by guessing ahead. The lab is
# `labs/07_quantization.ipynb`; read Dettmers et al., *LLM.int8()* (2022), Frantar et al., *GPTQ* (2023), and Lin et
# al., *AWQ* (2024).
