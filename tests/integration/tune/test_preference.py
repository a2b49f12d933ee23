"""Pairs of a right and a wrong reply, and an adapter that learns the difference."""

import random
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from labkit.errors import InputError, ModelMismatch
from labkit.llm.lora import CARD, WEIGHTS, read_lora
from labkit.llm.tasks import ABSTENTION, Cited, Quote, Shown, cited
from labkit.tune.context import Asked, Context, Readable
from labkit.tune.preference import RECIPE, Pair, pairs, train_dpo
from labkit.tune.train import train

RUN = Quote(1, "Edna Marsh")
HAS = Quote(1, "42")
OTHER = Quote(2, "Piet Ruiz")
CONTEXT = Context(
    passages=(
        Shown("", "Crosswater is run by Edna Marsh. It has 42 robots."),
        Shown("", "Tollerby is run by Piet Ruiz."),
    ),
    facts=[
        Readable("Crosswater", "site.manager", "Edna Marsh", (RUN,), ["Who runs Crosswater?"], [], ["Piet Ruiz"]),
        Readable("Tollerby", "site.manager", "Piet Ruiz", (OTHER,), ["Who runs Tollerby?"], [], ["Edna Marsh"]),
        Readable("Crosswater", "site.robots", "42", (HAS,), [], [], ["60"]),
    ],
    absent=[("How many robots has Tollerby?", "42"), ("When did it open?", "")],
    source="world-0",
)  # fmt: skip
RIGHT = {"Who runs Crosswater?": Cited("Edna Marsh", (RUN,)), "Who runs Tollerby?": Cited("Piet Ruiz", (OTHER,))}


def question(pair):
    return pair.user.rpartition("Question: ")[2]


@pytest.fixture(scope="module")
def many():
    return pairs([CONTEXT] * 200, random.Random(0))


def test_the_chosen_reply_is_right_and_the_rejected_one_is_not(many):
    for pair in many:
        right = RIGHT.get(question(pair), Cited("", ()))
        assert cited(pair.chosen, 2) == right
        assert cited(pair.rejected, 2) != right


def test_each_kind_is_wrong_in_its_own_way(many):
    by_kind = {pair.kind: pair for pair in many}
    assert by_kind.keys() == {"value", "citation", "invented", "silent"}
    for pair in many:
        chosen, rejected = cited(pair.chosen, 2), cited(pair.rejected, 2)
        if pair.kind == "value":
            assert rejected in (*RIGHT.values(), Cited("42", (HAS,)))
            assert rejected.text != chosen.text
        elif pair.kind == "citation":
            assert rejected.text == chosen.text
            assert chosen.text not in CONTEXT.passages[rejected.places[0] - 1].text
        elif pair.kind == "invented":
            assert (pair.chosen, rejected) == (ABSTENTION, Cited("42", (HAS,)))
        else:
            assert pair.rejected == ABSTENTION


def test_a_question_without_an_answer_pairs_the_abstention_with_a_guess():
    asked = Asked("Who paints it?", "", (), "unanswerable", wrong="Piet Ruiz")
    facts = [replace(fact, questions=[]) for fact in CONTEXT.facts]
    (pair,) = pairs([replace(CONTEXT, facts=facts, absent=[], asked=asked)], random.Random(0))
    assert (pair.chosen, pair.kind) == (ABSTENTION, "invented")
    assert cited(pair.rejected, 2) == Cited("Piet Ruiz", (OTHER,))


def test_a_context_that_allows_no_pair_gives_none():
    assert pairs([replace(CONTEXT, facts=[], absent=[])], random.Random(0)) == []


def test_the_same_seed_gives_the_same():
    drawn = [pairs([CONTEXT] * 9, random.Random(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.fixture(scope="module")
def learned(base, dialogues, tmp_path_factory):
    """An adapter to start from."""
    from labkit.tune.recipe import Recipe

    recipe = Recipe(rank=2, alpha=4, from_layer=1, batch=2, steps=2)
    return train(base, dialogues, tmp_path_factory.mktemp("adapters") / "answer", recipe).folder


def test_an_adapter_learns_to_prefer_and_the_first_one_stays(base, learned, tmp_path):
    before = (learned / WEIGHTS).read_bytes()
    wanted = [Pair("Question: Who?", "Edna [1]", "Piet [2]", "value", "world-9")] * 16
    recipe = replace(RECIPE, rate=2e-2, batch=4, epochs=5)
    found = train_dpo(base, learned, wanted, tmp_path / "preferred", recipe, beta=0.5, notes={"why": "a test"})
    lora = read_lora(found.trained.folder, base)
    assert (learned / WEIGHTS).read_bytes() == before
    assert sorted(file.name for file in found.trained.folder.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", CARD,
    ], "the frozen copy is not saved"  # fmt: skip
    assert lora.card.world_versions == ("world-0", "world-1", "world-9")
    assert lora.card.model_extra["preferred"]["why"] == "a test"
    assert {layer for layer, _ in lora.changes} == {1}
    old, new = load_file(learned / WEIGHTS), load_file(found.trained.folder / WEIGHTS)
    assert old.keys() == new.keys()
    assert any(not torch.equal(old[name], new[name]) for name in old)
    losses = list(found.trained.losses.values())
    assert losses[-1] < losses[0] < 0.7, "it starts at log 2, where both are as likely as before"
    assert list(found.accuracies.values())[-1] == 1.0


def test_what_cannot_be_done_is_refused(base, learned, tmp_path):
    pair = Pair("Question: Who?", "Edna [1]", "Piet [2]", "value", "w")
    with pytest.raises(ModelMismatch, match="was made for"):
        train_dpo(replace(base, sha256="9" * 64), learned, [pair], tmp_path / "out")
    with pytest.raises(InputError, match="No pair has at most 9 tokens"):
        train_dpo(base, learned, [pair], tmp_path / "out", replace(RECIPE, longest=9))
    with pytest.raises(InputError, match="No pair"):
        train_dpo(base, learned, [], tmp_path / "out")
    with pytest.raises(InputError, match="already there"):
        train_dpo(base, learned, [pair], tmp_path)
