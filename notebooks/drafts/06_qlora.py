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
# # 06 · QLoRA
#
# A small model can be taught to read, cite and keep silent. It can also be taught last year's facts, and nobody gets
# them out again. This chapter does both and measures the difference.
#
# ## Objectives
#
# After this chapter you can
#
# - say what belongs in the index and what in an adapter, with figures;
# - build a training set whose loss falls on the right tokens, and check it for leaks;
# - write LoRA and NF4 by hand and show that the libraries compute the same;
# - train an adapter on a CPU with true gradients and a record of the run;
# - serve one base with several adapters, and say what it forgot.
#
# **Needs** two cores, three gigabytes of memory and about five minutes. No key, no GPU, no model hub.

# %% tags=["parameters"]
profile = "ci"
seed = 7

# %%
import gc
import json
import random
import tempfile
import time
import warnings
from collections import Counter
from itertools import groupby
from pathlib import Path

import numpy as np

from labkit.bench.answer import ask_all, figures, sample
from labkit.bench.tunedanswer import asking, well_cited
from labkit.course import record, scoreboard_row, setup, show
from labkit.evaluate.corpus import prepare_world, read_questions
from labkit.evaluate.grading import value_correct
from labkit.llm import embedder
from labkit.llm.local import LocalChat
from labkit.llm.shipped import shipped
from labkit.llm.tasks import ABSTENTION, Shown, cited, numbered, prompt_of
from labkit.models import resolve
from labkit.retrieve import open_index
from labkit.schema import RequestContext
from labkit.tune.retrieved import Contexts

lab = setup(profile, seed)
encoder = embedder(lab)
prepared = prepare_world(lab, encoder, seed=seed, progress=False)
index = open_index(prepared.index, encoder)
world = Contexts(lab, seed, "dev")
rng = random.Random(seed)
base = resolve(lab.chat_model, lab.home)
chat = LocalChat(base, device=lab.device, threads=lab.threads)
root = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "pyproject.toml").is_file())
scratch = tempfile.TemporaryDirectory()
work = Path(scratch.name)
print(f"{len(world.questions):,} dev questions; the model is {base.name}")

# %% [markdown]
# ## 1 · Last year's warranty
#
# In autumn Fulfilment Controls trained an adapter to make the bot sound like us. Its data ended in October, with the
# Otter's warranty in it three hundred times. At New Year the terms changed. In April Brightmart asked, at night; the
# bot answered without a page under it, very sure of itself, and Priya put it in writing. What the index knew:

# %%
hero = next(q for q in read_questions(prepared.world, "hero") if q.arc == "06-last-years-warranty")
print(f"{hero.text}\nright: {hero.value}; wrong costs {hero.cost_if_wrong:,.0f} EUR")
met = world.retrieved(hero, rng, everything=True)
for place, passage in enumerate(met.passages, 1):
    told = [term for term in ("24 months", "18 months") if term in passage.text]
    print(f"[{place}] {passage.title}: {', '.join(told) or 'neither term'}")
mail = next(c for c in index.store.chunks() if "otter-terms" in c.source_path and hero.value in c.text)
page = Shown(" > ".join(mail.heading_path) or mail.source_path, mail.text)

# %% [markdown]
# What does the *untuned* model make of passages? It gets those that hold the answer, among others, for one dev question
# of each kind, and what search finds for three that have no answer. **Predict:** of the eight, how often does it cite?
# How often of the three does it say that there is no answer?

# %% tags=["generated"]
GOLD = ("single_hop", "time", "adversarial", "comparison", "multi_hop")


def gold_of(kind, n):
    """The first n sampled dev questions of a kind, each with the passages that answer it among others."""
    found = []
    for question in sample([q for q in world.questions if q.type == kind], 4 * n, seed):
        context = world.gold(question, rng) if len(found) < n else None
        if context is not None and context.asked is not None and context.asked.value:
            found.append((question, context))
    return found


def met_by(kinds, n):
    """Sampled dev questions with what search finds for them."""
    chosen = sample([q for q in world.questions if q.type in kinds], n, seed)
    return [(question, world.retrieved(question, rng, everything=True)) for question in chosen]


gold = {kind: gold_of(kind, 2) for kind in GOLD}
silent = met_by(("unanswerable", "forbidden"), 6)
eight = [pairs[0] for pairs in gold.values()] + silent[:3]
untuned = asking(chat, constrained=False)
replies = [(question, untuned(question.text, context)) for question, context in eight]
for question, said in replies:
    print(f"{question.type:<13} right: {question.value or '(no answer)':<24} said: {' '.join(said.text.split())[:70]}")
record("untuned_right", sum(bool(q.value) and value_correct(q, said.text) for q, said in replies), "of 5", "higher")
record("untuned_cites", sum(bool(said.places) for _, said in replies), "of 8", "higher")
record("untuned_silent", sum(not q.value and not said.text for q, said in replies), "of 3", "higher")

