"""Which documents exist and what they may state."""

from dataclasses import replace

import pytest

from labkit.world.chance import END, START
from labkit.world.company import EVENTS
from labkit.world.compose import Plan
from labkit.world.facts import FactGraph
from labkit.world.pack import Pack
from labkit.world.planner import Planner


@pytest.fixture(scope="module")
def planner(pack: Pack, graph: FactGraph) -> Planner:
    return Planner(pack, graph, seed=3, cell=0, documents=165)


@pytest.fixture(scope="module")
def plans(planner: Planner) -> list[Plan]:
    return list(planner.plans())


def test_the_same_seed_plans_the_same(pack: Pack, graph: FactGraph, plans: list[Plan]):
    assert list(Planner(pack, graph, seed=3, cell=0, documents=165).plans()) == plans


def test_each_stated_fact_holds_on_the_day_of_the_document(plans: list[Plan]):
    assert all(plan.facts for plan in plans)
    assert all(fact.holds(plan.day) for plan in plans for fact in plan.facts)
    assert all(START <= plan.day <= END for plan in plans)


def test_old_values_are_stated_too(plans: list[Plan]):
    assert sum(fact.valid_to is not None for plan in plans for fact in plan.facts) > 20


def test_restricted_facts_stand_only_in_documents_that_staff_cannot_read(plans: list[Plan]):
    restricted = 0
    for plan in plans:
        for fact in plan.facts:
            if "staff" not in fact.groups:
                restricted += 1
                assert "staff" not in plan.document.groups
                assert set(fact.groups) & set(plan.document.groups)
    assert restricted > 20


def test_a_class_open_to_staff_states_no_secret_whatever_it_lists(pack: Pack, graph: FactGraph):
    memo = pack.classes["ticket"].model_copy(update={"states": ("*",), "about": "part", "weight": 50.0})
    greedy = replace(pack, classes={"memo": memo, "sheet": pack.classes["purchasing_sheet"]})
    plans = list(Planner(greedy, graph, seed=3, cell=0, documents=60).plans())
    told = {fact.relation for plan in plans if plan.document is memo for fact in plan.facts}
    assert "part.torque" in told
    assert "part.price" in {fact.relation for plan in plans if plan.document is not memo for fact in plan.facts}
    assert not told & {"part.price", "team.budget", "contract.penalty", "rma.credit"}


def test_withheld_facts_are_planned_nowhere(planner: Planner, plans: list[Plan]):
    assert len(planner.coverage.withheld) > 10
    assert not planner.coverage.withheld & {fact.fact_id for plan in plans for fact in plan.facts}


def test_names_and_days_of_events_are_never_withheld(planner: Planner, graph: FactGraph):
    facts = [graph.facts[fact_id] for fact_id in planner.coverage.withheld]
    assert all(fact.object_id is None for fact in facts)
    assert "incident.date" not in {fact.relation for fact in facts}


def test_documents_state_what_their_class_may_of_one_pool(plans: list[Plan], graph: FactGraph, planner: Planner):
    for plan in plans:
        assert {fact.relation for fact in plan.facts} <= planner.relations[plan.document.name]
        assert {graph.entities[fact.subject_id].pool for fact in plan.facts} == {plan.about.pool}


def test_nobody_writes_about_an_event_before_it_happened(plans: list[Plan]):
    for plan in plans:
        own = [f for f in plan.facts if f.subject_id == plan.about.entity_id]
        if plan.about.kind in EVENTS and own and plan.facts[0] in own:
            happened = min(f.valid_from for f in own)
            assert plan.day >= happened


def test_nearly_every_fact_finds_a_home(planner: Planner, plans: list[Plan], graph: FactGraph):
    homeless = set(graph.facts) - planner.coverage.withheld - planner.coverage.stated
    assert len(homeless) < 0.1 * len(graph.facts)


def test_the_rows_of_a_sheet_are_complete(plans: list[Plan], planner: Planner, graph: FactGraph):
    for plan in plans:
        if any(item == "rows" for layout in plan.document.layout for item in layout.items()):
            columns = {fact.relation for fact in plan.facts if fact.subject_id == plan.about.entity_id}
            for relation in columns:
                fact = graph.at(plan.about.entity_id, relation, plan.day)
                assert fact is None or fact in plan.facts or fact.fact_id in planner.coverage.withheld
