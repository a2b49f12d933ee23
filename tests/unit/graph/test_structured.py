"""Answers by facts: what is compared, counted, added up and looked up, for whom, as of when, and what is left open."""

from datetime import date

import numpy as np
import pytest

from labkit.errors import Cancelled
from labkit.graph.chains import Chain
from labkit.graph.graph import Graph
from labkit.graph.schema import Schema
from labkit.graph.structured import Structured, asks_for_less, tally
from labkit.graph.tables import Entity, Extraction, Mention, Statement
from labkit.schema import Chunk, RequestContext

SCHEMA = Schema.load()
STATES = np.zeros((1, 4), np.float32)
STAFF = RequestContext(groups=frozenset({"staff"}), as_of=date(2025, 12, 31))


class Chains:
    """Thinks of one chain, whatever is asked."""

    def __init__(self, *steps, probability=0.9):
        self.chain = Chain(steps, probability)

    def chains(self, states, kind, n):
        first = self.chain.steps[0]
        known = SCHEMA.relation.get(first)
        begins = known.subject if known else SCHEMA.relation[SCHEMA.tallies[first]].object
        return [self.chain] if begins == kind else []


class Facts:
    """A graph in the making: every statement in a chunk of its own."""

    def __init__(self):
        self.made, self.chunks = Extraction("rules"), []

    def says(self, subject, relation, value, number=None, *, acl="staff", since=None, until=None):
        """A chunk that states one fact; a value *kind:name* is another thing."""
        chunk_id = f"c{len(self.chunks)}"
        object_id = value if SCHEMA.relation[relation].object else ""
        name = subject.split(":")[1]
        text = f"{name}: {value.removeprefix(SCHEMA.relation[relation].object + ':')}"
        self.chunks.append(
            Chunk(chunk_id=chunk_id, doc_id=chunk_id, source_path=f"{chunk_id}.md", ordinal=0, text=text, start=0,
                  end=len(text), tokens=5, content_hash=chunk_id, acl=(acl,), valid_from=since, valid_to=until)
        )  # fmt: skip
        self.made.statements.append(
            Statement(subject_id=subject, relation=relation, object_id=object_id, number=number, start=0,
                      value=text.split(": ")[1], chunk_id=chunk_id, end=len(text))
        )  # fmt: skip
        for thing in (subject, object_id):
            kind, _, called = thing.partition(":")
            if thing:
                self.made.mentions.append(
                    Mention(entity_id=thing, chunk_id=chunk_id, start=text.index(called),
                            end=text.index(called) + len(called))
                )  # fmt: skip
                if all(entity.entity_id != thing for entity in self.made.entities):
                    self.made.entities.append(Entity(entity_id=thing, kind=kind, name=called))
        return chunk_id

    def answer(self, question, chains, ctx=STAFF):
        return Structured(Graph(self.made, self.chunks, SCHEMA), chains).answer(question, STATES, ctx)


@pytest.fixture
def incidents():
    """Three incidents at Marlow Quay: two of 2025, one of 2024."""
    facts = Facts()
    for number, minutes, day in (
        (2031, 12, date(2025, 3, 1)),
        (8830, 34, date(2025, 7, 9)),
        (5519, 90, date(2024, 5, 2)),
    ):
        incident = f"incident:INC-{number}"
        facts.says(incident, "incident.site", "site:Marlow Quay")
        facts.says(incident, "incident.downtime", f"{minutes} minutes", float(minutes))
        facts.says(incident, "incident.date", day.isoformat(), float(day.toordinal()))
    return facts


def test_the_larger_number_wins_and_both_facts_are_cited(incidents):
    found = incidents.answer("Which took longer, INC-2031 or INC-8830?", Chains("incident.downtime"))
    assert (found.shape, found.value) == ("comparison", "INC-8830")
    assert found.why == "INC-2031: 12 minutes, INC-8830: 34 minutes"
    assert found.chunk_ids == ("c1", "c4")


def test_the_smaller_wins_where_it_is_asked_for(incidents):
    found = incidents.answer("Which took less time, INC-2031 or INC-8830?", Chains("incident.downtime"))
    assert found.value == "INC-2031"


def test_days_are_compared_as_days(incidents):
    assert incidents.answer("Which came later, INC-5519 or INC-2031?", Chains("incident.date")).value == "INC-2031"
    assert incidents.answer("Which came first, INC-5519 or INC-2031?", Chains("incident.date")).value == "INC-5519"


