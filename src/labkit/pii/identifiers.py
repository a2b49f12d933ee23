"""Structured personal data: addresses of mail, phones, accounts, cards, machines; identity numbers and birth dates.

Patterns propose, checksums and the words before decide. Every pattern is bounded and starts where a number starts, so
time grows with the length of the text whatever the text is. Shapes after RFC 5321 (mail), E.164 and national numbering
plans (phones), ISO 13616 (IBAN), ISO/IEC 7812 (cards), RFC 4291 (IPv6). Presidio's recognizers know fewer countries and
cost several times as much per text; the tests compare the two. This module does not know who somebody is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from labkit.pii import checksums
from labkit.pii.national import NATIONAL
from labkit.pii.spans import Kind, Mark

_MAIL = re.compile(r"(?<=[\w+-])@(?=((?:[^\W_][\w-]{0,62}\.){1,8}[^\W\d_][\w-]{0,22}[^\W_]))")
_LOCAL = re.compile(r"[\w.+'&=~-]{1,64}\Z")
_FUNCTION_WORDS = """
abuse accounting accounts admin alerts all billing board bot careers compliance contact customercare desk
dispatch donotreply everyone feedback finance helpdesk help hello hostmaster hr info invoice invoices it jobs
legal list logistics mail mailer-daemon marketing media news newsletter no-reply noreply notifications office
ops orders payments postmaster press privacy procurement purchasing quality reception root sales security
service shipping spam staff support system team tickets undisclosed-recipients users warehouse webmaster
"""
_FUNCTIONS = frozenset(_FUNCTION_WORDS.split())
_LISTS = frozenset(("announce", "dev", "devel", "discuss", "group", "list", "sig", "support", "team", "users"))
"""Mailboxes of a function, not of a person (RFC 2142 and common practice)."""

_DIGITS = re.compile(r"\d(?:\d{39,}|(?:[ .\u00a0\u202f()/-]{0,3}\d){5}|\d{0,2}\.\d{1,3}\.\d{1,3}\.\d)")
_GROUPS = re.compile(r":(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:])")
_LETTERS_FIRST = re.compile(r"[A-Z]{6}\d\d[A-Z]")
"""What every number below holds: six digits close to each other or four with dots, hexadecimal groups, or six capitals.

