"""What the course relies on, checked over one built world of the ci profile."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.bench.world import evidence_without_answer, repetition
from labkit.evaluate.corpus import read_questions
from labkit.world.build import build_world, read_manifest
from labkit.world.entries import KINDS
from labkit.world.pack import load_pack
from labkit.world.pin import check_pin, read_pins, with_figures
from labkit.world.prose import split_sentences
from labkit.world.questions import Question

DATASETS = Path(__file__).parents[3] / "datasets"
SPLITS = ("train", "dev", "test")
STORY = ("hero", "core")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "ci"
    build_world("ci", 7, out, progress=False)
    return out


def rows(world: Path, name: str) -> list[Row]:
    return [json.loads(line) for line in (world / "truth" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def texts(world: Path) -> dict[str, str]:
    return {row["doc_id"]: row["text"] for row in rows(world, "texts")}


@pytest.fixture(scope="module")
def documents(world: Path) -> dict[str, Row]:
    return {row["doc_id"]: row for row in rows(world, "documents")}


@pytest.fixture(scope="module")
def facts(world: Path) -> list[Row]:
    return rows(world, "facts")


@pytest.fixture(scope="module")
def entities(world: Path) -> dict[str, Row]:
    return {row["entity_id"]: row for row in rows(world, "entities")}


@pytest.fixture(scope="module")
def sentences(texts: dict[str, str]) -> list[tuple[str, str]]:
    return [(doc_id, sentence) for doc_id, text in texts.items() for sentence in split_sentences(text)]


@pytest.fixture(scope="module")
def questions(world: Path) -> list[Question]:
    return [question for split in SPLITS for question in read_questions(world, split)]


def whole(words: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.,-]){re.escape(words)}(?![\w-])", flags)


def together(sentences: list[tuple[str, str]], names: list[str], values: list[str]) -> Iterator[tuple[str, str]]:
    """Sentences that hold one of the names and one of the values."""
    wanted = [whole(value) for value in values]
    for doc_id, sentence in sentences:
        if any(name in sentence for name in names) and any(value.search(sentence) for value in wanted):
            yield doc_id, sentence


# The words


def test_documents_do_not_repeat_each_other(world: Path):
    repeated, total, examples = repetition(world)
    assert total > 3000
    assert repeated <= 0.02 * total, examples[:5]


def test_no_statement_of_another_split_is_used(world: Path, texts: dict[str, str], documents: dict[str, Row]):
    """Long literal stretches of test statements occur in no document of the other pools, and the other way round."""
    stretches: dict[str, set[str]] = defaultdict(set)
    for family in load_pack().families:
        if family.kind == "statement":
            for form in family.forms:
                parts = re.split(r"\{[^}]*\}|\[[^\]]*\]", form)
                stretches[family.split] |= {p.strip() for p in parts if len(p.split()) >= 5 and "[" not in p}
    for split in SPLITS:
        foreign = set().union(*(found for other, found in stretches.items() if other != split)) - stretches[split]
        assert len(foreign) > 50
        said = "\n".join(text for doc_id, text in texts.items() if documents[doc_id]["pool"] == split)
        assert not [stretch for stretch in foreign if stretch in said]


def test_documents_of_a_pool_name_only_entities_of_it(
    texts: dict[str, str], documents: dict[str, Row], entities: dict[str, Row]
):
    named = {e["name"]: e["pool"] for e in entities.values() if e["kind"] in {"site", "product", "part", "incident"}}
    for doc_id, text in texts.items():
        pool = documents[doc_id]["pool"]
        if pool != "core":
            assert not [name for name, other in named.items() if other != pool and name in text], doc_id


# The questions


def test_there_are_enough_single_hop_questions(questions: list[Question]):
    assert sum(q.split == "test" and q.type == "single_hop" for q in questions) >= 800
    assert {q.type for q in questions if q.split == "test"} == {
        "single_hop", "multi_hop", "comparison", "aggregation", "time", "global", "unanswerable", "adversarial",
        "forbidden",
    }  # fmt: skip


def test_questions_of_a_split_name_no_entity_of_another(questions: list[Question], entities: dict[str, Row]):
    named = {whole(e["name"], 0): e["pool"] for e in entities.values()}
    pool_of = {entity_id: e["pool"] for entity_id, e in entities.items()}
    for question in questions:
        said = f"{question.text} {question.value} {question.note}"
        if question.type != "global":
            found = [name for name, pool in named.items() if pool != question.split and name.search(said)]
            assert not found, (question, found)
            subjects = {pool_of[fact.rpartition(".")[0].rpartition(".")[0]] for fact in question.facts}
            assert subjects <= {question.split}
        elif question.split != "test":
            assert question.relation != "global.products_with_most_incidents"


def test_questions_of_a_split_use_families_of_it_alone(questions: list[Question]):
    pack = load_pack()
    shapes: dict[str, set[str]] = defaultdict(set)
    for family in pack.families:
        if family.kind != "statement":
            for form in family.forms:
                longest = max(re.split(r"\{[^}]*\}|\[[^\]]*\]", form), key=len).strip(" ?,.")
                shapes[family.split].add(longest.casefold())
    for split in SPLITS:
        foreign = set().union(*(found for other, found in shapes.items() if other != split)) - shapes[split]
        # Short shapes such as "who leads" stand inside longer ones by chance; whole thoughts do not.
        foreign = {shape for shape in foreign if len(shape.split()) >= 7}
        asked = "\n".join(q.text.casefold() for q in questions if q.split == split)
        assert foreign
        assert not [shape for shape in foreign if shape in asked]


def test_gold_evidence_holds_the_answer(world: Path):
    assert evidence_without_answer(world) == []


def test_stories_have_evidence_for_what_they_ask(world: Path):
    for split in STORY:
        for question in read_questions(world, split):
            if question.value and question.facts:
                assert question.evidence, question


def test_withheld_facts_are_told_by_no_sentence(
    facts: list[Row], entities: dict[str, Row], sentences: list[tuple[str, str]]
):
    withheld = [fact for fact in facts if fact["withheld"]]
    assert len(withheld) > 20
    for fact in withheld:
        subject = entities[fact["subject_id"]]
        told = list(together(sentences, [subject["name"], *subject["aliases"]], [fact["value"], *fact["aliases"]]))
        assert not told, (fact["fact_id"], told[:2])


def test_absent_attributes_are_told_by_no_sentence(
    questions: list[Question], entities: dict[str, Row], sentences: list[tuple[str, str]]
):
    names = sorted((e["name"] for e in entities.values()), key=len, reverse=True)
    words = [(said, set(re.findall(r"[a-z]+", said.casefold()))) for _, said in sentences]
    absent = [q for q in questions if q.note == "never recorded"]
    assert len(absent) > 100
    for question in absent:
        subject = next(name for name in names if name in question.text)
        attribute = set(question.relation.split(".")[2].split("_"))
        told = [said for said, found in words if attribute <= found and subject in said]
        assert not told, (question.text, told[:2])


def test_things_that_do_not_exist_are_named_nowhere(questions: list[Question], texts: dict[str, str]):
    everything = "\n".join(texts.values())
    unknown = [q for q in questions if q.note == "no such thing"]
    assert unknown
    for question in unknown:
        (identifier,) = re.findall(r"\b(?:[A-Z]{1,3}-\d{2,5})\b", question.text)
        assert identifier not in everything, question


def test_secrets_are_told_by_no_sentence_that_staff_may_read(
    facts: list[Row], entities: dict[str, Row], sentences: list[tuple[str, str]], documents: dict[str, Row],
    questions: list[Question],
):  # fmt: skip
    open_ones = [(doc_id, said) for doc_id, said in sentences if "staff" in documents[doc_id]["groups"]]
    secrets = [fact for fact in facts if "staff" not in fact["groups"] and not fact["arc"]]
    assert len(secrets) > 50
    for fact in secrets:
        subject = entities[fact["subject_id"]]
        told = list(together(open_ones, [subject["name"], *subject["aliases"]], [fact["value"], *fact["aliases"]]))
        assert not told, (fact["fact_id"], told[:2])
    assert sum(q.type == "forbidden" for q in questions) > 20


# The truth


def test_evidence_and_personal_data_point_at_their_words(world: Path, texts: dict[str, str], facts: list[Row]):
    by_id = {fact["fact_id"]: fact for fact in facts}
    for span in rows(world, "evidence"):
        fact = by_id[span["fact_id"]]
        quote = texts[span["doc_id"]][span["start"] : span["end"]].casefold()
        if not fact["arc"]:
            assert any(s.casefold() in quote for s in (fact["value"], *fact["aliases"])), (fact["fact_id"], quote)
    for span in rows(world, "pii"):
        assert texts[span["doc_id"]][span["start"] : span["end"]] == span["text"] != ""


def test_every_document_states_only_what_was_true_that_day(documents: dict[str, Row], facts: list[Row]):
    by_id = {fact["fact_id"]: fact for fact in facts}
    for row in documents.values():
        for fact in (by_id[fact_id] for fact_id in row.get("states", ())):
            if not fact["arc"]:
                assert fact["valid_from"] <= row["date"], (row["path"], fact["fact_id"])
                assert fact["valid_to"] is None or row["date"] < fact["valid_to"], (row["path"], fact["fact_id"])


def test_superseded_documents_contradict_the_ones_that_replace_them(documents: dict[str, Row]):
    old = [row for row in documents.values() if row.get("superseded_by") and not row["duplicate_group"].endswith("x")]
    assert len(old) >= 5
    for row in old:
        new = documents[row["superseded_by"]]
        assert new["date"] > row["date"]
        assert new["revision"] > row["revision"]
        assert set(new["states"]) - set(row["states"])


def test_copies_share_a_group_and_exact_ones_their_bytes(documents: dict[str, Row]):
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in documents.values():
        if row["duplicate_group"]:
            groups[row["duplicate_group"]].append(row)
    assert groups
    for group, members in groups.items():
        assert len(members) > 1, group
        exact = [m for m in members if any(d["kind"] == "exact_duplicate" for d in m["defects"])]
        main = next(m for m in members if m["doc_id"] == group)
        assert all(copy["sha256"] == main["sha256"] for copy in exact)


def test_every_kind_of_dirt_is_there(world: Path):
    assert set(read_manifest(world).defects) == set(KINDS)


# The pins


def test_the_ci_world_is_the_pinned_one(world: Path):
    check_pin(read_pins(DATASETS)[-1], world)


def test_the_data_card_shows_this_world(world: Path):
    card = (DATASETS / "README.md").read_text(encoding="utf-8")
    assert with_figures(card, world) == card, "Run `labkit world pin`."
