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
# # 08 · Distillation and speculation
#
# There are two ways to a quicker reply: let somebody guess it, or let somebody smaller write it. One changes no token
# and may cost time; the other saves time and changes tokens. This chapter measures both and ends in a memo.
#
# ## Objectives
#
# After this chapter you can
#
# - say what a decoding step costs from its bytes and multiplications, and check that with a clock;
# - write speculation by hand, and prove that no guess can change a reply;
# - tell from acceptance and price whether a draft pays, before you buy one;
# - choose the layers a student may lose, and teach it logits or sequences;
# - write a ship / do-not-ship memo whose reader can check every figure.
#
# **Needs** two cores, four gigabytes of memory and about four minutes. No key, no GPU, no model hub.

# %% tags=["parameters"]
profile = "ci"
seed = 7

# %%
import gc
import json
import random
import tempfile
import time
from itertools import islice, takewhile
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib import pyplot as plt
from threadpoolctl import threadpool_limits

from labkit.bench.decode import Asked, Text, measure, pass_costs
from labkit.course import record, setup, show
from labkit.evaluate.corpus import built_world, read_facts, read_questions
from labkit.llm.decoder import Decoder
from labkit.llm.speculate import DOUBT, PromptLookup, Speculation
from labkit.llm.tasks import flat, numbered
from labkit.models import resolve
from labkit.quantize.checkpoint import stored
from labkit.tune.merge import merged_answer_model
from labkit.tune.retrieved import Contexts

lab = setup(profile, seed)
company = built_world(lab, seed=seed, progress=False)
world = Contexts(lab, seed, "dev")
folder = merged_answer_model(lab)  # the base with the shipped `answer` adapter added to its weights
text, teacher = Text(folder), Decoder(folder)
threadpool_limits(1, "blas")  # so that the clock counts work, not threads waiting for each other
scratch = tempfile.TemporaryDirectory()
work = Path(scratch.name)
print(f"{len(world.questions):,} dev questions; the model is {folder.name}")

# %% [markdown]
# ## 1 · Quick by day
#
# In November Ines switched on a draft model on the Tern controllers: a small model guesses, the large one only has to
# nod. She measured from nine to five and announced the result. Two weeks later Priya stood at an open shuttle with a
# torch in her teeth, waiting for a part number. A radio link was suspected; it had an alibi. What the documents say:

# %%
facts = read_facts(company)
story = {name.removeprefix("08-slow-draft/"): told[0] for name, told in facts.items() if name.startswith("08-slow")}
for shift in ("day", "night"):
    print(
        f"{shift:<6} p99 without the draft {story[f'{shift}-without']}, with it {story[f'{shift}-with']};",
        f"guesses accepted {story[f'accept-{shift}']}",
    )
hero = next(question for question in read_questions(company, "hero") if question.arc == "08-slow-draft")
print(f"\n{hero.text}\nright: {hero.value}")

# %% [markdown]
# One switch, two signs. By the end you can say from which acceptance on it helps, and whether ours does.
#
# The model is chapter 06's reader. It sees the question, six numbered sentences and the question again, and replies
# `words [n]`. We take dev questions of five kinds, each with the sentences that answer it among others.

# %% tags=["generated"]
WANTED = {"single_hop": 2, "time": 1, "adversarial": 1, "comparison": 2, "multi_hop": 2}
rng = random.Random(seed)


def gold(kind):
    """Dev questions of a kind with what answers them, in random order."""
    some = [question for question in world.questions if question.type == kind]
    for question in rng.sample(some, len(some)):
        context = world.gold(question, rng)
        if context and context.asked and context.asked.value:
            yield Asked(question, [flat(one) for one in context.passages], text.prompt(question.text, context))


def spoken(model, prompt, most=64):
    """The model's reply, without its end mark."""
    return list(takewhile(lambda token: token != text.end, model.generate(prompt, most)))


asked = [one for kind, n in WANTED.items() for one in islice(gold(kind), n)]
met = world.retrieved(hero, rng, everything=True)
print("the hero's reply over what search finds:", repr(text.decode(spoken(teacher, text.prompt(hero.text, met)))))
record("prompt_tokens", np.mean([len(one.prompt) for one in asked]), "tokens a question")

