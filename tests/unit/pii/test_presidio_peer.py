"""Presidio's pattern recognizers as a peer: what they validate with a checksum, we find too."""

from __future__ import annotations

import pytest

from labkit.pii import find

recognizers = pytest.importorskip("presidio_analyzer.predefined_recognizers")

TEXTS = [
    "Refund to IBAN GB29NWBK60161331926819 please",
    "Refund to IBAN CH9300762011623852957 please",
    "Charged to 4111 1111 1111 1111 in May",
    "Charged to 5500-0000-0000-0004 in May",
    "Charged to 4111 1111 1111 1112 in May",
    "Server 203.0.113.9 answered",
]


@pytest.mark.parametrize(
    ("recognizer", "entity", "kind"),
    [
        ("IbanRecognizer", "IBAN_CODE", "iban"),
        ("CreditCardRecognizer", "CREDIT_CARD", "card"),
        ("IpRecognizer", "IP_ADDRESS", "ip"),
    ],
)
def test_the_same_values_are_found(recognizer: str, entity: str, kind: str) -> None:
    peer = getattr(recognizers, recognizer)()
    for text in TEXTS:
        theirs = {text[hit.start : hit.end] for hit in peer.analyze(text, [entity], None)}
        ours = {text[hit.start : hit.end] for hit in find([text]) if hit.kind == kind}
        assert ours == theirs
