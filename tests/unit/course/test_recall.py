"""The faults of a graph and the drill around them, on a handful of passages and without a model."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from labkit.course.examfaults import EXAM_FAULTS
from labkit.course.faults import LAST_RUN, STORE_FAULTS, named
from labkit.course.graphfaults import GRAPH_FAULTS, with_relations
from labkit.course.recall import BY_SEARCH, LABEL, Recall, wider
from labkit.course.wrongpart import STAFF
from labkit.errors import InputError
from labkit.graph.chains import LONGEST, ChainModel, Weights
from labkit.graph.schema import Schema
from labkit.retrieve.rewrite import Rewriter, Vocabulary
from labkit.schema import Chunk, Hit
from labkit.world.questions import Question

SCHEMA = Schema.model_validate({
    "kind": {
        "lot": {"labels": ["Lot"], "number": r"[A-Z]-\d{2,}"}, "site": {"labels": ["Site"]},
        "team": {"labels": ["Team"]}, "person": {"labels": ["Name"]}, "part": {"labels": ["Part"]},
    },
    "relation": {
        "lot.site": {"subject": "lot", "object": "site", "labels": ["Shipped to", "Site"]},
        "team.lead": {"subject": "team", "object": "person", "changes": True, "labels": ["Lead"]},
        "part.price": {"subject": "part", "value": "number", "units": ["EUR"], "labels": ["Unit price"]},
        "site.manager": {"subject": "site", "object": "person", "changes": True, "labels": ["Site manager"]},
    },
})  # fmt: skip
STEPS = tuple(SCHEMA.relation)
ASKED = {"where": "lot.site", "leads": "team.lead", "costs": "part.price"}
PAGES = {
    "yards.md": ("Site: Quay Nine\nSite manager: Bob Ray", "staff", date(2024, 3, 1)),
    "sites.md": ("Site: Hexham Yard\nSite manager: Ann Lee", "staff", date(2024, 3, 1)),
    "book.csv": ("Lot: D-03 | To: Quay Nine\nLot: C-22 | To: Hexham Yard", "staff", date(2025, 3, 10)),
    "lots.csv": ("Lot: F-22 | Site: Quay Nine", "staff", date(2025, 2, 10)),
    "late.csv": ("Lot: M-86 | Site: Quay Nine", "staff", date(2025, 12, 1)),
    "who-2023.md": ("Team: Drive Train | Lead: Ann Lee", "staff", date(2023, 1, 1)),
    "who-2024.md": ("Team: Drive Train | Lead: Ann Lee", "staff", date(2024, 1, 1)),
    "who-2025.md": ("Team: Drive Train | Lead: Bob Ray", "staff", date(2025, 1, 1)),
    "price.csv": ("Part: load cell LC-6271 | Unit price: 47 EUR", "purchasing", date(2024, 3, 1)),
}
PROOF = {
    "label_missing": "Where is C-22?",
    "merged": "Where is F-22?",
    "stale_graph": "Where is M-86?",
    "newest_wins_off": "Who leads Drive Train?",
    "readers_lost": "What costs the load cell LC-6271?",
}
CODES = [fault.code for fault in GRAPH_FAULTS]


class Words:
    """Ranks passages by the words they share with a question, which asks for what its first known word stands for."""

    def __init__(self, chunks):
        self._chunks = chunks

    def search(self, query, k, ctx):
        words = set(query.casefold().replace("?", "").split())
        shared = {chunk.chunk_id: len(words & set(chunk.text.casefold().split())) for chunk in self._chunks}
        seen = [chunk for chunk in self._chunks if ctx.sees(chunk) and shared[chunk.chunk_id]]
        best = sorted(seen, key=lambda chunk: -shared[chunk.chunk_id])[:k]
        return [Hit(chunk=chunk, score=1 / at, why={"lexical": at}) for at, chunk in enumerate(best, 1)]

    def encode(self, query, ctx):
        asked = [step for word, step in ASKED.items() if word in query.casefold()]
        states = -10 * np.ones((1, len(STEPS)), np.float32)
        states[0, [STEPS.index(step) for step in asked]] = 10
        return SimpleNamespace(states=states)


def question(text, value, path, **fields):
    given = {"split": "train", "type": "single_hop", "groups": ("staff",), "relation": "lot.site"}
    return Question(question_id=text, text=text, value=value, facts=(path,), **{**given, **fields})


QUESTIONS = [
    question("Where is C-22?", "Hexham Yard", "book.csv"),
    question("Where is F-22?", "Quay Nine", "lots.csv"),
    question("Where is M-86?", "Quay Nine", "late.csv"),
    question("Who leads Drive Train?", "Bob Ray", "who-2025.md", relation="team.lead"),
    question("What costs the load cell LC-6271?", "47 EUR", "price.csv", relation="part.price", groups=("purchasing",)),
]


def scene_of(questions):
    chunks = [
        Chunk(
            chunk_id=path, doc_id=path, source_path=path, ordinal=0, text=text, start=0, end=len(text), tokens=9,
            content_hash=path, valid_from=begins, acl=(group,), tenant="tidewater",
        )
        for path, (text, group, begins) in PAGES.items()
    ]  # fmt: skip
    own = np.hstack([np.eye(len(STEPS)), np.zeros((len(STEPS), 1))]).astype(np.float32)
    zeros = np.zeros(max(LONGEST, len(STEPS)), np.float32)
    schema = wider(SCHEMA)
    chains = ChainModel(Weights(STEPS, own, own, zeros[: len(STEPS)], zeros[:LONGEST], 0.0), schema)
    rewriter = Rewriter(Vocabulary.of(chunks))
    return Recall(Words(chunks), rewriter, chunks, schema, chains, questions, {p: {p} for p in PAGES}, "documents")


@pytest.fixture(scope="module")
def scene():
    return scene_of(QUESTIONS)


def told(scene, code, text):
    return scene._told(code, text, STAFF, 10)


# The faults


@pytest.mark.parametrize("code", CODES)
def test_each_fault_is_shown_by_its_own_evidence_only(scene, code):
    for other, text in PROOF.items():
        lacks = scene.missing(code, text, {"asked": []})
        assert (lacks is None) is (other == code), (code, text)
        assert lacks is None or named(code, GRAPH_FAULTS).proof in lacks


@pytest.mark.parametrize("fault", GRAPH_FAULTS, ids=lambda fault: fault.code)
def test_what_one_broken_graph_tells_shows_no_other_fault(scene, fault):
    for text in PROOF.values():
        right = told(scene, "", text)
        shown = [f.code for f in GRAPH_FAULTS if f.shows(told(scene, fault.code, text), right)]
        assert shown == ([fault.code] if text == PROOF[fault.code] else [])
        assert not fault.shows(right, right)


@pytest.mark.parametrize(
    ("code", "text", "broken", "right"),
    [
        ("label_missing", "Where is C-22?", [], ["Hexham Yard"]),
        ("merged", "Where is F-22?", ["Hexham Yard"], ["Quay Nine"]),
        ("stale_graph", "Where is M-86?", [], ["Quay Nine"]),
        ("newest_wins_off", "Who leads Drive Train?", ["Ann Lee"], ["Bob Ray"]),
        ("readers_lost", "What costs the load cell LC-6271?", ["47 EUR"], []),
    ],
)
def test_what_a_broken_and_a_whole_graph_answer_from(scene, code, text, broken, right):
    answers = [[fact.value for fact in told(scene, fault, text).facts][:1] for fault in (code, "")]
    assert answers == [broken, right]


def test_a_wrong_value_of_the_right_thing_is_no_merging(scene):
    # Rests on the statement of who-2024.md, which is about Drive Train in the whole graph too.
    assert scene.missing("merged", "Who leads Drive Train?", {"asked": []})


def test_a_fact_that_old_documents_state_too_is_not_lost_to_a_stale_graph(scene):
    assert PAGES["late.csv"][2] > LAST_RUN
    assert scene.missing("stale_graph", "Where is F-22?", {"asked": []})


def test_the_chapters_label_is_added_once_and_nothing_else_changes():
    schema = wider(wider(SCHEMA))
    assert schema.relation["lot.site"].labels == ("Shipped to", "Site", LABEL)
    assert (schema.kind, schema.relation.keys()) == (SCHEMA.kind, SCHEMA.relation.keys())
    assert LABEL.lower() in schema.by_label


def test_what_was_cached_of_a_dictionary_is_not_taken_along():
    assert SCHEMA.by_label
    assert with_relations(SCHEMA, {}).by_label == {}


def test_faults_are_told_apart_and_hint_without_naming_themselves():
    every = (*STORE_FAULTS, *EXAM_FAULTS, *GRAPH_FAULTS)
    assert len({fault.code for fault in every}) == len(every)
    assert all(len(fault.hints) >= 2 for fault in GRAPH_FAULTS)
    assert not any(fault.code in hint for fault in GRAPH_FAULTS for hint in fault.hints)


# The scene


@pytest.mark.parametrize("code", CODES)
def test_the_page_tells_whom_it_harmed_and_does_not_count_as_evidence(scene, code):
    page, begun = scene.start(code, 1)
    assert begun == {"asked": [PROOF[code]]}
    assert "We all ask as staff" in page
    assert "on the page" in scene.missing(code, f" {PROOF[code].upper()} ", begun)


def test_the_page_says_what_the_graph_said_and_what_is_on_paper(scene):
    page, _ = scene.start("merged", 1)
    assert '"Where is F-22?"\n    the graph: Hexham Yard' in page
    assert "on paper: Quay Nine, in lots.csv (for staff)" in page
    leak, _ = scene.start("readers_lost", 1)
    assert "the graph: 47 EUR\n    on paper: 47 EUR, in price.csv (for purchasing)" in leak


def test_a_fault_that_harms_nobody_is_no_drill():
    scene = scene_of([QUESTIONS[1]])
    with pytest.raises(InputError, match="another --seed"):
        scene.start("stale_graph", 1)


def test_the_operator_sees_things_reasons_paths_dates_and_readers(scene):
    seen = scene.ask("readers_lost", "What costs the load cell LC-6271?", k=9, as_of=None)
    assert "answer: 47 EUR\n    because Unit price of" in seen
    assert "    part.price\n        47 EUR  (price.csv, 2024-03-01, for purchasing)" in seen
    assert " 1. price.csv  [2024-03-01, open]  for purchasing  found by: hop 1" in seen
    assert "price.csv" not in scene.ask("merged", "What costs the load cell LC-6271?", k=9, as_of=None)


def test_the_operator_sees_every_value_and_which_is_first(scene):
    seen = scene.ask("newest_wins_off", "Who leads Drive Train?", k=9, as_of=None)
    assert seen.index("Ann Lee  (who-2023.md, 2023-01-01, for staff, and 1 more)") < seen.index("Bob Ray  (who-2025.md")


def test_the_operator_sees_holes(scene):
    lost = scene.ask("stale_graph", "Where is M-86?", k=9, as_of=None)
    assert "things: none that the graph knows" in lost
    assert "late.csv  [2025-12-01, open]" in lost
    guessed = scene.ask("label_missing", "Where is C-22?", k=9, as_of=None)
    assert "things: lot C-22" in guessed
    assert "is not recorded" in guessed
    assert f"lot.site {BY_SEARCH}" in guessed


def test_the_past_can_be_asked_for(scene):
    assert "Ann Lee" in scene.ask("merged", "Who leads Drive Train?", k=9, as_of=date(2024, 6, 1)).split("path")[0]


def test_what_cannot_be_is_refused(scene):
    with pytest.raises(InputError, match="no sheet"):
        scene.rows({}, "check")
    for text, k in (("", 5), ("Where is C-22?", 0)):
        with pytest.raises(InputError):
            scene.ask("merged", text, k=k, as_of=None)
    with pytest.raises(InputError):
        scene.missing("merged", " ", {"asked": []})


def test_graphs_are_built_once(scene):
    assert scene._graph("merged") is scene._graph("merged")
