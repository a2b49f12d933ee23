"""What the extract adapter is taught to write."""

from labkit.llm.tasks import Shown, triples
from labkit.tune import extracting
from labkit.tune.truth import Seen

PASSAGE = Shown("Sites > Crosswater", "Crosswater\n\nIt is run by Edna Marsh, and has 42 robots.")
RUN = Seen("f1", "Crosswater", "site.manager", "Edna Marsh", 0)
ROBOTS = Seen("f2", "Crosswater", "site.robots", "42", 28)


def test_the_reply_is_a_line_for_every_fact_in_the_order_of_the_text():
    (turn,) = extracting.dialogue(PASSAGE, [RUN, ROBOTS], "w").turns
    assert triples(turn.reply) == [("Crosswater", "site.manager", "Edna Marsh"), ("Crosswater", "site.robots", "42")]
    assert turn.user == "Sites > Crosswater: It is run by Edna Marsh, and has 42 robots."


def test_a_fact_that_is_told_twice_is_one_line():
    again = Seen("f9", RUN.subject, RUN.relation, RUN.value, 9)
    (turn,) = extracting.dialogue(PASSAGE, [RUN, again], "w").turns
    assert turn.reply == "Crosswater | site.manager | Edna Marsh"


def test_a_passage_that_states_nothing_has_an_empty_reply():
    dialogue = extracting.dialogue(PASSAGE, [], "tidewater-test")
    assert (dialogue.task, dialogue.turns[0].reply, dialogue.source) == ("extract", "", "tidewater-test")
