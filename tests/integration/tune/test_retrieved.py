"""Contexts of a split show documents of that split and no others."""

import random

import pytest

from labkit.settings import get_settings
from labkit.tune.retrieved import Contexts


@pytest.mark.slow
def test_training_sees_train_documents_only():
    world = Contexts(get_settings(), 7, "train")
    asked = [question for question in world.questions if question.type in {"unanswerable", "aggregation"}][::4]

    def pools(passage):
        """Of the documents that hold a passage's text; copies may lie in several."""
        holding = [
            path for path, chunks in world._chunks.items() if any(passage.text in chunk.text for chunk in chunks)
        ]
        return {world.truth.pools.get(path, "") for path in holding}

    def foreign(contexts):
        return [p for context in contexts for p in context.passages if "train" not in pools(p)]

    rng = random.Random(0)
    found = [world.retrieved(question, rng) for question in asked]
    assert sum(len(context.passages) for context in found) > len(asked)
    assert foreign(found) == []
    # As the running system reads them, the others are there: the check can find them.
    assert foreign(world.retrieved(question, rng, everything=True) for question in asked)
    values = {value for context in found for fact in context.facts for value in fact.rivals}
    other = {name for one in world.truth.entities.values() if one["pool"] == "test" for name in (one["name"],)}
    shared = {name for one in world.truth.entities.values() if one["pool"] != "test" for name in (one["name"],)}
    assert values
    assert not values & (other - shared)


@pytest.fixture(scope="module")
def world():
    return Contexts(get_settings(), 7, "dev")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["single_hop", "comparison", "multi_hop"])
def test_a_gold_context_quotes_each_step_from_a_sentence_that_holds_it(world, kind):
    asked = [question for question in world.questions if question.type == kind][:12]
    found = [context for question in asked if (context := world.gold(question, random.Random(1))) is not None]
    assert len(found) > len(asked) / 2
    for context in found:
        assert len(context.passages) <= world._select.statements
        assert context.asked is not None
        assert context.asked.quotes
        for quote in context.asked.quotes:
            assert quote.words in " ".join(context.passages[quote.place - 1].text.split())


@pytest.mark.slow
def test_without_its_sentences_a_question_has_no_answer(world):
    asked = [question for question in world.questions if question.type == "single_hop"][:12]
    rng = random.Random(1)
    answered = [bool(c.asked and c.asked.value) for c in (world.retrieved(one, rng) for one in asked)]
    bare = [world.retrieved(one, rng, without=True) for one in asked]
    assert sum(answered) > len(asked) / 2
    assert not any(context.asked and context.asked.value for context in bare)
    assert any(context.asked for context in bare)


@pytest.mark.slow
def test_phrased_questions_ask_for_facts_of_the_split_in_other_words(world):
    made = list(world.phrased(random.Random(1), 60))
    known = {question.text for question in world.questions}
    assert len(made) == 60
    assert len({world.truth.facts[one.facts[0]]["relation"] for one in made}) > 20, "every relation in turn"
    for one in made:
        (fact_id,) = one.facts
        assert world.truth.pool(fact_id) == "dev"
        assert any(name in one.text for name in world.truth.names(world.truth.facts[fact_id]["subject_id"]))
        assert one.value in world.truth.wordings(fact_id)
    assert sum(one.text in known for one in made) < 6
    assert made == list(world.phrased(random.Random(1), 60))
    for one in world.phrased(random.Random(1), 40, dated=True):
        fact = world.truth.facts[one.facts[0]]
        assert one.type == "time"
        assert str(one.as_of.year) in one.text
        assert fact["valid_from"] <= one.as_of.isoformat() < (fact["valid_to"] or "9")


@pytest.mark.slow
def test_what_is_taught_is_what_stands_first_and_a_wrong_answer_is_wrong(world):
    rng = random.Random(2)
    asked = [question for question in world.questions if question.type in {"single_hop", "time", "adversarial"}]
    seen = 0  # all of them: few facts stand there in two spellings, few things beside it are called alike
    for question in asked:
        context = world.retrieved(question, rng)
        for fact in context.facts:
            assert fact.value == fact.quotes[0].words
        if context.asked is not None and context.asked.value:
            seen += 1
            assert context.asked.value == context.asked.quotes[-1].words
            accepted = {wording.casefold() for wording in (question.value, *question.aliases)}
            assert context.asked.wrong.casefold() not in accepted
    assert seen > len(asked) / 2


@pytest.mark.slow
def test_no_absent_question_names_a_thing_that_stands_in_the_passages(world):
    rng, entities = random.Random(3), world.truth.entities.values()
    called = {name: one["entity_id"] for one in entities for name in (one["name"],) if one["pool"] == "dev"}
    elsewhere = 0
    for question in [question for question in world.questions if question.type == "single_hop"][::4]:
        context = world.retrieved(question, rng)
        whole = "\n".join("\n".join(passage) for passage in context.passages)
        subjects = {fact.subject for fact in context.facts}
        for text, _ in context.absent:
            things = [thing for name, thing in called.items() if name in text]
            if things and not any(subject in text for subject in subjects):
                elsewhere += 1
                assert not any(name in whole for name in world.truth.names(things[0]))
    assert elsewhere > 5