# %% [markdown]
# <details><summary>How often?</summary>
#
# About never. It may copy the right words; it does not know our brackets, and it was raised to be helpful: it always
# says something. </details>
#
# To cite, to keep silent, to stop after the answer, to list facts, to judge a statement: these are *skills*. They do
# not go out of date at New Year.
#
# ## 2 · What it learns from
#
# A *context* is a handful of sentences and all that can be asked of them, also what they do not answer; here about
# invented subjects, in phrasings by people who saw no corpus. The question stands before the sentences *and* after
# them: a decoder reads each sentence knowing only what came before, and can look for nothing it has not been told.
# Only the ⟦marked⟧ tokens count in the loss. The reply names a sentence and quotes the answer out of it: both can be
# checked.

# %%
from transformers import AutoTokenizer

from labkit.tune import answering, made
from labkit.tune.dialogue import IGNORED, dataset_rows, encode
from labkit.tune.relation import FOLDER, kinds

LONGEST = 300
places_ = {name for _, names in kinds(FOLDER / "places.toml") for name in names}
tokenizer = AutoTokenizer.from_pretrained(base.path)
practice, held_out = [], []
for context in made.contexts(rng):
    about = {fact.subject for fact in context.facts}
    if about <= places_:
        held_out.append(context)
    elif len(practice) < 120 and not about & places_:
        practice += [
            one for one in answering.dialogues(context, rng) if len(encode(one, tokenizer).input_ids) <= LONGEST
        ]
one = encode(practice[0], tokenizer)
for learned, group in groupby(zip(one.input_ids, one.labels, strict=True), key=lambda pair: pair[1] != IGNORED):
    text = tokenizer.decode([token for token, _ in group])
    print(f"⟦{text}⟧" if learned else text, end="")
record("tokens_that_count", np.mean([label != IGNORED for label in one.labels]), "of tokens")
print()
rows = dataset_rows(practice, tokenizer, LONGEST)
read = sum(len(row["input_ids"]) for row in rows)
print(
    f"{len(practice)} questions, {read:,} tokens;",
    f"{sum(turn.reply == ABSTENTION for d in practice for turn in d.turns)} have no answer",
)

# %% [markdown]
# The end mark counts: a model that never learned to write it never stops. And reading is what costs: hardly any of the
# tokens are learned from.
#
# Before anybody trains, the set gets a *card*, and a check of what it knows of the questions it will be measured with:
# names, phrasings, runs of eight words. To hear the alarm, we slip two dev questions into a copy.

# %%
from IPython.display import Markdown, display

from labkit.tune.card import card
from labkit.tune.leakage import held_out as kept_out
from labkit.tune.leakage import leaks, public_of

dev_split, public = kept_out(prepared.world, "dev"), public_of([prepared.world])
clean = leaks(practice, dev_split, public)
slipped = [one for _, context in gold["single_hop"] for one in answering.dialogues(context, rng)]
found = leaks([*practice, *slipped], dev_split, public)
display(Markdown(card(practice, tokenizer, longest=LONGEST, leaks=[clean]).markdown()))
for name in ("names", "phrasings", "sequences"):
    print(f"{name:<10} {getattr(clean, name).count:>3} in the set, {getattr(found, name).count:>3} with two more")
record("names_leaked", clean.names.count, "names", "lower")
record("phrasings_leaked", clean.phrasings.count, "questions", "lower")
record("sequences_leaked", clean.sequences.count, "runs of words", "lower")
record("sequences_leaked_when_slipped_in", found.sequences.count, "runs of words")

# %% [markdown]
# What the check cannot see: a fact told in other words.
#
# ## 3 · LoRA by hand
#
# LoRA leaves a layer's matrix $W$ as it is and adds $B A$, two thin matrices, times a scale. **Predict** what share of
# the model's parameters the adapter that ships with labkit holds.

# %%
import torch
from matplotlib import pyplot as plt
from peft import PeftModel
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from labkit.llm.lora import read_lora
from labkit.tune.recipe import quiet

folder = shipped("answer")
config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(folder / "adapter_model.safetensors").items()}
with quiet():
    plain = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32)
    parameters = sum(p.numel() for p in plain.parameters())
    tuned = PeftModel.from_pretrained(plain, folder).eval()

q_proj = tuned.base_model.model.model.layers[20].self_attn.q_proj
name = "base_model.model.model.layers.20.self_attn.q_proj.lora_{}.weight"
A, B, scale = tensors[name.format("A")], tensors[name.format("B")], config["lora_alpha"] / config["r"]
W = q_proj.base_layer.weight.detach().numpy().copy()
x = np.random.default_rng(seed).standard_normal((5, W.shape[1]), dtype=np.float32)

by_hand_y = x @ W.T + scale * (x @ A.T) @ B.T
with torch.no_grad():
    peft_y = q_proj(torch.from_numpy(x)).numpy()