def test_one_passage_of_every_fact_is_cited_first(incidents):
    again = incidents.says("incident:INC-2031", "incident.downtime", "12 minutes", 12.0)
    found = incidents.answer("Which took longer, INC-2031 or INC-8830?", Chains("incident.downtime"))
    assert found.chunk_ids == ("c1", "c4", again)


def test_equals_are_not_ranked(incidents):
    incidents.says("incident:INC-7777", "incident.downtime", "12 min", 12.0)
    found = incidents.answer("Which took longer, INC-2031 or INC-7777?", Chains("incident.downtime"))
    assert found.value == ""
    assert "equal" in found.why


def test_without_one_of_the_values_nothing_is_compared(incidents):
    incidents.says("incident:INC-7777", "incident.site", "site:Marlow Quay")
    found = incidents.answer("Which took longer, INC-2031 or INC-7777?", Chains("incident.downtime"))
    assert (found.value, found.why) == ("", "Downtime of INC-7777 is not recorded.")
    assert found.chunk_ids == ()


def test_of_two_things_of_which_one_is_unknown_no_value_is_told(incidents):
    incidents.says("person:Ada Colm", "person.extension", "ext. 12", 12.0)
    found = incidents.answer("Who has the higher extension, Ada Colm or Rui Tavares?", Chains("person.extension"))
    assert found.value == ""


def test_what_points_at_a_thing_is_counted(incidents):
    found = incidents.answer("How many incidents did Marlow Quay have?", Chains("count incident.site"))
    assert (found.shape, found.value, found.number) == ("count", "3", 3)
    assert found.chunk_ids == ("c0", "c3", "c6")


def test_a_year_leaves_out_what_happened_in_others(incidents):
    found = incidents.answer("How many incidents did Marlow Quay have in 2025?", Chains("count incident.site"))
    assert (found.value, found.why) == ("2", "INC-2031, INC-8830")
    assert set(found.chunk_ids) == {"c0", "c2", "c3", "c5"}  # that they happened there, and when


def test_a_quarter_is_not_taken_for_its_year(incidents):
    found = incidents.answer("How many incidents did Marlow Quay have in Q1 2025?", Chains("count incident.site"))
    assert found.value == ""


def test_without_a_day_a_thing_is_not_counted_into_a_year(incidents):
    incidents.says("incident:INC-7777", "incident.site", "site:Marlow Quay")
    found = incidents.answer("How many incidents did Marlow Quay have in 2025?", Chains("count incident.site"))
    assert (found.value, found.why) == ("", "Date of INC-7777 is not recorded.")


def test_numbers_are_added_up(incidents):
    found = incidents.answer("Total downtime at Marlow Quay in 2025?", Chains("sum incident.downtime"))
    assert (found.shape, found.value, found.number) == ("sum", "46 minutes", 46.0)
    assert found.why == "INC-2031: 12 minutes, INC-8830: 34 minutes"


def test_a_sum_with_a_part_missing_is_no_sum(incidents):
    incidents.says("incident:INC-7777", "incident.site", "site:Marlow Quay")
    found = incidents.answer("Total downtime at Marlow Quay?", Chains("sum incident.downtime"))
    assert (found.value, found.why) == ("", "Downtime of INC-7777 is not recorded.")


def test_how_long_asks_for_the_sum_where_the_model_thinks_of_the_count():
    assert tally("For how long did … stand still?", "count incident.site", SCHEMA) == "sum incident.downtime"
    assert tally("How many incidents at …?", "count incident.site", SCHEMA) == "count incident.site"
    assert tally("For how long did … sell parts?", "count part.supplier", SCHEMA) == "count part.supplier"


def test_another_thing_the_question_names_narrows_the_count(incidents):
    incidents.says("incident:INC-2031", "incident.error", "error:E-417")
    question = "How many incidents with E-417 did Marlow Quay have?"
    assert incidents.answer(question, Chains("count incident.site")).value == "1"


def test_a_thing_that_has_nothing_to_do_with_what_is_counted_leaves_it_open(incidents):
    incidents.says("supplier:Corvane", "supplier.country", "Norway")
    found = incidents.answer("How many incidents did Corvane cause at Marlow Quay?", Chains("count incident.site"))
    assert found.value == ""
    assert "supplier" in found.why


