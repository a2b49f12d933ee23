"""The drills on the generated company: under every fault the right answer passes, and nothing else does."""

import re
from itertools import islice

import pytest

from labkit.course.drill import Drill, Kind, drawn
from labkit.course.drillcommands import pilot, recall, wrong_part
from labkit.course.examfaults import EXAM_FAULTS, LEAK, fair
from labkit.course.faults import STORE_FAULTS
from labkit.course.graphfaults import GRAPH_FAULTS
from labkit.course.pilot import Pilot, split
from labkit.course.recall import BY_SEARCH, HITS, said_by
from labkit.course.sheet import differ, sit, summed
from labkit.course.wrongpart import STAFF
from labkit.evaluate.grading import value_correct
from labkit.settings import get_settings

QUESTIONS = {
    "lexical_off": "Which spare part belongs to fault code E-417 of the Pike tug?",
    "digits_dropped": "E-417",
    "clock_stopped": "How tight should the gripper finger screws on the Heron picker be?",
}


@pytest.fixture(scope="module")
def first():
    return wrong_part(get_settings())


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    scene = pilot(get_settings())
    assert isinstance(scene, Pilot)
    scene._scratch = tmp_path_factory.mktemp("pilot") / "index"  # a drill somebody has under way keeps its own
    return scene


@pytest.fixture(scope="module")
def third():
    return recall(get_settings())


def started(folder, number, scene, faults, code, first_seed=0):
    """A drill with this fault, its page, and the seed that drew it."""
    seed = next(seed for seed in range(first_seed, 1000) if drawn(number, seed, faults) == code)
    drill = Drill(folder, {number: Kind("on the company", "", faults, lambda: scene)})
    return drill, drill.start(number, seed)


def other(code, faults):
    return next(fault.code for fault in faults if fault.code != code)


def newest(scene):
    """What a reader of the folder would ask: a line of each of its newest documents."""
    chunks = [chunk for chunk in scene._index.store.chunks() if chunk.valid_from and "staff" in chunk.acl]
    for chunk in sorted(chunks, key=lambda chunk: (chunk.valid_from, chunk.chunk_id), reverse=True):
        yield " ".join(chunk.text.split())[:150]


# 1: a wrong part was flown out


@pytest.mark.parametrize("code", [fault.code for fault in STORE_FAULTS])
def test_a_wrong_part_is_traced_to_its_cause(tmp_path, first, code):
    drill, page = started(tmp_path, 1, first, STORE_FAULTS, code)
    complaints = re.findall(r'^  "(.+)"\n    first: (.+)\n    it was in: (.+)$', page, re.MULTILINE)
    assert complaints
    for question, shown_first, right in complaints:
        # The page is true: that is what the broken system shows, and a whole one knows better.
        assert shown_first in drill.ask(question, k=1)
        assert right not in drill.ask(question, k=5)
        assert right in [hit.chunk.source_path for hit in first._whole.search(question, 3, STAFF)]
        assert not drill.answer(code, question).evidence
    candidates = [QUESTIONS[code]] if code in QUESTIONS else islice(newest(first), 20)
    evidence = next(text for text in candidates if first.missing(code, text, {"asked": []}) is None)
    asked = [*(question.text for question in first._questions[:50]), "qwertz"]
    nothing = next(text for text in asked if first.missing(code, text, {"asked": []}) is not None)
    assert not drill.answer(code, nothing).passed
    wrong = drill.answer(other(code, STORE_FAULTS), evidence)
    assert (wrong.cause, wrong.evidence) == (False, True)
    assert drill.answer(code, evidence).passed


@pytest.mark.parametrize("fault", STORE_FAULTS, ids=lambda fault: fault.code)
def test_a_whole_search_has_no_symptom(first, fault):
    for question in [*QUESTIONS.values(), *islice(newest(first), 5)]:
        hits = first._whole.search(question, 50, STAFF)
        assert not fault.shows(question, hits, hits, STAFF)
        assert not any(hit.chunk.valid_to and hit.chunk.valid_to <= STAFF.as_of for hit in hits)
        assert {"lexical", "dense"} <= {path for hit in hits for path in hit.why}


# 2: the pilot failed