# %% [markdown]
# ## 2 · What a step costs
#
# After the prompt, each token is a *pass*: one vector goes through all weights. Every weight is fetched from memory and
# used for one multiplication and one addition. It is a library that brings you every book to look up one word in each,
# and for the next word brings them all again.

# %% tags=["generated"]
config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
parameters, prompt = sum(tensor.count for tensor in stored(folder)), asked[0].prompt
fetched = 4 * parameters  # bytes: the decoder computes in float32
kept = 4 * 2 * config["num_hidden_layers"] * config["num_key_value_heads"] * config["head_dim"] * len(prompt)
print(f"weights fetched for one token: {fetched / 1e6:,.0f} MB, multiplied {parameters / 1e6:,.0f} million times")
print(f"keys and values kept of a prompt of {len(prompt)} tokens: {kept / 1e6:,.1f} MB")
record("operations_per_byte", 2 * parameters / fetched)
record("cache_over_weights", kept / fetched, "of the weights' bytes", "lower")

# %% [markdown]
# From this follow two floors: as long as fetching takes, and as long as multiplying takes. We time both on bare
# matrices, one as large as the model times one vector, one small enough to stay in the cache times itself, and hold the
# real step against them. **Predict:** which floor is it near, and how far above the other?

# %% tags=["timing"]
reading = teacher.reading(len(prompt) + 12)
reading.read(prompt)