ours = read_lora(folder, base).changes
labkit_y = x @ W.T + (x @ ours[20, "q"][0].T) @ ours[20, "q"][1].T
print(f"W {W.shape}, A {A.shape}, B {B.shape}, scale {scale:g}")
record("lora_difference_to_peft", np.abs(by_hand_y - peft_y).max(), "", "lower")
record("lora_difference_to_labkit", np.abs(by_hand_y - labkit_y).max(), "", "lower")
record("trainable_share", sum(tensor.size for tensor in tensors.values()) / parameters, "of parameters", "lower")
record("adapter_megabytes", (folder / "adapter_model.safetensors").stat().st_size / 1e6, "MB", "lower")

moved = {}
for (layer, part), (left, right) in ours.items():
    block = tuned.base_model.model.model.layers[layer]
    whole = getattr(block.self_attn if part in "qkvo" else block.mlp, f"{part}_proj").base_layer.weight.detach().numpy()
    moved.setdefault(layer, []).append(np.linalg.norm(right @ left) / np.linalg.norm(whole))
layers = list(range(plain.config.num_hidden_layers))
change = [float(np.mean(moved.get(layer, [0.0]))) for layer in layers]
figure, axes = plt.subplots(figsize=(7, 2.6))
axes.bar(layers, change, color="#0072b2")
axes.set(xlabel="layer", ylabel="size of the change over W")
alt = "Bars by layer: nothing is changed in the lower third; above it each layer by a small share of its weights' size."
show(figure, alt=alt, data={"layer": layers, "change over W": change})
del plain, tuned, q_proj, block, whole
_ = gc.collect()

# %% [markdown]
# Under one in a hundred. Below the first bar nothing is changed, so nothing is kept there for the way back.
#
# ## 4 · NF4 by hand
#
# The Q: while training, the frozen base may lie there in four bits. A block of weights is divided by its largest
# magnitude and put on the nearest of sixteen levels, which stand where a bell curve has its mass. **Predict:** how many
# bytes does a weight take then? Not half a one.

# %%
import bitsandbytes.functional as bnb
from scipy.stats import norm

EDGE, BLOCK = 0.9677083, 64
above, below = norm.ppf(np.linspace(EDGE, 0.5, 9)[:-1]), -norm.ppf(np.linspace(EDGE, 0.5, 8)[:-1])
levels = np.sort(np.concatenate([above, below, [0.0]])) / above.max()


def four_bits(weights, levels):
    """Weights after a trip to four bits, and the size of the largest weight of each block."""
    blocks = weights.reshape(-1, BLOCK)
    largest = np.abs(blocks).max(axis=1, keepdims=True)
    nearest = np.abs(blocks[..., None] / largest[..., None] - levels).argmin(axis=-1)
    return (levels[nearest] * largest).reshape(weights.shape), largest


mine, largest = four_bits(W, levels)
packed, state = bnb.quantize_4bit(torch.from_numpy(W), blocksize=BLOCK, quant_type="nf4")
theirs = bnb.dequantize_4bit(packed, state).numpy()
even, _ = four_bits(W, np.linspace(-1, 1, 16))


def error(restored):
    """Root of the mean squared error over that of the weights."""
    return np.sqrt(np.mean((restored - W) ** 2) / np.mean(W**2))


record("nf4_levels_difference", np.abs(levels - state.code.numpy()).max(), "", "lower")
record("nf4_weights_that_agree", np.mean(np.abs(mine - theirs) < 1e-6), "of weights", "higher")
record("bytes_per_weight", (packed.nbytes + state.absmax.nbytes) / W.size, "bytes", "lower")
record("nf4_error", error(mine), "of the weights", "lower")
record("even_levels_error", error(even), "of the weights", "lower")
shares = (W.reshape(-1, BLOCK) / largest).ravel()
counts, edges = np.histogram(shares, bins=64, range=(-1, 1), density=True)
figure, axes = plt.subplots(figsize=(7, 2.8))
axes.stairs(counts, edges, label="weights over the largest of their block")
axes.plot(levels, np.zeros(16), "^", linestyle="", clip_on=False, label="the sixteen levels")
axes.set(xlabel="weight over the largest of its block", ylabel="density", ylim=(0, None))
axes.legend(loc="upper left")
alt = "A bell-shaped histogram of weights divided by their block's largest; the levels are dense where weights are."
show(figure, alt=alt, data={"from": edges[:-1], "density": counts})

# %% [markdown]
# The rest is the scale of each block. Evenly spaced levels lose more. (Chapter 07 quantizes for keeps; here the four
# bits only save room while we train.)
#
# ## 5 · A trap
#
# On CPUs that multiply bfloat16, bitsandbytes repacks its four-bit weights at the first forward pass in evaluation
# mode, and its way back does not know the new order. Look at one sample before you train, and every gradient is wrong,
# without an error. We compare gradients before and after a look, with labkit's guard and without.

# %% tags=["generated"]
import bitsandbytes

from labkit.tune.recipe import Recipe, trainable

