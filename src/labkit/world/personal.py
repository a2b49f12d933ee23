"""Personal data of people who do not exist: well-formed, checksummed where the real thing is, and never assigned.

Phone numbers use ranges reserved for fiction (UK Ofcom, US 555-01xx), card numbers the Luhn check, IBANs ISO 7064 mod
97-10, mail addresses the reserved ``.example`` domain (RFC 2606), IP addresses the documentation ranges (RFC 5737).
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from datetime import date

from labkit.world.chance import day_between

_STREETS = ("Harbour Row", "Kiln Lane", "Mill Brow", "Station Parade", "Orchard Close", "Tanner Street", "Ropewalk")
_TOWNS = ("Aldermouth", "Penhallow", "Wexcombe", "Norrhamn", "Eichfeld", "Saint-Aubry", "Port Lanner")


def personal_value(kind: str, first: str, last: str, company: str, rng: random.Random) -> str:
    """One piece of personal data of ``kind`` (see ``PII_KINDS`` of :mod:`labkit.world.check`)."""
    makers: dict[str, Callable[[], str]] = {
        "email": lambda: address_of(first, last, company),
        "phone": lambda: rng.choice((f"+44 1632 960{rng.randint(100, 999)}", f"(01632) 960 {rng.randint(100, 999)}")),
        "mobile": lambda: rng.choice((f"+44 7700 900{rng.randint(100, 999)}", f"+1 202-555-01{rng.randint(10, 99)}")),
        "iban": lambda: iban(rng),
        "card": lambda: card(rng),
        "ip": lambda: f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randint(1, 254)}",
        "address": lambda: f"{rng.randint(1, 190)} {rng.choice(_STREETS)}, {rng.choice(_TOWNS)}",
        "national_id": lambda: national_id(rng),
        "birthdate": lambda: day_between(rng, date(1958, 1, 1), date(2002, 12, 31)).strftime("%d.%m.%Y"),
    }
    return makers[kind]()


def address_of(first: str, last: str, company: str) -> str:
    """A mail address at a company's reserved domain."""
    local = f"{_ascii(first)}.{_ascii(last)}".lower()
    domain = "".join(c for c in _ascii(company).lower() if c.isalnum())[:18] or "outside"
    return f"{local}@{domain}.example"


def card(rng: random.Random) -> str:
    """A 16-digit number that passes the Luhn check (ISO/IEC 7812), grouped by four."""
    digits = [4, *(rng.randint(0, 9) for _ in range(14))]
    total = sum(d if i % 2 else (2 * d - 9 if 2 * d > 9 else 2 * d) for i, d in enumerate(digits))
    number = "".join(map(str, [*digits, -total % 10]))
    return " ".join(number[i : i + 4] for i in range(0, 16, 4))


def iban(rng: random.Random) -> str:
    """A German-shaped IBAN with valid check digits (ISO 13616), grouped by four."""
    account = "".join(str(rng.randint(0, 9)) for _ in range(18))
    check = 98 - int(f"{account}131400") % 97  # D = 13, E = 14, check digits 00
    number = f"DE{check:02d}{account}"
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def national_id(rng: random.Random) -> str:
    """A number shaped like a British national insurance number, with a prefix that is never issued."""
    return f"QQ {rng.randint(10, 99)} {rng.randint(10, 99)} {rng.randint(10, 99)} {rng.choice('ABCD')}"


def _ascii(text: str) -> str:
    kept = unicodedata.normalize("NFKD", text.replace("ø", "o").replace("ł", "l").replace("ß", "ss"))
    return "".join(c for c in kept if c.isascii() and (c.isalnum() or c in "-"))
