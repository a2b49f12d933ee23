import numpy as np
import pytest

from labkit.errors import ModelError, ModelMismatch
from labkit.graph import chains as chains_module
from labkit.graph.chains import LONGEST, ChainModel, Weights, chains_from
from labkit.graph.schema import Schema

SCHEMA = Schema.model_validate({
    "count": ["machine.team"],
    "sum": {"machine.weight": "machine.team"},
    "kind": {"machine": {}, "team": {}, "person": {}, "thing": {}},
    "relation": {
        "machine.team": {"subject": "machine", "object": "team"},
        "machine.weight": {"subject": "machine", "value": "number", "units": ["kg"]},
        "team.lead": {"subject": "team", "object": "person"},
        "team.part_of": {"subject": "team", "object": "team"},
        "person.room": {"subject": "person", "value": "words"},
        "person.team": {"subject": "person", "object": "team"},
    },
})  # fmt: skip
STEPS = (*SCHEMA.relation, *SCHEMA.tallies)


def weights(steps=STEPS, length=(0.0,) * LONGEST, share=0.0):
    """Every step is spoken for, and explained, by a token state of its own direction."""
    own = np.hstack([np.eye(len(steps)), np.zeros((len(steps), 1))]).astype(np.float32)
    return Weights(steps, own, own, np.zeros(len(steps), np.float32), np.array(length, np.float32), share)


def states(*steps, loud=10.0):
    """A question with a token for each of the steps, that speaks against all others."""
    tokens = -loud * np.ones((len(steps), len(STEPS)), np.float32)
    tokens[np.arange(len(steps)), [STEPS.index(step) for step in steps]] = loud
    return tokens


def test_chains_begin_at_a_kind_and_follow_what_a_step_leads_to():
    assert set(chains_from("machine", SCHEMA)) == {
        ("machine.team",), ("machine.weight",), ("machine.team", "team.lead"), ("machine.team", "team.part_of"),
        ("machine.team", "team.lead", "person.room"), ("machine.team", "team.lead", "person.team"),
    }  # fmt: skip


def test_chains_go_through_no_kind_twice_so_that_circles_end():
    found = chains_from("team", SCHEMA)
    assert ("team.part_of",) in found
    assert ("team.lead", "person.team") in found
    assert not any(chain[:1] == ("team.part_of",) and len(chain) > 1 for chain in found)
    assert max(map(len, found)) == 2


def test_what_points_at_a_thing_is_counted_in_one_step():
    tallies = {("count machine.team",), ("sum machine.weight",)}
    assert tallies <= set(chains_from("team", SCHEMA))
    assert not tallies & set(chains_from("machine", SCHEMA))


def test_chains_are_no_longer_than_the_longest():
    relation = {f"k{n}.next": {"subject": f"k{n}", "object": f"k{n + 1}"} for n in range(LONGEST + 3)}
    schema = Schema.model_validate({"kind": {f"k{n}": {} for n in range(LONGEST + 4)}, "relation": relation})
    assert [len(chain) for chain in chains_from("k0", schema)] == list(range(1, LONGEST + 1))


def test_a_kind_nothing_is_recorded_of_has_no_chains():
    assert chains_from("thing", SCHEMA) == []
    assert chains_from("unheard of", SCHEMA) == []


def test_the_chain_that_the_tokens_speak_for_is_the_likeliest():
    model = ChainModel(weights(), SCHEMA)
    for chain in chains_from("machine", SCHEMA):
        best = model.chains(states(*chain), "machine", 3)[0]
        assert best.steps == chain
        assert best.probability > 0.9


def test_a_token_that_no_step_explains_counts_against_a_chain():
    whole = ("machine.team", "team.lead")
    question = np.vstack([states(*whole), 0.01 * states("person.room")])
    shares = [ChainModel(weights(share=share), SCHEMA).chains(question, "machine", 6) for share in (0.0, 5.0)]
    of_longer = [sum(chain.probability for chain in found if "person.room" in chain.steps) for found in shares]
    assert of_longer[1] > of_longer[0]


