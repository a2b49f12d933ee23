from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from labkit.errors import InputError
from labkit.graph.chains import LONGEST, ChainModel, Weights
from labkit.graph.graph import Graph
from labkit.graph.hop import ASKED, CHAINS, HOP, PER_STEP, HopRetriever
from labkit.graph.schema import Schema
from labkit.graph.tables import Entity, Extraction, Mention, Statement
from labkit.schema import Chunk, Hit, RequestContext

SCHEMA = Schema.model_validate({
    "count": ["machine.team"],
    "kind": {"incident": {"number": r"INC-\d+"}, "machine": {}, "team": {}, "person": {}},
    "relation": {
        "incident.machine": {"subject": "incident", "object": "machine", "labels": ["Machine"]},
        "machine.team": {"subject": "machine", "object": "team", "labels": ["Maintained by"]},
        "team.lead": {"subject": "team", "object": "person", "changes": True, "labels": ["Lead"]},
        "team.part_of": {"subject": "team", "object": "team", "labels": ["Part of"]},
        "person.room": {"subject": "person", "value": "words", "labels": ["Room"]},
    },
})  # fmt: skip
STEPS = (*SCHEMA.relation, *SCHEMA.tallies)
DAY = date(2025, 6, 1)
PUBLIC, BOARD = (RequestContext(groups=frozenset(groups), as_of=DAY) for groups in (("public",), ("public", "board")))
LEADER = ("incident.machine", "machine.team", "team.lead")
QUESTION = "Who leads the team that maintains the machine in INC-1?"


class Flat:
    """Finds what a question was told to find, to readers who may see it, and asks for the given steps."""

    def __init__(self, chunks, found=(), asked=None, steps=LEADER, loud=10.0):
        self._chunks, self._found, self._asked = chunks, found, asked or {}
        self._states = -loud * np.ones((len(steps), len(STEPS)), np.float32)
        self._states[np.arange(len(steps)), [STEPS.index(step) for step in steps]] = loud
        self.queries = []

    def search(self, query, k, ctx):
        self.queries.append((query, k))
        chunks = [self._chunks[name] for name in self._asked.get(query, self._found)]
        seen = [chunk for chunk in chunks if ctx.sees(chunk)][:k]
        return [Hit(chunk=chunk, score=-float(at), why={"dense": at}) for at, chunk in enumerate(seen, 1)]

    def encode(self, query, ctx):
        return SimpleNamespace(states=self._states)


class Company:
    """Passages and what they state: a chunk's name, then subject, relation and object or value."""

    def __init__(self):
        self.chunks, self.entities, self.mentions, self.statements = {}, {}, [], []

    def say(self, name, *facts, acl=("public",), since=None, until=None, names=()):
        told = [thing for subject, _, target in facts for thing in (subject, target)]
        text = ", ".join([name, *(thing.partition(":")[2] or thing for thing in (*told, *names))])
        self.chunks[name] = Chunk(
            chunk_id=name, doc_id=name, source_path="a.md", ordinal=0, text=text, start=0, end=len(text), tokens=1,
            content_hash=name, acl=acl, valid_from=since, valid_to=until,
        )  # fmt: skip
        for subject, relation, target in facts:
            thing = target if ":" in target else ""
            self._name(name, subject, *filter(None, [thing]))
            self.statements.append(
                Statement(
                    subject_id=subject, relation=relation, object_id=thing, value=target.partition(":")[2] or target,
                    chunk_id=name, start=0, end=1,
                )
            )  # fmt: skip
        self._name(name, *names)
        return self

    def _name(self, chunk_id, *entities):
        for entity in entities:
            kind, _, title = entity.partition(":")
            self.entities.setdefault(entity, Entity(entity_id=entity, kind=kind, name=title))
            start = self.chunks[chunk_id].text.index(title)
            self.mentions.append(Mention(entity_id=entity, chunk_id=chunk_id, start=start, end=start + len(title)))

    def hop(self, found=(), **flat):
        extraction = Extraction("rules", list(self.entities.values()), self.mentions, self.statements)
        graph = Graph(extraction, self.chunks.values(), SCHEMA)
        own = np.hstack([np.eye(len(STEPS)), np.zeros((len(STEPS), 1))]).astype(np.float32)
        zeros = np.zeros(len(STEPS), np.float32)
        model = ChainModel(Weights(STEPS, own, own, zeros, zeros[:LONGEST], 0.0), SCHEMA)
        return HopRetriever(Flat(self.chunks, found, **flat), graph, model)


