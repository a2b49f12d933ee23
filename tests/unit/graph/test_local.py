"""The graph that a tuned model reads: lines become tables, whatever the lines are."""

from labkit.graph.local import LocalExtractor
from labkit.schema import ChatReply, Chunk

SITE, DOWNTIME = "INC-7942 | incident.site | Marlow Quay", "INC-7942 | incident.downtime | 35 minutes"
TEXT = "INC-7942 happened at Marlow Quay. It lasted 35 minutes."


class Lists:
    name = "extract"

    def __init__(self, *replies):
        self.replies, self.seen = list(replies), []

    def chat(self, messages, *, max_tokens=64, ctx):
        self.seen.append(messages[-1]["content"])
        return ChatReply(text=self.replies.pop(0))


def chunk(text, *heading):
    return Chunk(
        chunk_id=text, doc_id=text, source_path="a.md", ordinal=0, text=text, start=0, end=len(text), tokens=1,
        content_hash=text, heading_path=heading,
    )  # fmt: skip


def extracted(*pairs):
    chat = Lists(*(reply for _, replies in pairs for reply in replies))
    return LocalExtractor(chat, progress=False).extract([chunk for chunk, _ in pairs]), chat


def test_lines_become_entities_mentions_and_statements():
    found, chat = extracted((chunk(TEXT, "Ticket"), [SITE, DOWNTIME]))
    assert chat.seen == ["Ticket: INC-7942 happened at Marlow Quay.", "Ticket: It lasted 35 minutes."]
    assert found.extractor == "local"
    assert [entity.entity_id for entity in found.entities] == ["incident:INC-7942", "site:Marlow Quay"]
    assert {TEXT[m.start : m.end] for m in found.mentions} == {"INC-7942", "Marlow Quay"}
    site, downtime = found.statements
    assert (site.object_id, site.value) == ("site:Marlow Quay", "Marlow Quay")
    assert TEXT[site.start : site.end] == "INC-7942 happened at Marlow Quay."
    assert (downtime.object_id, downtime.value, downtime.number, downtime.unit) == ("", "35 minutes", 35, "minutes")


def test_a_name_that_only_the_title_holds_is_no_mention_in_the_text():
    found, _ = extracted((chunk("It lasted 35 minutes.", "INC-7942"), [DOWNTIME]))
    assert found.mentions == []
    assert [entity.entity_id for entity in found.entities] == ["incident:INC-7942"]
    assert len(found.statements) == 1


def test_relations_that_nobody_records_are_counted_and_left_out():
    found, _ = extracted((chunk(TEXT), ["INC-7942 | incident.colour | red\nnonsense", ""]))
    assert found.statements == []
    assert found.problems["relation that is not in the data dictionary"] == 1


def test_a_fact_said_twice_counts_once_and_headings_are_not_read():
    text = "# INC-7942\n\nINC-7942 lasted 35 minutes.\n\nDowntime of INC-7942: 35 minutes."
    found, chat = extracted((chunk(text, "INC-7942"), [DOWNTIME, DOWNTIME]))
    assert [text[one.start : one.end] for one in found.statements] == ["INC-7942 lasted 35 minutes."]
    assert len(chat.seen) == 2


def test_nothing_said_nothing_found():
    found, _ = extracted((chunk("It rains and snows."), [""]))
    assert (found.entities, found.mentions, found.statements) == ([], [], [])
