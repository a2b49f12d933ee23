"""Questions about one cell, asked of a ledger in which every fact but the withheld is stated once."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import pytest

from labkit.world.asker import Asker
from labkit.world.chance import END, START
from labkit.world.facts import Entity, Fact, FactGraph
from labkit.world.pack import Pack
from labkit.world.questions import Ledger, Question, Source
from labkit.world.values import date_surfaces
from labkit.world.wide import Themes

WITHHELD = 7
"""Every so many facts without an object is withheld here."""


@pytest.fixture(scope="module")
def withheld(graph: FactGraph) -> set[str]:
    return {fact.fact_id for n, fact in enumerate(graph) if n % WITHHELD == 0 and fact.object_id is None}


@pytest.fixture(scope="module")
def ledger(graph: FactGraph, withheld: set[str]) -> Ledger:
    ledger = Ledger()
    for n, fact in enumerate(graph):
        if fact.fact_id not in withheld:
            day = max(START, fact.valid_from)
            ledger.sources[fact.fact_id].append(Source(f"d{n}", 0, 9, day, fact.groups))
    return ledger


@pytest.fixture(scope="module")
def questions(pack: Pack, graph: FactGraph, ledger: Ledger, withheld: set[str]) -> list[Question]:
    return list(Asker(pack, graph, ledger, withheld, 3, 0).questions())


def of(questions: list[Question], type_: str) -> list[Question]:
    found = [q for q in questions if q.type == type_]
    assert found, type_
    return found


def test_same_seed_same_questions(pack: Pack, graph: FactGraph, ledger: Ledger, withheld: set[str],
                                  questions: list[Question]):  # fmt: skip
    assert list(Asker(pack, graph, ledger, withheld, 3, 0).questions()) == questions
    assert len({q.question_id for q in questions}) == len(questions)


def test_an_answerable_question_has_value_facts_and_evidence_its_asker_may_read(
    questions: list[Question], ledger: Ledger
):
    for question in questions:
        if question.type in {"unanswerable", "forbidden"}:
            assert question.value == ""
            assert not question.evidence
            assert question.note
        else:
            assert question.value
            assert all(ledger.readable(fact, question.groups, question.as_of) for fact in question.facts)
            assert question.evidence


def test_single_hop_asks_for_the_value_of_the_last_day(questions: list[Question], graph: FactGraph):
    for question in of(questions, "single_hop"):
        (fact_id,) = question.facts
        assert graph.facts[fact_id].holds(END)
        assert graph.facts[fact_id].value == question.value


def test_time_questions_keep_away_from_the_day_of_change(
    pack: Pack, graph: FactGraph, ledger: Ledger, withheld: set[str]
):
    asked = [
        question
        for seed in range(3)
        for question in of(list(Asker(pack, graph, ledger, withheld, seed, 0).questions()), "time")
    ]
    assert len(asked) > 150
    for question in asked:
        fact = graph.facts[question.facts[0]]
        assert fact.valid_to is not None
        assert fact.valid_from + timedelta(days=3) <= question.as_of <= fact.valid_to - timedelta(days=3)
        assert date_surfaces(question.as_of)[0] in question.text


def test_chains_hold_hop_by_hop(questions: list[Question], graph: FactGraph):
    hops = Counter()
    for question in of(questions, "multi_hop"):
        chain = [graph.facts[fact] for fact in question.facts]
        hops[question.hops] += 1
        assert len(chain) == question.hops
        assert all(a.object_id == b.subject_id for a, b in pairwise(chain))
        assert chain[-1].value == question.value
        assert graph.entities[chain[0].subject_id].name in question.text
    assert set(hops) == {2, 3, 4}


def test_comparisons_name_the_larger(questions: list[Question], graph: FactGraph):
    for question in of(questions, "comparison"):
        one, other = (graph.facts[fact] for fact in question.facts)
        larger = one if (one.number or 0) > (other.number or 0) else other
        assert question.value == graph.entities[larger.subject_id].name
        assert one.number != other.number


def test_counts_and_sums_are_of_at_least_two_things(questions: list[Question], graph: FactGraph):
    for question in of(questions, "aggregation"):
        facts = [graph.facts[fact] for fact in question.facts]
        relations = Counter(fact.relation for fact in facts)
        total = round(sum(fact.number or 0 for fact in facts if fact.relation == "incident.downtime"))
        things = relations[facts[0].relation]
        assert things >= 2
        assert question.value == str(total if total else things)


def test_withheld_facts_are_what_nobody_can_answer(questions: list[Question], graph: FactGraph, withheld: set[str]):
    notes = Counter(q.note for q in of(questions, "unanswerable"))
    assert set(notes) == {"withheld", "never recorded", "no such thing"}
    asked = {q.text for q in questions if q.type == "single_hop"}
    assert not asked & {q.text for q in questions if q.note == "withheld"}


def test_what_does_not_exist_is_called_like_nothing_there_is(questions: list[Question], graph: FactGraph):
    names = {e.details.get("id") for e in graph.entities.values()} - {None}
    for question in questions:
        if question.note == "no such thing":
            assert not [name for name in names if name in question.text.replace("?", " ").replace(",", " ").split()]


def test_forbidden_questions_are_about_what_staff_may_not_read(questions: list[Question], ledger: Ledger):
    for question in of(questions, "forbidden"):
        assert question.groups == ("staff",)
        assert question.relation in {
            "team.budget", "customer.annual_value", "contract.penalty", "supplier.payment_terms", "part.price",
            "rma.credit",
        }  # fmt: skip


def test_false_premises_are_false_and_twins_are_of_the_same_pool(questions: list[Question], graph: FactGraph):
    pools = {e.name: e.pool for e in graph.entities.values()}
    for question in of(questions, "adversarial"):
        if question.note == "false premise":
            assert question.value not in question.text
        else:
            assert pools[question.note.removeprefix("easily read as ")] == question.split


def test_products_and_parts_take_an_article_inside_a_question(questions: list[Question], graph: FactGraph):
    names = [e.name for kind in ("product", "part") for e in graph.of_kind(kind)]
    for question in questions:
        for name in names:
            at = question.text.find(f" {name}")
            if at > 0 and question.text[at - 1].isalpha():
                assert question.text[:at].lower().endswith(("the", "this", "that", "our", "a", "an")), question.text


def themes(pack: Pack, causes: list[str]) -> list[Question]:
    graph, ledger, asked = FactGraph(), Ledger(), Themes(pack, 1)
    for n, cause in enumerate(causes):
        graph.add_entity(Entity(f"i{n}", "incident", f"INC-{n}", "train"))
        graph.add_fact(Fact(f"f{n}", f"i{n}", "incident.cause", cause, date(2024, 5, 5)))
        ledger.sources[f"f{n}"].append(Source("d", 0, 1, date(2024, 5, 5), ("staff",)))
    asked.add(graph, ledger)
    return list(asked.questions())


def test_global_questions_ask_only_where_some_lead(pack: Pack):
    clear = themes(pack, ["a"] * 4 + ["b"] * 3 + ["c"] * 2 + ["d"])
    assert {q.value for q in clear} == {"a; b; c"}
    assert {q.split for q in clear} == {"train", "dev", "test"}
    assert {q.value for q in themes(pack, ["a"] * 4 + ["b"] * 3 + ["c", "d", "e"])} == {"a; b"}
    assert themes(pack, ["a", "b", "c", "d", "e"]) == []
