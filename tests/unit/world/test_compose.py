"""From plans to drafts: nothing planned is lost, and evidence points at the words that hold it."""

import random
from dataclasses import replace
from datetime import date

import pytest

from labkit.world.blocks import Draft, Heading, Items, Message, Pairs, Table, Turn, sentences
from labkit.world.chance import stream
from labkit.world.cleantext import flatten
from labkit.world.compose import Plan, compose, slug
from labkit.world.entries import DocumentClass
from labkit.world.facts import FactGraph
from labkit.world.pack import Pack
from labkit.world.planner import Planner
from labkit.world.prose import Scene, Writer, split_sentences
from labkit.world.revise import revised


@pytest.fixture(scope="module")
def made(pack: Pack, graph: FactGraph) -> list[tuple[Plan, Draft]]:
    writer = Writer(pack, graph, stream(3, "words", 0))
    return [(plan, compose(plan, writer)) for plan in Planner(pack, graph, 3, 0, 165).plans()]


def memo(items: list[str], bank: dict[str, list[str]], **more: object) -> DocumentClass:
    return DocumentClass.model_validate(
        {
            "class": "memo", "folder": "memos", "about": "incident", "states": ["*"], "formats": {"markdown": 1},
            "filename": ["memo"], "title": ["Memo"], "layout": [{"name": "l", "sections": [{"body": items}]}],
            "bank": bank, **more,
        }
    )  # fmt: skip


@pytest.fixture
def incident(graph: FactGraph) -> Plan:
    about = graph.of_kind("incident", "train")[0]
    day = graph.history(about.entity_id, "incident.date")[0].valid_from
    facts = [graph.history(about.entity_id, f"incident.{name}")[0] for name in ("site", "date", "downtime", "cause")]
    part = graph.of_kind("part", "train")[0]
    facts += [graph.at(part.entity_id, f"part.{name}", day) for name in ("torque", "supplier")]
    return Plan("d1", memo(["facts"], {}), about, day, tuple(f for f in facts if f), 5)


def composed(plan: Plan, pack: Pack, graph: FactGraph, document: DocumentClass) -> Draft:
    return compose(replace(plan, document=document), Writer(pack, graph, random.Random(1)))


def test_every_planned_fact_is_stated(made: list[tuple[Plan, Draft]]):
    for plan, draft in made:
        stated = {span.label for span in flatten(draft).evidence}
        assert stated == {fact.fact_id for fact in plan.facts}, plan.doc_id


def test_evidence_spans_hold_a_wording_of_the_value_and_the_document_names_the_subject(
    made: list[tuple[Plan, Draft]], graph: FactGraph
):
    for _, draft in made:
        clean = flatten(draft)
        for span in clean.evidence:
            fact = graph.facts[span.label]
            subject = graph.entities[fact.subject_id]
            quote = clean.text[span.start : span.end].casefold()
            assert any(surface.casefold() in quote for surface in fact.surfaces()), (fact, quote)
            names = (subject.name, *subject.aliases)
            assert any(name.casefold() in clean.text.casefold() for name in names), (draft.path, subject)


def test_personal_data_spans_are_exactly_the_words(made: list[tuple[Plan, Draft]]):
    marked = 0
    for _, draft in made:
        clean = flatten(draft)
        runs = {(run.text, run.pii, run.action) for s in sentences(draft.body) for run in s.runs if run.pii}
        for block in draft.body:
            if isinstance(block, Turn):
                runs.add((block.speaker.text, "person", block.speaker.action))
            if isinstance(block, Message):
                runs |= {(r.text, r.pii, r.action) for r in (block.sender, block.address, block.to, block.to_address)}
        for span in clean.pii:
            marked += 1
            assert (clean.text[span.start : span.end], span.label, span.action) in runs
    assert marked > 100


def test_no_long_sentence_is_written_twice(made: list[tuple[Plan, Draft]]):
    told = [
        sentence.casefold()
        for _, draft in made
        for sentence in split_sentences(" \n".join(s.text for s in sentences(draft.blocks)))
        if len(sentence.split()) >= 8
    ]
    assert len(told) > 1000
    assert len(set(told)) > 0.99 * len(told)


def test_nothing_of_the_grammar_is_left_over(made: list[tuple[Plan, Draft]]):
    for _, draft in made:
        text = flatten(draft).text
        assert not [mark for mark in ("{", "}", "\\", "a> ", "b> ") if mark in text], draft.path


def test_tables_have_more_than_one_column_and_no_headings_repeat_the_title(made: list[tuple[Plan, Draft]]):
    for _, draft in made:
        for block in draft.blocks:
            assert not isinstance(block, Table) or len(block.header) > 1
            assert not isinstance(block, Heading) or block.text != draft.title


def test_mails_of_a_thread_come_one_after_another_and_nobody_writes_to_himself(made: list[tuple[Plan, Draft]]):
    threads = [draft for _, draft in made if any(isinstance(b, Message) for b in draft.blocks)]
    assert threads
    for draft in threads:
        mails = [block for block in draft.blocks if isinstance(block, Message)]
        assert [m.time for m in mails] == sorted((m.time for m in mails), reverse=True)
        assert all(mail.sender.text != mail.to.text for mail in mails)


