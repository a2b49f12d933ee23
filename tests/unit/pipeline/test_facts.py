"""Answers by facts: when they are given, what they cite, and when the passages are left to answer."""

from types import SimpleNamespace

import numpy as np
import pytest

from labkit.errors import Cancelled
from labkit.graph.chains import Chain
from labkit.graph.graph import Graph
from labkit.graph.schema import Schema
from labkit.graph.tables import Entity, Extraction, Mention, Statement
from labkit.pipeline import Facts
from labkit.schema import Chunk, RequestContext

SCHEMA = Schema.load()
TEXTS = {"c0": "INC-2031 took 12 minutes.", "c1": "Log\nINC-8830 took 34 minutes."}
LONGER = "Which took longer, INC-2031 or INC-8830?"


class Chains:
    """Thinks of downtime, and half as much of the day."""

    def chains(self, states, kind, n):
        chains = [Chain(("incident.downtime",), 0.6), Chain(("incident.date",), 0.3)]
        return chains[:n] if kind == "incident" else []


class Reader:
    def encode(self, query, ctx):
        ctx.check()
        return SimpleNamespace(states=np.zeros((1, 4), np.float32))


def facts(acl=("staff", "staff"), without=None):
    """What two chunks say of two incidents; the text of the second begins at character 100 of its document."""
    made, chunks = Extraction("rules"), []
    for n, ((chunk_id, text), group) in enumerate(zip(TEXTS.items(), acl, strict=True)):
        name = text[text.index("INC") :][:8]
        start = text.index(name)
        made.entities.append(Entity(entity_id=f"incident:{name}", kind="incident", name=name))
        made.mentions.append(
            Mention(entity_id=f"incident:{name}", chunk_id=chunk_id, start=start, end=start + len(name))
        )
        if chunk_id != without:
            minutes = text.split()[-2]
            made.statements.append(
                Statement(subject_id=f"incident:{name}", relation="incident.downtime", value=f"{minutes} minutes",
                          number=float(minutes), chunk_id=chunk_id, start=start, end=len(text))
            )  # fmt: skip
        chunks.append(
            Chunk(chunk_id=chunk_id, doc_id=chunk_id, source_path=f"{chunk_id}.md", ordinal=0, text=text,
                  start=100 * n, end=100 * n + len(text), tokens=5, content_hash=chunk_id, acl=(group,))
        )  # fmt: skip
    return Facts(Graph(made, chunks, SCHEMA), Chains(), Reader())


def staff(**changes):
    return RequestContext(groups=frozenset({"staff"}), **changes)


def test_a_comparison_is_answered_with_a_sentence_for_each_fact():
    answer = facts()(LONGER, staff())
    assert (answer.text, answer.route, answer.abstained) == ("INC-8830", "facts", False)
    assert answer.confidence == pytest.approx(2 / 3)
    first, second = answer.citations
    assert (first.source_path, first.start, first.end, first.quote) == ("c0.md", 0, 25, "INC-2031 took 12 minutes.")
    assert (second.source_path, second.start, second.end) == ("c1.md", 104, 100 + len(TEXTS["c1"]))
    assert second.quote == "INC-8830 took 34 minutes."


@pytest.mark.parametrize(
    ("system", "question"),
    [
        (facts(without="c1"), LONGER),
        (facts(acl=("staff", "board")), LONGER),
        (facts(), "What is a gripper?"),
    ],
    ids=["a fact is missing", "one may not be read", "nothing is named"],
)
def test_where_facts_do_not_suffice_nothing_is_said(system, question):
    assert system(question, staff()) is None


def test_of_several_questions_in_one_none_is_answered_by_facts():
    assert facts()(f"{LONGER} Who resolved INC-2031?", staff()) is None


def test_who_left_is_not_answered():
    gone = staff()
    gone.cancel.set()
    with pytest.raises(Cancelled):
        facts()(LONGER, gone)


@pytest.mark.parametrize(("probability", "said"), [(0.6, "2021"), (0.45, None)])
def test_the_end_of_a_chain_is_told_only_where_it_is_likely_what_is_asked(probability, said):
    text = "INC-2031 hit the Heron. The Heron was launched in 2021."
    chunk = Chunk(chunk_id="c", doc_id="c", source_path="c.md", ordinal=0, text=text, start=0, end=len(text), tokens=9,
                  content_hash="c", acl=("staff",))  # fmt: skip
    made = Extraction("rules")
    for entity_id, name in (("incident:INC-2031", "INC-2031"), ("product:Heron", "Heron")):
        kind, start = entity_id.partition(":")[0], text.index(name)
        made.entities.append(Entity(entity_id=entity_id, kind=kind, name=name))
        made.mentions.append(Mention(entity_id=entity_id, chunk_id="c", start=start, end=start + len(name)))
    made.statements += [
        Statement(subject_id="incident:INC-2031", relation="incident.product", object_id="product:Heron", value="Heron",
                  chunk_id="c", start=0, end=23),
        Statement(subject_id="product:Heron", relation="product.launched", value="2021", chunk_id="c", start=24,
                  end=len(text)),
    ]  # fmt: skip

    class Along:
        def chains(self, states, kind, n):
            return [Chain(("incident.product", "product.launched"), probability)] if kind == "incident" else []

    answer = Facts(Graph(made, [chunk], SCHEMA), Along(), Reader())(
        "When was the machine in INC-2031 launched?", staff()
    )
    assert (answer and answer.text) == said
