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
# # 02 · Tokens, chunks, embeddings
#
# Before a question is answered, three machines have decided what can be found: one cuts text into tokens, one cuts
# documents into chunks, one turns chunks into vectors. None of them reads, and in this chapter one of their cuts brings
# a shuttle carriage down.
#
# ## Objectives
#
# After this chapter you can
#
# - say what your encoder and your chat model see of a part number, a date, a language, a broken character;
# - train a byte-pair tokenizer in twenty lines and check it against the library;
# - test whether a chunker separates a rule from what it forbids;
# - compare chunk sizes fairly, with intervals, at a fixed reading budget;
# - name what a sentence vector cannot tell apart, with a measurement.
#
# **Needs** two cores, less than two gigabytes of memory and about a minute. No key, no GPU, no model hub.

# %% tags=["parameters"]
profile = "ci"
seed = 7

# %%
from labkit.course import record, setup, show
from labkit.evaluate.corpus import built_world, read_questions

lab = setup(profile, seed)
world = built_world(lab, seed=seed, progress=False)

# %% [markdown]
# ## 1 · What a token is
#
# Two models work in our system and each brings its own alphabet: the encoder (MiniLM) a *WordPiece* vocabulary, the
# chat model (SmolLM2) *byte-pair encoding*. **Predict first:** how many tokens is `E-417`, and is a torque of 18 closer
# in tokens to 118 or to 81?

# %%
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from labkit.ingest.tokens import tokenizer_file
from labkit.models import resolve

wordpiece = Tokenizer.from_file(str(tokenizer_file()))
wordpiece.no_truncation()
wordpiece.no_padding()
bpe = AutoTokenizer.from_pretrained(resolve(lab.chat_model, lab.home).path)


def pieces(text):
    """What the encoder and the chat model cut a text into."""
    return wordpiece.encode(text, add_special_tokens=False).tokens, [bpe.decode([i]) for i in bpe.encode(text)]


for text in [
    "E-417",
    "E-471",
    "PN-20-118",
    "18 N·m",
    "118 N·m",
    "81 N·m",
    "2025-06-02",
    "2 June 2025",
    "do not",
    "Älg",
]:
    encoder_sees, chat_sees = (" ".join(found) for found in pieces(text))
    print(f"{text:<12} encoder: {encoder_sees:<24} chat model: {chat_sees}")

# %% [markdown]
# <details><summary>What to see</summary>
#
# To the encoder `417` is one symbol, as unlike `471` as any two words, and `471` is not even in its vocabulary. Nothing
# in the symbols says that a hundred and eighteen is a number, or a hundred more than eighteen. The chat model spells
# digits one by one. The encoder lower-cases and drops accents: *Älg* and *alg* are the same to it. A question mark in a
# box is half a character: byte-pair encoding works on bytes, and a rare letter is several. </details>
#
# Where do such pieces come from? Byte-pair encoding starts with single characters and again and again glues the most
# frequent neighbours together. That is the whole idea:

# %%
from collections import Counter


def merge(spelling, pair):
    """The spelling of a word with every occurrence of a pair glued together."""
    merged, at = [], 0
    while at < len(spelling):
        found = tuple(spelling[at : at + 2]) == pair
        merged.append("".join(pair) if found else spelling[at])
        at += 2 if found else 1
    return merged


def train_bpe(text, merges):
    """Learn merges from a text. Ties go to the symbols known longest, as in the library."""
    words = Counter(text.split())
    symbols = sorted(set("".join(words)))
    spelled, learned = {word: list(word) for word in words}, []
    for _ in range(merges):
        pairs = Counter()
        for word, count in words.items():
            for pair in zip(spelled[word], spelled[word][1:], strict=False):
                pairs[pair] += count
        known = {symbol: rank for rank, symbol in enumerate(symbols)}
        best = min(pairs, key=lambda pair: (-pairs[pair], known[pair[0]], known[pair[1]]))
        learned.append(best)
        symbols.append("".join(best))
        spelled = {word: merge(spelling, best) for word, spelling in spelled.items()}
    return learned, spelled


source = (world / "documents" / "support" / "knowledge" / "otter-carriage-e530.md").read_text(encoding="utf-8")
learned, spelled = train_bpe(source, 120)
print("first merges:", ", ".join("+".join(pair) for pair in learned[:10]))
print("restart →", " ".join(spelled["restart"]), "  shuttle →", " ".join(spelled["shuttle"]))

