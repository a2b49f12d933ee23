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
# # Lab 05 · The recall desk
#
# The next recall will be answered in writing, by Dana, and to a whole distribution list. That changes what the chapter
# built: an initial must be a person or nobody, an answer must be fit for everyone who receives it, every site needs its
# passage, and where the graph ends, a walk goes on. No model and no world are needed: each check brings its own small
# graph. Fill the gaps, run each check; it answers *not attempted*, *not yet* with a hint, or *right*.

# %%
from datetime import date

from labkit.course import NotAttempted, check

# %% [markdown]
# ### q1 · Which J. Martin?
#
# *Difficulty:* hard · *Minutes:* 35
#
# The chapter left *J. Martin* a name of its own. Dana needs to phone him, or her. Write `people(mentions)`: a label for
# each mention, in order; equal labels mean one person. Two full names are two people, in whatever team they turn up:
# people change teams. A name may stand as *Martin, Julia*. An initial means a full name it fits; of several, the one
# mentioned elsewhere with its team; where that leaves several, or no team is said, the one in its own document. If not
# exactly one is left, it is somebody else: one person where name and team are the same, or without a team, name and
# document.
#
# The check counts pairs: no two people may become one, and of the pairs that are one person you must find eight in ten.
# Before you write, look at the six mentions below: how many people are they?
#
# <details><summary>Hint</summary>First a function that takes a name apart into given name or initial and family name.
# Collect, for each full name, the teams and the documents it is mentioned with; then narrow down the candidates of each
# initial in two steps, the second only if more than one is left.</details>

# %%
MENTIONS = [
    {"name": "Jean Martin", "document": "team page", "team": "Drive Train"},
    {"name": "Martin, Julia", "document": "badge list", "team": ""},
    {"name": "Julia Martin", "document": "minutes 2", "team": "Vision"},
    {"name": "J. Martin", "document": "ticket 31", "team": "Vision"},
    {"name": "J. Martin", "document": "minutes 2", "team": ""},
    {"name": "J. Martin", "document": "rota", "team": ""},
]


def people(mentions: list[dict]) -> list:
    """A label for each mention; equal labels mean one person."""

    # <solution> full names are people; an initial is narrowed down by its team, then by its document
    def apart(name):
        family, comma, given = name.partition(", ")
        if not comma:
            given, _, family = name.partition(" ")
        return given.rstrip("."), family

    def who(mention):
        given, family = apart(mention["name"])
        fits = {}
        for other in mentions:
            full = apart(other["name"])
            if len(full[0]) > 1 and full[1] == family and full[0].startswith(given):
                fits.setdefault(full, []).append(other)
        for key in ("team", "document"):
            if len(fits) > 1 and mention[key]:
                fits = {full: of for full, of in fits.items() if mention[key] in {other[key] for other in of}}
        return next(iter(fits)) if len(fits) == 1 else (mention["name"], mention["team"] or mention["document"])

    return [who(mention) for mention in mentions]
    # </solution>


check.lab05.q1(people)

# %% [markdown]
# The one on the rota stays nobody in particular. What would it cost to guess, and what does it cost not to?
#
# ### q2 · Fit for the whole list
#
# *Difficulty:* medium · *Minutes:* 20
#
# The chapter answered one asker. Dana's mail goes to many, so what one of them may not read must not be in it, nor be
# what it rests on. Write `follow(statements, start, relations, readers, day)`: from `start` along the relations, one
# statement for each step, and return these statements in order. `readers` holds the groups of each reader; a reader may
# read a statement if one of the reader's groups is in its `acl`. Follow only what **every** reader may read and what
# was stated by `day`; of several for a step the newest holds. A chain that breaks is no answer: return `[]`.
#
# <details><summary>Hint</summary>Which comes first, "newest" or "may read"? Sets know `&`; `all(…)` goes over the
# readers.</details>

# %%
STATEMENTS = [
    {"id": "s1", "subject": "INC-7", "relation": "machine", "object": "Otter 2", "acl": {"staff", "contractors"},
     "day": date(2025, 1, 9)},
    {"id": "s2", "subject": "Otter 2", "relation": "stands in", "object": "Leeds", "acl": {"contractors", "staff"},
     "day": date(2025, 2, 3)},
    {"id": "s3", "subject": "Otter 2", "relation": "stands in", "object": "Lyon", "acl": {"staff"},
     "day": date(2025, 3, 1)},
]  # fmt: skip