def company():
    made = Company()
    made.say("report", ("incident:INC-1", "incident.machine", "machine:Otter"))
    made.say("manual", ("machine:Otter", "machine.team", "team:Shuttle Team"))
    made.say("staff", ("team:Shuttle Team", "team.lead", "person:Ann Lee"))
    made.say("rooms", ("person:Ann Lee", "person.room", "A 12"))
    return made.say("menu").say("news")


def ids(hits):
    return [hit.chunk.chunk_id for hit in hits]


def likeliest(retriever, query=QUESTION, ctx=PUBLIC):
    found = retriever.paths(query, ctx)
    return found[0] if found else None


def test_the_passages_of_every_step_are_found():
    hop = company().hop(found=["menu", "report", "news"])
    hits = hop.search(QUESTION, 6, PUBLIC)
    assert set(ids(hits)[:4]) == {"report", "manual", "staff", "menu"}
    assert ids(hop.search(QUESTION, 2, PUBLIC)) == ids(hits)[:2]


def test_why_says_which_passages_a_path_needs_and_what_else_found_them():
    found = {hit.chunk.chunk_id: hit.why for hit in company().hop(found=["menu", "report"]).search(QUESTION, 9, PUBLIC)}
    assert found["menu"] == {"dense": 1}
    assert found["report"].keys() == {"dense", "hop"}
    assert found["manual"].keys() == {"hop"}
    assert sorted(found[name]["hop"] for name in ("report", "manual", "staff")) == [1, 2, 3]


def test_a_passage_counts_by_its_probability_and_by_its_place_in_flat_retrieval():
    hop = company().hop(found=["menu", "report", "news"])
    scores = {hit.chunk.chunk_id: hit.score for hit in hop.search(QUESTION, 9, PUBLIC)}
    certain = sum(path.probability for path in hop.paths(QUESTION, PUBLIC))
    assert scores["menu"] == pytest.approx(1)
    assert scores["news"] == pytest.approx(1 / 3)
    assert scores["report"] == pytest.approx(HOP * certain + 1 / 2, abs=1e-5)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)


def test_of_chains_that_may_be_meant_the_likelier_counts_more():
    made = company().say("group", ("team:Shuttle Team", "team.part_of", "team:Works"))
    hop = made.hop(steps=("incident.machine", "machine.team", "team.lead"), loud=0.3)
    paths = hop.paths(QUESTION, PUBLIC)
    assert [path.probability for path in paths] == sorted((path.probability for path in paths), reverse=True)
    assert len(paths) > 2
    scores = {hit.chunk.chunk_id: hit.score for hit in hop.search(QUESTION, 9, PUBLIC)}
    assert scores["report"] > scores["manual"] > scores["staff"] > scores["group"] > 0


def test_a_path_explains_itself_step_by_step():
    path = likeliest(company().hop())
    assert path.start.name == "INC-1"
    assert [(step.relation, step.value, step.object_id, step.chunk_ids, step.known) for step in path.steps] == [
        ("incident.machine", "Otter", "machine:Otter", ("report",), True),
        ("machine.team", "Shuttle Team", "team:Shuttle Team", ("manual",), True),
        ("team.lead", "Ann Lee", "person:Ann Lee", ("staff",), True),
    ]
    assert 0.9 < path.probability <= 1


def test_a_path_may_end_in_a_value():
    path = likeliest(company().hop(steps=(*LEADER, "person.room")))
    assert (path.steps[-1].value, path.steps[-1].object_id) == ("A 12", "")