# %%
import json

from tokenizers import models, pre_tokenizers, trainers

library = Tokenizer(models.BPE())
library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
size = len(set("".join(source.split()))) + len(learned)
library.train_from_iterator([source], trainers.BpeTrainer(vocab_size=size, show_progress=False))
theirs = [tuple(pair) for pair in json.loads(library.to_str())["model"]["merges"]]
record("bpe_merges_agree", sum(a == b for a, b in zip(learned, theirs, strict=True)) / len(theirs), "", "higher")
record("bpe_words_agree", sum(spelled[w] == library.encode(w).tokens for w in spelled) / len(spelled), "", "higher")

# %% [markdown]
# Our twenty lines and the library learn the same merges in the same order. Yours at work differ only in scale, and in
# what they were trained on. That last part has a price.
#
# ## 2 · What a language costs
#
# One safety sentence in seven languages. You pay for tokens, and the encoder reads only so many. **Predict:** which
# language is the dearest, and for which of the two models?

# %%
from matplotlib import pyplot as plt

warning = {
    "English": "Do not restart the shuttle while the carriage is up. First fit the locking pin.",
    "Swedish": "Starta inte om skytteln medan vagnen är uppe. Sätt först i låssprinten.",
    "Spanish": "No reinicie la lanzadera mientras el carro esté arriba. Coloque primero el pasador de bloqueo.",
    "French": "Ne redémarrez pas la navette tant que le chariot est levé. Mettez d’abord la goupille de verrouillage.",
    "German": "Starten Sie das Shuttle nicht neu, solange der Wagen oben ist. Stecken Sie zuerst den Sperrbolzen.",
    "Polish": "Nie uruchamiaj ponownie wózka, gdy platforma jest w górze. Najpierw włóż sworzeń blokujący.",
    "Japanese": "台車が上がっている間はシャトルを再起動しないでください。まずロックピンを差し込んでください。",
}
counts = {language: [len(found) for found in pieces(text)] for language, text in warning.items()}
unknown = pieces(warning["Japanese"])[0].count("[UNK]")

figure, axes = plt.subplots(figsize=(7, 3.6))
for shift, column, name, hatch, colour in (
    (-0.2, 0, "encoder", "", "#0072b2"),
    (0.2, 1, "chat model", "//", "#e69f00"),
):
    ratios = [count[column] / counts["English"][column] for count in counts.values()]
    rows = [row + shift for row in range(len(counts))]
    bars = axes.barh(rows, ratios, height=0.4, hatch=hatch, color=colour, edgecolor="black", label=name)
    axes.bar_label(bars, fmt="%.1f", padding=3)
axes.set_yticks(range(len(counts)), counts)
axes.invert_yaxis()
axes.margins(x=0.1)
axes.set_xlabel("tokens, relative to English")
axes.set_title("The same sentence, by language")
axes.legend()
show(
    figure,
    alt="Bar chart of tokens per language relative to English; every other language costs more, Japanese the most.",
    data={
        "language": list(counts),
        "encoder tokens": [count[0] for count in counts.values()],
        "chat model tokens": [count[1] for count in counts.values()],
    },
)
record("japanese_cost", counts["Japanese"][1] / counts["English"][1], "× English", "lower")
record("japanese_pieces_unknown_to_encoder", unknown, "tokens", "lower")

# %% [markdown]
# The chat model can spell anything, at a price. The encoder cannot: what is not in its vocabulary becomes one symbol
# for *unknown*, and the meaning is gone before a vector is computed. Chapter 01 met the same loss by another road,
# mojibake. Now you can say what it costs:

# %%
swedish = warning["Swedish"]
mojibake = swedish.encode("utf-8").decode("cp1252")
for text in (swedish, mojibake):
    print(text, [len(found) for found in pieces(text)])
record("mojibake_cost_encoder", len(pieces(mojibake)[0]) / len(pieces(swedish)[0]), "× clean", "lower")

# %% [markdown]
# ## 3 · Half a sentence
#
# Tollgate Park, two in the morning. Otter 3 shows E-530, its carriage hangs at shelf three, and Priya Raman asks the
# assistant. It quotes the knowledge page, word for word: *restart the shuttle from the panel and confirm with the green
# key*. The technician does, and the carriage drops forty centimetres. Here is that page, and here are the pieces of
# equal length it was cut into. <!-- given: the story, support/chat/2025-08-20_otter-tollgate.json -->

