"""What the answer adapter is taught to say."""

import random
from dataclasses import replace

import pytest

from labkit.llm.tasks import ABSTENTION, cited
from labkit.tune import answering
from labkit.tune.context import Asked


def test_the_question_the_passages_were_retrieved_for_comes_first_under_the_passages(context):
    first, *further = answering.dialogue(context, random.Random(0)).turns
    assert first.user.startswith("[1] Sites > Crosswater\n")
    assert first.user.endswith("\n\nQuestion: Under whose care is Crosswater?")
    assert first.reply == "[1] Crosswater is looked after by Edna Marsh.\nAnswer: Edna Marsh"
    assert first.kind == "single_hop"
    assert all(turn.user.startswith("Question: ") and "\n" not in turn.user for turn in further)


@pytest.mark.parametrize("seed", range(20))
def test_every_reply_is_what_the_passages_say_with_the_passage_that_says_it(context, seed):
    asked = {question: fact for fact in context.facts for question in fact.questions}
    absent = {question for question, _ in context.absent}
    turns = answering.dialogue(context, random.Random(seed), turns=9).turns
    assert len(turns) == 1 + len(asked) + len(absent), "all that can be asked, once"
    for turn in turns[1:]:
        question = turn.user.removeprefix("Question: ")
        if question in absent:
            assert (turn.reply, turn.kind) == (ABSTENTION, "absent")
        else:
            reply = cited(turn.reply, len(context.passages))
            assert (reply.text, reply.quotes) == (asked[question].value, asked[question].quotes)


def test_a_question_without_an_answer_is_abstained_from(context):
    unanswered = replace(context, asked=Asked("Who paints it?", "", (), "unanswerable", wrong="Edna Marsh"))
    assert answering.dialogue(unanswered, random.Random(0)).turns[0].reply == ABSTENTION


def test_passages_without_a_question_of_their_own_are_opened_by_any(context):
    bare = replace(context, asked=None)
    kinds = {answering.dialogue(bare, random.Random(seed)).turns[0].kind for seed in range(20)}
    assert kinds == {"fact", "absent"}


def test_no_more_turns_than_asked_for_and_none_where_nothing_can_be_asked(context):
    assert len(answering.dialogue(context, random.Random(0)).turns) == answering.TURNS
    assert answering.dialogue(replace(context, asked=None, facts=[], absent=[]), random.Random(0)) is None


def test_the_same_seed_gives_the_same(context):
    made = [answering.dialogue(context, random.Random(seed)) for seed in (3, 3, 4)]
    assert made[0] == made[1] != made[2]
