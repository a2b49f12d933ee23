"""What the judge adapter is taught to believe."""

import random
from dataclasses import replace

import pytest

from labkit.llm.tasks import SUPPORTED, UNSUPPORTED, Quote
from labkit.tune import judging
from labkit.tune.context import Readable


def put(turn):
    return turn.user.rpartition("Statement: ")[2]


def all_turns(context, seeds=60):
    return [
        turn for seed in range(seeds) for one in judging.dialogues(context, random.Random(seed)) for turn in one.turns
    ]


def test_what_is_called_supported_is_true_and_the_rest_is_not(context):
    own = f"{context.asked.text} {context.asked.value}"
    true = {own} | {f"{question} {fact.value}" for fact in context.facts for question in fact.questions}
    true |= {statement for fact in context.facts for statement in fact.statements}
    turns = all_turns(context)
    assert {put(turn) for turn in turns if turn.reply == SUPPORTED} == true
    assert not true & {put(turn) for turn in turns if turn.reply == UNSUPPORTED}


def test_every_way_to_be_wrong_occurs(context):
    assert {turn.kind for turn in all_turns(context, 200)} == {"supported", "value", "subject", "negated", "absent"}


def test_a_wrong_value_is_one_the_fact_could_have(context):
    known = {question: fact for fact in context.facts for question in fact.questions}
    for turn in all_turns(context):
        question, mark, value = put(turn).partition("? ")
        fact = known.get(question + mark.strip())
        if turn.kind == "value" and fact:
            assert value in fact.rivals


@pytest.mark.parametrize("seed", range(30))
def test_a_context_gives_nothing_away_by_its_counts(context, seed):
    replies = [one.turns[0].reply for one in judging.dialogues(context, random.Random(seed), most=4)]
    assert max(replies.count(SUPPORTED), replies.count(UNSUPPORTED)) <= 2


def test_the_statement_stands_around_the_passages(context):
    (turn,) = judging.dialogues(context, random.Random(1))[0].turns
    assert turn.user.startswith(f"Statement: {put(turn)}\n\n[1] Sites > Crosswater: ")
    assert turn.user.endswith(f"\n\nStatement: {put(turn)}")


def test_what_a_statement_is_about_is_always_shown_and_the_rest_sometimes(context):
    about = {"Crosswater": context.passages[0].text, "Tollerby": context.passages[1].text}
    shown = []
    for seed in range(100):
        for one in judging.dialogues(context, random.Random(seed)):
            (turn,) = one.turns
            shown.append([text in turn.user for text in about.values()])
            if turn.kind in {"supported", "negated"}:
                name = "Tollerby" if "Tollerby" in put(turn) or "Piet" in put(turn) else "Crosswater"
                assert about[name] in turn.user
            elif turn.kind in {"value", "subject"} and "Piet Ruiz" in put(turn) and "Tollerby" not in put(turn):
                assert all(shown[-1]), "the wrong value stands in what is read"
    assert [True, True] in shown
    assert [False, True] in shown
    assert [True, False] in shown


def test_nothing_stated_is_nothing_judged(context):
    assert judging.dialogues(replace(context, asked=None, facts=[], absent=[]), random.Random(0)) == []


def test_a_value_is_replaced_where_it_stands_and_not_within_other_words(context):
    rating = Readable(
        "Dunmore Dyes",
        "supplier.rating",
        "D",
        (Quote(1, "D"),),
        ["Which rating has Dunmore Dyes?"],
        [],
        ["B"],
    )
    one = replace(context, asked=None, facts=[rating], absent=[])
    wrong = {put(turn) for turn in all_turns(one) if turn.reply == UNSUPPORTED}
    assert wrong == {"Which rating has Dunmore Dyes? B"}