def test_a_question_without_a_known_name_is_left_to_flat_retrieval():
    hop = company().hop(found=["news", "menu"])
    for query in ("Who leads the shuttles?", "What happened in INC-2?", "otter"):
        assert hop.paths(query, PUBLIC) == []
        assert hop.search(query, 5, PUBLIC) == hop._flat.search(query, 5, PUBLIC)


def test_a_graph_of_nothing_leaves_everything_to_flat_retrieval():
    hop = Company().say("menu").hop(found=["menu"])
    assert [hit.why for hit in hop.search(QUESTION, 5, PUBLIC)] == [{"dense": 1}]


def test_counting_is_no_path():
    hop = company().hop(found=["menu"], steps=("count machine.team",))
    found = hop.paths("How many machines does the Shuttle Team maintain?", PUBLIC)
    assert {step.relation for path in found for step in path.steps} <= {"team.lead", "team.part_of", "person.room"}
    assert sum(path.probability for path in found) < 0.1


@pytest.mark.parametrize(("query", "k"), [("", 3), ("  \n", 3), ("x" * 100_000, 3), (QUESTION, 0), (QUESTION, -1)])
def test_searches_that_make_no_sense_are_refused(query, k):
    hop = company().hop(found=["menu"])
    with pytest.raises(InputError):
        hop.search(query, k, PUBLIC)
    assert hop._flat.queries == []


def test_space_around_a_question_does_not_count():
    hop = company().hop(found=["menu"])
    hop.search(f"  {QUESTION}\n", 3, PUBLIC)
    assert hop._flat.queries[0] == (QUESTION, 3)


def test_a_step_the_graph_does_not_know_is_asked_of_flat_retrieval():
    made = company()
    made.statements = [statement for statement in made.statements if statement.relation != "machine.team"]
    made.say("memo", names=("machine:Otter", "person:Bob Ray", "team:Shuttle Team"))
    hop = made.hop(found=["menu"], asked={"Maintained by of Otter": ["news", "memo"]})
    path = likeliest(hop)
    assert ("Maintained by of Otter", ASKED) in hop._flat.queries
    step = path.steps[1]
    assert (step.value, step.object_id, step.chunk_ids, step.known) == (
        "Shuttle Team", "team:Shuttle Team", ("memo", "news"), False,
    )  # fmt: skip
    assert [step.value for step in path.steps] == ["Otter", "Shuttle Team", "Ann Lee"]
    assert {"report", "memo", "staff"} <= set(ids(hop.search(QUESTION, 9, PUBLIC)))


def test_a_value_the_graph_does_not_know_has_passages_only():
    made = company()
    made.statements = [statement for statement in made.statements if statement.relation != "person.room"]
    path = likeliest(made.hop(steps=(*LEADER, "person.room"), asked={"Room of Ann Lee": ["news", "menu"]}))
    assert path.steps[-1] == type(path.steps[-1])("person.room", "", "", ("news", "menu"), known=False)


def test_a_step_that_nobody_knows_ends_a_path():
    made = company()
    made.statements = [statement for statement in made.statements if statement.relation != "machine.team"]
    hop = made.hop(found=["menu"], asked={"Maintained by of Otter": ["report", "menu"]})  # they name no team
    assert all("machine.team" not in [step.relation for step in path.steps] for path in hop.paths(QUESTION, PUBLIC))


def test_a_thing_is_not_found_to_be_its_own_part():
    made = Company().say("memo", names=("team:Shuttle Team",))
    hop = made.hop(steps=("team.part_of",), asked={"Part of of Shuttle Team": ["memo"]})
    assert hop.paths("What is the Shuttle Team part of?", PUBLIC) == []


def test_flat_retrieval_is_not_asked_for_chains_that_are_hardly_meant():
    made = company()
    made.statements = []
    hop = made.hop(steps=("machine.team",))
    hop.paths("Who looks after the Otter?", PUBLIC)
    assert [query for query, _ in hop._flat.queries] == ["Maintained by of Otter"]