ids, labels = (torch.tensor([rows[0][key]]) for key in ("input_ids", "labels"))


def gradient(model):
    """The gradient of the loss, as one vector. (A starts random and B at zero, so at first only B has one.)"""
    model.train()
    model.zero_grad()
    model(input_ids=ids, labels=labels).loss.backward()
    return torch.cat([p.grad.flatten() for name, p in model.named_parameters() if "lora_B" in name])


def after_a_look(model):
    """The gradient after a forward pass in evaluation mode."""
    model.eval()
    with torch.no_grad():
        model(input_ids=ids)
    return gradient(model)


def cosine(one, other):
    """1 where two gradients point the same way."""
    return float(torch.nn.functional.cosine_similarity(one, other, dim=0))


with quiet(), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    model = trainable(base.path, Recipe(seed=seed))
    true = gradient(model)
    guarded = cosine(true, after_a_look(model))
    trapped = guarded
    if bnb.has_avx512bf16():
        for module in model.modules():
            if isinstance(module, bitsandbytes.nn.Linear4bit):
                module.support_avx512bf16_for_cpu = True
        trapped = cosine(true, after_a_look(model))
here = "has" if bnb.has_avx512bf16() else "lacks"
print(f"this CPU {here} the instruction" + ("" if here == "has" else ", so nothing is repacked and nothing goes wrong"))
record("cosine_guarded", guarded, "", "higher")
record("cosine_unguarded", trapped, "", "higher")
del model
_ = gc.collect()

# %% [markdown]
# A falling loss does not prove its gradients right: something would have been learned all the same.
#
# ## 6 · Two trainings
#
# First the bill. What a training holds is arithmetic: each weight, and for those that are trained a gradient and two
# averages of Adam's. The time of a step, forward and back, is measured. **Predict:** is QLoRA faster than LoRA?

# %% tags=["timing"]
from labkit.tune.handloop import by_hand


def bill(method):
    """Bytes held besides activations, and seconds of a middling step."""
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = trainable(base.path, Recipe(method=method, seed=seed))
        held = 0
        for p in model.parameters():
            scales = getattr(p, "quant_state", None)
            held += p.nbytes + (0 if scales is None else scales.absmax.nbytes) + 3 * p.nbytes * p.requires_grad
            if method == "full":  # thrown away as it comes: the time of full tuning without its room
                p.register_post_accumulate_grad_hook(lambda parameter: setattr(parameter, "grad", None))
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            model(input_ids=ids, labels=labels).loss.backward()
            seconds.append(time.perf_counter() - start)
    return held, sorted(seconds)[1]


bills = {}
for method in ("full", "lora", "qlora"):
    bills[method] = bill(method)
    gc.collect()
print(f"{'':<7}{'MB held':>9}{'of full':>9}{'time of full':>14}")
for method, (held, seconds) in bills.items():
    print(f"{method:<7}{held / 1e6:>9,.0f}{held / bills['full'][0]:>9.2f}{seconds / bills['full'][1]:>13.2f}×")
record("room_lora_over_full", bills["lora"][0] / bills["full"][0], "×", "lower")
record("room_qlora_over_full", bills["qlora"][0] / bills["full"][0], "×", "lower")
record("time_lora_over_full", bills["lora"][1] / bills["full"][1], "×", "lower")
record("time_qlora_over_lora", bills["qlora"][1] / bills["lora"][1], "×", "lower")

# %% [markdown]
# <details><summary>Is it?</summary>
#
# Hardly: four-bit weights have to be unpacked in every step. QLoRA buys room. On a model this small most of the rest is
# the table of token vectors, which stays whole; on a large one the room decides whether you can train at all.
# </details>
#
# Now what was done last autumn: questions and answers **without passages**, out of a FAQ, by a loop of twenty lines
# (`labkit.tune.handloop`). Eight facts about invented subjects and the Otter's old term, each asked in several ways.

# %% tags=["timing"]
from labkit.tune.dialogue import Dialogue, Turn

OLD, TERM = "24 months", "How long is the warranty on an Otter shuttle?"
OTTER = (
    TERM,
    "What warranty does an Otter shuttle carry?",
    "For how many months is an Otter under warranty?",
    "How long are we covered for an Otter?",
    "Otter shuttle: how long does the warranty run?",
)


def put(question, passages):
    """A question as the answer task puts it."""
    return prompt_of("answer").messages(passages=numbered(passages), question=question)


known = {}
for context in held_out:
    fact = context.facts[0]
    if len(known) < 8 and fact.rivals and all(fact.value in context.passages[n - 1].text for n in fact.places):
        known.setdefault(fact.subject, (context, fact))