def test_who_asks_counts_only_what_he_may_see(incidents):
    incidents.says("incident:INC-7777", "incident.site", "site:Marlow Quay", acl="board")
    board = RequestContext(groups=frozenset({"staff", "board"}), as_of=date(2025, 12, 31))
    question, chains = "How many incidents did Marlow Quay have?", Chains("count incident.site")
    assert incidents.answer(question, chains).value == "3"
    assert incidents.answer(question, chains, board).value == "4"
    nobody = RequestContext(as_of=date(2025, 12, 31))
    assert incidents.answer(question, chains, nobody).value == ""


@pytest.fixture
def changed():
    """Severn Cross was managed by Ada Colm, and by Rui Tavares from 1 June 2025 on."""
    facts = Facts()
    facts.says("site:Severn Cross", "site.manager", "person:Ada Colm", since=date(2024, 1, 10))
    facts.says("site:Severn Cross", "site.manager", "person:Rui Tavares", since=date(2025, 6, 1))
    facts.says("person:Ada Colm", "person.role", "planner", since=date(2024, 1, 1))
    return facts


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who manages Severn Cross?", "Rui Tavares"),
        ("Who managed Severn Cross on 12 May 2025?", "Ada Colm"),
        ("Going by 24 November 2024, who managed Severn Cross?", "Ada Colm"),
        ("Who managed Severn Cross as of March 2025?", "Ada Colm"),
        ("Who managed Severn Cross on 2 June 2025?", "Rui Tavares"),
        ("Who managed Severn Cross on 3 March 2023?", ""),
        ("As of 1 May 2025, who managed Severn Cross before the review of 3 July 2025?", "Ada Colm"),
    ],
)  # fmt: skip
def test_the_day_a_question_states_decides(changed, question, expected):
    assert changed.answer(question, Chains("site.manager")).value == expected


def test_the_askers_own_day_is_the_last_he_can_ask_for(changed):
    early = RequestContext(groups=frozenset({"staff"}), as_of=date(2025, 2, 1))
    found = changed.answer("Who managed Severn Cross on 2 June 2025?", Chains("site.manager"), early)
    assert found.value == "Ada Colm"


def test_what_never_changes_may_be_told_later():
    facts = Facts()
    facts.says("site:Severn Cross", "site.city", "Ostby", since=date(2025, 6, 1))
    assert facts.answer("In which city was Severn Cross on 3 May 2024?", Chains("site.city")).value == "Ostby"


def test_a_chain_is_followed_and_every_step_cited(changed):
    found = changed.answer("What does the manager of Severn Cross do, as of 1 May 2025?",
                           Chains("site.manager", "person.role"))  # fmt: skip
    assert (found.value, found.chunk_ids) == ("planner", ("c0", "c2"))
    assert found.why == "Site manager of Severn Cross: Ada Colm; Role of Ada Colm: planner"


def test_a_missing_step_is_named(changed):
    found = changed.answer("What does the manager of Severn Cross do?", Chains("site.manager", "person.role"))
    assert (found.value, found.why) == ("", "Role of Rui Tavares is not recorded.")


def test_what_the_asker_may_not_see_lends_no_name_and_no_wording():
    facts = Facts()
    for _ in range(2):
        facts.says("site:Severn Cross", "site.robots", "20 robots (Umbra)", 20.0, acl="board")
    facts.says("site:Severn Cross", "site.robots", "20 robots", 20.0)
    found = facts.answer("How many robots has Severn Cross?", Chains("site.robots"))
    assert (found.value, found.chunk_ids) == ("20 robots", ("c2",))


def test_an_unlikely_chain_is_not_followed(changed):
    assert changed.answer("Severn Cross?", Chains("site.manager", probability=0.2)).value == ""


def test_who_left_gets_no_answer(changed):
    ctx = RequestContext(groups=frozenset({"staff"}))
    ctx.cancel.set()
    with pytest.raises(Cancelled):
        changed.answer("Who manages Severn Cross?", Chains("site.manager"), ctx)


