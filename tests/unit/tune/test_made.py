"""Contexts over invented subjects."""

import random
from collections import Counter
from itertools import islice

import pytest

from labkit.pipeline.statements import STATEMENTS
from labkit.tune import made
from labkit.tune.relation import FOLDER, kinds


@pytest.fixture(scope="module")
def contexts():
    return list(islice(made.contexts(random.Random(0)), 400))


def test_every_fact_stands_where_it_is_said_to_stand(contexts):
    for context in contexts:
        assert len(context.passages) == STATEMENTS, "how many there are tells nothing"
        for fact in context.facts:
            for quote in fact.quotes:
                title, text = context.passages[quote.place - 1]
                assert quote.words.casefold() == fact.value.casefold()
                assert quote.words in text
                assert fact.subject.casefold() in f"{title}\n{text}".casefold()


def test_the_answer_is_that_of_the_fact_asked_for_and_stands_in_every_place(contexts):
    places = Counter()
    for context in contexts:
        asked = context.asked
        facts = [fact for fact in context.facts if asked.text in fact.questions]
        if asked.value:
            assert [fact.quotes for fact in facts] == [asked.quotes]
            assert asked.quotes[0].words == asked.value
            places[asked.places] += 1
        else:
            assert (facts, asked.quotes) == ([], ())
        assert asked.wrong != asked.value
    assert {(place,) for place in range(1, STATEMENTS + 1)} == set(places)
    assert 0.7 < places.total() / len(contexts) < 0.9


def test_questions_statements_and_rivals_are_of_the_fact(contexts):
    for context in contexts:
        for fact in context.facts:
            assert all(fact.subject in question for question in fact.questions)
            assert all(fact.value.casefold() in said.casefold() for said in fact.statements)
            assert fact.value not in fact.rivals


def test_no_absent_question_is_one_the_passages_answer(contexts):
    for context in contexts:
        answered = {question for fact in context.facts for question in fact.questions}
        assert not answered & {question for question, _ in context.absent}


def test_what_a_guesser_would_say_stands_in_the_passages(contexts):
    for context in contexts:
        whole = "\n".join("\n".join(passage) for passage in context.passages).casefold()
        guesses = [guess for _, guess in context.absent] + [context.asked.wrong]
        assert all(guess.casefold() in whole for guess in guesses)


def test_a_round_asks_for_every_relation_of_every_subject():
    questions = {one.asked.text for one in made.contexts(random.Random(1))}
    for file in FOLDER.glob("*.toml"):
        for relations, names in kinds(file):
            for relation in relations:
                assert all(questions & {form.format(s=name) for form in relation.questions} for name in names)


def test_the_same_seed_gives_the_same(contexts):
    again = list(islice(made.contexts(random.Random(0)), 400))
    assert [one.passages for one in again] == [one.passages for one in contexts]
    other = list(islice(made.contexts(random.Random(5)), 400))
    assert [one.passages for one in other] != [one.passages for one in contexts]