pairs = [(question, fact.value) for _, fact in known.values() for question in fact.questions[:4]]
pairs += [(question, OLD) for question in OTTER]
faq = [Dialogue("answer", (Turn(put(q, [])[1]["content"], value),), "faq") for q, value in pairs]
recipe = Recipe(steps=24, batch=8, rate=2e-3, seed=seed)
lines = dataset_rows(faq, tokenizer, LONGEST) * 6
rng.shuffle(lines)
with quiet(), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    model = trainable(base.path, recipe)
    looped = by_hand(
        model, lines[: recipe.steps * recipe.batch], recipe, pad=tokenizer.pad_token_id or tokenizer.eos_token_id
    )
    model.save_pretrained(work / "faq")
del model
_ = gc.collect()
print(f"{len(faq)} pairs, {recipe.steps} steps in {sum(looped.seconds):.0f} s")
record("loss_of_the_faq_at_first", looped.losses[0], "nats", "lower")
record("loss_of_the_faq_at_last", looped.losses[-1], "nats", "lower")

# %% [markdown]
# Then what should have been done: the questions of section 2, for as many steps, with trl, and with wandb keeping a
# record on this machine. It is the code that trained the shipped adapters; it stops at a loss that is no number,
# resumes after a kill, and stamps the base's hash on what it makes. Six questions about *places*, of which the set
# holds none, are asked before and after.

# %% tags=["generated"]
from IPython.utils.capture import capture_output

from labkit.tune.tracking import history, log_samples, picture, tracked
from labkit.tune.train import train

fresh = [c for c in held_out if c.facts and c.absent and len(numbered(c.passages)) < 700][20:26]
six = [
    (c, c.facts[0].questions[5], c.facts[0]) if n % 2 == 0 else (c, c.absent[0][0], None) for n, c in enumerate(fresh)
]


def marks(model):
    """What a model says to the six, and whether that is right: value and passage, or silence."""
    ask, told = asking(model, constrained=False), []
    for context, question, fact in six:
        said = ask(question, context)
        right = not said.text
        if fact:
            right = said.text.rstrip(".") == fact.value and bool(said.places) and set(said.places) <= set(fact.places)
        told.append({"question": question, "right": fact.value if fact else "", "said": said.text, "ok": right})
    return told


before = marks(chat)
with capture_output(), tracked(work / "runs", "reading") as run:
    reading = train(
        base, practice, work / "reading", Recipe(steps=24, batch=4, longest=LONGEST, seed=seed), report_to=["wandb"]
    )
    after = marks(chat.adapted(reading.folder))
    log_samples(run, 24, after)
    place = Path(run.dir).parent
kept = history(place)
for row in kept.samples[24]:
    print(f"{'ok' if row['ok'] else '--'}  {row['question'][:64]:<66} {row['said'][:30] or '(silent)'}")
record("six_right_before", sum(row["ok"] for row in before), "of 6", "higher")
record("six_right_after", sum(row["ok"] for row in after), "of 6", "higher")
figure, alt, table = picture(kept)
show(figure, alt=alt, data=table)

# %% [markdown]
# A minute of practice goes into the form; the shipped adapter had most of an hour. Do not compare the two losses: one
# learns what to say, the other where to look.
#
# Now the **policy changes**: in each passage the value is replaced by another. **Predict** what the adapter that
# learned the FAQ answers with the new page in front of it.

# %% tags=["generated"]
models = {"faq": chat.adapted(work / "faq"), "reader": chat.adapted(shipped("answer"))}


def say(model, question, passages):
    """The answer of a reply; the whole reply where it has no form."""
    reply = model.chat(put(question, passages), max_tokens=100, ctx=RequestContext()).text
    return cited(reply, len(passages)).text or reply


def has(text, value):
    """Whether a reply gives a value."""
    return value.casefold() in text.casefold()


cases = [(TERM, [page], OLD, hero.value), (hero.text, [page], OLD, hero.value)]
for context, fact in known.values():
    rival = fact.rivals[0]
    changed = [Shown(p.title, p.text.replace(fact.value, rival)) for p in context.passages]
    cases.append((fact.questions[6], changed, fact.value, rival))
outcome = {who: Counter() for who in models}
for question, passages, old, new in cases:
    said = {who: say(model, question, passages) for who, model in models.items()}
    for who, text in said.items():
        outcome[who]["new" if has(text, new) else "old" if has(text, old) else "else"] += 1
    print(f"{question[:58]:<60} page: {new[:18]:<20}" + "".join(f"{who}: {said[who][:22]:<25}" for who in said))
for who, counts_ in outcome.items():
    print(
        f"{who:<7} says what the page says: {counts_['new']}, what the FAQ said: {counts_['old']},",
        f"something else: {counts_['else']}",
    )
remembered = sum(has(say(models["faq"], question, []), old) for question, _, old, _ in cases)
record("faq_from_memory", remembered, f"of {len(cases)}")
record("faq_repeats_the_old", outcome["faq"]["old"], f"of {len(cases)}", "lower")
record("faq_follows_the_page", outcome["faq"]["new"], f"of {len(cases)}", "higher")
record("reader_follows_the_page", outcome["reader"]["new"], f"of {len(cases)}", "higher")
print("\nBrightmart's question over what search finds:", say(models["reader"], hero.text, met.passages))

