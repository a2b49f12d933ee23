"""Drills and their faults, on a handful of pages: what each fault does, and what is taken as proof of it."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from labkit.course.drill import FILE, Drill, Kind, drawn
from labkit.course.drillcommands import drill_app
from labkit.course.examfaults import EXAM_FAULTS, GAP, LEAK, contains_it, easy_only, fair, honest, leaked, own_sentences
from labkit.course.faults import STORE_FAULTS, Fault, named
from labkit.course.pilot import Assistant, split
from labkit.course.sheet import differ, shown, sit, summed
from labkit.course.wrongpart import STAFF, WrongPart
from labkit.errors import ConfigError, InputError
from labkit.retrieve import flat_retriever, index, open_index
from labkit.retrieve.store import Store
from labkit.schema import Answer, Chunk, Hit, arrow_schema
from labkit.settings import get_settings
from labkit.world.questions import Question

PAGES = {
    "e417.md": ("Fault E-417 means steering encoder signal lost. Bring the encoder SE-4070.", date(2024, 5, 6), None),
    "e471.md": ("Fault E-471 means hitch brake coil without current. Bring the coil.", date(2024, 5, 6), None),
    "e470.md": ("Fault E-470 means hitch open while rolling. Check the latch.", date(2024, 5, 6), None),
    "e407.md": ("Fault E-407 means steering motor warm. Let it cool.", date(2024, 5, 6), None),
    "e499.md": ("Fault E-499 means mast display dark. Change the fuse.", date(2024, 5, 6), None),
    "e498.md": ("Fault E-498 means belt slack. Tighten the belt.", date(2024, 5, 6), None),
    "torque-1.md": ("The gripper finger screws of the Heron take 18 Nm.", date(2024, 2, 1), date(2025, 3, 1)),
    "torque-2.md": ("The gripper finger screws of the Heron take 12 Nm.", date(2025, 3, 1), None),
    "lot.md": ("Lot M-86 of the power boards went to Hexham Yard.", date(2025, 12, 1), None),
    "lunch.md": ("The canteen opens at noon.", date(2024, 1, 8), None),
    **{f"e48{n}.md": (f"Fault E-48{n} means {what}.", date(2024, 5, 6), None)
       for n, what in enumerate(("door open", "bag full", "lamp dim", "wheel flat", "horn mute"))},
    **{f"menu-{n}.md": (f"The canteen serves {what} when it opens.", date(2024, 1, 8), None)
       for n, what in enumerate(("soup", "fish", "rice", "bread", "cake"))},
    **{f"gripper-{n}.md": (f"The gripper finger screws are kept in {what}.", date(2024, 1, 8), None)
       for n, what in enumerate(("a bin", "a box", "a drawer", "a rack", "a tin"))},
}  # fmt: skip
RIGHT = {
    "lexical_off": "fault E-417",
    "digits_dropped": "fault E-417",
    "clock_stopped": "How tight are the gripper finger screws of the Heron?",
    "stale_index": "Where did the power boards go?",
}
NOTHING = {
    "lexical_off": "qwertz",
    "digits_dropped": "When does the canteen open?",
    "clock_stopped": "When does the canteen open?",
    "stale_index": "How tight are the gripper finger screws?",
}


class LetterVectors:
    """An encoder that sees words but no digits, as a small one nearly does."""

    name = fingerprint = "letters"
    dimensions = 512

    def encode(self, texts, ctx=None):
        vectors = np.full((len(texts), self.dimensions), 1e-6, np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in "".join(c if c.isalpha() else " " for c in text.casefold()).split():
                row[int.from_bytes(word.encode()) % 509] += 1
            row /= np.linalg.norm(row)
        return vectors

    def count_tokens(self, text):
        return len(text.split())


def question(text, value, path, **fields):
    given = {"question_id": f"q-{text[:20]}", "split": "train", "type": "single_hop", "relation": "error.meaning"}
    return Question(text=text, value=value, facts=(path,), **{**given, **fields})


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drill")
    rows = [
        Chunk(
            chunk_id=path, doc_id=path, source_path=path, ordinal=0, text=text, start=0, end=len(text), tokens=9,
            content_hash=path, valid_from=begins, valid_to=ends, acl=("staff",), tenant="tidewater",
        ).model_dump()
        for path, (text, begins, ends) in PAGES.items()
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(Chunk)), folder / "chunks.parquet")
    index(folder, folder / "index", LetterVectors(), progress=False)
    return open_index(folder / "index", LetterVectors())


@pytest.fixture
def scene(opened):
    questions = [
        question("What does fault E-417 mean?", "steering encoder signal lost", "e417.md"),
        question("Where did lot M-86 go?", "Hexham Yard", "lot.md"),
    ]
    return WrongPart(opened, LetterVectors(), questions, {path: {path} for path in PAGES}, "documents")


# The faults of the search


@pytest.mark.parametrize("fault", STORE_FAULTS, ids=lambda fault: fault.code)
def test_a_broken_store_is_a_store_and_its_fault_shows(opened, scene, fault):
    assert isinstance(fault.broken(opened.store), Store)
    assert scene.missing(fault.code, RIGHT[fault.code], {"asked": []}) is None


@pytest.mark.parametrize("fault", STORE_FAULTS, ids=lambda fault: fault.code)
def test_a_question_it_does_not_touch_proves_nothing(scene, fault):
    assert fault.proof in scene.missing(fault.code, NOTHING[fault.code], {"asked": []})


@pytest.mark.parametrize("fault", STORE_FAULTS, ids=lambda fault: fault.code)
def test_a_whole_search_shows_no_fault(opened, fault):
    search = flat_retriever(opened, LetterVectors())
    for text in RIGHT.values():
        hits = search.search(text, 50, STAFF)
        assert not fault.shows(text, hits, hits, STAFF)


def test_the_stopped_clock_leaves_the_past_alone(opened):
    then = dataclasses.replace(STAFF, as_of=date(2024, 6, 1))
    broken = named("clock_stopped", STORE_FAULTS).broken(opened.store)
    assert broken.search_lexical("gripper screws", 5, then) == opened.store.search_lexical("gripper screws", 5, then)


def test_the_stale_index_still_fills_the_list(opened):
    broken = named("stale_index", STORE_FAULTS).broken(opened.store)
    vector = LetterVectors().encode(["power boards lot went to Hexham Yard"])[0]
    assert opened.store.search_dense(vector, 1, STAFF)[0].chunk.source_path == "lot.md"
    found = broken.search_dense(vector, 5, STAFF)
    assert len(found) == 5
    assert "lot.md" not in {hit.chunk.source_path for hit in found}


def test_the_page_tells_whom_it_harmed_and_does_not_count_as_evidence(scene):
    page, begun = scene.start("stale_index", 1)
    assert begun == {"asked": ["Where did lot M-86 go?"]}
    assert "it was in: lot.md" in page
    assert "on the page" in scene.missing("stale_index", " where did lot m-86  GO?", begun)


def test_a_fault_that_harms_nobody_is_no_drill(opened):
    lunch = question("When does the canteen open?", "noon", "lunch.md")
    scene = WrongPart(opened, LetterVectors(), [lunch], {"lunch.md": {"lunch.md"}}, "documents")
    with pytest.raises(InputError, match="another --seed"):
        scene.start("stale_index", 1)


def test_the_operator_sees_dates_paths_and_files(scene):
    shown_now = scene.ask("clock_stopped", RIGHT["clock_stopped"], k=3, as_of=None)
    assert "torque-1.md  [2024-02-01, until 2025-03-01]  found by: dense 1, lexical 1" in shown_now
    assert "lexical" not in scene.ask("lexical_off", "E-417", k=3, as_of=None)
    assert "torque-2.md" not in scene.ask("stale_index", "gripper screws", k=10, as_of=date(2024, 6, 1))


# The drill itself


class Staged:
    """A scene that keeps to its script."""

    def start(self, code, seed):
        return "the page", {"asked": ["?"]}

    def ask(self, code, question, *, k, as_of):
        return f"{code} shows {question}"

    def rows(self, begun, which):
        return f"{which}: {begun['asked']}"

    def missing(self, code, evidence, begun):
        return None if evidence == "good" else "it is not good"


FAULTS = (
    Fault("one", "the first is broken", "the first proof", ("vague", "plain")),
    Fault("two", "the second is broken", "the second proof", ("vague", "plain")),
)
BEGAN = datetime(2025, 9, 4, 22, tzinfo=UTC)


@pytest.fixture
def clock():
    return [BEGAN]


@pytest.fixture
def drill(tmp_path, clock):
    return Drill(tmp_path, {1: Kind("a rehearsal", "a word", FAULTS, Staged)}, now=lambda: clock[0])


def seed_of(code):
    return next(seed for seed in range(100) if drawn(1, seed, FAULTS) == code)


def test_right_cause_and_evidence_end_the_drill_with_the_truth(drill, clock):
    assert drill.start(1, seed_of("two")) == "the page"
    clock[0] += timedelta(minutes=7)
    verdict = drill.answer("two", "good")
    assert verdict.passed
    assert verdict.minutes == 7
    assert "the second is broken" in verdict.message
    clock[0] += timedelta(minutes=7)
    assert drill.status().startswith("drill 1, a rehearsal: solved, 7.0 minutes, 0 wrong")
    with pytest.raises(InputError, match="over"):
        drill.ask("again?")


def test_each_wrong_answer_costs_a_hint_and_goes_on(drill):
    drill.start(1, seed_of("one"))
    wrong_cause, no_evidence, last = drill.answer("two", "good"), drill.answer("one", "bad"), drill.answer("two", "bad")
    assert (wrong_cause.cause, wrong_cause.evidence, wrong_cause.wrong) == (False, True, 1)
    assert "vague" in wrong_cause.message
    assert (no_evidence.cause, no_evidence.evidence, no_evidence.wrong) == (True, False, 2)
    assert "it is not good" in no_evidence.message
    assert "plain" in no_evidence.message
    # What the evidence lacks, told with a wrong cause, would name the right one.
    assert "it is not good" not in last.message
    assert "the first is broken" not in last.message
    assert drill.answer("one", "good").passed


def test_nothing_kept_names_the_fault(drill, tmp_path):
    drill.start(1, seed_of("two"))
    kept = (tmp_path / FILE).read_text()
    assert not any(fault.code in kept or fault.cause in kept for fault in FAULTS)
    assert drill.ask("who?") == "two shows who?"
    assert drill.rows("check") == "check: ['?']"


def test_without_a_seed_any_fault_may_come(drill):
    seen = set()
    for _ in range(60):
        drill.start(1)
        seen.add(drill.ask("?"))
    assert len(seen) == 2


def test_all_causes_are_listed_with_what_counts_as_evidence(drill):
    drill.start(1, 0)
    assert drill.causes().splitlines() == [
        "one  the first is broken", "two  the second is broken", "", "Evidence: a word"
    ]  # fmt: skip


def test_what_cannot_be_is_refused(drill, tmp_path):
    with pytest.raises(InputError, match="No drill was started"):
        drill.causes()
    with pytest.raises(InputError, match="There are: 1, a rehearsal"):
        drill.start(9)
    drill.start(1, 0)
    with pytest.raises(InputError, match="There are: one, two"):
        drill.answer("three", "good")
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(ConfigError, match="cannot be read"):
        drill.status()


# The faults of an evaluation

TORQUE = question("How tight?", "18 N·m", "torque-1.md", aliases=("18 Nm",), type="single_hop", groups=("staff",))
NONE = question("Which blood type?", "", "", type="unanswerable")
HOPS = question("Who leads the team behind E-417?", "Ines Duarte", "e417.md", type="multi_hop")


@pytest.mark.parametrize(
    ("asked", "text", "right", "passes"),
    [
        (TORQUE, "Tighten to 18 Nm.", True, True),
        (TORQUE, "It takes 118 screws.", False, True),
        (TORQUE, "No idea.", False, False),
        (NONE, "Type A.", False, True),
        (HOPS, "ines duarte does", True, True),
    ],
)
def test_the_lenient_grader_passes_more_than_is_right(asked, text, right, passes):
    assert honest(asked, text, False) is right
    assert contains_it(asked, text, False) is passes


def test_silence_is_right_only_where_there_is_no_answer():
    assert honest(NONE, "", True)
    assert not honest(TORQUE, "18 Nm", True)


def test_own_sentences_lose_their_value_and_nothing_else():
    stated = {
        TORQUE.question_id: "The screws of the Heron take 18 Nm, not more.",
        HOPS.question_id: "No name here at all.",
    }
    [item] = own_sentences([TORQUE, NONE, HOPS], stated).items
    assert item.text == f"The screws of the Heron take {GAP}, not more."


def test_the_leak_holds_questions_and_answers_for_those_who_may_ask():
    pages = leaked([TORQUE, NONE], {}).pages
    assert [page.source_path for page in pages] == [LEAK]
    assert TORQUE.text in pages[0].text
    assert TORQUE.value in pages[0].text
    assert pages[0].acl == TORQUE.groups


def test_the_easy_check_leaves_out_what_is_hard():
    assert [item.question for item in easy_only([HOPS, TORQUE, NONE], {}).items] == [TORQUE]


def test_the_pilot_asks_other_questions_of_the_same_kinds():
    many = [dataclasses.replace(q, question_id=f"{q.type}-{n}", text=f"{q.text} {n}") for n in range(90)
            for q in (TORQUE, NONE, HOPS)]  # fmt: skip
    pilot, rest = split(many, 1)
    asked = {item.question.question_id for item in pilot.items}
    assert asked.isdisjoint(q.question_id for q in rest)
    for kind in ("single_hop", "unanswerable", "multi_hop"):
        assert sum(item.question.type == kind for item in pilot.items) == len(pilot.items) / 3
    assert split(many, 2)[0] != pilot


def test_every_fault_has_a_code_of_its_own_and_two_hints():
    for faults in (STORE_FAULTS, EXAM_FAULTS):
        assert len({fault.code for fault in faults}) == len(faults) == 4
        assert all(len(fault.hints) >= 2 for fault in faults)
        assert not any(fault.code in hint for fault in faults for hint in fault.hints)


# The assistant and its sheets


class Shelf:
    """A retriever that always finds the same pages."""

    def __init__(self, *texts):
        self.hits = [
            Hit(chunk=Chunk(chunk_id=text, doc_id=text, source_path="page.md", ordinal=0, text=text, start=0,
                            end=len(text), tokens=9, content_hash=text), score=1.0)
            for text in texts
        ]  # fmt: skip

    def search(self, query, k, ctx):
        return self.hits[:k]


def test_the_assistant_quotes_the_nearest_sentence_and_the_next():
    shelf = Shelf("Wear gloves. Tighten the gripper to 18 Nm. Then check. Go home.", "Lunch is at noon.")
    answer = Assistant(shelf).ask("How tight is the gripper?", STAFF)
    assert answer.text == "Tighten the gripper to 18 Nm. Then check."
    assert answer.citations[0].quote == answer.text


@pytest.mark.parametrize(("shelf", "asked"), [(Shelf(), "Who?"), (Shelf("E-471 is a coil."), "What is E-417?")])
def test_the_assistant_abstains_where_nothing_names_it(shelf, asked):
    assert Assistant(shelf).ask(asked, STAFF).abstained


def test_a_sheet_is_graded_summed_and_shown():
    exam = fair([TORQUE, HOPS], {})
    sheet = sit(Assistant(Shelf("Screws take 18 Nm.")), exam, "C")
    assert [(row["row"], row["right"]) for row in sheet] == [("C-01", True), ("C-02", False)]
    assert summed(sheet).startswith("1 of 2 right (50%, 95 % interval ")
    assert "wanted: 18 N·m" in shown(sheet)
    assert sit(Assistant(Shelf()), fair([], {}), "C") == []
    assert summed([]) == "no rows"


def test_sheets_differ_only_beyond_chance():
    def sheet(right, n):
        return [{"right": k < right} for k in range(n)]

    assert differ(sheet(50, 60), sheet(46, 120))
    assert not differ(sheet(25, 60), sheet(46, 120))
    assert not differ(sheet(10, 60), sheet(90, 120))
    assert not differ([], sheet(1, 2))


# The commands


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def test_commands_without_a_drill_say_how_to_start_one(home):
    for command in (["status"], ["causes"], ["rows", "--pilot"], ["ask", "Who?"], ["answer", "lexical_off", "x"]):
        with pytest.raises(InputError, match="labkit drill start"):
            CliRunner().invoke(drill_app, command, catch_exceptions=False)


def test_a_bad_day_is_an_input_error(home):
    with pytest.raises(InputError, match="YYYY-MM-DD"):
        CliRunner().invoke(drill_app, ["ask", "Who?", "--as-of", "yesterday"], catch_exceptions=False)


def test_an_answer_type_is_what_the_course_calls_an_answer():
    assert isinstance(Assistant(Shelf("x y.")).ask("x", STAFF), Answer)
