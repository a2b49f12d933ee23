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
# # 05 · GraphRAG
#
# Some answers stand in no passage: they are what several say together. Here we build a graph of the documents, walk it,
# reckon with it and summarise it, and measure which of these beats plain search on which kind of question.
#
# ## Objectives
#
# After this chapter you can
#
# - extract a graph by rules, score it against the truth, and say what the rules cost;
# - decide when two names are one thing, and when to leave it open;
# - follow chains of relations from a question, and explain the path;
# - run Microsoft's graphrag offline, one audience at a time, and reckon what a language model would add in calls;
# - choose a way by the kind of question, with figures.
#
# **Needs** two cores, less than two gigabytes of memory and about five minutes. No key, no GPU, no model hub.

# %% tags=["parameters"]
profile = "ci"
seed = 7

# %%
import re
from collections import Counter, defaultdict
from datetime import date

import numpy as np

from labkit.bench.retrieve import questions_with_gold, retrieval_values
from labkit.course import record, scoreboard_row, setup, show
from labkit.evaluate.corpus import gold_paths, prepare_world, read_facts, read_questions
from labkit.llm import embedder
from labkit.retrieve import LateInteraction, Reranker, open_index
from labkit.schema import RequestContext

lab = setup(profile, seed)
encoder = embedder(lab)
prepared = prepare_world(lab, encoder, seed=seed, progress=False)
index = open_index(prepared.index, encoder)
chunks = sorted(index.store.chunks(), key=lambda chunk: chunk.chunk_id)
passage = {chunk.chunk_id: chunk for chunk in chunks}
staff = RequestContext(principal="you", groups=frozenset({"staff"}), tenant="tidewater", as_of=date(2025, 12, 31))
flat = Reranker(index.store, encoder, LateInteraction.shipped())
print(f"{len(chunks):,} passages")

# %% [markdown]
# ## 1 · Where is lot C-22?
#
# In September Corvane recalled a lot of tow-hook keepers that may crack. The despatch book named one right site and one
# wrong one; the others stood in a night handover, a visit report and a note about wet labels, under another lot number.
# Three people searched for a day and a half. Ask chapter 03's search:

# %%
hero = next(q for q in read_questions(prepared.world, "hero") if q.arc == "05-lot-c22")
sites = hero.value.split("; ")
print(hero.text)
held = []
for place, hit in enumerate(flat.search(hero.text, 10, staff), 1):
    text = " ".join(hit.chunk.text.split())
    tells = [site for site in sites if site in text] if "C-22" in text or "T-90" in text else []
    held.append(set(tells))
    print(f"{place:>2}  {hit.chunk.source_path:<58} {', '.join(tells)}")
record("sites_in_five_passages", len(set().union(*held[:5])), f"of {len(sites)}", "higher")
record("sites_in_ten_passages", len(set().union(*held)), f"of {len(sites)}", "higher")

# %% [markdown]
# No rank says *these are all*: the question asks for a set, search returns a list. We need an index of things.
#
# ## 2 · A graph by rules
#
# Tidewater's documents are full of fields: *Incident: … | Site: … | Error code: …*. A data owner can say what such a
# label means; that is the *data dictionary*, some three hundred lines of TOML. A few lines of code then make
# *statements* of fields: the row's head is the subject, each other label a relation.

# %%
from labkit.graph.graph import Graph
from labkit.graph.rules import RulesExtractor
from labkit.graph.schema import Schema

schema = Schema.load()
FIELD = re.compile(r"(?:^|\| )([A-Z][\w -]*): ([^|\n]+?)(?= \||$)", re.MULTILINE)


def by_hand(text):
    """(subject, relation, value) of each row of fields whose first label names a kind."""
    for line in text.split("\n"):
        (head, subject), *rest = FIELD.findall(line) or [("", "")]
        for label, value in rest:
            for relation in schema.by_label.get(label.lower(), ()):
                if schema.relation[relation].subject == schema.kind_of_label.get(head.lower()):
                    yield subject, relation, value


extraction = RulesExtractor(schema).extract(chunks)
graph = Graph(extraction, chunks, schema)
stated = defaultdict(list)
for statement in extraction.statements:
    stated[statement.chunk_id].append(statement)
rows = [c for c in chunks if len(set(by_hand(c.text))) > 2 and "Incident: INC-" in c.text][:3]
agree = []
for chunk in rows:
    ours = set(by_hand(chunk.text))
    theirs = {(graph.entities[s.subject_id].name, s.relation, s.value) for s in stated[chunk.chunk_id]}
    agree += [triple in theirs for triple in sorted(ours)]
    print(f"{chunk.source_path}: {len(ours)} by hand, {len(theirs)} by labkit")
    for subject, relation, value in sorted(ours)[:4]:
        print(f"    {subject} —{relation}→ {value}")
record("by_hand_is_in_labkit", np.mean(agree), "of statements", "higher")