def test_the_likeliest_come_first_and_all_together_are_certain():
    model = ChainModel(weights(), SCHEMA)
    question = np.random.default_rng(3).normal(size=(5, len(STEPS))).astype(np.float32)
    found = model.chains(question, "team", 100)
    assert {chain.steps for chain in found} == set(chains_from("team", SCHEMA))
    assert [c.probability for c in found] == sorted((c.probability for c in found), reverse=True)
    assert sum(chain.probability for chain in found) == pytest.approx(1, abs=1e-5)
    assert model.chains(question, "team", 2) == found[:2]
    assert model.chains(question, "team", 0) == []


def test_scores_as_high_as_they_may_be_do_not_overflow():
    found = ChainModel(weights(share=1.0), SCHEMA).chains(states("machine.weight", loud=1e6), "machine", 9)
    assert all(0 <= chain.probability <= 1 for chain in found)
    assert found[0].steps == ("machine.weight",)


def test_a_length_can_be_likelier_than_another():
    short = ChainModel(weights(length=(9, 0, 0, 0)), SCHEMA).chains(np.zeros((1, len(STEPS)), np.float32), "machine", 1)
    long = ChainModel(weights(length=(0, 0, 9, 0)), SCHEMA).chains(np.zeros((1, len(STEPS)), np.float32), "machine", 1)
    assert (len(short[0].steps), len(long[0].steps)) == (1, 3)


def test_a_question_without_tokens_and_a_kind_without_chains_have_none():
    model = ChainModel(weights(), SCHEMA)
    assert model.chains(np.zeros((0, len(STEPS)), np.float32), "machine", 5) == []
    assert model.chains(states("machine.team"), "thing", 5) == []
    assert model.chains(states("machine.team"), "unheard of", 5) == []


def test_a_dictionary_it_was_not_trained_for_is_refused():
    with pytest.raises(ModelError, match=r"person\.team") as refused:
        ChainModel(weights(tuple(step for step in STEPS if step != "person.team")), SCHEMA)
    assert "labkit.tune.chains" in refused.value.todo
    with pytest.raises(ModelError):
        ChainModel.shipped(SCHEMA)


def test_a_dictionary_of_less_is_served():
    fewer = SCHEMA.model_copy(update={"count": (), "sum": {}})
    assert ChainModel(weights(), fewer).chains(states("team.lead"), "team", 1)[0].steps == ("team.lead",)


def test_the_shipped_model_fits_the_shipped_dictionary():
    schema = Schema.load()
    model = ChainModel.shipped(schema)
    width = chains_module._shipped(chains_module.FILE, chains_module.SHA256).counts.size
    assert model.chains(np.zeros((3, width), np.float32), "incident", 4)
    assert not model.chains(np.zeros((3, width), np.float32), "no kind", 4)


def test_a_file_that_is_not_the_pinned_one_or_missing_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "chains.npz"
    file.write_bytes(weights().to_bytes())
    monkeypatch.setattr(chains_module, "FILE", file)
    with pytest.raises(ModelMismatch, match=r"chains\.npz"):
        ChainModel.shipped(Schema.load())
    monkeypatch.setattr(chains_module, "FILE", tmp_path / "gone.npz")
    with pytest.raises(ModelError, match=r"gone\.npz"):
        ChainModel.shipped(Schema.load())


def test_weights_come_back_from_their_bytes():
    made = weights(length=(0.5, 0.25, 0, 1), share=0.75)
    found = Weights.from_bytes(made.to_bytes())
    assert (found.steps, found.share) == (made.steps, 0.75)
    for name in ("speaks", "explains", "counts", "length"):
        np.testing.assert_array_equal(getattr(found, name), getattr(made, name))
        assert getattr(found, name).dtype == np.float32