def seconds(job):
    """What one call takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def step():
    """Read one more token, as decoding does, and forget it."""
    reading.back_to(len(prompt))
    reading.read(prompt[-1:])


def floors(rounds=9):
    """A step's time over that of fetching alone, and of multiplying alone."""
    width = config["hidden_size"]
    matrix, square = np.ones((parameters // width, width), np.float32), np.ones((1152, 1152), np.float32)
    for _ in range(rounds):  # in turn, so that all meet the same disturbances
        one = seconds(step)
        multiplied = seconds(lambda: square @ square) * parameters / len(square) ** 3
        yield one / seconds(lambda: matrix @ matrix[0]), one / multiplied


for floor, ratios in zip(("fetching", "multiplying"), zip(*floors(), strict=True), strict=True):
    print(f"a step takes {median(ratios):.2f} times {floor} alone, {min(ratios):.2f} to {max(ratios):.2f}")
    record(f"step_over_{floor}", median(ratios), "×", "lower")

# %% [markdown]
# <details><summary>Which one?</summary>
#
# Near the first, far above the second: the step waits for memory, and the multipliers wait with it. What is above the
# first floor is attention, normalisation and Python. Chapter 07's fewer bits lower that floor; here we use it better.
# </details>
#
# So several positions could share one fetch: while a weight is here, multiply it by six vectors instead of one.
# **Predict:** how long does a pass over six positions take, beside a pass over one? labkit measures it.

# %% tags=["timing"]
several = [pass_costs(teacher, prompt) for _ in range(3)]
measured = {n: sorted(found[f"pass_cost_{n}"].value for found in several) for n in (2, 4, 6)}
cost = {1: 1.0} | {n: values[1] for n, values in measured.items()}
figure, axes = plt.subplots(figsize=(7, 3))
axes.plot(list(cost), list(cost), label="if multiplying took the time")
axes.plot(list(cost), list(cost.values()), label="measured")
axes.fill_between([2, 4, 6], *zip(*((v[0], v[-1]) for v in measured.values()), strict=True), alpha=0.3)
axes.set(xlabel="positions in a pass", ylabel="time over a pass over one", ylim=(0, None))
axes.legend(loc="upper left")
alt = "Time of a pass against its positions: the measured line rises much more slowly than in proportion."
show(figure, alt=alt, data={"positions": list(cost), "time over a pass over one": list(cost.values())})
for n, values in measured.items():
    print(f"{n} positions: {values[1]:.2f} times one, {values[0]:.2f} to {values[-1]:.2f} in three measurements")
    record(f"pass_cost_{n}", values[1], "×", "lower")

# %% [markdown]
# The distance between the lines is for sale. It was not free: OpenBLAS copies a whole matrix before it multiplies
# several vectors by it, and until labkit's decoder stopped that, there was no such distance (`docs/decoding.md`).
#
# ## 3 · Guess, read, keep
#
# Nobody knows the next six tokens; but somebody may *guess* them. The model reads all guesses in one pass, which says
# what it would have written after each, and we keep them as far as it agrees. Then comes one token more, which this
# pass has paid for as well. Our first guesser copies: what followed the last two tokens the last time they stood here?


# %%
def copied(ids, k):
    """What followed the last two tokens, or the last one, the last time they stood there."""
    for n in (2, 1):
        for at in range(len(ids) - n - 1, -1, -1):
            if ids[at : at + n] == ids[-n:]:
                return ids[at + n : at + n + k]
    return []


def by_hand(prompt, guesser, most=64, k=5):
    """The reply, and for each pass after the prompt's: what was guessed and how much of it was kept."""
    reading, ids, guess, passes = teacher.reading(len(prompt) + most + k), list(prompt), [], []
    scores = reading.read(ids)
    while True:
        wanted = scores.argmax(axis=-1).tolist()  # after the last token, and after each guessed one
        agreed = next((at for at, token in enumerate(guess) if token != wanted[at]), len(guess))
        passes.append((guess, agreed))
        ids += wanted[: agreed + 1]
        if text.end in ids[len(prompt) :] or len(ids) >= len(prompt) + most:
            return list(takewhile(lambda token: token != text.end, ids[len(prompt) :][:most])), passes[1:]
        guess = guesser(ids, k)
        reading.back_to(len(ids) - 1)  # forget what was guessed wrongly
        scores = reading.read([ids[-1], *guess], scored=len(guess) + 1)


# %% [markdown]
# **Why the reply is the same.** Every token that is appended is the likeliest after exactly the text before it: a kept
# guess because it *equals* the likeliest, the last one because it *is* it. The first token is plain decoding's; and if
# all before are, so is the next. The guesser occurs nowhere in this argument. It decides how many passes we pay for and
# nothing else. (For sampling there is a version with dice, by Leviathan et al.)
#
# That can be tried: labkit's `Speculation` takes any object that proposes. Ours proposes rubbish. **Predict:** what
# happens to the reply, and to the number of passes?


# %% tags=["generated"]
class Nonsense:
    """Guesses five tokens out of a hat."""

    def __init__(self):
        self.hat = random.Random(seed)

    def propose(self, ids, most):
        """See labkit.llm.speculate.Proposer."""
        return [self.hat.randrange(teacher.vocabulary) for _ in range(min(5, most))]


same, nonsense, plain_passes, hand_passes = [], Speculation(teacher, Nonsense()), 0, 0
for number, one in enumerate(asked[:3]):
    plain = spoken(teacher, one.prompt)
    reply, passes = by_hand(one.prompt, copied)
    same.append((reply == plain, spoken(nonsense, one.prompt) == plain))
    plain_passes, hand_passes = plain_passes + len(plain), hand_passes + len(passes)
    if number == 0:
        print(f"{one.question.text}\n{text.decode(reply)!r}")
        for guess, agreed in passes:
            print(f"    guessed {text.decode(guess)!r:<46} kept {agreed} of {len(guess)}")
print(f"passes: plain {plain_passes}, by hand {hand_passes}; rubbish kept {nonsense.tally.accepted}")
record("by_hand_identical", sum(ours for ours, _ in same), "of 3", "higher")
record("nonsense_identical", sum(rubbish for _, rubbish in same), "of 3", "higher")
record("by_hand_passes_ratio", hand_passes / plain_passes, "of plain passes", "lower")

# %% [markdown]
# <details><summary>What happens?</summary>
#
# Nothing and nothing: the reply stays, and there are as many passes as without guesses, only dearer ones. The trace
# shows when copying fails. Before the first word there is nothing to go by. Once the answer has begun, it knows, and by
# then little is left; of the number after it, it knows nothing. </details>
#
# The argument has one hole: arithmetic. A pass over several positions adds the same numbers in another order. Two
# tokens that score almost alike may change places. How large is that?

# %% tags=["generated"]
reading.back_to(len(prompt))
singly = np.concatenate([reading.read([token]) for token in prompt[:6]])
reading.back_to(len(prompt))
together = reading.read(prompt[:6], scored=6)
print(f"closer than {DOUBT:g} is doubted: labkit then reads again, one token a pass, before it chooses")
record("scores_differ_by", np.abs(together - singly).max(), "", "lower")
record("doubt_over_difference", DOUBT / max(np.abs(together - singly).max(), 1e-9), "×", "higher")

# %% [markdown]
# Ours has no such doubts and would be wrong one day. Ines compared two thousand answers; labkit's tests plant an error
# and see it caught. *Identical* is a claim about one machine, one build and one number of threads.
#
# ## 4 · Something to copy
#
# `PromptLookup` is our guesser with three tokens of memory (chapter 02b's induction heads do the same with attention).
# How much it helps depends on what is written, so we count passes, which no clock can disturb: the reader's answers,
# and the untuned base on two other requests. **Predict** the order.

# %% tags=["generated"]
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder)
base = Decoder(resolve(lab.chat_model, lab.home).path)


def put(request):
    """Token ids of a request."""
    messages = [{"role": "user", "content": request}]
    whole = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokenizer(whole, add_special_tokens=False)["input_ids"]


requests = {
    "answers": (teacher, [one.prompt for one in asked[:2]]),
    "copying": (base, [put(f"Repeat these lines word for word.\n\n{numbered(met.passages)}")]),
    "small_talk": (base, [put("Good evening, what can you do?")]),
}
print(f"{'':<12}{'tokens':>8}{'a reply':>9}{'guessed':>9}{'kept':>6}{'passes':>8}{'plain':>7}{'same':>6}")
for name, (model, prompts) in requests.items():
    lookup = Speculation(model, PromptLookup())
    alike = [spoken(lookup, ids, 48) == spoken(model, ids, 48) for ids in prompts]
    tally, plain = lookup.tally, max(1, lookup.tally.tokens - len(prompts))
    print(
        f"{name:<12}{tally.tokens:>8}{tally.tokens / len(prompts):>9.0f}{tally.proposed:>9}{tally.accepted:>6}",
        f"{tally.passes:>7}{plain:>7}{all(alike)!s:>6}",
    )
    record(f"lookup_passes_{name}", tally.passes / plain, "of plain passes", "lower")
del base, model, requests
_ = gc.collect()

# %% [markdown]
# Compare the rows, then the column *a reply*. Copying a page is what lookup was made for. Our answers are quotations,
# the textbook's second-best case, and so short that there is little to save: chapter 06 made them short so that they
# could be learned and checked. A good decision upstream took the ground from under this one.
#
# ## 5 · A smaller model
#
# Where nothing is to be copied, a smaller model could guess. It could also simply answer. We have none, so we make one:
# the reader without some of its layers. Each layer adds something to the vector that passes through; one that hardly
# turns it may not be missed. `influence` is one minus the cosine of before and after, measured while the model reads
# questions over invented subjects. **Predict:** which layers matter least, the early, the middle or the late ones?

# %% tags=["generated"]
from labkit.tune import answering, made
from labkit.tune.dialogue import IGNORED, dataset_rows
from labkit.tune.student import LAYERS, influence, most_influential, student

TAUGHT, BACK, LONGEST = 24, 8, 220
chance, rows = random.Random(seed), []
for context in made.contexts(chance):
    rows += dataset_rows(answering.dialogues(context, chance), tokenizer, LONGEST)
    if len(rows) >= TAUGHT + BACK:
        break
taught, held_back = rows[:TAUGHT], rows[TAUGHT : TAUGHT + BACK]
influences = influence(folder, taught[:12])
kept_layers = most_influential(influences, LAYERS)
layers = range(len(influences))
figure, axes = plt.subplots(figsize=(7, 2.8))
for name, hatch, colour in (("kept", "", "#0072b2"), ("left out", "//", "#e69f00")):
    some = [layer for layer in layers if (layer in kept_layers) == (name == "kept")]
    axes.bar(some, [influences[i] for i in some], color=colour, hatch=hatch, edgecolor="white", label=name)
axes.set(xlabel="layer", ylabel="influence, 1 - cosine", yscale="log")
axes.legend(loc="upper center", ncols=2)
alt = "Bars of influence by layer on a logarithmic scale; those left out are hatched. The last counts as one."
show(figure, alt=alt, data={"layer": list(layers), "influence": influences, "kept": [i in kept_layers for i in layers]})
record("layers_left_out", len(influences) - LAYERS, "layers")
record("least_over_most_influence", min(influences) / max(influences[:-1]), "×")

# %% [markdown]
# The picture is a ranking by a proxy. Is the proxy worth anything? For comparison, a student with as many layers, taken
# at even distances. Each is judged by its **agreement**: at every token of held-back replies, would it have picked
# what its teacher picks? As a draft it is paid for agreement and nothing else.

# %% tags=["generated"]
students = {
    "evenly": student(folder, np.linspace(0, len(influences) - 1, LAYERS).round().astype(int).tolist(), work / "even"),
    "by influence": student(folder, kept_layers, work / "cut"),
}


def picks(decoder, row):
    """What a model would write at each token of a reply, given all before it."""
    ids, length = row["input_ids"], sum(label != IGNORED for label in row["labels"])
    return decoder.reading(len(ids)).read(ids[:-1], scored=length).argmax(axis=-1)


def number_of(row):
    """Where the reply names its sentence; None where it is silent."""
    reply = [label for label in row["labels"] if label != IGNORED]
    return next((at for at, token in enumerate(reply) if text.decode([token]).isdigit()), None)


def agreement(path):
    """Shares of tokens on which a student agrees with its teacher: of all, and of those that name the sentence."""
    decoder = Decoder(path)
    marks = [picks(decoder, row) == wanted for row, wanted in zip(held_back, picked, strict=True)]
    naming = [mark[at] for mark, row in zip(marks, held_back, strict=True) if (at := number_of(row)) is not None]
    return float(np.concatenate(marks).mean()), float(np.mean(naming))


picked = [picks(teacher, row) for row in held_back]
agreed = {name: agreement(path) for name, path in students.items()}
for name, (everywhere, naming) in agreed.items():
    print(f"{name:<14} agrees on {everywhere:.2f} of tokens, on {naming:.2f} of those that name the sentence")
size = sum(tensor.count for tensor in stored(students["by influence"])) / parameters
record("student_size", size, "of the teacher's parameters", "lower")
record("agreement_evenly", agreed["evenly"][0], "of tokens", "higher")
record("agreement_by_influence", agreed["by influence"][0], "of tokens", "higher")

# %% [markdown]
# The student has lost a larger share of its layers than of its parameters: the table of token vectors stays whole. And
# what is left was never asked to work alone. It has to be taught.
#
# ## 6 · Teaching it
#
# - **Logits** (Hinton et al. 2015): at every token of a reply, come close to the teacher's whole distribution, softened
#   by a temperature. It also says how wrong each wrong token is.
# - **Sequences** (Kim and Rush 2016): have the teacher write its own replies and learn those, as if they were labels.
#   No teacher runs during the training; it has to talk beforehand.
#
# Both really, together for a few dozen steps. **Predict:** which comes closer to the teacher? Do not compare their
# losses: one is a divergence times a temperature squared, the other a surprise.

# %% tags=["timing"]
from labkit.tune.distill import Imitation, distill, replied
from labkit.tune.recipe import Recipe, keep_memory

keep_memory()  # a training step frees and takes back the same gigabyte
recipe = Recipe(method="full", rate=3e-4, batch=2, steps=20, seed=seed)
start = time.perf_counter()
said = [replied(teacher, row) for row in taught]
talking = time.perf_counter() - start
lessons = {
    "logits": (taught, Imitation()),
    "sequences": ([row for row in said if row], Imitation(soft=0.0)),
}
made_of = {}
for level, (some, imitation) in lessons.items():
    made_of[level] = distill(folder, students["by influence"], some, work / level, recipe, imitation)
    students[level] = made_of[level].folder
    gc.collect()
    losses = made_of[level].losses
    print(f"{level:<10} {len(losses)} steps, loss {np.mean(losses[:3]):.2f} → {np.mean(losses[-3:]):.2f}")
    record(f"loss_{level}_last_over_first", np.mean(losses[-3:]) / np.mean(losses[:3]), "×", "lower")
record("teacher_writes_the_label", np.mean([mine == row for mine, row in zip(said, taught, strict=True)]), "of replies")
record("time_sequences_over_logits", made_of["sequences"].seconds / made_of["logits"].seconds, "×")
print(f"the teacher's talking took {talking / made_of['sequences'].seconds:.2f} times the lesson that used it")

# %% tags=["generated"]
agreed |= {level: agreement(students[level]) for level in lessons}
figure, axes = plt.subplots(figsize=(7, 3))
everywhere, naming = zip(*agreed.values(), strict=True)
axes.bar(np.arange(4) - 0.2, everywhere, 0.38, label="all tokens", color="#0072b2")
axes.bar(
    np.arange(4) + 0.2, naming, 0.38, label="the sentence's number", color="#e69f00", hatch="//", edgecolor="white"
)
axes.set_xticks(range(4), ["cut evenly", "cut by\ninfluence", "taught\nlogits", "taught\nsequences"])
axes.set(ylabel="agrees with its teacher, share", ylim=(0, 1))
axes.legend(loc="upper left")
alt = "Bars of agreement for four students, over all tokens and on the number of the sentence, which is harder."
show(figure, alt=alt, data={"student": list(agreed), "all tokens": everywhere, "the number": naming})
for level in lessons:
    record(f"agreement_{level}", agreed[level][0], "of tokens", "higher")
    record(f"agreement_{level}_number", agreed[level][1], "of replies", "higher")
best = max(lessons, key=lambda level: agreed[level][0])

# %% [markdown]
# <details><summary>Which, and how far?</summary>
#
# Look at the hatched bars before you enjoy the plain ones. Brackets, end marks and the rest of a quotation that has
# begun come back first: that is form. *Which sentence* is the skill, and it was the last thing the teacher
# learned as well. Where the teacher writes the label anyway, sequences are plain fine-tuning under a better name.
# </details>
#
# What would a student for keeps need? Every conversation of the set, instead of a handful nearly twice:
# `python -m labkit.tune.distill` makes it, longer than anybody waits in front of a notebook.

# %% tags=["timing"]
WHOLE = 5_000  # conversations in the answer set, at most (labkit.tune.datasets)
hours = made_of["logits"].seconds / (recipe.steps * recipe.batch) * WHOLE / 3600
print(f"seen here: {TAUGHT} of about {WHOLE:,} conversations; at this pace all of them take {hours:.1f} hours, once")
record("seen_of_the_set", TAUGHT / WHOLE, "of conversations")

# %% [markdown]
# ## 7 · Does it pay?
#
# Now the clock. Every question of section 1 is answered four times, held to the form: plainly, with lookup, with the
# better student as a draft, and by that student alone. Ratios are of sums; intervals are over questions, and there are
# few. **Predict**, for the draft: how many of the teacher's passes do three drafted tokens cost?

# %% tags=["timing"]
found, rows = measure(teacher, text, asked, Decoder(students[best]), seed=seed)
print(f"{len(asked)} questions, draft and student taught at the level of {best}\n")
for name in found:
    if not name.startswith(("pass_cost", "student_size")):
        value, (low, high) = found[name].value or 0.0, found[name].ci95 or (np.nan, np.nan)
        print(f"{name:<28} {value:.2f}   95 %: {low:.2f} to {high:.2f}")
        record(name, value, "", found[name].direction)
for method in ("prompt_lookup", "draft"):
    each = sorted(row["plain_s"] / row["seconds"] for row in rows if row["method"] == method and row["seconds"])
    print(f"{method:<14} after the first token, question by question: {each[0]:.2f} to {each[-1]:.2f}")
price = 1 / (found["student_speed_ratio"].value or 1.0)
alone = [row for row in rows if row["method"] == "student"]
first = 1 - sum(row["plain_s"] for row in alone) / sum(row["plain_request_s"] for row in alone)
reply_tokens = np.mean([row["plain_passes"] + 1 for row in alone])
record("reply_tokens", reply_tokens, "tokens a reply")
record("before_the_first_token", first, "of a request's time")
record("passes_for_three_drafted", 3 * price, "passes", "lower")

# %% [markdown]
# <details><summary>How many?</summary>
#
# Nearly as many as it has of the teacher's parameters, three times over. They are spent before anything is verified,
# and the verifying pass comes on top, for at most four tokens in return. </details>
#
# That is all of the theory one needs. A pass with k guesses, of which a share a is accepted, brings 1 + ka tokens. It
# costs a pass over k + 1 positions, and k times the price of a guess.


# %% tags=["timing"]
def worth(accepted, k, guess):
    """Tokens of a pass over what it costs, both in plain passes."""
    return (1 + k * accepted) / (cost[k + 1] + k * guess)


kinds = {"prompt_lookup": (5, 0.0), "draft": (3, price)}
points = [row for row in rows if row["method"] in kinds and row["proposed"] and row["seconds"]]
points = [(row, row["accepted"] / row["proposed"], row["plain_s"] / row["seconds"]) for row in points]
name_of = {"prompt_lookup": "lookup", "draft": "this draft"}
curves = {name_of[method]: kinds[method] for method in kinds} | {"a draft at a tenth": (3, 0.1)}
accepted = np.linspace(0, 1, 21)
figure, axes = plt.subplots(figsize=(7, 4))
for name, (k, guess) in curves.items():
    axes.plot(accepted, worth(accepted, k, guess), marker="", label=f"{name}, reckoned")
for method, mark in (("prompt_lookup", "o"), ("draft", "x")):
    some = [(a, ratio) for row, a, ratio in points if row["method"] == method]
    x, y = [a for a, _ in some], [ratio for _, ratio in some]
    axes.plot(x, y, mark, linestyle="", color="#000000", label=f"{name_of[method]}, a question")
axes.axhline(1, color="#7f7f7f", linestyle=":", marker="")
for shift in ("day", "night"):
    at = float(story[f"accept-{shift}"].split()[0]) / 100
    axes.axvline(at, color="#7f7f7f", linestyle=":", marker="")
    axes.text(at, 0.02, f" Ines, {shift}", transform=axes.get_xaxis_transform())
axes.set(xlabel="guessed tokens that were accepted, share", ylabel="plain time over time", ylim=(0, None))
axes.legend(loc="upper left", fontsize=8)
alt = (
    "Gain against acceptance: lookup crosses one early, a draft at a tenth of the price later, this one last if at all."
)
table = {"method": [row["method"] for row, _, _ in points], "type": [row["type"] for row, _, _ in points]}
table |= {"accepted": [a for _, a, _ in points], "measured": [ratio for _, _, ratio in points]}
show(figure, alt=alt, data=table | {"reckoned": [worth(a, *kinds[row["method"]]) for row, a, _ in points]})
for method, (k, guess) in kinds.items():
    record(f"{method}_breaks_even_at", (cost[k + 1] + k * guess - 1) / k, "accepted", "lower")
record("draft_never_wrong", worth(1.0, *kinds["draft"]), "×", "higher")

# %% [markdown]
# The last figure is what this draft would bring if it were **never wrong**. No teaching gets past it; only a cheaper
# guess does. The drafts in the papers have a tenth of their model's parameters or far fewer; under a model this small
# there is nothing of that size to find.
#
# And that is INC-2163. The price of a draft does not change at dusk; acceptance does. Ines' threshold of one half is a
# break-even point somebody guessed. Yours can be computed.
#
# A server with many requests at once spends the same idle multipliers on its batch (chapter 09). A gain measured on one
# request shrinks there.
#
# ## 8 · The memo
#
# The rule was fixed beforehand. Speculation ships if all replies are the same and the whole interval of the *request*
# ratio lies above one: people wait for requests, not for second halves of replies. A student ships if the whole
# interval of its right answers, over its teacher's, lies above the share that was agreed with the desk. The clock's
# verdict is printed and tested nowhere: on a busy machine it may differ. **Predict** all three.

# %% tags=["timing"]
from IPython.display import Markdown, display

LEAST = 0.95  # of the teacher's right answers; agreed before anything was measured


def interval(figure):
    """Value and interval, as text."""
    low, high = figure.ci95 or (np.nan, np.nan)
    return f"{figure.value or 0:.2f} [{low:.2f}, {high:.2f}]"


def verdict(figure, bar):
    """Ship only if the whole interval is above the bar."""
    low, high = figure.ci95 or (0.0, bar)
    return "**ship**" if low > bar else "**do not ship**: worse" if high < bar else "**do not ship**: not shown"


lines = ["| candidate | replies the same | after the first token | whole request | verdict |", "|---|---|---|---|---|"]
for method in kinds:
    alike = [row["identical"] for row in rows if row["method"] == method]
    whole = found[f"{method}_request_ratio"]
    decided = verdict(whole, 1.0) if all(alike) else "**do not ship**: it changes replies"
    lines.append(
        f"| {method.replace('_', ' ')} | {sum(alike)} of {len(alike)} | {interval(found[f'{method}_speed_ratio'])} "
        f"| {interval(whole)} | {decided} |"
    )
whole = sum(row["plain_request_s"] for row in alone) / sum(row["request_s"] for row in alone)
lines.append(
    f"| student alone | {sum(row['identical'] for row in alone)} of {len(alone)} "
    f"| {interval(found['student_speed_ratio'])} | {whole:.2f} | {verdict(found['student_task_ratio'], LEAST)} |"
)
cheap = (1 + 3 * (found["draft_acceptance"].value or 0.0) - cost[4]) / 3
at_most = f"at most {cheap:.2f} of a plain pass" if cheap > 0 else "less than nothing: no draft pays at this acceptance"
table = "\n".join(lines)
display(
    Markdown(
        f"""**To** Ines Duarte · **copy** Marcus Oyelaran, Priya Raman · **re** quicker replies

Asked: {len(asked)} dev questions of {len(WANTED)} kinds, one thread, {np.mean([len(one.prompt) for one in asked]):.0f}
tokens of prompt and {reply_tokens:.0f} of reply. Ratios say how many times as fast as plain decoding, with 95 %
intervals over questions.

{table}

The student gave {interval(found["student_task_ratio"])} of its teacher's right answers; the bar is {LEAST:g}.

**What limits it.** {first:.0%} of a request is over before the first token. If every later token were free, requests
would be {1 / first:.2f} times as fast.

**What would change this.** Longer replies that copy; a draft whose token costs {at_most}; a shorter prompt, or one
whose beginning is kept between requests. None of them is a better guesser.

**What it does not show.** Nights: these are questions of all kinds, but nobody asked them in Swedish."""
    )
)

# %% [markdown]
# A short memo with three refusals is a result; so is one with a *ship* in it, if the interval says so on your machine.
# *Not shown* is not *shown not*: `labkit bench decode` asks more questions. And mind the row that surprises people: the
# fastest tokens are of little use where the time goes into reading the prompt.
#
# There is no new row on the scoreboard. Speculation changes no answer, and a student taught for a minute should not be
# near a customer.
#
# ## Checkpoint
#
# A vendor offers a draft model for your support bot: twice as fast in their benchmark, on stories. Which four figures
# do you ask for before you let it near the night shift?
#
# ## Recap
#
# - **Built:** speculation in a dozen lines with its proof, a student with fewer layers taught in two ways, a price list
#   for guesses, a memo that fills itself in.
# - **Broke:** an announcement measured from nine to five; the belief that quotations must come quick; a draft whose
#   price no teaching can lower.
# - **Cost:** dearer passes, a second set of weights in memory, a long teaching for a student worth the name, and one
#   more threshold that somebody will have to explain.
#
# ### Say it at work
#
# *"Speculation changes no reply, and here is why. Whether it saves time is acceptance against price, and on our traffic
# it is this much, with this interval, of the part of a request it can touch at all. A smaller model is another matter:
# it changes answers, so it passes the same gate as any release."* You will be asked: *everybody else gets twice the
# speed, why not we?* They have a large model, a draft at a tenth of it, and long replies. Ask which of the three you
# have.
#
# ### Read next
#
# Chapter 09 serves many requests at once, where the idle multipliers find other work. The lab is
# `labs/08_distillation_speculation.ipynb`; read Leviathan et al., *Fast Inference from Transformers via Speculative
# Decoding* (2023), Men et al., *ShortGPT* (2024), Hinton et al. (2015), and Kim and Rush (2016).