def test_facts_that_go_in_a_circle_are_followed_to_an_end():
    made = company().say("up", ("team:Shuttle Team", "team.part_of", "team:Works"))
    made.say("down", ("team:Works", "team.part_of", "team:Shuttle Team"))
    hop = made.hop(steps=("team.part_of",))
    paths = hop.paths("What are the Shuttle Team and Works part of?", PUBLIC)
    assert 0 < len(paths) <= 2 * CHAINS
    assert {path.start.name for path in paths[:2]} == {"Shuttle Team", "Works"}
    assert all(len(path.steps) <= LONGEST for path in paths)


def test_things_a_question_names_share_its_probability_and_the_fourth_is_not_followed():
    made = Company()
    for team in ("Ada Team", "Bay Team", "Cod Team", "Dow Team"):
        made.say(team, (f"team:{team}", "team.lead", "person:Ann Lee"))
    paths = made.hop(steps=("team.lead",)).paths("Who leads Ada Team, Bay Team, Cod Team and Dow Team?", PUBLIC)
    assert sorted(path.start.name for path in paths if len(path.steps) == 1) == ["Ada Team", "Bay Team", "Cod Team"]
    assert all(path.probability <= 1 / 3 + 1e-6 for path in paths)


def contradicting():
    made = company()
    return made.say(
        "secret", ("team:Shuttle Team", "team.lead", "person:Zoe Dark"), acl=("board",), since=date(2025, 1, 1)
    )


def test_no_path_and_no_hit_shows_what_the_asker_may_not_see():
    hop = contradicting().hop(found=["menu", "secret"])
    for path in hop.paths(QUESTION, PUBLIC):
        assert all("Zoe Dark" not in step.value and "secret" not in step.chunk_ids for step in path.steps)
    assert likeliest(hop).steps[-1].value == "Ann Lee"
    assert "secret" not in ids(hop.search(QUESTION, 9, PUBLIC))
    assert likeliest(hop, ctx=BOARD).steps[-1].value == "Zoe Dark"
    assert "secret" in ids(hop.search(QUESTION, 9, BOARD))


def test_a_path_ends_where_the_asker_may_not_go_on():
    made = Company().say("report", ("incident:INC-1", "incident.machine", "machine:Otter"), acl=("board",))
    made.say("manual", ("machine:Otter", "machine.team", "team:Shuttle Team"))
    made.say("staff", ("team:Shuttle Team", "team.lead", "person:Ann Lee"))
    hop = made.hop(found=["report"])
    assert hop.paths(QUESTION, PUBLIC) == hop.search(QUESTION, 9, PUBLIC) == []
    assert [step.value for step in likeliest(hop, ctx=BOARD).steps] == ["Otter", "Shuttle Team", "Ann Lee"]


def test_on_an_earlier_day_the_path_leads_where_it_did_then():
    made = Company().say("old", ("team:Shuttle Team", "team.lead", "person:Ann Lee"), since=date(2024, 1, 1))
    made.say("new", ("team:Shuttle Team", "team.lead", "person:Bob Ray"), since=date(2025, 1, 1))
    hop = made.hop(steps=("team.lead",))
    for day, lead, seen in ((date(2024, 6, 1), "Ann Lee", {"old"}), (DAY, "Bob Ray", {"old", "new"})):
        ctx = RequestContext(as_of=day)
        assert likeliest(hop, "Who leads the Shuttle Team?", ctx).steps[0].value == lead
        assert set(ids(hop.search("Who leads the Shuttle Team?", 9, ctx))) == seen
    assert hop.search("Who leads the Shuttle Team?", 9, RequestContext(as_of=date(2023, 1, 1))) == []


def test_of_many_passages_for_a_step_those_flat_retrieval_found_first_count():
    made = Company()
    for name in "abcd":
        made.say(name, ("team:Shuttle Team", "team.lead", "person:Ann Lee"))
    hop = made.hop(found=["d", "c"], steps=("team.lead",))
    found = {hit.chunk.chunk_id: hit.why for hit in hop.search("Who leads the Shuttle Team?", 9, PUBLIC)}
    assert list(found) == ["d", "c"]
    assert [why["hop"] for why in found.values()] == [1, 2]
    assert len(found) == PER_STEP
