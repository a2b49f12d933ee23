"""Structured identifiers: what must be found, and what only looks like it."""

from __future__ import annotations

import pytest

from labkit.pii import find


def found(text: str, kind: str = "") -> list[str]:
    return [text[hit.start : hit.end] for hit in find([text]) if (hit.kind == kind if kind else hit.kind != "person")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("write to ann.lee@mill-co.example.org.", "ann.lee@mill-co.example.org"),
        ("<o'brien+parts@shop.example>", "o'brien+parts@shop.example"),
        ("(jörg.müller@firma.example)", "jörg.müller@firma.example"),
        ("mailto:x_y@a.b.example", "x_y@a.b.example"),
    ],
)
def test_addresses_of_mail(text: str, value: str) -> None:
    assert found(text, "email") == [value]


@pytest.mark.parametrize(
    "text",
    [
        "support@firm.example answers at night",
        "no-reply@firm.example",
        "sent to line-dev@firm.example",
        "torque @ 12 Nm",
        "user@localhost",
        "@mention and @@ -1,3 +1,4 @@",
        "a@b",
    ],
)
def test_mailboxes_of_functions_and_bare_signs_are_nobody(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "number",
    [
        "+44 20 7946 0958", "+44 (0)20 7946 0958", "(020) 7946 0958", "01632 960123", "07700 900 123",
        "+1 202-555-0143",
        "(202) 555-0143", "202.555.0143", "1-202-555-0143", "+49 30 901820-123", "030/90182012", "0151 23456789",
        "+33 1 23 45 67 89", "01 23 45 67 89", "06.12.34.56.78", "+31 20 123 4567", "020-1234567", "06-12345678",
        "+48 22 123 45 67", "+358 40 1234567", "0031 20 123 4567",
    ],
)  # fmt: skip
def test_phones(number: str) -> None:
    text = f"Please call {number} before ten."
    assert found(text) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "Serial no. 0151 23456789 was swapped",
        "Part 202-555-0143 fits",
        "on 02.05.2024 at 10:30",
        "2024-11-03 2024-11-04",
        "torque 12.5-13.5 Nm, 3x4x5 mm",
        "lot 0601 217 100",
        "ticket INC-20240511-0099",
        "range 0.1234567",
        "1,000,000 or 12 345 678 EUR",
        "EAN 4006381333931",
        "ext. 4471",
    ],
)
def test_other_numbers_are_no_identifiers(text: str) -> None:
    assert found(text) == []


def test_a_bracket_after_a_phone_number_stays_outside() -> None:
    assert found("he (call +44 7700 900123) said") == ["+44 7700 900123"]


@pytest.mark.parametrize(
    "number",
    [
        "DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "FR14 2004 1010 0505 0001 3M02 606",
        "NL91ABNA0417164300", "NO93 8601 1117 947", "CH93 0076 2011 6238 5295 7",
        "PL61 1090 1014 0000 0712 1981 2874", "MT84MALT011000012345MTLCAST001S",
    ],
)  # fmt: skip
def test_ibans_of_any_country(number: str) -> None:
    assert found(f"Pay to {number} THE SUM DUE", "iban") == [number]


def test_an_iban_with_a_wrong_digit_is_none() -> None:
    assert found("Pay to DE89 3704 0044 0532 0130 01 today", "iban") == []


@pytest.mark.parametrize(
    "number", ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005", "6011111111111117"]
)
def test_cards(number: str) -> None:
    assert found(f"card {number}, valid", "card") == [number]


@pytest.mark.parametrize("number", ["4111 1111 1111 1112", "0000 0000 0000 0000", "1234567812345670"])
def test_digits_without_issuer_or_checksum_are_no_card(number: str) -> None:
    assert found(f"counter {number} reset", "card") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("from IP 10.20.30.40 at noon", "10.20.30.40"),
        ("logged in from 203.0.113.7.", "203.0.113.7"),
        ("upload (198.51.100.23) deleted", "198.51.100.23"),
        ("ping 2001:db8::8a2e:370:7334 ok", "2001:db8::8a2e:370:7334"),
        ("host fe80:0:0:0:202:b3ff:fe1e:8329", "fe80:0:0:0:202:b3ff:fe1e:8329"),
    ],
)
def test_addresses_of_machines(text: str, value: str) -> None:
    assert found(text) == [value]


@pytest.mark.parametrize(
    "text",
    [
        "see section 1.2.3.4 for torque",
        "version 10.0.19.1 fixes it",
        "TideOS v192.168.2.1",
        "127.0.0.1 and 0.0.0.0 and 255.255.255.0",
        "allow 10.0.0.0/8",
        "1.2.3.4.5 and 300.1.1.1",
        "at 12:30:45 or 07:15",
        "std::vector and a::b",
        "1.1.2.3 Remove the cover",
    ],
)
def test_versions_clauses_and_times_are_no_machines(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("insurance number QQ 12 34 56 C", "QQ 12 34 56 C"),
        ("NI number AB123456C", "AB123456C"),
        ("SSN 219-09-9999", "219-09-9999"),
        ("numéro 2 55 08 14 168 025 38", "2 55 08 14 168 025 38"),
        ("DNI 12345678Z", "12345678Z"),
        ("codice fiscale RSSMRA85T10A562S", "RSSMRA85T10A562S"),
        ("AHV 756.9217.0769.85", "756.9217.0769.85"),
        ("HETU 131052-308T", "131052-308T"),
        ("personnummer 811228-9874", "811228-9874"),
        ("PESEL: 44051401359", "44051401359"),
        ("BSN 111222333", "111222333"),
        ("Steuer-ID 86 095 742 719", "86 095 742 719"),
        ("passport no. C01234567", "C01234567"),
    ],
)
def test_national_numbers(text: str, value: str) -> None:
    assert found(text, "national_id") == [value]


@pytest.mark.parametrize(
    "text",
    [
        "order 44051401359",
        "SSN 000-12-3456",
        "DNI 12345678A",
        "drawing 219-09-9999",
        "code RSSMRA85T10A562X",
        "ZZ 12 34 56 C",
    ],
)
def test_numbers_that_fail_their_country(text: str) -> None:
    assert found(text, "national_id") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("born 3.4.1975 in Ghent", "3.4.1975"),
        ("Date of birth: 1975-04-03", "1975-04-03"),
        ("her birthday, 3 April 1975, was", "3 April 1975"),
        ("geb. 03.04.75", "03.04.75"),
        ("né le 03/04/1975", "03/04/1975"),
        ("a copy of the passport of the driver (03.04.1975)", "03.04.1975"),
    ],
)
def test_birth_dates(text: str, value: str) -> None:
    assert found(text, "birthdate") == [value]


@pytest.mark.parametrize(
    "text",
    [
        "released 3.4.2025",
        "The idea was born. Shipped 3.4.2025",
        "the passport expires 03.04.2031",
        "born leaders\n3.4.2025",
        "born 45.13.1975",
    ],
)
def test_other_dates_stay(text: str) -> None:
    assert found(text, "birthdate") == []