def follow(statements: list[dict], start: str, relations: list[str], readers: list[set[str]], day: date) -> list[dict]:
    """The statements from the start to the answer, as every reader may know them on that day."""
    # <solution> keep what all may know, then walk along the newest
    known = [s for s in statements if s["day"] <= day and all(s["acl"] & groups for groups in readers)]
    path = []
    for relation in relations:
        told = [s for s in known if s["subject"] == start and s["relation"] == relation]
        if not told:
            return []
        path.append(max(told, key=lambda s: s["day"]))
        start = path[-1]["object"]
    return path
    # </solution>


check.lab05.q2(follow)

# %% [markdown]
# Ask it for `["machine", "stands in"]` of *INC-7* as of `date.today()`, once for `[{"staff"}]` and once for
# `[{"staff"}, {"contractors"}]`. The second answer is out of date, and every reader may have it. Would you send it
# without a word?
#
# ### q3 · A site and its passage
#
# *Difficulty:* medium · *Minutes:* 25
#
# A list with one site missing is worse than no list. Write `holding(lot, passages)`: site → the id of the passage that
# puts the lot there. A passage is about one shipment and says its `lot`, its `site`, or both (`None` where it does not
# say). Of what passages say about a shipment, the newest holds, for lot and site each on their own; `withdrawn`
# passages do not count. Name every site that received a shipment of the lot, and cite the passage that says **where**
# that shipment went; if a site had several, one of theirs.
#
# <details><summary>Hint</summary>Go over the passages by day and remember, for each shipment, the last that stated its
# lot and the last that stated its site. Look at the lot only in the end: a shipment may have been relabelled.</details>

# %%
PASSAGES = [
    {"id": "p1", "shipment": "SH-9", "lot": "C-22", "site": "Leeds", "day": date(2025, 1, 10), "withdrawn": False},
    {"id": "p2", "shipment": "SH-9", "lot": None, "site": "Lyon", "day": date(2025, 1, 20), "withdrawn": False},
    {"id": "p3", "shipment": "SH-9", "lot": None, "site": "Kiel", "day": date(2025, 1, 30), "withdrawn": True},
]


def holding(lot: str, passages: list[dict]) -> dict[str, str]:
    """Site → the passage that puts the lot there."""
    # <solution> settle each shipment, then ask for the lot
    last = {}
    for passage in sorted(passages, key=lambda passage: passage["day"]):
        if not passage["withdrawn"]:
            shipment = last.setdefault(passage["shipment"], {"lot": None, "site": None, "id": None})
            if passage["lot"]:
                shipment["lot"] = passage["lot"]
            if passage["site"]:
                shipment.update(site=passage["site"], id=passage["id"])
    return {one["site"]: one["id"] for one in last.values() if one["lot"] == lot and one["site"]}
    # </solution>


check.lab05.q3(holding)

# %% [markdown]
# ### q4 · A walk that returns
#
# *Difficulty:* hard · *Minutes:* 30
#
# Not every question names its relations. Write `rank(links, seeds, damping)`, the personalised PageRank, with what the
# recall needs: links are directed and have weights (how sure they are), seeds have weights too, and some nodes lead
# nowhere. With probability `damping` the walker follows a link, by its share of the node's weights; else it restarts at
# a seed, by its share of the seeds' weights. From a node without links it always restarts. Return each node's share of
# the time; `links` has every node as a key. Walk until a step moves next to nothing: how many steps that takes depends
# on the damping, so do not count to twenty.
#
# <details><summary>Hint</summary>Before each step, add up the scores of the nodes without links: the seeds receive
# `1 - damping + damping * stuck`. The sum stays 1 at every step; if yours does not, something leaks.</details>


# %%
def rank(links: dict[str, dict[str, float]], seeds: dict[str, float], damping: float) -> dict[str, float]:
    """Node → share of the time a walker spends there who restarts at the seeds."""
    # <solution> step until nothing moves
    whole = sum(seeds.values())
    scores = {node: seeds.get(node, 0.0) / whole for node in links}
    moved = 1.0
    while moved > 1e-9:
        back = 1 - damping + damping * sum(scores[node] for node in links if not links[node])
        following = {node: back * seeds.get(node, 0.0) / whole for node in links}
        for node, leads in links.items():
            for other, weight in leads.items():
                following[other] += damping * scores[node] * weight / sum(leads.values())
        moved = sum(abs(following[node] - scores[node]) for node in links)
        scores = following
    return scores
    # </solution>


check.lab05.q4(rank)

# %% [markdown]
# None of the four has a gap of its own in `labs/my_system.py`, but your `retrieve` of lab 03 can hold one: let passages
# lead to each other where they name the same number, make its first hits the seeds, and put what `rank` lifts behind
# them. Then measure it:
#
# ```
# labkit bench answer --system labs/my_system.py
# ```
#
# Say beforehand which rows will gain, and look at *single_hop* too: what a walk brings in takes somebody's place.