Each pattern begins with one kind of character, which the engine skips to. Runs of digits that are too long for anything
are passed over.
"""
_TOO_LONG = 40
_LEAD, _TRAIL = 24, 48
_SPACE = re.compile(r"\s")

_IBAN = re.compile(
    r"(?<!\w)[A-Z]{2}\d\d(?:[ \u00a0\u202f-]?[A-Z0-9]){11,30}(?!\w)|(?<!\w)[A-Z]{2}\d\d(?=[ \u00a0\u202f-]?[A-Z0-9])"
)
_CARD = re.compile(r"(?<![\w.,-])\d(?:[ \u00a0\u202f-]?\d){12,18}(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w/-]|\.\w)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:|::)(?:[0-9A-Fa-f]{0,4}:){0,7}[0-9A-Fa-f]{0,4}(?![\w:/])")

_PHONE = re.compile(
    r"""(?<![\w+.,/-]) (?:
      (?:\+|00)[ ]?[1-9]\d{0,2} (?:[ .\u00a0\u202f/-]{0,2}(?:\(\d{1,5}\)|\d{1,5})){2,6}  # international
    | \(0\d{1,5}\)[ ]?[ /-]?[ ]?\d{2,8}(?:[ .-]\d{2,5}){0,4}                          # (01632) 960 123
    | 0\d{1,5}[ ]?[ ./-][ ]?\d{2,8}(?:[ .-]\d{2,5}){0,4}                              # 030-1234567, 06 12 34 56 78
    | (?:1[ .-])?(?:\([2-9]\d\d\)[ ]?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}              # 202-555-0123
    | 0[1-9]\d{8,9}                                                                   # 07700900123
    ) (?![\w-]|[.,/]\d)""",
    re.VERBOSE,
)
_CALLS = re.compile(
    r"(?i)\b(?:phones?|tel|fax|mobiles?|mob|cell|call(?:s|ed|ing)?|rings?|rang|dial|handy|telefon\w*|tél|gsm|whatsapp|sms"
    r"|texts?|reach\w*|hotline|direct|switchboard|extension|numbers?|contact|portable|rufnummer|mobiel|móvil)\b[^\n]{0,30}\Z"
)
_COUNTED = re.compile(
    r"(?i)\b(?:parts?|serials?|s/?n|p/?n|items?|orders?|invoices?|lots?|batch|art(?:icle)?|ref(?:erence)?|skus?|eans?|gtin|"
    r"tickets?|drawing|catalogue?|model|asset|case|docket|isbn|doi|version|rev)\b[\s.:#no]{0,8}\Z"
)

_NUMBERED = re.compile(
    r"(?i)(?:\b(?:v|ver|version|release[ds]?|rev|revision|firmware|build|sections?|sec|chapters?|clauses?|paragraphs?|para|"
    r"steps?|items?|figure|fig|table|annex|upgrade[ds]? to|update[ds]? to|python|tag)\b[\s.:#]{0,3}|[§v])\Z"
)
_MACHINE = re.compile(
    r"(?i)\b(?:ip(?:v4)?|address(?:es)?|hosts?|ping(?:ed)?|log(?:ged)?[ -]?ins?|gateway|server|client|dns|ntp|vpn|ssh"
    r"|port|from|peer|node|subnet|proxy|https?:/)\b[^\n]{0,24}\Z"
)
_CONTEXT = 48
"""Characters before a number in which the words that explain it are looked for."""

_BORN_STEMS = (
    *("born", "birth", "dob", "d.o.b", "geb", "naiss", "née", "né ", "nacid", "nacim", "nata ", "nato ", "nasc"),
    *("född", "født", "fødsel", "synty", "urodz", "passport", "ausweis", "id card", "identity card"),
)
_BORN = re.compile(
    r"(?i)\b(?:born|births?|birthdays?|birthdate|dob|d\.o\.b|geb|geboren\w*|geburts\w+|geboorte\w*|naissance|née?|nacid[oa]"
    r"|nacimiento|nat[oa]|nascita|nascid[oa]|född|født|fødselsdag|fødselsdato|syntynyt|urodzon[ya]"
    r"|passports?|(?:personal)?ausweis|(?:id|identity) card)\b"
)
_BIRTH_REACH = 110
_NOT_BORN = re.compile(r"(?i)[.!?]\s|\n|\b(?:valid|expir\w+|issued?|until|renew\w*|gültig|ausgestellt)\b")
_DATE = re.compile(
    r"(?<![\w.-])(?:(\d{1,2})[ ]?[./-][ ]?(\d{1,2})[ ]?[./-][ ]?(\d{4}|\d\d)|(\d{4})[./-](\d{1,2})[./-](\d{1,2})"
    r"|\d{1,2}(?:st|nd|rd|th|\.)? (?:of |de )?[^\W\d_]{3,10}\.?,? \d{4}"
    r"|[^\W\d_]{3,10}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4})(?![\w-])"
)


def identifiers(text: str) -> Iterator[Mark]:
    """Everything below, the strongest evidence first: where two overlap the earlier one is right."""
    if "@" in text:
        yield from emails(text)
    windows = list(numbers(text))
    for finder in (ibans, national_ids, cards, ip_addresses, phones):
        for start, end in windows:
            yield from finder(text, start, end)
    yield from birthdates(text)


def numbers(text: str) -> Iterator[tuple[int, int]]:
    """Stretches of text that could hold one of the numbers below, so that the patterns need not read the rest."""
    found = [m.span() for pattern in (_DIGITS, _GROUPS, _LETTERS_FIRST) for m in pattern.finditer(text)]
    start = end = -1
    for first, last in sorted(found):
        if last - first >= _TOO_LONG:
            continue
        if first - _LEAD > end:
            if end > 0:
                yield start, end
            start = max(0, first - _LEAD)
        end = max(end, _end_of_word(text, last + _TRAIL))
    if end > 0:
        yield start, end


def _end_of_word(text: str, position: int) -> int:
    match = _SPACE.search(text, min(position, len(text)), min(position + _TRAIL, len(text)))
    return match.start() if match else min(position, len(text))


def is_function(address: str) -> bool:
    """A mailbox of a function (support@…), which is no personal data."""
    local = address.partition("@")[0].lower()
    parts = re.split(r"[.+_-]", local)
    return local in _FUNCTIONS or parts[0] in _FUNCTIONS or parts[-1] in _LISTS


def emails(text: str) -> Iterator[Mark]:
    """Mail addresses of persons."""
    for match in _MAIL.finditer(text):
        local = _LOCAL.search(text[max(0, match.start() - 64) : match.start()])
        if local is None:
            continue
        start = match.start() - len(local[0].lstrip(".'-&=~"))
        if start < match.start() and not is_function(text[start : match.start()]):
            yield Mark(start, match.end(1), "email")


def ibans(text: str, lo: int, hi: int) -> Iterator[Mark]:
    """Account numbers of any country whose check digits agree."""
    for match in _IBAN.finditer(text, lo, hi):
        end, number = _characters(text, match.start(), checksums.iban_length(match[0][:2]))
        if number and checksums.iban(number):
            yield Mark(match.start(), end, "iban")


def cards(text: str, lo: int, hi: int) -> Iterator[Mark]:
    """Payment cards: an issuer's range and the Luhn check."""
    for match in _CARD.finditer(text, lo, hi):
        digits = _bare(match[0])
        if checksums.card(digits) and not _COUNTED.search(_before(text, match.start())):
            yield _mark(match, "card")