# %%
from labkit.ingest.chunk import assemble, chunk
from labkit.ingest.parse import parse
from labkit.ingest.tokens import count_tokens
from labkit.schema import Document


def windows(text, size, overlap=0):
    """Pieces of equal length in tokens, as (start, end) offsets; neighbours share `overlap` tokens."""
    offsets = wordpiece.encode(text, add_special_tokens=False).offsets
    starts = range(0, max(1, len(offsets) - overlap), size - overlap)
    return [(offsets[at][0], offsets[min(at + size, len(offsets)) - 1][1]) for at in starts]


parsed = parse("markdown", source)
page, spans = assemble(parsed.blocks)
size = next(n for n in range(24, 257) if any(page[a:b].startswith("restart the shuttle") for a, b in windows(page, n)))
for number, (start, end) in enumerate(windows(page, size)):
    text = " ".join(page[start:end].split())
    print(f"piece {number}: {text[:66]} … {text[-28:]}")

# %%
from labkit.llm import embedder

encoder = embedder(lab)
asked = "Otter shuttle shows E-530, carriage up. Can I restart the shuttle from the panel?"
cut = windows(page, size)
scores = encoder.encode([page[start:end] for start, end in cut]) @ encoder.encode([asked])[0]
order = scores.argsort()[::-1].tolist()
rule, forbidden = "With the carriage still up you must not", "restart the shuttle from the panel"
with_rule = next(number for number, (start, end) in enumerate(cut) if rule in page[start:end])
without = next(number for number, (start, end) in enumerate(cut) if forbidden in page[start:end])
record("rank_of_the_piece_with_the_rule", order.index(with_rule) + 1, "", "lower")
record("rank_of_the_piece_without_it", order.index(without) + 1)

# %% [markdown]
# Search likes the torn piece better, because it holds more of the words in the question. The language model then does
# its duty: it quotes.
#
# Was that bad luck? Call an item *torn* when some piece shows it, or a part of it, without the rule above it.
# **Predict:** for how many piece lengths does it happen here? And the usual remedy is overlap: does it help?

# %%
first, last = page.index(rule), page.index("green key") + len("green key")
start_of_item = page.index(forbidden)


def torn(cut):
    """Whether a piece touches the forbidden action and does not hold the rule and the action whole."""
    return any(a < last and b > start_of_item and not (a <= first and b >= last) for a, b in cut)


def by_structure(name, title, text, spans, budget):
    """The passages labkit cuts, at the document's own seams."""
    document = Document(doc_id=name, source_path=name, format="markdown", title=title, text=text, sha256="")
    return chunk(document, spans, count_tokens, budget)


