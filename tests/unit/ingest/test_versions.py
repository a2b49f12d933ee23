"""Chains of versions, from statements, numbers and titles."""

from datetime import date

import pytest

from labkit.ingest.label import stated_links, stated_number, stated_version
from labkit.ingest.reading import Card
from labkit.ingest.versions import Edition, Replaced, find_replaced


def edition(path: str, tenant: str = "t", **card: object) -> Edition:
    return Edition(path, tenant, Card(**{"title": "Manual", **card}))  # type: ignore[arg-type]


def test_a_later_revision_replaces_and_ends_the_earlier() -> None:
    found = find_replaced(
        [
            edition("b", number="MA-1", version="B", valid_from=date(2025, 5, 1)),
            edition("a", number="MA-1", version="A", valid_from=date(2024, 1, 1)),
            edition("c", number="MA-1", version="C", valid_from=date(2025, 9, 1)),
            edition("x", number="MA-2", version="A", valid_from=date(2025, 9, 1)),
        ]
    )
    assert found == {"a": Replaced("b", date(2025, 5, 1)), "b": Replaced("c", date(2025, 9, 1))}


def test_versions_are_ordered_as_people_count() -> None:
    found = find_replaced([edition(v, number="S-1", version=v) for v in ("1.10", "1.9", "1.2")])
    assert {old: new.by for old, new in found.items()} == {"1.2": "1.9", "1.9": "1.10"}


def test_titles_make_a_chain_within_one_folder_only() -> None:
    found = find_replaced(
        [
            edition("docs/guide1.md", title="Guide, version 1", version="1"),
            edition("docs/guide2.md", title="Guide, version 2", version="2"),
            edition("other/guide3.md", title="Guide, version 3", version="3"),
        ]
    )
    assert {old: new.by for old, new in found.items()} == {"docs/guide1.md": "docs/guide2.md"}


def test_what_documents_say_counts_first() -> None:
    newer = edition("p3008", number="3008", title="New style", replaces=("0008",))
    found = find_replaced([edition("p8", number="8", title="Style"), newer])
    assert found["p8"].by == "p3008"
    found = find_replaced([edition("old", number="12", replaced_by=("13",)), edition("new", number="PEP 13")])
    assert not found, "PEP 13 and 13 are different numbers unless written alike"
    found = find_replaced([edition("old", number="12", replaced_by=("13",)), edition("new", number="13", title="T")])
    assert found["old"].by == "new"


def test_statements_in_a_circle_replace_nothing() -> None:
    found = find_replaced([edition("a", number="1", replaced_by=("2",)), edition("b", number="2", replaced_by=("1",))])
    assert found == {}


def test_two_documents_of_one_version_do_not_replace_each_other() -> None:
    assert find_replaced([edition("a", number="R-1", version="A"), edition("b", number="R-1", version="A")]) == {}


def test_tenants_do_not_mix() -> None:
    one, other = edition("a", "one", number="R-1", version="A"), edition("b", "two", number="R-1", version="B")
    assert find_replaced([one, other]) == {}


def test_a_stated_end_holds_and_a_day_before_the_start_is_not_believed() -> None:
    early = find_replaced(
        [
            edition("a", number="R-1", version="A", valid_from=date(2024, 1, 1), valid_to=date(2024, 6, 1)),
            edition("b", number="R-1", version="B", valid_from=date(2025, 1, 1)),
        ]
    )
    assert early["a"].valid_to == date(2024, 6, 1)
    wrong = find_replaced(
        [
            edition("a", number="R-1", version="A", valid_from=date(2025, 1, 1)),
            edition("b", number="R-1", version="B", valid_from=date(2024, 1, 1)),
        ]
    )
    assert wrong["a"] == Replaced("b", None)


@pytest.mark.parametrize(
    ("title", "text", "metadata", "number", "version"),
    [
        ("Pump guide, issue 7", "Pump guide, issue 7\n\n- Document: MA-7345\n- Revision: A\n", {}, "MA-7345", "A"),
        ("Sheet", "Sheet\n\nDocument: TO-94 Revision: B Effective: 2024-11-20\nTorque 12", {}, "TO-94", "B"),
        ("Sheet", "Document No.: QP/12-3 | Rev.: 2.1", {}, "QP/12-3", "2.1"),
        ("PEP 8", "Style guide", {"pep": "8", "version": "$Revision$"}, "8", ""),
        ("Notes", "Document: see the attachment\nRevision: pending", {}, "", ""),
        ("Install Python version 3", "It needs version 3.12 of Python.", {}, "", "3"),
    ],
)
def test_number_and_version_are_read_from_labels_first(
    title: str, text: str, metadata: dict[str, str], number: str, version: str
) -> None:
    assert stated_number(text, metadata) == number
    assert stated_version(title, text, metadata) == version


def test_links_are_read_from_fields() -> None:
    assert stated_links({"replaces": "245, 246", "superseded-by": "PEP 544"}) == (("245", "246"), ("544",))
