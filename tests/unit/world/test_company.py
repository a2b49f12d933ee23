"""Entities and facts of a cell."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from labkit.errors import PackError
from labkit.world.chance import END, START, split_of
from labkit.world.company import EVENTS, build_company
from labkit.world.facts import FactGraph
from labkit.world.ontology import ONTOLOGY
from labkit.world.pack import Pack, load_pack


def test_same_seed_same_company_other_seed_another(pack: Pack, graph: FactGraph):
    again = build_company(pack, seed=3)
    assert again.facts == graph.facts
    assert again.entities == graph.entities
    assert build_company(pack, seed=4).facts != graph.facts


def test_pools_never_meet_in_a_fact(graph: FactGraph):
    pools = {(graph.entities[f.subject_id].pool, graph.entities[f.object_id].pool) for f in graph if f.object_id}
    assert pools == {("train", "train"), ("dev", "dev"), ("test", "test")}


def test_names_belong_to_the_split_their_spelling_gives(graph: FactGraph):
    for kind in ("customer", "supplier", "site", "product", "team", "policy"):
        assert all(split_of(entity.name) == entity.pool for entity in graph.of_kind(kind))


def test_names_and_identifiers_are_unique_over_cells(pack: Pack):
    cells = [build_company(pack, 3, cell) for cell in range(4)]
    names = Counter((e.kind, e.name) for cell in cells for e in cell.entities.values())
    assert [name for name, times in names.items() if times > 1] == []
    ids = Counter(e.details["id"] for cell in cells for e in cell.entities.values() if e.kind in EVENTS)
    assert max(ids.values()) == 1


def test_nothing_is_called_what_a_story_calls_something(pack: Pack, graph: FactGraph):
    told = {word for arc in pack.arcs for e in arc.entity for word in (e.name, *e.aliases, e.id)}
    assert told
    assert not told & {word for e in graph.entities.values() for word in (e.name, *e.aliases)}


def test_every_relation_of_every_entity_has_a_value_at_the_end(graph: FactGraph):
    for entity in graph.entities.values():
        for relation in ONTOLOGY.about(entity.kind):
            assert graph.at(entity.entity_id, relation.name, END) is not None


def test_changed_facts_have_contiguous_validity_and_other_values(graph: FactGraph):
    changed = 0
    for entity in graph.entities.values():
        for relation in ONTOLOGY.about(entity.kind):
            history = graph.history(entity.entity_id, relation.name)
            for old, new in pairwise(history):
                changed += 1
                assert old.valid_to == new.valid_from
                assert old.valid_from < old.valid_to
                assert old.value != new.value
            assert history[-1].valid_to is None
    assert changed > 50


def test_what_exists_throughout_exists_before_the_two_years(graph: FactGraph):
    for entity in graph.entities.values():
        for relation in ONTOLOGY.about(entity.kind):
            first = graph.history(entity.entity_id, relation.name)[0]
            if entity.kind in EVENTS:
                assert START <= first.valid_from <= END
            else:
                assert first.valid_from < START


def test_firmware_and_incidents_are_about_errors_of_their_product(graph: FactGraph):
    def product(entity_id: str, relation: str) -> str | None:
        return graph.history(entity_id, relation)[0].object_id

    with_errors = {f.object_id for f in graph if f.relation == "error.product"}
    checked = 0
    for kind, relation in (("firmware", "firmware.fixes"), ("incident", "incident.error")):
        for entity in graph.of_kind(kind):
            own = product(entity.entity_id, f"{kind}.product")
            if own in with_errors:
                error = graph.history(entity.entity_id, relation)[0].object_id
                assert product(error, "error.product") == own
                checked += 1
    assert checked > 30


def test_values_suit_their_subjects(pack: Pack, graph: FactGraph):
    suited = 0
    for policy in graph.of_kind("policy"):
        fitting = {v for word, values in pack.fits["policy_limits"].items() if word in policy.name for v in values}
        for fact in graph.history(policy.entity_id, "policy.limit"):
            suited += bool(fitting)
            assert not fitting or fact.value in fitting
    assert suited > 5


def test_some_identifiers_are_easily_misread(graph: FactGraph):
    ids = [e.details["id"] for e in graph.of_kind("error")]
    twins = [i for i in ids if any(i != o and sorted(i) == sorted(o) for o in ids)]
    assert len(twins) >= 4


def test_an_empty_name_pool_is_named(overlay: Callable[..., Path]):
    with pytest.raises(PackError, match="customers"):
        build_company(load_pack(overlay(names='replace = true\ncustomers = ["Polder & Zonen"]\n')), 1)


def test_an_empty_value_list_is_named(overlay: Callable[..., Path]):
    with pytest.raises(PackError, match="causes"):
        build_company(load_pack(overlay(names="replace = true\n[lists]\ncauses = []\n")), 1)
