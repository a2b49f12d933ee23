"""Contexts over invented subjects."""

import random
from collections import Counter
from itertools import islice

import pytest

from labkit.tune import made
from labkit.tune.relation import FOLDER, kinds


@pytest.fixture(scope="module")
def contexts():
    return list(islice(made.contexts(random.Random(0)), 400))


def test_every_fact_stands_where_it_is_said_to_stand(contexts):
    for context in contexts:
        for fact in context.facts:
            for quote in fact.quotes:
                passage = context.passages[quote.place - 1]
                text = f"{passage.title}\n{passage.text}"
                assert quote.words in text
                assert fact.value.casefold() in quote.words.casefold()
                assert fact.subject.casefold() in text.casefold()


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
        assert all(guess.casefold() in whole for _, guess in context.absent)


def test_a_round_shows_every_relation_of_every_subject():
    shown = Counter((fact.subject, fact.relation) for one in made.contexts(random.Random(1)) for fact in one.facts)
    for file in FOLDER.glob("*.toml"):
        for relations, names in kinds(file):
            assert all(shown[name, relation.name] for relation in relations for name in names)


def test_the_same_seed_gives_the_same(contexts):
    again = list(islice(made.contexts(random.Random(0)), 400))
    assert [one.passages for one in again] == [one.passages for one in contexts]
    other = list(islice(made.contexts(random.Random(5)), 400))
    assert [one.passages for one in other] != [one.passages for one in contexts]
