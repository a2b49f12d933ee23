"""Identity numbers of several countries: shape, check digits, and whether words have to introduce them.

A shape that other numbers share (eleven digits, nine digits) counts only after its own name; one with letters at fixed
places or separators of its own counts wherever its check digits agree. Sources: the issuing authorities' published
formats (HMRC NIM39110, SSA, INSEE, Rijksdienst, BZSt, Agenzia delle Entrate, Skatteverket, DVV, CPR, Skatteetaten …).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from labkit.pii import checksums


class Scheme(NamedTuple):
    """One country's number."""

    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    words: re.Pattern[str] | None
    """What has to stand before it in the same line; None when the shape is its own evidence."""


def _bare(check: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda number: check("".join(c for c in number if c.isalnum()))


def _always(_: str) -> bool:
    return True


def _scheme(pattern: str, check: Callable[[str], bool], words: str = "") -> Scheme:
    context = re.compile(rf"(?i)\b(?:{words})\b[^\n]{{0,30}}\Z") if words else None
    return Scheme(re.compile(rf"(?<![\w-]){pattern}(?![\w-])"), check, context)


NATIONAL: tuple[Scheme, ...] = (
    # United Kingdom. QQ is never issued, but it is what forms and examples print.
    _scheme(r"(?:QQ|(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z])(?: \d\d){3} ?[A-D]", _always),
    _scheme(
        r"(?:QQ|(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z])\d{6} ?[A-D]",
        _always,
        r"nino?|national insurance|insurance|identity|id|ni",
    ),
    _scheme(r"\d{3}-\d\d-\d{4}", _bare(checksums.ssn)),
    _scheme(r"\d{3} ?\d\d ?\d{4}", _bare(checksums.ssn), "ssn|social security"),
    _scheme(r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", _bare(checksums.nir)),
    _scheme(r"(?:\d{8}|[XYZ]-?\d{7})-?[A-Z]", _bare(checksums.dni)),
    _scheme(r"[A-Z]{6}\d\d[ABCDEHLMPRST]\d\d[A-Z]\d{3}[A-Z]", checksums.codice_fiscale),
    _scheme(r"756\.\d{4}\.\d{4}\.\d\d", _bare(checksums.ahv)),
    _scheme(r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", _bare(checksums.rijksregister)),
    _scheme(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", checksums.hetu),
    _scheme(r"(?:19|20)?\d{6}[-+]\d{4}", _bare(lambda digits: checksums.personnummer(digits[-10:]))),
    _scheme(r"\d{6}-\d{4}", _bare(checksums.cpr), "cpr|personnummer"),
    _scheme(r"\d{4}[ .]?\d\d[ .]?\d{3}", _bare(checksums.bsn), "bsn|burgerservicenummer|sofi"),
    _scheme(r"\d{11}", checksums.pesel, "pesel"),
    _scheme(r"\d{6} ?\d{5}", _bare(checksums.fodselsnummer), "fødselsnummer|fnr|personnummer|national|identity|id"),
    _scheme(r"\d\d ?\d{3} ?\d{3} ?\d{3}", _bare(checksums.tax_id), r"steuer\w*|idnr|tin|tax"),
    _scheme(r"[A-Z]{0,2}\d{6,9}", _always, r"passports?|reisepass\w*|paspoort\w*|passeport"),
)