def test_chats_run_forward_in_time(made: list[tuple[Plan, Draft]]):
    chats = [[b.time for b in d.blocks if isinstance(b, Turn)] for _, d in made if d.doc_class == "chat_export"]
    assert chats
    assert all(times == sorted(times) for times in chats)


def test_a_filter_takes_only_facts_of_its_relation(pack: Pack, graph: FactGraph, incident: Plan):
    document = memo(["facts:part.torque", "p:x+facts:incident.*:1-1", "kv:part.*"], {"x": ["A broom stood there."]})
    relations = [
        {graph.facts[span].relation for span in found}
        for found in [
            [f for sentence in sentences([block]) for f in sentence.facts]
            for block in composed(incident, pack, graph, document).blocks
        ]
    ]
    assert relations[0] == {"part.torque"}
    assert len(relations[1]) == 1
    assert relations[1] <= {"incident.site", "incident.date", "incident.downtime", "incident.cause"}
    assert relations[2] == {"part.supplier"}


def test_a_few_facts_after_a_passage_are_about_one_kind_of_thing(pack: Pack, graph: FactGraph, incident: Plan):
    document = memo(["p:x+facts:9-9", "p:x+facts:9-9"], {"x": ["A broom stood there.", "No broom was found."]})
    blocks = composed(incident, pack, graph, document).blocks
    kinds = [{graph.entities[graph.facts[f].subject_id].kind for s in sentences([b]) for f in s.facts} for b in blocks]
    assert kinds == [{"incident"}, {"part"}]


def test_steps_keep_the_order_they_are_written_in(pack: Pack, graph: FactGraph, incident: Plan):
    steps = [f"Step {word}." for word in ("one", "two", "three", "four", "five", "six")]
    found = [
        block
        for block in composed(incident, pack, graph, memo(["ol:steps:4-4"], {"steps": steps})).blocks
        if isinstance(block, Items)
    ]
    assert found[0].ordered
    told = [item.text for item in found[0].items]
    assert len(told) == 4
    assert told == sorted(told, key=steps.index)


def test_a_passage_stands_in_a_document_once(pack: Pack, graph: FactGraph, incident: Plan):
    document = memo(["ul:x:5-5", "p:x:3-3"], {"x": ["{n:1-9000} brooms.", "{n:1-9000} mops.", "{n:1-9000} pails."]})
    told = [s.text.split()[1] for s in sentences(composed(incident, pack, graph, document).blocks) if not s.facts]
    assert sorted(told) == ["brooms.", "mops.", "pails."]


def test_label_lines_say_whom_they_are_about(pack: Pack, graph: FactGraph, incident: Plan):
    blocks = composed(incident, pack, graph, memo(["kv"], {})).blocks
    assert isinstance(blocks[0], Pairs)
    assert blocks[0].pairs[0][0] == "Incident"
    assert blocks[0].pairs[0][1].text == incident.about.name


def test_the_author_can_be_named_by_a_relation(pack: Pack, graph: FactGraph, incident: Plan):
    resolver = graph.history(incident.about.entity_id, "incident.resolver")[0].value
    assert composed(incident, pack, graph, memo(["facts"], {}, author="incident.resolver")).author == resolver


def test_a_long_tail_with_holes_is_no_table(pack: Pack, graph: FactGraph, incident: Plan):
    parts = graph.of_kind("part", "train")[:8]
    names = ("torque", "supplier", "interval", "lead_time")
    facts = tuple(graph.history(part.entity_id, f"part.{names[n % 4]}")[0] for n, part in enumerate(parts))
    blocks = composed(replace(incident, facts=facts), pack, graph, memo(["table"], {})).blocks
    assert not any(isinstance(block, Table) for block in blocks)


def test_the_next_revision_says_what_is_true_by_then(pack: Pack, graph: FactGraph, incident: Plan):
    old = next(
        f for f in graph if f.relation == "team.lead" and f.valid_to and graph.entities[f.subject_id].pool == "train"
    )
    new = graph.history(old.subject_id, old.relation)[1]
    team = graph.entities[old.subject_id]
    plan = replace(incident, about=team, day=old.valid_from, facts=(old,), document=memo(["facts"], {}, about="team"))
    for seed in range(12):
        writer = Writer(pack, graph, random.Random(seed))
        draft = compose(replace(plan, seed=seed), writer)
        later = revised(draft, "d1r", date(2025, 10, 1), {old.fact_id: new}, writer)
        clean = flatten(later)
        quotes = [clean.text[s.start : s.end] for s in clean.evidence]
        assert [s.label for s in clean.evidence] == [new.fact_id]
        assert all(new.value in quote and team.name in quote and old.value not in quote for quote in quotes)
        assert later.meta["revision"] == "B"


def test_one_scene_means_one_thing_by_a_slot(pack: Pack, graph: FactGraph, incident: Plan):
    scene = Scene(pack, graph, incident.about, incident.day, random.Random(2))
    site = graph.history(incident.about.entity_id, "incident.site")[0].value
    writer = Writer(pack, graph, random.Random(2))
    assert writer.render("at {site} and {site}, {author.first}", scene).text.startswith(f"At {site} and {site}, ")
    one, other = scene.thing("part"), scene.thing("part2")
    assert one is not other


def test_file_names_are_safe():
    assert slug("Älg / re:port v2 .") == "Alg-re-port-v2"
    assert slug("…") == "document"