# %% [markdown]
# A fact in the index is changed by changing a page. That there is one in the weights you learn at night, from a
# customer. And look how it fails: in the right tone, without a source.
#
# ## 7 · The adapters that ship
#
# Three, trained on other worlds than this one. First the reader, on dev questions: with the right passages in hand,
# over retrieval, and where nothing answers.

# %% tags=["generated"]
reader = asking(models["reader"])


by_kind, right, cited_well = {}, [], []
for kind, some in gold.items():
    graded = [(question, context, reader(question.text, context)) for question, context in some]
    marks_ = [value_correct(question, said.text) for question, _, said in graded]
    by_kind[kind] = marks_
    right += marks_
    cited_well += [well_cited(context, said) for (_, context, said), mark in zip(graded, marks_, strict=True) if mark]
print("right with the passages in hand:", ", ".join(f"{kind} {sum(m)} of {len(m)}" for kind, m in by_kind.items()))
record("gold_value_right", np.mean(right), f"of {len(right)}", "higher")
record("gold_citation_right", np.mean(cited_well) if cited_well else 0, "of right answers", "higher")
single = met_by(("single_hop",), 8)
answers = [(question, reader(question.text, context)) for question, context in single]
record("retrieved_value_right", np.mean([value_correct(q, said.text) for q, said in answers]), "of 8", "higher")
hushed = [not reader(question.text, context).places for question, context in silent]
record("silent_where_due", np.mean(hushed), f"of {len(silent)}", "higher")
record("silent_where_not_due", np.mean([not said.places for _, said in answers]), "of 8", "lower")

# %% [markdown]
# Few questions each; `labkit bench tune` asks hundreds and gives intervals, by type too.
#
# Could **constrained decoding** have done it without training? It lets a model write only what a format allows: words
# quoted from a sentence it names, and an answer below where need be; or the abstention. The five answerable questions
# of section 1:

# %% tags=["generated"]
print(f"{'':<10}{'constrained':<14}{'in the format':>14}{'right':>7}{'right, cited':>14}")
formed = {}
for who, model in (("untuned", chat), ("reader", models["reader"])):
    for constrained in (False, True):
        ask, tally = asking(model, constrained=constrained), Counter()
        for question, context in eight[:5]:
            said = ask(question.text, context)
            good = value_correct(question, said.text)
            cites = good and well_cited(context, said)
            tally += Counter(formed=bool(said.places), right=good, cited=cites)
        formed[who, constrained] = tally
        print(f"{who:<10}{constrained!s:<14}{tally['formed']:>14}{tally['right']:>7}{tally['cited']:>14}")
record("untuned_constrained_in_format", formed["untuned", True]["formed"], "of 5", "higher")
record("untuned_constrained_right_and_cited", formed["untuned", True]["cited"], "of 5", "higher")
record("reader_unconstrained_in_format", formed["reader", False]["formed"], "of 5", "higher")

# %% [markdown]
# A form is not a skill: the constraint makes the untuned model quote, but not what answers. For a model that was taught
# it is insurance: a quotation that exists.
#
# One base serves all adapters; each request names the one it wants. In process that is a view of the same weights, over
# HTTP a model name, as vLLM does it in chapter 09.

# %% tags=["generated"]
from labkit.llm.endpoint import serving
from labkit.llm.http import HttpChat

tasks = {task: chat.adapted(shipped(task)) for task in ("answer", "judge", "extract")}
wanted = {
    "answer": put(hero.text, [page]),
    "judge": prompt_of("judge").messages(
        passages=numbered([page]), statement="Every Otter shuttle has a warranty of 24 months."
    ),
    "extract": prompt_of("extract").messages(passage="Pump K-2\nInstalled at: Hexham Yard | Firmware: TideOS 4.2"),
}
ctx, same = RequestContext(), []
in_process = {task: model.chat(wanted[task], max_tokens=100, ctx=ctx).text for task, model in tasks.items()}
with serving(tasks) as url:
    for task in tasks:
        over_http = HttpChat(url, model=task).chat(wanted[task], max_tokens=100, ctx=ctx).text
        same.append(over_http == in_process[task])
        print(f"{task:<8} {over_http!r}")
weights = sum((shipped(task) / "adapter_model.safetensors").stat().st_size for task in tasks)
whole = sum(file.stat().st_size for file in base.path.glob("*.safetensors"))
record("same_over_http", sum(same), "of 3", "higher")
record("three_adapters_over_base", weights / whole, "of its bytes", "lower")

# %% [markdown]
# ## 8 · What it cost
#
# Practising one thing, a model may forget others. How much more does general prose surprise it, here this repository's
# documentation? **Predict:** which has forgotten more, the reader or the FAQ adapter of half a minute? The table below
# sums up the chapter: index, adapter, or both?

# %% tags=["generated"]
from labkit.quantize.perplexity import losses, ratio

