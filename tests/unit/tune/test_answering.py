"""What the answer adapter is taught to say."""

import random
from dataclasses import replace

import pytest

from labkit.llm.tasks import ABSTENTION, Quote, cited
from labkit.tune import answering
from labkit.tune.context import Asked

HAS, RUN = Quote(1, "42"), Quote(1, "Edna Marsh")


def question(dialogue):
    return dialogue.turns[0].user.rpartition("Question: ")[2]


def test_the_question_the_passages_were_retrieved_for_comes_first_and_stands_around_them(context):
    first, *further = answering.dialogues(context, random.Random(0), 3)
    (turn,) = first.turns
    assert turn.user.startswith("Question: Under whose care is Crosswater?\n\n[1] Sites > Crosswater: ")
    assert turn.user.endswith("\n\nQuestion: Under whose care is Crosswater?")
    assert (turn.reply, turn.kind) == ("Edna Marsh [1]", "single_hop")
    assert len(further) == 2
    assert (first.task, first.source) == ("answer", "tidewater-test")


@pytest.mark.parametrize("seed", range(20))
def test_every_reply_is_what_the_passages_say_with_the_passage_that_says_it(context, seed):
    asked = {question: fact for fact in context.facts for question in fact.questions}
    absent = {question for question, _ in context.absent}
    found = answering.dialogues(context, random.Random(seed), 9)
    assert len(found) == 1 + len(asked) + len(absent), "all that can be asked, once"
    for one in found[1:]:
        (turn,) = one.turns
        if question(one) in absent:
            assert (turn.reply, turn.kind) == (ABSTENTION, "absent")
        else:
            reply, fact = cited(turn.reply, len(context.passages)), asked[question(one)]
            assert (reply.text, reply.quotes) == (fact.value, fact.quotes)


def test_steps_are_quoted_in_order_and_what_was_compared_is_answered_below(context):
    chain = replace(context, asked=Asked("What does who runs it have?", "42", (RUN, HAS), "multi_hop"))
    assert answering.dialogues(chain, random.Random(0))[0].turns[0].reply == "Edna Marsh [1]\n42 [1]"
    more = replace(context, asked=Asked("Which has more?", "Crosswater", (HAS, RUN), "comparison"))
    reply = answering.dialogues(more, random.Random(0))[0].turns[0].reply
    assert reply == "42 [1]\nEdna Marsh [1]\nAnswer: Crosswater"


def test_a_question_without_an_answer_is_abstained_from(context):
    unanswered = replace(context, asked=Asked("Who paints it?", "", (), "unanswerable", wrong="Edna Marsh"))
    assert answering.dialogues(unanswered, random.Random(0))[0].turns[0].reply == ABSTENTION


def test_passages_without_a_question_of_their_own_are_asked_any(context):
    bare = replace(context, asked=None)
    kinds = {answering.dialogues(bare, random.Random(seed))[0].turns[0].kind for seed in range(20)}
    assert kinds == {"fact", "absent"}


def test_no_more_than_asked_for_and_none_where_nothing_can_be_asked(context):
    assert len(answering.dialogues(context, random.Random(0))) == 1
    assert answering.dialogues(replace(context, asked=None, facts=[], absent=[]), random.Random(0), 5) == []


def test_the_same_seed_gives_the_same(context):
    made = [answering.dialogues(context, random.Random(seed), 4) for seed in (3, 3, 4)]
    assert made[0] == made[1] != made[2]