@pytest.mark.parametrize("code", [fault.code for fault in EXAM_FAULTS])
def test_a_flattering_check_is_seen_through(tmp_path, second, code):
    drill, page = started(tmp_path, 2, second, EXAM_FAULTS, code)
    begun = drill._load().begun
    assert differ(begun["check"], begun["pilot"])
    assert summed(begun["check"]) in page
    assert summed(begun["pilot"]) in page
    rows = [row["row"] for sheet in ("check", "pilot") for row in begun[sheet]]
    good = next(row for row in rows if second.missing(code, row, begun) is None)
    sheet = "check" if code == "easy_types_only" else "pilot"  # the sheet that proves nothing by itself
    bad = begun[sheet][0]["row"]
    assert good in drill.rows("pilot" if code == "easy_types_only" else "check")
    assert not drill.answer(code, bad).passed
    wrong = drill.answer(other(code, EXAM_FAULTS), good)
    assert (wrong.cause, wrong.evidence) == (False, True)
    assert (LEAK in drill.ask(begun["check"][0]["question"])) is (code == "leaked_questions")
    assert drill.answer(code, good).passed


def test_an_honest_check_agrees_with_the_pilot(second):
    asked, rest = split(second._questions, 1)
    exam = fair(rest, {})
    assistant = second._installed(exam)
    check, people = sit(assistant, exam, "C"), sit(assistant, asked, "P")
    assert not differ(check, people), (summed(check), summed(people))
    assert not any(row["cited"] == LEAK for row in check)


# 3: the recall list

CODES = [fault.code for fault in GRAPH_FAULTS]
OWN = {
    "label_missing": "Where is lot D-03?",
    "merged": "Which response time does SLA-MLH-7 require?",
    "stale_graph": "How many pieces are in V-56?",
    "newest_wins_off": "Who leads the team that maintains the Marten forklift?",
    "readers_lost": "What is the unit price of the power board PB-3726?",
}


@pytest.mark.parametrize("first_seed", [0, 40])
@pytest.mark.parametrize("code", CODES)
def test_a_wrong_recall_list_is_traced_to_its_cause(tmp_path, third, code, first_seed):
    drill, page = started(tmp_path, 3, third, GRAPH_FAULTS, code, first_seed)
    complaints = re.findall(r'^  "(.+)"\n    the graph: (.+)\n    on paper: (.+)$', page, re.MULTILINE)
    assert complaints
    for text, said, paper in complaints:
        # The page is true: that is what the broken system says, and a whole one is right, or silent where it has to be.
        assert said == "nothing" or said.removesuffix(f" {BY_SEARCH}") in drill.ask(text).split("passages:")[0]
        question = next(question for question in third._questions if question.text == text)
        assert paper.startswith(question.value)
        right = value_correct(question, said_by(third._told("", text, STAFF)))
        assert right is ("staff" in question.groups)
        assert "(for staff)" in paper or not right
        assert not drill.answer(code, text).evidence
    nothing = drill.answer(code, "When does the canteen open?")
    assert (nothing.cause, nothing.evidence) == (True, False)
    wrong = drill.answer(other(code, GRAPH_FAULTS), OWN[code])
    assert (wrong.cause, wrong.evidence) == (False, True)
    assert drill.answer(code, OWN[code]).passed


@pytest.mark.parametrize("code", CODES)
def test_the_evidence_for_one_fault_of_the_graph_proves_no_other(third, code):
    assert [of for of in CODES if third.missing(code, OWN[of], {"asked": []}) is None] == [code]


@pytest.mark.parametrize("fault", GRAPH_FAULTS, ids=lambda fault: fault.code)
def test_what_a_broken_graph_tells_is_taken_for_no_other_fault_and_a_whole_one_for_none(third, fault):
    for text in [*OWN.values(), *(question.text for question in third._questions[:30])]:
        broken, right = (third._told(code, text, STAFF, HITS) for code in (fault.code, ""))
        assert {of.code for of in GRAPH_FAULTS if of.shows(broken, right)} <= {fault.code}
        assert not fault.shows(right, right)


def test_the_four_sites_of_the_recalled_lot_are_told_to_who_asks_for_both_its_numbers(third):
    whole = third._graph("")
    told = {fact.value for lot in ("lot:C-22", "lot:T-90") for fact in whole.told(lot, STAFF)["lot.site"]}
    assert {"Hexham Yard", "Lilla Edet", "Quay Nine", "Tollgate Park"} <= told
    assert "lot.site" not in third._graph("label_missing").told("lot:C-22", STAFF)
    assert "Ravelston Gate" in third.ask("merged", "Where is lot C-22?", k=3, as_of=None)
    assert "Ravelston Gate" not in third.ask("stale_graph", "Where is lot C-22?", k=3, as_of=None)