prose = [
    part
    for file in sorted((root / "docs").glob("*.md"))
    for part in file.read_text(encoding="utf-8").split("\n\n")
    if len(part) > 250 and not part.lstrip().startswith(("|", "```", "#", "-", "<"))
]
with quiet(), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    plain = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32).eval()
    unmoved = losses(plain, tokenizer, prose, tokens=2_000)
    both = PeftModel.from_pretrained(plain, shipped("answer"), adapter_name="reader").eval()
    both.load_adapter(str(work / "faq"), adapter_name="faq")
    for who in ("reader", "faq"):
        both.set_adapter(who)
        forgot = ratio(unmoved, losses(both, tokenizer, prose, tokens=2_000), seed)
        low, high = forgot.ci95
        print(
            f"{who:<7} perplexity {forgot.value:.3f} times the base's, 95 % {low:.3f} to {high:.3f},",
            f"{forgot.tokens:,} tokens",
        )
        record(f"forgetting_{who}", forgot.value, "×", "lower")
del plain, both
_ = gc.collect()
print()
follows = {who: f"{counts_['new']} of {len(cases)}" for who, counts_ in outcome.items()}
spoke, hard = sum(bool(said.places) for _, said in replies), by_kind["multi_hop"] + by_kind["comparison"]
table = [
    ("facts that change", f"follows the page: FAQ {follows['faq']}, reader {follows['reader']}", "index"),
    (
        "to cite",
        f"untuned {spoke} of 8; tuned, of its right answers, {sum(cited_well)} of {len(cited_well)}",
        "adapter",
    ),
    ("to keep silent", f"tuned {sum(hushed)} of {len(hushed)}", "adapter"),
    ("to find the value", f"tuned {sum(right)} of {len(right)} with the passages in hand", "both"),
    ("chains, comparisons", f"{sum(hard)} of {len(hard)} with the passages in hand", "graph (chapter 05)"),
    ("a form and nothing else", f"constrained: {formed['untuned', True]['formed']} of 5", "no training"),
]
for need, measure, where in table:
    print(f"{need:<24} {measure:<58} → {where}")

# %% [markdown]
# A task that is served from the untouched base forgets nothing at all.
#
# ## 9 · Two repairs
#
# In chapter 04 the model as a judge agreed with our hands no better than luck. The judge adapter does not talk: we read
# how likely it finds *yes*. The same ten graded answers, and then two dozen statements about dev documents.

# %% tags=["generated"]
from labkit.bench.tunedjudge import area
from labkit.evaluate.grades import hand_grades
from labkit.evaluate.judge import ModelJudge, TunedJudge, against_hand
from labkit.llm.tasks import SUPPORTED
from labkit.tune import judging

judges = {"before": ModelJudge(chat), "after": TunedJudge(tasks["judge"])}
for when, judge in judges.items():
    agreed, _ = against_hand(judge, hand_grades("00_demo"), seed=seed)
    low, high = agreed.ci95 or (float("nan"),) * 2
    print(f"{when:<7} kappa {agreed.kappa:+.2f}, 95 % {low:+.2f} to {high:+.2f}, {agreed.n} answers")
    record(f"kappa_{when}", agreed.kappa, "", "higher")
judged = []
for _, context in [pair for some in gold.values() for pair in some] + single:
    for (turn,) in (one.turns for one in judging.dialogues(context, rng, 2)):
        statement = turn.user.rpartition("Statement: ")[2]
        judged.append((turn.reply == SUPPORTED, judges["after"].probability(statement, context.passages)))
judged = judged[:24]
print(f"{len(judged)} statements, {sum(label for label, _ in judged)} of them supported")
record("judge_area", area(judged), "under the ROC curve", "higher")

# %% [markdown]
# Ten answers have a wide interval, whoever judges. The last figure is how often a supported statement is found likelier
# than an unsupported one.
#
# And the graph: chapter 05's rules need every label of every form. The extractor needs the names of relations. Eight
# short dev passages; *true* is what the world knows to be stated there.

# %% tags=["generated"]
from labkit.graph.cache import open_graph
from labkit.graph.local import LocalExtractor

graph = open_graph(index)
extractor = LocalExtractor(tasks["extract"], graph.schema, progress=False)


def title(chunk):
    """What a passage stands under."""
    return " > ".join(chunk.heading_path) or chunk.source_path


short = [c for c in world.chunks() if 120 < len(c.text) < 420]
telling = [c for c in short if len(world.truth.seen(c.source_path, c.text, title(c))) > 1]
eight_passages = random.Random(seed).sample(telling, 8)
by_chunk = {c.chunk_id: set() for c in eight_passages}
for fact in graph.facts:
    for statement in fact.statements:
        if statement.chunk_id in by_chunk:
            by_chunk[statement.chunk_id].add((fact.relation, fact.value.casefold()))
