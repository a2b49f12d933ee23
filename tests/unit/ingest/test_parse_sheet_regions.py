"""Sheets as people make them: titles, notes and several tables without a blank row between them."""

import pytest

from labkit.ingest.parse import parse
from labkit.ingest.parse.tables import names_columns


def texts(content: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parse("csv", content).blocks]


def test_title_form_note_and_table() -> None:
    content = "Price list,,\nNumber,PL-7\nIssue,C\nPrices are net and hold until the next list is out.\nItems\n"
    content += 'Part,Qty,Price\nBolt,4,"1,50"\nNut,9,2\n'
    assert texts(content) == [
        ("heading", "Price list"),
        ("table", "Number: PL-7\nIssue: C"),
        ("paragraph", "Prices are net and hold until the next list is out."),
        ("heading", "Items"),
        ("table", "Part: Bolt | Qty: 4 | Price: 1,50\nPart: Nut | Qty: 9 | Price: 2"),
    ]


def test_a_group_name_keeps_the_header_above_it() -> None:
    content = "Part,Qty,Bin\nBolt,4,A\nSteel,,\nNut,9,B\n"
    assert texts(content)[1:] == [("heading", "Steel"), ("table", "Part: Nut | Qty: 9 | Bin: B")]


def test_a_second_header_begins_another_table() -> None:
    content = "Part,Price\nBolt,1.50\nNut,2.00\nSupplier,Terms\nAcme,30 days\nBeta,60 days\n"
    assert texts(content) == [
        ("table", "Part: Bolt | Price: 1.50\nPart: Nut | Price: 2.00"),
        ("table", "Supplier: Acme | Terms: 30 days\nSupplier: Beta | Terms: 60 days"),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_the_rows_agree_on(separator: str) -> None:
    rows = [["Part", "Note", "Qty"], ["Bolt", '"wet, cold; dark"', "4"], ["Nut", "dry", "9"]]
    content = "\n".join(separator.join(row) for row in rows)
    assert texts(content) == [("table", "Part: Bolt | Note: wet, cold; dark | Qty: 4\nPart: Nut | Note: dry | Qty: 9")]


def test_what_names_columns() -> None:
    assert names_columns([["Part", "Price"], ["Bolt", "1.50 EUR"], ["Nut", "2.00 EUR"]])
    assert not names_columns([["Team", "Facilities"], ["Floor", "second"], ["Desk", "417"]])
    assert names_columns([["", "May", "June"], ["Oslo", "4", "5"]])
    assert not names_columns([["Bolt", "4", "5"], ["Nut", "9", "1"]])
