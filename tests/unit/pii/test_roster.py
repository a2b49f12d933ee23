"""Who belongs to the organisation: evidence of documents, put together in any order."""

from __future__ import annotations

import itertools

import pytest

from labkit.pii import Evidence, Policy, Roster, people_evidence

HEAD = "From: Ana Brkić <ana.brkic@kiln.example>\nTo: Joe Pratt <j.pratt@buyer.example>"
MAIL = ["Re: hoist", HEAD, "Dear Joe, done."]


def test_evidence_joins_names_and_addresses_in_usual_forms() -> None:
    evidence = people_evidence(MAIL, {"author": "Lena Ott"})
    assert ("ana brkic", "kiln.example") in evidence.addressed
    assert ("joe pratt", "buyer.example") in evidence.addressed
    assert evidence.authors == ("lena ott",)
    assert evidence.domains == ("buyer.example", "kiln.example")


def test_evidence_survives_json() -> None:
    evidence = people_evidence(MAIL, {"from": "Ana Brkić <ana.brkic@kiln.example>"})
    assert Evidence.model_validate_json(evidence.model_dump_json(exclude_defaults=True)) == evidence


def test_a_sender_in_the_properties_counts_with_its_address() -> None:
    evidence = people_evidence(["Offer", "As agreed."], {"from": '"Pratt, Joe" <joe.pratt@buyer.example>'})
    assert ("joe pratt", "buyer.example") in evidence.addressed
    assert evidence.senders == ("buyer.example",)


def test_staff_are_own_addresses_and_authors_without_another() -> None:
    roster = Roster(
        [
            Evidence(
                addressed=(("ana brkic", "kiln.example"), ("joe pratt", "buyer.example")), domains=("kiln.example",)
            ),
            Evidence(authors=("lena ott", "joe pratt"), domains=("kiln.example", "buyer.example")),
        ]
    )
    assert roster.own_domains == {"kiln.example"}
    assert roster.is_staff("Ana BRKIĆ")
    assert roster.is_staff("Lena Ott")
    assert not roster.is_staff("Joe Pratt")
    assert not roster.is_staff("Ana")
    assert roster.staff_called(["ana"]) == ["ana brkic"]


def test_an_office_in_several_documents_makes_a_colleague_unless_an_address_says_otherwise() -> None:
    report = people_evidence(["Report", "Resolved by: Vera Lindgren\nCause: a worn belt"], {})
    sheet = people_evidence(["Sheet", "Account manager: Vera Lindgren, ext. 12"], {})
    assert report.offices == sheet.offices == ("vera lindgren",)
    assert not Roster([report]).is_staff("Vera Lindgren")
    assert Roster([report, sheet]).is_staff("Vera Lindgren")
    outside = Evidence(
        addressed=(("vera lindgren", "buyer.example"),), domains=("buyer.example",), senders=("kiln.example",)
    )
    own = Policy(own_domains=("kiln.example",))
    assert not Roster([report, sheet, outside], own).is_staff("Vera Lindgren")


@pytest.mark.parametrize(
    "line", ["[14:02] Vera Lindgren: ok", "Vera Lindgren (14:02): ok", "Ask Vera Lindgren, ext. 41"]
)
def test_who_writes_in_a_chat_or_has_an_extension(line: str) -> None:
    assert "vera lindgren" in " ".join(people_evidence(["t", line], {}).offices)


@pytest.mark.parametrize("line", ["Contact: Vera Lindgren", "Owner: the night shift", "owned by Vera Lindgren"])
def test_lines_that_name_no_office_holder(line: str) -> None:
    assert people_evidence(["t", line], {}).offices == ()


def test_the_fingerprint_is_of_what_decides() -> None:
    pieces = [people_evidence(MAIL, {"author": "Lena Ott"}), people_evidence(["Note", "Called Joe Pratt."], {})]
    first = Roster(pieces).fingerprint()
    assert Roster(pieces[::-1]).fingerprint() == first
    assert Roster([*pieces, Evidence(authors=("tom berg",))]).fingerprint() != first
    assert Roster([*pieces, people_evidence(["Note", "Joe Pratt again."], {})]).fingerprint() != first


def test_the_policy_overrules_the_majority() -> None:
    evidence = [Evidence(domains=("busy.example",), addressed=(("ana brkic", "kiln.example"),))] * 5
    roster = Roster(evidence, Policy(own_domains=("Kiln.example",)))
    assert roster.is_own("mail.kiln.example")
    assert not roster.is_own("notkiln.example")
    assert roster.is_staff("ana brkic")


def test_a_public_provider_is_nobodys_own_domain() -> None:
    evidence = [Evidence(domains=("gmail.com", "kiln.example")), Evidence(domains=("gmail.com",))]
    assert Roster(evidence).own_domains == {"kiln.example"}
    assert Roster([]).own_domains == frozenset()


def test_the_order_of_documents_does_not_matter() -> None:
    pieces = [
        people_evidence(MAIL, {"author": "Lena Ott"}),
        people_evidence(["Note", "Called Joe Pratt and Ana."], {"creator": "Tom Berg"}),
        people_evidence(["List", "joe.pratt@buyer.example, tom.berg@kiln.example"], {}),
        people_evidence(["Note", "ana.brkic@kiln.example has the key."], {}),
    ]
    rosters = [Roster(order) for order in itertools.permutations(pieces)]
    first = rosters[0]
    for roster in rosters[1:]:
        assert roster.own_domains == first.own_domains
        assert roster.seen == first.seen
        assert roster.words == first.words
        assert [roster.is_staff(name) for name in ("Joe Pratt", "Tom Berg", "Lena Ott")] == [False, True, True]


@pytest.mark.parametrize("author", ["Administrator", "", "admin", "x" * 5000, "1234 5678", "@@@ <>"])
def test_properties_that_name_nobody(author: str) -> None:
    assert people_evidence(["t"], {"author": author}).authors == ()