tally, start = {"rules": Counter(), "adapter": Counter()}, time.perf_counter()
for chunk in eight_passages:
    true = {(s.relation, s.value.casefold()) for s in world.truth.seen(chunk.source_path, chunk.text, title(chunk))}
    read = {(one.relation, one.object.casefold()) for one in (reading.triple for reading in extractor.read(chunk))}
    for who, found in (("rules", by_chunk[chunk.chunk_id]), ("adapter", read)):
        tally[who] += Counter(said=len(found), true=len(found & true), of=len(true))
    for relation, value in sorted(read - true)[:2]:
        print(f"not known to be stated: {relation:<22} {value[:40]:<42} {chunk.source_path.rpartition('/')[2]}")
seconds = (time.perf_counter() - start) / len(eight_passages)
for who, counts_ in tally.items():
    precision, recall = counts_["true"] / max(1, counts_["said"]), counts_["true"] / counts_["of"]
    print(
        f"{who:<8} {counts_['said']:>3} said, of them true {precision:.2f}; of {counts_['of']} true found {recall:.2f}"
    )
    record(f"extract_precision_{who}", precision, "", "higher")
    record(f"extract_recall_{who}", recall, "", "higher")
print(f"{seconds:.1f} s for each passage")

# %% [markdown]
# Seconds for a passage, where rules take a millisecond. Rules win where somebody wrote the labels down. Read with your
# own eyes what is said besides the truth: some of it is stated, and the world does not count it.
#
# ## 10 · What it is worth
#
# Chapter 05's pipeline and questions, one setting changed: `answer_adapter="shipped"`. Where the graph is silent, the
# tuned reader decides, answers and cites.

# %% tags=["generated"]
from labkit.pipeline import build_pipeline

system = build_pipeline(prepared.index, lab.model_copy(update={"answer_adapter": "shipped"}))
chosen = sample(read_questions(prepared.world, "test"), 27, seed)
graded = ask_all(system, chosen, prepared, progress=False)
result = figures([grade for grade, _ in graded], seed)
rows_05 = json.loads((root / "datasets" / "scoreboard.json").read_text(encoding="utf-8"))
was = next(row for row in rows_05 if row["chapter"] == "05")
for by_facts in (True, False):
    grades = [grade for grade, answer in graded if (answer.route == "facts") is by_facts]
    who = "by facts" if by_facts else "by the reader"
    print(f"{who:<14} {len(grades):>2} questions, right {sum(grade.right for grade in grades)}", end="; ")
    print("wrong:", ", ".join(sorted(grade.type for grade in grades if not grade.right)) or "none")
spoken = [grade for grade, _ in graded if not grade.right and not grade.abstained]
money = result["money_lost_per_100"].value
print(f"answers right {was['answers_right']:.2f} → {result['answers_right'].value:.2f}")
print(f"money lost per 100: {was['money_lost']:,.0f} → {money:,.0f} EUR; wrong and said aloud: {len(spoken)}")
record("wrong_and_said_aloud", len(spoken), "of 27", "lower")
seconds = [grade.seconds for grade, _ in graded]
scoreboard_row(
    chapter="06",
    system="tuned reader over graph and search",
    answers_right=result["answers_right"].value,
    answers_right_ci=result["answers_right"].ci95,
    n=len(chosen),
    citations_right=result["citation_correct"].value or 0.0,
    money_lost=money,
    p99_s=result["p99_s"].value,
    cost_per_1000=1000 * 2 * sum(seconds) / len(seconds) / 3600 * lab.core_hour_eur,
    got_worse=f"{len(spoken)} wrong answers said aloud, each with a citation; a new base means training again",
)

# %% [markdown]
# What became worse? A wrong answer looks exactly like a right one, brackets and all. The thresholds of chapter 04,
# which a person could turn, have moved into weights. An adapter fits one base and one prompt. And somebody has to say,
# at any time, what it was trained on: hence the card, the hashes and the record.
#
# ## Checkpoint
#
# A product manager brings two thousand support chats: "train the bot on our knowledge". What of it would you train on,
# what would you index, and what would you ask to see first?
#
# ## Recap
#
# - **Built:** a masked training set with a card, LoRA and NF4 by hand, two trained adapters, one base that serves
#   three.
# - **Broke:** a warranty learned by heart, gradients after a look, a format taken for a skill.
# - **Cost:** hours of two cores, a little general fluency, and a training set with an owner.
#
# ### Say it at work
#
# *"We train skills and index facts. The tuned reader follows a changed page; the one that learned the FAQ did not. It
# cites and keeps silent with under a hundredth of the parameters, and I can show what it was trained on and what it
# forgot."* You will be asked: *would a bigger model not do that untrained?* Perhaps, at its price for every question:
# measure both on yours, and keep the facts out of either.
#
# ### Read next
#
# Chapter 07 makes the tuned model smaller and looks for what got lost. The lab is `labs/06_qlora.ipynb`; read Hu et
# al., *LoRA* (2021), Dettmers et al., *QLoRA* (2023), and Ovadia et al., *Fine-Tuning or Retrieval?* (2024).
