"""The way a question is answered: by what it names, the chain that is meant, its time and its words."""

from datetime import date

import numpy as np
import pytest

from labkit.graph.chains import Chain
from labkit.graph.graph import Graph
from labkit.graph.names import Names
from labkit.graph.route import Way, period, route, without_names
from labkit.graph.schema import Schema
from labkit.graph.tables import Entity, Extraction, Mention
from labkit.schema import Chunk, RequestContext

SCHEMA = Schema.load()
STATES = np.zeros((1, 4), np.float32)
CTX = RequestContext(as_of=date(2025, 12, 31))
THINGS = (("site", "Severn Cross"), ("incident", "INC-2031"), ("incident", "INC-8830"), ("supplier", "Corvane"))
TEXT = "; ".join(name for _, name in THINGS)
CHUNK = Chunk(
    chunk_id="c", doc_id="d", source_path="d.md", ordinal=0, text=TEXT, start=0, end=len(TEXT), tokens=9,
    content_hash="c",
)  # fmt: skip
GRAPH = Graph(
    Extraction(
        "rules",
        [Entity(entity_id=f"{kind}:{name}", kind=kind, name=name) for kind, name in THINGS],
        [
            Mention(entity_id=f"{kind}:{name}", chunk_id="c", start=TEXT.index(name), end=TEXT.index(name) + len(name))
            for kind, name in THINGS
        ],
    ),
    [CHUNK],
    SCHEMA,
)


class Chains:
    """The same chains, whatever is asked and of whatever kind."""

    def __init__(self, *chains):
        self.known = [Chain(steps, probability) for steps, probability in chains]

    def chains(self, states, kind, n):
        return self.known[:n]


def way(question, *chains):
    return route(question, STATES, GRAPH, Chains(*chains), CTX).way


def test_one_relation_of_what_is_named_is_found_flat():
    assert way("In which city is Severn Cross?", (("site.city",), 0.9)) is Way.FLAT


def test_several_relations_make_a_path_also_where_no_chain_leads():
    unsure = ((("site.city",), 0.4), (("site.customer", "customer.industry"), 0.3),
              (("site.manager", "person.role"), 0.3))  # fmt: skip
    assert way("What about those of Severn Cross?", *unsure) is Way.HOP


def test_two_of_a_kind_are_compared_by_facts():
    assert way("INC-2031 or INC-8830, which took longer?", (("incident.downtime",), 0.9)) is Way.STRUCTURED


def test_two_of_a_kind_of_which_nothing_can_be_compared_are_not():
    assert way("Who handled INC-2031 and INC-8830?", (("incident.resolver",), 0.9)) is Way.FLAT


def test_counting_is_done_by_facts():
    assert way("How many incidents had Severn Cross?", (("count incident.site",), 0.9)) is Way.STRUCTURED


def test_where_no_word_asks_for_a_number_nothing_is_counted():
    chains = ((("count part.supplier",), 0.9), (("supplier.country",), 0.1))
    assert way("Who holds the shares in Corvane?", *chains) is Way.FLAT


@pytest.mark.parametrize(
    ("question", "relation", "expected"),
    [
        ("Who managed Severn Cross on 12 June 2025?", "site.manager", Way.STRUCTURED),
        ("Who managed Severn Cross as of March 2025?", "site.manager", Way.STRUCTURED),
        ("Who manages Severn Cross?", "site.manager", Way.FLAT),
        ("In which city was Severn Cross on 12 June 2025?", "site.city", Way.FLAT),
    ],
)  # fmt: skip
def test_what_held_on_a_day_is_looked_up_where_it_changes(question, relation, expected):
    assert way(question, ((relation,), 0.9)) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What were the most frequent root causes in 2025?", Way.GLOBAL),
        ("Which customers were hit by our failures in 2025?", Way.GLOBAL),
        ("Which themes recur?", Way.GLOBAL),
        ("How do I reset a robot?", Way.FLAT),
        ("Where do sites store parts?", Way.FLAT),
        ("What happened on 3 May 2025?", Way.FLAT),
        ("What went wrong most often at Severn Cross?", Way.FLAT),
    ],
)
def test_global_is_what_names_nothing_and_speaks_of_many(question, expected):
    assert way(question, (("site.city",), 0.9)) is expected


def test_every_way_says_why():
    found = route("How many incidents had Severn Cross?", STATES, GRAPH, Chains((("count incident.site",), 0.9)), CTX)
    assert found.why == "It asks to count incident.site (0.90)."


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("in 2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("in February 2024", date(2024, 2, 1), date(2024, 2, 29)),
        ("on 12 June 2025", date(2025, 6, 12), date(2025, 6, 12)),
        ("since 2024", date(2024, 1, 1), date.max),
        ("after 2024", date(2025, 1, 1), date.max),
        ("before 12 June 2025", date.min, date(2025, 6, 11)),
        ("until 2024", date.min, date(2024, 12, 31)),
        ("between March 2024 and May 2025", date(2024, 3, 1), date(2025, 5, 31)),
        ("last year", date(2024, 1, 1), date(2024, 12, 31)),
        ("this year", date(2025, 1, 1), date(2025, 12, 31)),
    ],
)
def test_the_time_a_question_speaks_of(text, first, last):
    assert period(f"How many were there {text}?", date(2025, 12, 31)) == (first, last)


@pytest.mark.parametrize("text", ["How many in all?", "What does 2024.1.3 fix?", "Is it 12,2024 pieces?", "No. 20245?"])
def test_other_numbers_are_no_time(text):
    assert period(text, date(2025, 12, 31)) is None


def test_names_are_no_words_of_the_question():
    names = Names({"First Light 2024": "site"}, SCHEMA)
    assert without_names("Was First Light 2024 before INC-2025?", names) == "Was … before …?"