sizes = range(64, 257)
plain = [torn(windows(page, n)) for n in sizes]
overlapping = [torn(windows(page, n, n // 4)) for n in sizes]
seams = [
    torn([(c.start, c.end) for c in by_structure("e530", parsed.title, page, spans, n)]) for n in range(64, 257, 8)
]
record("torn_equal_pieces", sum(plain) / len(plain), "of lengths", "lower")
record("torn_with_overlap", sum(overlapping) / len(overlapping), "of lengths", "lower")
record("torn_at_seams", sum(seams) / len(seams), "of lengths", "lower")

# %% [markdown]
# <details><summary>Why does overlap make it worse?</summary>
#
# Overlap makes it likelier that *some* piece holds rule and item together. It also makes more pieces, hence more
# chances that one begins between the two. Retrieval may return either. Recall counts the good copy; the technician gets
# the torn one. </details>
#
# Cutting where the page has a seam keeps the list whole. When a section is larger than the budget even that must cut,
# and then the headings have to travel with each passage:

# %%
for passage in by_structure("e530", parsed.title, page, spans, 32):
    if forbidden in passage.text:
        print("path:", " › ".join(passage.heading_path))
        print("text:", passage.text.splitlines()[0])

# %% [markdown]
# ## 4 · How large?
#
# Now the question everybody asks. We take the part of the drive on which development questions can be answered, in
# four formats, and one-hop questions whose evidence we can point to, character by character.

# %%
import re

formats, pools = ("markdown", "html", "json", "text"), ("dev", "core")
truth = {}
for line in (world / "truth" / "documents.jsonl").open(encoding="utf-8"):
    row = json.loads(line)
    if row.get("format") in formats and row["pool"] in pools:
        truth[row["doc_id"]] = row
true_text = {}
for line in (world / "truth" / "texts.jsonl").open(encoding="utf-8"):
    row = json.loads(line)
    true_text[row["doc_id"]] = row["text"]
documents = {}
for doc_id, row in truth.items():
    found = parse(row["format"], (world / "documents" / row["path"]).read_bytes().decode("utf-8", errors="replace"))
    documents[doc_id] = (found.title, *assemble(found.blocks))


def locate(doc_id, start, end):
    """Where evidence of the truth lies in a parsed document: (doc_id, start, end), or None."""
    words = map(re.escape, true_text[doc_id][start:end].split())
    match = re.search(r"\s+".join(words), documents[doc_id][1]) if doc_id in documents else None
    return match and (doc_id, *match.span())


candidates = [question for question in read_questions(world, "dev") if question.type == "single_hop"]
gold = {question: [place for spot in question.evidence if (place := locate(*spot))] for question in candidates}
gold = {question: places for question, places in gold.items() if places}
record("study_documents", len(documents), "documents")
record("study_questions", len(gold), "questions")

# %% [markdown]
# Most published curves show recall among the best *k* chunks. That favours large chunks for a dull reason: five large
# ones are more text. We measure both that and what a reader with a fixed **budget of tokens** gets to see.

# %%
import numpy as np

cuts = {}
for size in (32, 64, 128, 256, 512):
    cuts["equal", size] = [(d, *span) for d, (_, text, _) in documents.items() for span in windows(text, size)]
for size in (64, 128):
    cuts["overlap", size] = [
        (d, *span) for d, (_, text, _) in documents.items() for span in windows(text, size, size // 4)
    ]
passages = {
    size: [passage for d, (title, *body) in documents.items() for passage in by_structure(d, title, *body, size)]
    for size in (32, 64, 220)
}
cuts |= {("structure", size): [(c.doc_id, c.start, c.end) for c in cut] for size, cut in passages.items()}
embedded = {key: [documents[d][1][a:b] for d, a, b in cut] for key, cut in cuts.items()}
cuts["structure + path", 64] = cuts["structure", 64]
embedded["structure + path", 64] = [" › ".join(c.heading_path) + "\n" + c.text for c in passages[64]]

every_text = sorted({text for texts in embedded.values() for text in texts})
vectors = dict(zip(every_text, encoder.encode(every_text), strict=True))
asked_vectors = encoder.encode([question.text for question in gold])
for (family, size), cut in cuts.items():
    print(f"{family:<18}{size:>4}: {len(cut):>4} chunks")

# %%
K, BUDGET = 5, 500


def prefix(text, tokens):
    """How many characters the first tokens of a text take."""
    offsets = wordpiece.encode(text, add_special_tokens=False).offsets
    return offsets[tokens - 1][1] if tokens < len(offsets) else len(text)


def whole(places, seen):
    """Whether one of the stretches read holds a piece of evidence completely."""
    return any(d == s and a <= start and end <= b for d, start, end in places for s, a, b in seen)


def read(ranked, budget):
    """The stretches a reader sees who reads chunks in order until the budget of tokens is spent."""
    seen = []
    for doc_id, start, end in ranked:
        text = documents[doc_id][1][start:end]
        cost = count_tokens(text)
        if cost >= budget:
            return [*seen, (doc_id, start, start + prefix(text, budget))]
        seen.append((doc_id, start, end))
        budget -= cost
    return seen


results, lengths, cut_evidence = {}, {}, {}
for key, cut in cuts.items():
    scores = asked_vectors @ np.stack([vectors[text] for text in embedded[key]]).T
    ranked = [[cut[i] for i in row.argsort()[::-1]] for row in scores]
    results[key] = (
        [whole(places, best[:K]) for places, best in zip(gold.values(), ranked, strict=True)],
        [whole(places, read(best, BUDGET)) for places, best in zip(gold.values(), ranked, strict=True)],
    )
    lengths[key] = sum(count_tokens(documents[d][1][a:b]) for d, a, b in cut) / len(cut)
    cut_evidence[key] = sum(not whole(places, cut) for places in gold.values())
    print(f"{key[0]:<18}{key[1]:>4}: evidence of {cut_evidence[key]:>2} questions cut")

# %% tags=["generated"]
from labkit.evaluate.statistics import proportion_interval

names = {"equal": "equal pieces", "overlap": "with a quarter overlap", "structure": "at the document's seams"}
table = {name: [] for name in ("cut", "size asked", "tokens, mean", "evidence cut", f"recall@{K}", "interval",
                               f"in {BUDGET} tokens", "interval ")}  # fmt: skip
figure, panels = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
for family in ("equal", "overlap", "structure", "structure + path"):
    keys = [key for key in results if key[0] == family]
    for column, axes in enumerate(panels):
        hits = [sum(results[key][column]) for key in keys]
        rates = [100 * hit / len(gold) for hit in hits]
        bounds = [[100 * bound for bound in proportion_interval(hit, len(gold))] for hit in hits]
        reach = [[rate - low for rate, (low, _) in zip(rates, bounds, strict=True)],
                 [high - rate for rate, (_, high) in zip(rates, bounds, strict=True)]]  # fmt: skip
        if family in names:
            axes.errorbar([lengths[key] for key in keys], rates, yerr=reach, capsize=3, label=names[family])
        table[f"recall@{K}" if column == 0 else f"in {BUDGET} tokens"] += [f"{rate:.0f} %" for rate in rates]
        table["interval" if column == 0 else "interval "] += [f"{low:.0f} to {high:.0f} %" for low, high in bounds]
    table["cut"] += keys and [family] * len(keys)
    table["size asked"] += [size for _, size in keys]
    table["tokens, mean"] += [round(lengths[key]) for key in keys]
    table["evidence cut"] += [cut_evidence[key] for key in keys]
for axes, title in zip(panels, (f"Among the best {K} chunks", f"Within {BUDGET} tokens of reading"), strict=True):
    axes.set_xscale("log", base=2)
    axes.set_xticks([16, 32, 64, 128, 256], [16, 32, 64, 128, 256])
    axes.set_xlabel("tokens in a chunk (mean)")
    axes.set_title(title)
panels[0].set_ylabel("questions with their evidence, %")
panels[0].set_ylim(0, 100)
panels[1].legend(loc="lower left")
show(
    figure,
    alt="Two curves over chunk size with 95 % intervals: recall among five chunks rises with size, "
    "while recall within a fixed reading budget is highest for small chunks.",
    data=table,
)

# %% [markdown]
# On the left the whole page wins: its five chunks are many times the text. On the right that lead is gone: per token
# read, the size of equal pieces hardly matters, and small passages cut at the seams come first. The smallest equal
# pieces do badly in both, because they cut the evidence itself (the column *evidence cut*).
#
# Points share their questions, so overlapping intervals are the wrong test. Compare question by question:

# %% tags=["generated"]
from labkit.evaluate.statistics import mean_interval

comparisons = {
    "small_seams_minus_equal_256_at_k": (("structure", 32), ("equal", 256), 0),
    "small_seams_minus_equal_256_in_budget": (("structure", 32), ("equal", 256), 1),
    "small_seams_minus_overlap_64_in_budget": (("structure", 32), ("overlap", 64), 1),
}
for name, (ours, theirs, column) in comparisons.items():
    differences = [float(a) - float(b) for a, b in zip(results[ours][column], results[theirs][column], strict=True)]
    low, high = mean_interval(differences, seed)
    record(name, sum(differences) / len(differences), "", "higher")
    print(f"   95 % interval {low:+.2f} to {high:+.2f}")
with_path, without_path = (sum(results[family, 64][1]) / len(gold) for family in ("structure + path", "structure"))
record("path_gain_in_budget", with_path - without_path, "", "higher")

# %% [markdown]
# The same two ways of cutting, and the sign turns with the yardstick. Three honest remarks. Against small equal pieces
# with overlap the lead is too small to be sure of; what seams do buy is section 3. The sizes were compared on
# development questions, so the winner is flattered; chapter 04 shows the cure. And the heading path in front of what
# is embedded did *not* raise recall here, as the last figure says. We keep it for the reader: it is what carries *must
# not* to the passage.
#
# ## 5 · Where a vector puts things
#
# An embedding is a point; what counts is the angle between two. With vectors of length one the cosine is a plain dot
# product. Three ways to the same number:

# %%
import contextlib
import io
import logging

from sklearn.metrics.pairwise import cosine_similarity

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it reports a kernel we do not use
with contextlib.redirect_stdout(io.StringIO()):  # transformers announces that wandb is offline
    from sentence_transformers import SentenceTransformer

pair = ["Restart the shuttle from the panel.", "Do not restart the shuttle from the panel."]
reference = SentenceTransformer(str(resolve(lab.embed_model, lab.home).path), device="cpu")
a, b = reference.encode(pair, normalize_embeddings=False)
by_hand = a @ b / (np.sqrt(a @ a) * np.sqrt(b @ b))
ours = encoder.encode(pair)
same = max(abs(by_hand - cosine_similarity([a], [b])[0, 0]), abs(by_hand - ours[0] @ ours[1]))
record("cosine_largest_difference", round(float(same), 5), "", "lower")

# %% [markdown]
# **Predict:** an instruction, its opposite, and the same instruction in other words. Which of the last two does the
# encoder put nearer to the first?

# %% tags=["generated"]
triples = [
    ("Restart the shuttle from the panel.", "Do not restart the shuttle from the panel.",
     "Switch the Otter off and on again at its display."),
    ("Open the brake with the hand key.", "Never open the brake with the hand key.",
     "Release the holding brake manually."),
    ("You may stand under the raised carriage.", "You must not stand under the raised carriage.",
     "Being below the lifted platform is allowed."),
    ("The warranty covers the gripper.", "The warranty does not cover the gripper.",
     "Repairs to the grasping tool are free of charge during the guarantee."),
    ("Ship the part today.", "Do not ship the part today.", "Send the spare off before this evening."),
    ("The valve is open.", "The valve is not open.", "Fluid can pass, the shut-off has been released."),
    ("Touch the battery while it charges.", "Do not touch the battery while it charges.",
     "Put your hand on the accumulator during charge."),
    ("The customer agreed to the price.", "The customer did not agree to the price.",
     "The buyer accepted what we quoted."),
]  # fmt: skip
told, opposite, other_words = (encoder.encode(list(texts)) for texts in zip(*triples, strict=True))
negated, reworded = (told * opposite).sum(axis=1), (told * other_words).sum(axis=1)

figure, axes = plt.subplots(figsize=(8, 3.6))
rows = range(len(triples))
axes.hlines(rows, reworded, negated, color="#7f7f7f", linewidth=1)
axes.scatter(negated, rows, marker="X", color="#d55e00", label="opposite meaning, a word or two more")
axes.scatter(reworded, rows, s=120, facecolors="none", edgecolors="#0072b2", label="same meaning, other words")
axes.set_yticks(rows, [triple[0] for triple in triples])
axes.set_xlim(0, 1)
axes.set_xlabel("cosine to the instruction")
axes.set_title("The opposite is nearer than the paraphrase")
axes.invert_yaxis()
axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.2), ncols=2)
show(
    figure,
    alt="Dot plot for eight instructions: the negated sentence is nearer to the instruction than a paraphrase is.",
    data={"instruction": [triple[0] for triple in triples], "negated": negated, "reworded": reworded},
)
record("opposite_nearer_than_paraphrase", float(np.mean(negated > reworded)), "of instructions", "lower")

# %% [markdown]
# Eight sentences of our own are an illustration, not a benchmark; try yours. Still: search by vectors finds what a
# text is *about*, not what it *claims*. No chunk size repairs that: a negation must
# reach the reader whole, and whoever checks the answer must read it. What of codes and languages?


# %% tags=["generated"]
def cosines(text, others):
    """Cosine of one text to each of the others."""
    return encoder.encode([text])[0] @ encoder.encode(others).T


meanings = ["E-417 means low gripper vacuum.", "E-471 means low gripper vacuum.", "The canteen is closed on Friday."]
for text, value in zip(meanings, cosines("What does E-417 mean, low gripper vacuum?", meanings), strict=True):
    print(f"{value:5.2f}  {text}")
others = [language for language in warning if language != "English"]
for language, value in zip(others, cosines(warning["English"], [warning[name] for name in others]), strict=True):
    print(f"{value:5.2f}  the English warning in {language}")

# %% [markdown]
# The wrong code is a near neighbour of the right one, and a faithful translation is nearly a stranger: this encoder was
# trained on English. Chapter 03 answers the codes with lexical search; languages need another encoder.
#
# A map shows the rest. Each point is a passage; two of hundreds of dimensions survive.

# %% tags=["generated"]
from sklearn.decomposition import PCA

points = np.stack([vectors[c.text] for c in passages[220]])
classes = np.array([truth[c.doc_id]["class"].replace("_", " ") for c in passages[220]])
chosen = [name for name, _ in Counter(classes.tolist()).most_common(5)]
projection = PCA(n_components=2, random_state=seed).fit(points)
flat = projection.transform(points)

figure, axes = plt.subplots(figsize=(7.5, 5))
for name, marker in zip(chosen, "os^DX", strict=True):
    mine = flat[classes == name]
    axes.scatter(
        mine[:, 0], mine[:, 1], marker=marker, s=36, alpha=0.75, edgecolors="black", linewidths=0.4, label=name
    )
axes.set_xlabel(f"first component ({projection.explained_variance_ratio_[0]:.0%} of variance)")
axes.set_ylabel(f"second component ({projection.explained_variance_ratio_[1]:.0%})")
axes.set_title("Passages of five kinds of document")
axes.legend(title="kind", loc="upper left", bbox_to_anchor=(1, 1))
shown = np.isin(classes, chosen)
show(
    figure,
    alt="Scatter plot of passages in two principal components; kinds of document form regions that overlap widely.",
    data={"kind": classes[shown], "first": flat[shown, 0], "second": flat[shown, 1]},
)
near = points @ points.T - 2 * np.eye(len(points))
shares = np.unique(classes, return_counts=True)[1] / len(classes)
print(f"a neighbour drawn at random is of the same kind in {shares @ shares:.0%} of cases")
record("nearest_neighbour_same_kind", float(np.mean(classes == classes[near.argmax(axis=1)])), "of passages")
record("map_keeps_of_variance", float(projection.explained_variance_ratio_.sum()), "of variance", "higher")

# %% [markdown]
# Before you read meaning into such a map, read its second figure: most of the variance is not on it.
#
# ## 6 · What it never sees
#
# The encoder reads a fixed number of tokens and drops the rest without a word. **Predict:** we replace the end of a
# long page by an invented promise. How far does its vector move?

# %%
from labkit.llm.embed import MAX_TOKENS

longest = max((text for _, text, _ in documents.values()), key=count_tokens)
kept = longest[: prefix(longest, MAX_TOKENS)]
changed = kept + " The customer may send everything back free of charge."
before, after = encoder.encode([longest, changed])
record("vector_moved_by_the_unseen_end", round(float(np.abs(before - after).max()), 5))
over = [count_tokens(text) for _, text, _ in documents.values() if count_tokens(text) > MAX_TOKENS]
record("pages_longer_than_the_encoder", len(over) / len(documents), "of pages", "lower")

# %% [markdown]
# That is why labkit's passages stay below the limit, and why a chunk budget is stated in tokens *of the encoder*.
#
# A larger or multilingual encoder is configuration: set `LABKIT_EMBED_MODEL` to a hub id at a pinned commit, or
# `LABKIT_EMBED_URL` to an endpoint. Vectors of two encoders must never meet, so every index is stamped with what made
# it, and a name without a commit is refused, because a branch can change under you:

# %%
from labkit.errors import ModelError

print("stamp:", encoder.fingerprint)
try:
    embedder(lab.model_copy(update={"embed_model": "some-lab/larger-encoder"}))
except ModelError as error:
    print("refused:", error)

# %% [markdown]
# ## Checkpoint
#
# Your index holds pages of two languages, tables of torque values and warnings in lists. Which of the three machines
# (tokens, chunks, vectors) is the first to lose each of them? Which loss would recall never show you?
#
# ## Recap
#
# - **Built:** a tokenizer that equals the library's, a test for torn rules, a chunk study with intervals.
# - **Broke:** equal pieces tore a warning for many lengths, overlap tore it more often; the encoder put opposites side
#   by side and read no further than its limit.
# - **Cost:** small passages are many more to store and rank, and by recall among the best five they look worse.
#
# ### Say it at work
#
# *"At the same reading budget, small passages cut at the document's seams find more than our old pieces of 256 tokens,
# by the difference and interval of section 4, and they do not tear warnings. By recall at five they would have lost."*
# The trade-off: more passages to store and rank. You will be asked: *why does the vendor's curve say the opposite?* Ask
# at what budget it was drawn.
#
# ### Read next
#
# Chapter 02b opens one token and follows it through the model; chapter 03 finds the codes that vectors confuse. The
# lab, `labs/02_tokens_chunks_embeddings.ipynb`, moves to the night desk's chats and another model's budget.
