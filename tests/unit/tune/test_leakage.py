"""What a training set knows of what it will be asked."""

import pytest

from labkit.errors import InputError
from labkit.llm.tasks import Shown, numbered, prompt_of
from labkit.tune.dialogue import Dialogue, Turn
from labkit.tune.leakage import Held, Names, Public, grams, held_out, leaks, public_of, skeleton

HELD = Held(
    "test of w",
    frozenset({"Esteban Laidlaw", "E-417", "XNT", "7.1.1", "Facilities"}),
    ["Which desk does Esteban Laidlaw sit at on 3 May?", "What is to be done on E-417?"],
    ["On E-417 the operator checks the bumper strip for trapped foil and restarts.", "Esteban Laidlaw | desk 9"],
)
PUBLIC = Public(frozenset({"E-417", "Yara Ingleby"}), ["Read this before you call the night desk on any weekday."])


def answering(passage, question="Who runs Crosswater?", reply="Edna Marsh [1]", *more):
    user = prompt_of("answer").messages(passages=numbered([Shown("", passage)]), question=question)[1]["content"]
    return Dialogue("answer", (Turn(user, reply), *(Turn(f"Question: {one}", "") for one in more)), "w")


def test_names_are_whole_words_as_they_are_spelled_and_the_longest_counts():
    names = Names(["IP-6822", "idler pulley IP-6822", "Ferrant's Gate", "Facilities"])
    assert names.within("The idler pulley IP-6822 of Ferrant's Gate") == {"idler pulley IP-6822", "Ferrant's Gate"}
    assert names.within("IP-68221, IP 682 and all facilities") == set()


def test_a_skeleton_is_a_question_without_names_numbers_and_months():
    names = Names(["SLA-MLH-7", "Yara Ingleby"])
    asked = skeleton("What response time applied under SLA-MLH-7 on 1 April 2024?", names)
    assert asked == ("what", "response", "time", "applied", "under", "▢", "on", "▢")
    assert asked == skeleton("What response time applied under Yara Ingleby on 30 May 2025?", names)
    assert asked != skeleton("What reaction time applied under SLA-MLH-7 on 1 April 2024?", names)


def test_grams_are_runs_of_words_whatever_stands_between():
    assert grams("a b, c. D", 3) == {("a", "b", "c"), ("b", "c", "d")}
    assert grams("a b", 3) == set()


def test_a_clean_set_has_no_leaks():
    found = leaks([answering("Crosswater is run by Edna Marsh.")], HELD, PUBLIC)
    assert (found.names.count, found.namesakes.count, found.phrasings.count, found.sequences.count) == (0, 0, 0, 0)
    assert (found.names.of, found.namesakes.of, found.unsought, found.phrasings.of) == (2, 1, 2, 2)


def test_a_name_is_a_leak_and_a_namesake_of_a_public_thing_is_not():
    found = leaks([answering("Esteban Laidlaw saw E-417 at XNT, build 7.1.1.")], HELD, PUBLIC)
    assert found.names.examples == ("Esteban Laidlaw",)
    assert found.namesakes.examples == ("E-417",)


def test_a_reply_can_leak_as_well():
    assert leaks([answering("Nothing.", reply="Esteban Laidlaw [1]")], HELD, PUBLIC).names.count == 1


@pytest.mark.parametrize("place", ["first", "further", "judged"])
def test_the_words_of_a_held_out_question_are_found_wherever_they_are_put(place):
    asked = "Which desk does Yara Ingleby sit at on 28 June?"
    dialogue = {
        "first": answering("Some passage.", asked),
        "further": answering("Some passage.", "Who?", "x", asked),
        "judged": Dialogue("judge", (Turn(f"[1] Some passage.\n\nStatement: {asked} desk 9", "yes"),), "w"),
    }[place]
    found = leaks([dialogue], HELD, PUBLIC).phrasings
    assert (found.count, found.of, found.examples) == (1, 2, (HELD.questions[0],))


def test_a_question_that_begins_alike_is_another_question():
    longer = "What is to be done on E-417 before the tote is lifted?"
    assert leaks([answering("Some passage.", longer)], HELD, PUBLIC).phrasings.count == 0


def test_evidence_is_found_by_eight_words_in_a_row_and_boilerplate_is_set_apart():
    copied = "Note: the operator checks the bumper strip for trapped foil!"
    found = leaks([answering(copied)], HELD, PUBLIC)
    assert found.sequences.examples == (
        "operator checks the bumper strip for trapped foil",
        "the operator checks the bumper strip for trapped",
    )
    usual = Public(PUBLIC.names, ["Here the operator checks the bumper strip for trapped dust."])
    found = leaks([answering(copied)], HELD, usual)
    assert (found.sequences.count, found.boilerplate.count) == (1, 1)


def test_seven_words_in_a_row_are_chance():
    assert leaks([answering("operator checks the bumper strip for trapped")], HELD, PUBLIC).sequences.count == 0


def test_nothing_to_compare_is_said():
    with pytest.raises(InputError, match="Nothing to compare"):
        leaks([], HELD, PUBLIC)


def test_what_is_held_out_is_read_from_a_world(world):
    test = held_out(world, "test")
    assert test.name == "test of tidewater-tiny"
    assert test.names == {"wrist flange WF-1727", "WF-1727", "E-417"}
    assert len(test.questions) == 2
    assert test.evidence == ["wrist flange WF-1727 | 12 Nm", "wrist flange WF-1727 | 12 Nm | 9.50 EUR"]
    assert held_out(world, "dev").names == {"Ferrant's Gate", "WPV"}
    with pytest.raises(InputError, match="train is not held out"):
        held_out(world, "train")


def test_what_is_public_is_read_from_worlds_and_invented_subjects(world, tmp_path):
    public = public_of([world], invented=tmp_path)
    assert public.names == {"Crosswater", "XNT", "Edna Marsh", "E. Marsh", "E-417"}
    assert len(public.documents) == 1
    assert "run by E. Marsh" in public.documents[0]
    assert len(public_of([world]).names) > len(public.names)
