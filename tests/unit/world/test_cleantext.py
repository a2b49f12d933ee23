"""The clean text: headers of mails, tables, and whom the stories name."""

import email
from datetime import date

import pytest

from labkit.world.arcs import Cast, add_arcs, arc_drafts
from labkit.world.blocks import Draft, Look, Message, Paragraph, Run, Table, plain, sentences
from labkit.world.cleantext import CleanText, flatten
from labkit.world.company import build_company
from labkit.world.formats import render
from labkit.world.pack import Pack


def draft(format_name: str, *blocks, **meta: str) -> Draft:
    return Draft("d", "note", "core", f"d.{format_name}", format_name, "Title", "Ada Byron", date(2025, 3, 1), blocks,
                 meta=meta)  # fmt: skip


def people(clean: CleanText) -> set[tuple[str, str, str]]:
    return {(clean.text[span.start : span.end], span.label, str(span.action)) for span in clean.pii}


def test_tables_are_marked_from_header_to_last_row():
    table = Table(("Part", "Price"), ((plain("belt"), plain("4 EUR")), (plain("idler"), plain("5 EUR"))))
    clean = flatten(draft("html", Paragraph((plain("Before."),)), table, Paragraph((plain("After."),))))
    assert [clean.text[start:end] for start, end in clean.tables] == ["Part | Price\nbelt | 4 EUR\nidler | 5 EUR"]


def test_one_piece_sent_by_mail_has_the_header_its_file_has():
    flat = draft("eml", Paragraph((plain("Hello."),)))
    clean = flatten(flat)
    mail = email.message_from_bytes(render(flat, Look()))
    assert f"From: {mail['From']}\nTo: {mail['To']}\nDate: 2025-03-01 09:" in clean.text
    assert ("Ada Byron", "person", "keep") in people(clean)
    assert ("staff@tidewaterrobotics.example", "email", "keep") in people(clean)
    assert not any(text == "All staff" for text, _, _ in people(clean))


def test_an_outsider_who_writes_is_to_be_redacted():
    clean = flatten(
        draft("eml", **{"from": "Eva Roth <eva.roth@x.example>", "to": "Desk <desk@tidewaterrobotics.example>"})
    )
    assert {("Eva Roth", "person", "redact"), ("eva.roth@x.example", "email", "redact")} <= people(clean)
    assert ("desk@tidewaterrobotics.example", "email", "keep") in people(clean)


def test_a_quoted_mail_does_not_say_to_whom_it_went():
    def message(name: str, text: str) -> Message:
        return Message(Run(name, "person", "keep"), Run(f"{name}@a"), Run("Receiver"), Run("r@a"), date(2025, 3, 1),
                       "10:00", (Paragraph((plain(text),)),))  # fmt: skip

    clean = flatten(draft("eml", message("Newer", "Second."), message("Older", "First.")))
    assert clean.text.count("Receiver") == 1
    assert "On 2025-03-01 10:00, Older <Older@a> wrote:\n\nFirst." in clean.text


def test_other_formats_get_no_mail_header():
    assert "From:" not in flatten(draft("docx", Paragraph((plain("Hello."),)))).text


def test_a_csv_says_its_date_in_text_and_file():
    flat = draft("csv", Table(("A", "B"), ((plain("1"), plain("2")),)))
    assert "Date: 2025-03-01" in flatten(flat).text
    assert render(flat, Look()).decode().splitlines()[:2] == ["Title", "Date: 2025-03-01"]


@pytest.fixture(scope="module")
def stories(pack: Pack) -> tuple[Cast, list[CleanText]]:
    graph = build_company(pack, seed=3)
    add_arcs(pack, graph)
    return Cast.of(pack, graph), [flatten(found) for found in arc_drafts(pack, graph, {}, seed=3)]


def test_stories_mark_staff_and_outsiders_by_any_of_their_names(stories: tuple[Cast, list[CleanText]]):
    named = set().union(*(people(clean) for clean in stories[1]))
    kept = {text for text, label, action in named if (label, action) == ("person", "keep")}
    redacted = {text for text, label, action in named if (label, action) == ("person", "redact")}
    assert {"Priya Raman", "Priya", "Duarte", "Renske"} <= kept
    assert redacted == {"Sabine Roth", "Solveig Eriksen"}
    assert not kept & stories[0].outsiders


def test_no_name_of_the_cast_is_left_unmarked(pack: Pack):
    graph = build_company(pack, seed=3)
    add_arcs(pack, graph)
    cast = Cast.of(pack, graph)
    for found in arc_drafts(pack, graph, {}, seed=3):
        for sentence in sentences(found.blocks):
            assert not any(cast.names.search(run.text) for run in sentence.runs if not run.pii), sentence.text