# %% [markdown]
# labkit learns names where fields hold them and finds them everywhere; it joins two things in a sentence where the
# dictionary knows a relation between their kinds; who *he* is, it does not know. Each statement keeps its passage: it
# has a source to cite, and only who may read the source sees it.

# %%
kinds = Counter(entity.kind for entity in extraction.entities)
print(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
record("entities", len(extraction.entities), "things")
record("statements", len(extraction.statements), "statements")
record("facts", len(graph.facts), "facts")
most = max(
    (e for e in graph.entities.values() if e.kind == "incident"), key=lambda e: len(graph.about(e.entity_id, staff))
)
print(f"\n{most.name}")
for fact in graph.about(most.entity_id, staff):
    first = fact.statements[0]
    where = f"{len(fact.statements)} statements, first {passage[first.chunk_id].source_path}"
    print(f"    {fact.relation:<18} {fact.value:<36} {where}")

# %% [markdown]
# A *fact* is what one or more statements say. How good are they? The world knows its own graph, and nobody looked at
# the *test* documents while the rules were written. *Things* are names found, *relations* lead to a thing, *values* to
# a number, a day or words; n counts what is true. **Predict:** do rules invent more, or miss more?

# %%
from labkit.bench.truegraph import TrueGraph, scores

truth = TrueGraph.read(prepared.world)


def scored(extraction, graph, split):
    """Precision, recall, F1 and n of what rules found in the documents of a split."""
    found = scores(extraction, graph, truth, split)
    return {
        what: [*(found[f"{name}_{part}"].value for part in ("precision", "recall", "f1")), found[f"{name}_recall"].n]
        for what, name in {
            "things": "rules_entity",
            "relations": "rules_edge",
            "values": "rules_value",
            "names joined": "entity_resolution",
        }.items()
    }


measured = {split: scored(extraction, graph, split) for split in ("train", "dev", "test")}
print(f"{'':<16}{'precision':>12}{'recall':>9}{'F1':>7}{'n':>9}")
for split, found in measured.items():
    for what, (*shares, n) in found.items():
        print(f"{split:<6}{what:<13}" + "".join(f"{share:>9.2f}" for share in shares) + f"{n:>9}")
record("relations_precision_test", measured["test"]["relations"][0], "", "higher")
record("relations_recall_test", measured["test"]["relations"][1], "", "higher")
record("values_recall_test", measured["test"]["values"][1], "", "higher")

# %% [markdown]
# <details><summary>Invent or miss?</summary>
#
# Of what is said about things, it misses more: where a label stands, rules are seldom wrong; prose they read in part.
# On another company's documents they find nothing until somebody writes its dictionary. </details>
#
# ## 3 · One thing or two
#
# Two people are called J. Martin, and many parts have a name, a number and both. Join too little, and chains break; too
# much, and one's words are in another's mouth. labkit joins a code in brackets behind a name, a number that only one
# thing has, a renaming, a spelling, an initial that only one person fits; never two things merely named together.

# %%
people = [entity for entity in graph.entities.values() if entity.kind == "person"]
by_initial = defaultdict(set)
for person in people:
    first, _, last = person.name.partition(" ")
    by_initial[first[0], last].add(person.name)
for names in by_initial.values():
    if len(names) > 1:
        print("an initial would join:", ", ".join(sorted(names)))
for person in people:
    if person.name.endswith(" Martin"):
        where = sorted({chunk.source_path for chunk in graph.mentioning(person.entity_id, staff)})
        print(f"{person.name:<12} {len(where)} documents, such as {where[0]}")
aliased = [entity for entity in graph.entities.values() if entity.aliases]
print(f"\n{len(aliased)} things have other names:")
for entity in aliased[:: max(1, len(aliased) // 6)]:
    print(f"    {entity.kind:<9} {entity.name:<28} also {', '.join(entity.aliases)}")
martins = sum(person.name.endswith(" Martin") for person in people)
record("martins_kept_apart", martins, "names", "higher")
pairs = measured["test"]["names joined"][3]
record("names_joined_rightly_test", measured["test"]["names joined"][0], "of those joined", "higher")
record("names_joined_of_those_due_test", measured["test"]["names joined"][1], f"of {pairs} pairs", "higher")

# %% [markdown]
# *J. Martin* stays a third name: the relabelling note is signed so, and only its document knows who stood at the rack.
#
# ## 4 · One line in the dictionary
#
# Now the lot. What does the graph know of it?

# %%
LOTS = ("lot:C-22", "lot:T-90")


def told(graph, lot):
    """What a graph says of a lot, with sources."""
    for relation, facts in sorted(graph.told(lot, staff).items()):
        for fact in facts:
            sources = {passage[s.chunk_id].source_path.rpartition("/")[2] for s in fact.statements}
            print(f"{lot[4:]}  {relation:<13} {fact.value:<14} {', '.join(sorted(sources))}")


def sites_of(graph):
    """Where a graph says that the lots are."""
    return {f.value for lot in LOTS for f in graph.told(lot, staff).get("lot.site", ())}


for lot in LOTS:
    told(graph, lot)
before = sites_of(graph) & set(sites)
print("labels of lot.site:", schema.relation["lot.site"].labels)
book = next(c for c in chunks if "despatch-book" in c.source_path and "Lot: C-22" in c.text)
print(next(line for line in book.text.split("\n") if "Lot: C-22" in line))
record("sites_by_rules", len(before), f"of {len(sites)}", "higher")

# %% [markdown]
# Not one site. The book calls the column *To*, the dictionary *Shipped to*; and since no field vouches for Hexham Yard,
# it is no site at all, and sentences about it are not read. We add the label. **Predict:** of this lot the book names
# one right site and one wrong one; how many right ones will the graph have? (No relation ties T-90 to C-22; we look for
# sentences that name two lots.)

# %%
from IPython.display import display

from labkit.graph.hop import Path, Step
from labkit.graph.picture.neighbourhood import neighbourhood
from labkit.retrieve.text import sentences

wider = dict(schema.relation)
site = wider["lot.site"]
wider["lot.site"] = site.model_copy(update={"labels": (*site.labels, "To")})
schema_to = Schema(head=schema.head, count=schema.count, sum=schema.sum, kind=schema.kind, relation=wider)
extraction_to = RulesExtractor(schema_to).extract(chunks)
graph_to = Graph(extraction_to, chunks, schema_to)
for lot in LOTS:
    told(graph_to, lot)
found = sites_of(graph_to)
record("sites_by_rules_with_to", len(found & set(sites)), f"of {len(sites)}", "higher")
record("sites_too_many", len(found - set(sites)), "sites", "lower")
told_sites = [(lot, fact) for lot in LOTS for fact in graph_to.told(lot, staff)["lot.site"]]
paths = [
    Path(
        graph_to.entities[lot],
        (Step(f.relation, f.value, f.object_id, tuple(s.chunk_id for s in f.statements), known=True),),
        1 / len(told_sites),
    )
    for lot, f in told_sites
]
drawing = neighbourhood(graph_to, paths, staff, follow=len(paths), most=12)
show(drawing.figure(), alt=drawing.alt, data=drawing.data)
display(drawing)
for chunk in graph.mentioning("lot:C-22", staff):
    for sentence in sentences(chunk.text):
        lots = {name.surface for name in graph.names.find(sentence.text) if name.kind == "lot"}
        if len(lots) > 1 and "C-22" in lots and "|" not in sentence.text:
            print(f"{chunk.source_path}\n    {' '.join(sentence.text.split())}")
named_sites = [{e.name for e in g.entities.values() if e.kind == "site"} for g in (graph, graph_to)]
print("\nnew sites:", ", ".join(sorted(named_sites[1] - named_sites[0])))
for split in ("train", "dev"):
    gain = scored(extraction_to, graph_to, split)["relations"][2] - measured[split]["relations"][2]
    record(f"relations_f1_gained_{split}", gain, "", "higher")

# %% [markdown]
# <details><summary>Why so many?</summary>
#
# One label taught it that these places are sites, and from then on it read them in sentences too: in the handover, the
# visit report and the note. </details>
#
# *Severn Cross* is one too many: the handover says in one sentence where the pallet was meant to go and where it went,
# and rules pair both. So a day and a half shrinks to a few sentences that a person reads and signs, and somebody had to
# know that *To* is a label. The last lines are its price: what else became a site (shifts also run *from* and *to*),
# and what other documents gained or lost. (The second picture moves.)
#
# ## 5 · Communities
#
# *What tended to cause our incidents?* names no thing to start at. Microsoft's **graphrag** answers from above: Leiden
# clusters the graph, a writer reports on each cluster, and a question is put to all reports. It knows no permissions,
# so labkit builds one index for each group, of nothing but what the group may read, in a process of its own. Without a
# large model here, the writer is *extractive*: it quotes what recurs.

# %% tags=["timing"]
import pandas as pd

from labkit.graph.graphrag.communities import build
from labkit.graph.graphrag.project import Audience, Project

audience = Audience(tenant="tidewater", group="staff", as_of=staff.as_of)
corpus = prepared.index.name
built = build(chunks, audience, lab, corpus=corpus, extraction=extraction, progress=False)
project = Project(lab.home, corpus, extraction.extractor, audience)
tables = {path.stem: pd.read_parquet(path) for path in sorted(project.output.glob("*.parquet"))}
for name, table in tables.items():
    print(f"{name:<18} {len(table):>6,} rows")
print("left out:", dict(built.problems))
steps = sorted(built.seconds.items(), key=lambda item: -item[1])
print("seconds:", ", ".join(f"{step} {seconds:.0f}" for step, seconds in steps if seconds >= 1))
record("communities", built.communities, "communities")
record("reports_per_community", built.reports / built.communities, "", "higher")
record("share_of_time_embedding", built.seconds["generate_text_embeddings"] / built.seconds["all"], "of seconds")

# %%
from labkit.graph.picture.circles import Community, communities

entities, edges = tables["entities"], tables["relationships"]
title_of = dict(zip(entities.id, entities.title, strict=True))
degree = dict(zip(entities.id, entities.degree, strict=True))
reports = tables["community_reports"].set_index("community")
found = [
    Community(
        community_id=str(row.community),
        level=int(row.level),
        title=reports.title[row.community],
        members=tuple(title_of[i] for i in sorted(row.entity_ids, key=lambda i: (-degree[i], i))),
    )
    for row in tables["communities"].itertuples()
]
drawing = communities(found, zip(edges.source, edges.target, strict=True), level=0, most=12)
show(drawing.figure(), alt=drawing.alt, data=drawing.data)
small = reports[reports["size"].between(4, 6)].sort_values("title").iloc[0]
print(small.full_content)

# %% [markdown]
# A report says near its top who wrote it. It invents nothing, and understands nothing. Four searches: *basic* is plain
# vector search over passages. *Local* starts at the things nearest to the question and takes their relations, reports
# and passages. *Global* puts the question to every report and merges what they answer. *DRIFT* starts at the nearest
# reports and asks follow-up questions locally. **Predict:** which of them names the true causes of a year's incidents?

# %% tags=["timing"]
from labkit.evaluate.grading import contains, tokens
from labkit.graph.graphrag.search import GraphSearch

dev = read_questions(prepared.world, "dev")
whole = next(q for q in dev if q.type == "global" and "cause" in q.text)


def themes_in(question, text):
    """Share of the true themes that a text names."""
    said, wanted = tokens(text), [tokens(theme) for theme in question.value.split("; ")]
    return sum(contains(said, theme) for theme in wanted) / len(wanted)


def first_of(kind, n):
    """The first questions of a type."""
    return [q for q in dev if q.type == kind][:n]


def context_of(question):
    """Who asks it, and when."""
    return RequestContext(groups=frozenset(question.groups), tenant="tidewater", as_of=question.as_of)


print(whole.text)
by_reports = {}
with GraphSearch(lab, corpus=corpus, extractor=extraction.extractor) as search:
    for method in ("basic", "local", "drift", "global", "global"):  # the first one starts the process
        answer = search.search(whole.text, method, staff)
        share, part = themes_in(whole, answer.text), answer.parts[0]
        print(f"{method:<7} {part.seconds:5.1f} s   {part.contexts} contexts   themes named {share:.2f}")
        record(f"themes_{method}", share, "", "higher") if method not in by_reports else None
        by_reports[method] = answer.text
    kinds_asked = (
        "single_hop",
        "multi_hop",
        "comparison",
        "aggregation",
    )  # an index is of one day; time asks of others
    for q in [*first_of("global", 9), *(q for kind in kinds_asked for q in first_of(kind, 5))]:
        by_reports[q.question_id] = search.search(q.text, "global", context_of(q)).text
print("\n".join(by_reports["global"].split("\n")[:4]), "\n…", by_reports["global"].split("\n")[-1])
ten = "\n".join(hit.chunk.text for hit in flat.search(whole.text, 10, staff))
record("themes_ten_passages", themes_in(whole, ten), "", "higher")

# %% [markdown]
# Read the counts: they are of all years, though one was asked for. Our score asks only whether the true themes are
# said, not what else is. And this writer tallies for global search and merely quotes for the others; with a language
# model the order may change. The graph holds causes as a column, and a column can be counted, for the year asked for:

# %%
causes = Counter()
for entity in graph.entities.values():
    if entity.kind == "incident":
        facts = {fact.relation: fact for fact in graph.about(entity.entity_id, staff)}
        day = facts["incident.date"].statements[0].number if "incident.date" in facts else None
        year = str(date.fromordinal(int(day)).year) if day else ""
        if year and year in whole.text and "incident.cause" in facts:
            causes[facts["incident.cause"].value] += 1
for cause, count in causes.most_common(5):
    print(f"{count:>3}  {cause}{'   (a true theme)' if cause in whole.value else ''}")
least = sorted(causes.values(), reverse=True)[whole.value.count("; ")]
record("themes_counted", themes_in(whole, "; ".join(cause for cause in causes if causes[cause] >= least)), "", "higher")

# %% [markdown]
# A count can be checked row by row. When the dictionary has the column, count; reports are for what nobody made a
# column of.
#
# Now the price of a language model in graphrag: by its own prompts, one extraction and one *did you miss any?* for each
# passage, one call for each report.

# %%
from graphrag.prompts.index.community_report import COMMUNITY_REPORT_PROMPT
from graphrag.prompts.index.extract_graph import CONTINUE_PROMPT, GRAPH_EXTRACTION_PROMPT

texts = sum(encoder.count_tokens(text) for text in tables["text_units"].text)
prompt, again = encoder.count_tokens(GRAPH_EXTRACTION_PROMPT), encoder.count_tokens(CONTINUE_PROMPT)
reporting = encoder.count_tokens(COMMUNITY_REPORT_PROMPT)
passages_read = len(tables["text_units"])
calls = 2 * passages_read + built.communities
# The second call repeats the first one's messages; what the model writes is not counted.
tokens_read = 2 * (texts + passages_read * prompt) + passages_read * again + built.communities * reporting
tokens_read += sum(encoder.count_tokens(text) for text in reports.full_content)
print(f"{passages_read:,} passages of {texts / passages_read:.0f} tokens, each behind a prompt of {prompt:,}, twice")
record("calls_with_a_model", calls, "calls", "lower")
record("tokens_read_over_tokens_of_text", tokens_read / texts, "×", "lower")
units = -(-texts // 1_200)  # graphrag's own pieces
times = 2 * (1 + prompt / 1_200)
print(f"in pieces of 1,200 tokens: {2 * units + built.communities:,} calls, {times:.0f} × the text, and the reports")

# %% [markdown]
# Nearly all of it is the prompt, read again for each of our short passages; in graphrag's own pieces it is the last
# line. Not counted: what the model writes, and a call for each thing that several passages describe. Times your
# provider's price, times your groups, times how often documents change. The rules took seconds; what the dictionary
# took of its author, nobody timed.
#
# And the secrets? No filter can take a sentence back out of a summary. We look for sentences that staff may not read in
# *every* file of the staff project, and, lest we look badly, for as many that they may.

# %%
public, secret = set(), set()
for statement in extraction.statements:
    chunk = passage[statement.chunk_id]
    line = " ".join(chunk.text[statement.start : statement.end].split())
    if len(line) >= 30:
        (public if audience.reads(chunk) else secret).add(line)
secret -= public
files = [path for path in project.folder.rglob("*") if path.is_file()]
content = " ".join(
    " ".join(
        (pd.read_parquet(path).to_csv() if path.suffix == ".parquet" else path.read_text("utf-8", "ignore")).split()
    )
    for path in files
)
leaked = sum(line in content for line in secret)
checked = sorted(public)[: len(secret)]
print(f"{len(files)} files; of {len(secret)} sentences that staff may not read {leaked} stand in them,")
print(f"of as many that they may read {sum(line in content for line in checked)}")
record("secrets_in_the_staff_project", leaked, "sentences", "lower")
record("public_sentences_found", sum(line in content for line in checked) / len(checked), "of sentences", "higher")
from labkit.errors import AccessDenied

finance = RequestContext(principal="Marcus", groups=frozenset({"finance"}), tenant="tidewater", as_of=staff.as_of)
try:
    GraphSearch(lab, corpus=corpus, extractor=extraction.extractor).search(whole.text, "global", finance)
except AccessDenied as error:
    print(error)

# %% [markdown]
# Finance would need a build of its own, and so would another day. The search works because our writer quotes; with a
# model that rephrases, the guarantee is what went in.
#
# ## 6 · Along a path
#
# Between one passage and all of them lie chains: *when was the machine hit in this incident first sold?* The incident
# knows its machine, the machine its date, no passage both. The **hop retriever** asks a small model which chains of the
# dictionary a question may mean, follows them through the graph, and puts the passages that state their steps in front.
# It was trained for this dictionary, from phrasings of each relation (`src/labkit/tune/asking`, ten times as long as
# the dictionary). For yours, write your own and train for minutes: `python -m labkit.tune.chains`.

# %%
from labkit.graph.chains import ChainModel
from labkit.graph.hop import HopRetriever
from labkit.graph.picture.neighbourhood import explained

chains = ChainModel.shipped(schema)
hop = HopRetriever(flat, graph, chains)
asked = questions_with_gold(prepared, index, "dev")
several = [a for a in asked if a.question.type == "multi_hop"]
one = next(a for a in several if "INC-" in a.question.text and len(a.needs) > 1)
paths = hop.paths(one.question.text, one.ctx)
print(one.question.text, "→", one.question.value)
for path in paths[:3]:
    print(f"{path.probability:.3f}  {explained(path, graph)}")
stray = hop.paths(hero.text, staff)
print(f"\n{hero.text}")
for path in stray[:2]:
    print(f"{path.probability:.3f}  {explained(path, graph)}")
speaks = [place for place, hit in enumerate(hop.search(hero.text, 5, staff), 1) if "C-22" in hit.chunk.text]
record("c22_passages_in_five_hop", len(speaks), "of 5", "higher")
drawing = neighbourhood(graph, paths, one.ctx, follow=2, most=12)
show(drawing.figure(), alt=drawing.alt, data=drawing.data)
display(drawing)

# %% [markdown]
# It explains itself by the path, which a vector cannot. Where the graph has a hole, as for our lot, it asks flat search
# for the step and goes astray with a straight face: *(found by search)* is the warning to show to people.
#
# The usual rival is **personalised PageRank**: a walker starts at the things a question names, moves along edges, and
# jumps back now and then; passages rank by how often it comes by. No chain model, ten lines. (What the asker may not
# read is left out at the end and still steers the walk; in production, cut it out of the net first.) **Predict:** of
# questions that need two to four facts, on how many are *all* their passages among the first ten: by flat search, by
# the walker (ours, and labkit's, which also starts at the best flat passages), along chains?

# %%
import networkx as nx

from labkit.bench.pagerank import PageRankRetriever
from labkit.evaluate.statistics import difference_interval
from labkit.schema import Hit

pairs = {(m.entity_id, m.chunk_id) for m in extraction.mentions}
pairs |= {(s.subject_id, s.object_id) for s in extraction.statements if s.object_id and s.object_id != s.subject_id}
net = nx.Graph(sorted(pairs))
nodes = list(net)
at = {node: i for i, node in enumerate(nodes)}
ends = np.array([(at[one], at[other]) for one, other in net.edges])
source, target = np.concatenate([ends, ends[:, ::-1]]).T
degrees = np.bincount(source, minlength=len(nodes))


def pagerank(starts, damping=0.85, steps=80):
    """How often a walker comes by each node who jumps back to one of the starts every few steps."""
    home = np.zeros(len(nodes))
    home[[at[node] for node in starts]] = 1 / len(starts)
    rank = home
    for _ in range(steps):
        rank = (1 - damping) * home + np.bincount(target, (damping * rank / degrees)[source], minlength=len(nodes))
    return rank


starts = [entity.entity_id for entity in graph.linked(one.question.text, one.ctx)]
ours = pagerank(starts)
theirs = nx.pagerank(net, alpha=0.85, personalization=dict.fromkeys(starts, 1), tol=1e-12, max_iter=500)
record("difference_to_networkx", max(abs(ours[at[node]] - theirs[node]) for node in nodes), "", "lower")


class Walker:
    """Our PageRank as a retriever; flat search where a question names nothing."""

    def search(self, query, k, ctx):
        named = [entity.entity_id for entity in graph.linked(query, ctx) if entity.entity_id in at]
        if not named:
            return flat.search(query, k, ctx)
        rank = pagerank(named)
        seen = [chunk for chunk in chunks if chunk.chunk_id in at and ctx.sees(chunk)]
        best = sorted(seen, key=lambda chunk: (-rank[at[chunk.chunk_id]], chunk.chunk_id))[:k]
        return [Hit(chunk=chunk, score=rank[at[chunk.chunk_id]]) for chunk in best]


systems = {"flat": flat, "PageRank, ours": Walker(), "PageRank, labkit": PageRankRetriever(flat, graph), "hop": hop}
values = {}
for name, system in systems.items():
    values[name] = retrieval_values(system, several, name)
ids = [a.question.question_id for a in several]
all_ten = {name: np.array([rows[i]["all_gold_at_10"] for i in ids]) for name, rows in values.items()}
hops = np.array([len(a.needs) for a in several])
print(f"n = {len(several)}" + " " * 12 + "".join(f"{n} facts".rjust(9) for n in (2, 3, 4)) + "      all")
for name, found in all_ten.items():
    by_hops = "".join(f"{found[hops == n].mean():>9.2f}" for n in (2, 3, 4))
    print(f"{name:<18}{by_hops}{found.mean():>9.2f}")
    record(f"all_gold_{re.sub('[^a-z]+', '_', name.lower())}", found.mean(), "", "higher")
for name in ("flat", "PageRank, labkit"):
    low, high = difference_interval(all_ten[name], all_ten["hop"], seed)
    print(f"hop less {name}: {(all_ten['hop'] - all_ten[name]).mean():+.2f}, 95 % interval {low:+.2f} to {high:+.2f}")
record("all_gold_hop_minus_flat", (all_ten["hop"] - all_ten["flat"]).mean(), "", "higher")

# %% [markdown]
# The walker finds what is near; a chain knows which near thing is asked for. Do not carry the gap home: chains and
# questions come from one world. Strangers' multi-hop questions come without a dictionary (`labkit bench multihop
# --method hop`).
#
# ## 7 · Reckoned
#
# Comparisons, counts and *as of* need no language model once the facts are rows: look up, compare, cite.

# %%
from labkit.evaluate.grading import value_correct
from labkit.graph.structured import Structured

structured = Structured(graph, chains)
outcome = defaultdict(Counter)
shown = set()
for q in dev:
    if q.type in ("comparison", "aggregation", "time"):
        ctx = context_of(q)
        computed = structured.answer(q.text, flat.encode(q.text, ctx).states, ctx)
        exact = bool(computed.value) and value_correct(q, computed.value)
        outcome[q.type]["exact" if exact else "wrong" if computed.value else "silent"] += 1
        example = q.type if exact else "wrong" if computed.value else "silent"
        if example not in shown:
            shown.add(example)
            print(f"{q.text}\n    {computed.value or 'no answer'} ({computed.why})   right: {q.value}")
            print(f"    {sorted({passage[i].source_path for i in computed.chunk_ids})[:3]}")
print()
for kind, counts in outcome.items():
    print(f"{kind:<12}", *(f"{what} {counts[what]:>3}" for what in ("exact", "silent", "wrong")), sep="   ")
total = sum(outcome.values(), Counter())
record("structured_exact", total["exact"] / total.total(), "of questions", "higher")
record("structured_wrong", total["wrong"] / total.total(), "of questions", "lower")
by_facts = Structured(graph_to, ChainModel.shipped(schema_to))
for text in ("To which sites was lot C-22 shipped?", hero.text):
    computed = by_facts.answer(text, flat.encode(text, staff).states, staff)
    print(f"\n{text}\n    {computed.value or 'no answer'} ({computed.why})")

# %% [markdown]
# Where a number of a known thing is missing it says so: a sum with a hole is a wrong sum. A thing whose link was never
# read, or that the asker may not read, it does not miss: then the count is short, and silent about it. So always show
# the list. And read the reasons: *whose team* was taken for a place, and the page's question for a site manager.
# Misread, and silent only because that was missing too; else a wrong answer would have come with a citation.
#
# ## 8 · When each wins
#
# Flat and hop: do ten passages hold everything the answer needs? A reader still has to find it there and reckon.
# Structured: is the answer right? Global: does the answer hold every fact that is needed (of five questions a type)?
# And for questions about the whole: the share of true themes named. An index of communities is of one day, so *time*,
# which asks of others, has none.

# %% tags=["generated"]
import random

from matplotlib import pyplot as plt

from labkit.bench.graph import WAYS
from labkit.evaluate.stages import needs_of
from labkit.graph.route import route

wordings, paths_of, of_file = read_facts(prepared.world), gold_paths(prepared.world), defaultdict(list)
for chunk in chunks:
    of_file[chunk.source_path].append(chunk)
kinds = ("single_hop", "multi_hop", "comparison", "aggregation", "time", "global")
share, sent, counted = defaultdict(dict), defaultdict(Counter), {}
for kind in kinds:
    some = [q for q in dev if q.type == kind]
    some = random.Random(seed).sample(some, min(30, len(some)))
    counted[kind] = len(some)
    cell = defaultdict(list)
    for q in some:
        ctx = context_of(q)
        states = flat.encode(q.text, ctx).states
        needs = [need.chunk_ids for need in needs_of(q, wordings, paths_of, of_file)] if q.facts else []
        for name, system in (("flat", flat), ("hop", hop)):
            hits = system.search(q.text, 10, ctx)
            got = {hit.chunk.chunk_id for hit in hits}
            text = "\n".join(hit.chunk.text for hit in hits)
            cell[name].append(all(got & need for need in needs) if needs else themes_in(q, text))
        computed = structured.answer(q.text, states, ctx)
        cell["structured"].append(bool(computed.value) and value_correct(q, computed.value))
        sent[kind][route(q.text, states, graph, chains, ctx).way] += 1
    for q in (q for q in dev if q.type == kind and q.question_id in by_reports):
        said = tokens(by_reports[q.question_id])
        all_said = all(any(contains(said, tokens(word)) for word in wordings[fact]) for fact in q.facts)
        cell["global"].append(all_said if q.facts else themes_in(q, by_reports[q.question_id]))
    share[kind] = {name: float(np.mean(found)) for name, found in cell.items()}
ways = ("flat", "hop", "structured", "global")
grid = np.array([[share[kind].get(way, np.nan) for way in ways] for kind in kinds])
figure, axes = plt.subplots(figsize=(6.4, 3.4))
axes.imshow(grid, cmap="cividis", vmin=0, vmax=1, aspect="auto")
axes.grid(visible=False)
for row in range(len(kinds)):
    for column in range(len(ways)):
        number = grid[row, column]
        text, dark = ("no index", True) if np.isnan(number) else (f"{number:.2f}", number > 0.55)
        axes.text(column, row, text, ha="center", va="center", color="black" if dark else "white")
axes.set_xticks(range(len(ways)), ["flat\nfound", "hop\nfound", "structured\nanswered", "global\nsaid"])
axes.set_yticks(range(len(kinds)), [f"{kind.replace('_', '-')} ({counted[kind]})" for kind in kinds])
axes.xaxis.tick_top()
axes.set_ylabel("type of question (asked)")
alt = (
    "Grid of shares by question type and way: flat fails on chains, hop does not; of questions about the whole, "
    "global search names most true themes, among others."
)
data = {"type": list(kinds)} | {way: grid[:, i] for i, way in enumerate(ways)}
show(figure, alt=alt, data=data)
right_way = {kind: sum(n for way, n in sent[kind].items() if way in WAYS[kind]) / counted[kind] for kind in kinds}
for kind in kinds:
    print(f"{kind:<12} sent", ", ".join(f"{way.value} {n}" for way, n in sent[kind].most_common()))
record("routed_rightly", sum(right_way[k] * counted[k] for k in kinds) / sum(counted.values()), "", "higher")
record("single_hop_hop_minus_flat", share["single_hop"]["hop"] - share["single_hop"]["flat"], "", "higher")

# %% [markdown]
# Compare within *found* or within *answered*: what was found is not answered yet, and *said* is of five questions. No
# way wins everywhere, so a **router** chooses by what a question names, the chain it seems to mean and a few words. It
# was tuned on dev questions, which these are.
#
# ## 9 · What it is worth
#
# Chapter 04's pipeline on the scoreboard's questions, with two changes: it searches along chains, and what the router
# sends to the graph is looked up there; the language model speaks where the graph is silent. `build_pipeline` assembles
# it, and `labkit ask` runs it. The graph is kept beside the index.

# %% tags=["generated"]
import gc

from labkit.bench.answer import ask_all, figures, sample
from labkit.pipeline import EvidenceRule, build_pipeline

del tables, entities, edges, content, net, graph_to, extraction_to
gc.collect()
system = build_pipeline(prepared.index, lab, rule=EvidenceRule(0.55, 0.7))  # silent as chapter 04 chose on dev
chosen = sample(read_questions(prepared.world, "test"), 27, seed)
graded = ask_all(system, chosen, prepared, progress=False)
result = figures([grade for grade, _ in graded], seed)
for by_facts in (True, False):
    grades = [grade for grade, answer in graded if (answer.route == "facts") is by_facts]
    who = "by facts" if by_facts else "by the pipeline"
    print(f"{who:<16} {len(grades):>2} questions, right {sum(grade.right for grade in grades)}", end="; ")
    print("wrong:", ", ".join(sorted(grade.type for grade in grades if not grade.right)) or "none")
seconds = [grade.seconds for grade, _ in graded]
scoreboard_row(
    chapter="05",
    system="graph: facts, chains, router",
    answers_right=result["answers_right"].value,
    answers_right_ci=result["answers_right"].ci95,
    n=len(chosen),
    citations_right=result["citation_correct"].value or 0.0,
    money_lost=result["money_lost_per_100"].value,
    p99_s=result["p99_s"].value,
    cost_per_1000=1000 * 2 * sum(seconds) / len(seconds) / 3600 * lab.core_hour_eur,
    got_worse=f"a dictionary of {len(schema.relation)} relations and its chain model to keep; one more build per index",
)

# %% [markdown]
# Weigh it: these questions hold as many of each type. On a desk where chains and counts are one in twenty, the gain
# shrinks accordingly. Reports are left out, since each group and day would need its own; so the questions about the
# whole stay wrong.
#
# What became worse? The graph is built again, whole, when the index changes; somebody owns the dictionary and its
# phrasings; and a wrong fact is stated as firmly as a right one.
#
# ## Checkpoint
#
# A colleague wants graphrag for a support desk whose tickets each concern one machine. Which of their questions would
# you ask to see, and which row of the picture decides?
#
# ## Recap
#
# - **Built:** a graph by rules with its score, a walker, paths that explain themselves, reckoned answers, communities
#   for one audience.
# - **Broke:** search that cannot say *these are all*, one missing label, a path over a hole.
# - **Cost:** a dictionary with an owner, phrasings for each relation and a training; for reports, an index for each
#   group and day, and with a language model two calls a passage.
#
# ### Say it at work
#
# *"Questions that need one passage were found before. For chains the graph finds all passages where search finds few,
# and counts come with the list they were made of. It took pages of definitions and more of phrasings, and I can show
# what one missing line cost. That was on our kind of questions: I would try yours first."* You will be asked: *can the
# model not extract the graph by itself?* Yes: that many calls, again when documents change, and somebody still has to
# score it.
#
# ### Read next
#
# `labkit drill start 3` sends you the next recall list: the graph it was made with is broken in one of five ways, and
# you have to show which. Chapter 06 trains adapters, one of them for extraction. The lab is `labs/05_graphrag.ipynb`;
# read Edge et al., *From Local to Global* (2024), Gutiérrez et al., *HippoRAG* (2024), and Traag, Waltman and van Eck
# on Leiden (2019).