def ip_addresses(text: str, lo: int, hi: int) -> Iterator[Mark]:
    """Addresses of machines, version 4 and 6, that could lead to somebody."""
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text, lo, hi):
            try:
                address = ipaddress.ip_address(match[0])
            except ValueError:
                continue
            if address.is_loopback or address.is_unspecified or address.is_multicast or match[0].startswith("255."):
                continue  # the same on every machine: nobody's
            if (address.version == 6 and len(re.findall(r"\w+", match[0])) > 2) or (
                address.version == 4 and _looks_assigned(text, match)
            ):
                yield _mark(match, "ip")


def _looks_assigned(text: str, match: re.Match[str]) -> bool:
    """Four small numbers are a clause or a version unless the words before say otherwise."""
    before = _before(text, match.start())
    if _NUMBERED.search(before):
        return False
    return any(int(part) >= 100 for part in match[0].split(".")) or bool(_MACHINE.search(before))


def phones(text: str, lo: int, hi: int) -> Iterator[Mark]:
    """Phone numbers: international, with a trunk zero, and of the North American plan."""
    for match in _PHONE.finditer(text, lo, hi):
        digits = re.sub(r"\D", "", match[0])
        before = _before(text, match.start())
        international = match[0][0] == "+" or (match[0].startswith("00") and bool(_CALLS.search(before)))
        if international:
            valid = 8 <= len(digits.removeprefix("00")) <= 15
        elif match[0].isdigit():
            valid = bool(_CALLS.search(before))
        else:
            valid = 9 <= len(digits) <= 12 and not digits.startswith("00")
        if valid and not _COUNTED.search(before):
            yield _mark(match, "phone")


def national_ids(text: str, lo: int, hi: int) -> Iterator[Mark]:
    """Identity, insurance and tax numbers; those without letters or a distinctive shape only where words say so."""
    for pattern, check, words in NATIONAL:
        for match in pattern.finditer(text, lo, hi):
            before = _before(text, match.start())
            if (words is None or words.search(before)) and not _COUNTED.search(before) and check(match[0]):
                yield _mark(match, "national_id")


def birthdates(text: str) -> Iterator[Mark]:
    """Dates of the sentence that speaks of somebody's birth or shows their papers."""
    lower = text.lower()
    if not any(stem in lower for stem in _BORN_STEMS):
        return
    for word in _BORN.finditer(text):
        reach = text[word.end() : word.end() + _BIRTH_REACH]
        for match in _DATE.finditer(reach):
            between = reach[: match.start()].removeprefix("." if word[0].lower() == "geb" else "")
            if _NOT_BORN.search(between):
                break
            if _plausible(match):
                yield Mark(word.end() + match.start(), word.end() + match.end(), "birthdate")
                break


def _plausible(match: re.Match[str]) -> bool:
    day, month, year, *turned = match.groups()
    if turned[0]:
        return checksums.real_date(int(turned[2]), int(turned[1]), int(turned[0]))
    if not day:
        return True  # the month is a word
    full = int(year) + (1900 if len(year) == 2 else 0)
    return checksums.real_date(int(day), int(month), full) or checksums.real_date(int(month), int(day), full)


def _before(text: str, start: int) -> str:
    return text[max(0, start - _CONTEXT) : start]


def _bare(number: str) -> str:
    return "".join(c for c in number if c.isalnum())


def _characters(text: str, start: int, count: int) -> tuple[int, str]:
    """The next ``count`` letters and digits, single spaces skipped, and where they end; '' where a word goes on."""
    found: list[str] = []
    position = start
    while len(found) < count and position < len(text):
        if text[position].isalnum():
            found.append(text[position])
        elif text[position] not in " \u00a0\u202f-":
            break
        position += 1
    goes_on = position < len(text) and text[position].isalnum()
    return position, "" if len(found) < count or goes_on else "".join(found)


def _mark(match: re.Match[str], kind: Kind) -> Mark:
    return Mark(match.start(), match.end(), kind)