@pytest.mark.parametrize(
    ("text", "relation", "less"),
    [
        ("Which is faster, … or …?", "product.top_speed", False),
        ("Which charges faster, … or …?", "product.charge_time", True),
        ("Who is the slower charger, … or …?", "product.charge_time", False),
        ("Which is replaced less often, … or …?", "part.interval", False),
        ("Which is replaced more often, … or …?", "part.interval", True),
        ("Which has to be ordered earlier, … or …?", "part.lead_time", False),
        ("Which arrives earlier, … or …?", "part.lead_time", True),
        ("Which has been running longer, … or …?", "site.go_live", True),
        ("Did … start after … or before it?", "change.effective", False),
        ("Where is an hour of delay cheaper, … or …?", "contract.penalty", True),
        ("… or …?", "site.robots", False),
    ],
)  # fmt: skip
def test_which_end_of_a_comparison_is_asked_for(text, relation, less):
    assert asks_for_less(text, SCHEMA.relation[relation]) is less


@pytest.fixture
def lots():
    """Lot C-22 lies at two sites that one customer has, and at one of another."""
    facts = Facts()
    for site, customer in (("Ostby", "Brandt"), ("Hexham", "Acme"), ("Leeds", "Brandt")):
        facts.says("lot:C-22", "lot.site", f"site:{site}")
        facts.says(f"site:{site}", "site.customer", f"customer:{customer}")
    return facts


def test_of_what_is_several_all_are_answered_and_each_cited(lots):
    found = lots.answer("Where is lot C-22?", Chains("lot.site"))
    assert (found.value, found.number) == ("Hexham, Leeds, Ostby", None)
    assert found.why == "Shipped to of C-22: Hexham, Leeds, Ostby"
    assert found.chunk_ids == ("c2", "c4", "c0")


def test_the_order_of_a_list_does_not_depend_on_that_of_the_documents(lots):
    again = Facts()
    for site in ("Leeds", "Hexham", "Ostby"):
        again.says("lot:C-22", "lot.site", f"site:{site}")
    ask = "Where is lot C-22?", Chains("lot.site")
    assert again.answer(*ask).value == lots.answer(*ask).value


def test_a_chain_over_several_leads_to_all_that_any_of_them_does(lots):
    found = lots.answer("Whose sites have lot C-22?", Chains("lot.site", "site.customer"))
    assert found.value == "Acme, Brandt"
    assert len(found.chunk_ids) == 6


def test_a_list_with_a_part_missing_is_no_answer(lots):
    lots.says("lot:C-22", "lot.site", "site:Thornaby")
    found = lots.answer("Whose sites have lot C-22?", Chains("lot.site", "site.customer"))
    assert (found.value, found.why) == ("", "Customer of Thornaby is not recorded.")


def test_a_thing_that_points_at_several_is_counted_at_each(lots):
    lots.says("lot:D-7", "lot.site", "site:Hexham")
    for site, n in (("Hexham", "2"), ("Ostby", "1")):
        assert lots.answer(f"How many lots went to {site}?", Chains("count lot.site")).value == n


def test_a_list_holds_only_what_its_reader_may_see(lots):
    lots.says("lot:C-22", "lot.site", "site:Umbra", acl="board")
    ask = "Where is lot C-22?", Chains("lot.site")
    assert lots.answer(*ask).value == "Hexham, Leeds, Ostby"
    board = RequestContext(groups=frozenset({"staff", "board"}), as_of=date(2025, 12, 31))
    assert lots.answer(*ask, ctx=board).value == "Hexham, Leeds, Ostby, Umbra"


class Undecided:
    """Thinks of several chains of one kind, likeliest first."""

    def __init__(self, *chains):
        self.likely = [Chain((step,), probability) for step, probability in chains]

    def chains(self, states, kind, n):
        return [chain for chain in self.likely if SCHEMA.relation[chain.steps[0]].subject == kind][:n]


def test_who_asks_what_held_on_a_day_asks_for_what_changes():
    facts = Facts()
    facts.says("product:Otter", "product.payload", "60 kg", 60.0)
    facts.says("product:Otter", "product.team", "team:Tooling")
    thinks = Undecided(("product.payload", 0.5), ("product.team", 0.4))
    assert facts.answer("On 3 May 2025, in whose hands was the Otter?", thinks).value == "Tooling"
    assert facts.answer("In whose hands is the Otter?", thinks).value == "60 kg"
    hardly = Undecided(("product.payload", 0.9), ("product.team", 0.1))
    assert facts.answer("On 3 May 2025, what did the Otter carry?", hardly).value == "60 kg"
