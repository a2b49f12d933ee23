"""Check digits: the arithmetic that tells an account or identity number from any other run of digits.

Each function takes the bare characters (no spaces) and says whether they add up. None knows what surrounds a number.
"""

from __future__ import annotations

from datetime import date

_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
_IBAN_LENGTHS = {country: length for length, countries in _COUNTRIES.items() for country in countries.split()}
"""Length of an account number by country (SWIFT IBAN registry)."""


def iban_length(country: str) -> int:
    """Characters of an IBAN of this country, 0 when the registry does not know it."""
    return _IBAN_LENGTHS.get(country, 0)


def iban(number: str) -> bool:
    """ISO 13616: the country's length, and ISO 7064 mod 97-10."""
    if len(number) != iban_length(number[:2]) or not number.isascii():
        return False
    turned = number[4:] + number[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = (sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(doubled)) % 10 == 0


def card(digits: str) -> bool:
    """A payment card: an issuer's range of that length, and the Luhn check."""
    return len(set(digits)) > 1 and _issued(digits) and luhn(digits)


def _issued(digits: str) -> bool:
    size, two, four = len(digits), int(digits[:2]), int(digits[:4])
    if digits[0] == "4":
        return size in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return size == 16
    if two in (34, 37):
        return size == 15
    if two in (36, 38, 39) or 300 <= int(digits[:3]) <= 305:
        return size == 14
    return size in range(16, 20) and (four == 6011 or two in (35, 62, 64, 65))


def weighted(digits: str, weights: tuple[int, ...], modulus: int) -> bool:
    """The weighted sum of the digits is divisible by ``modulus``."""
    return len(digits) == len(weights) and sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % modulus == 0


def bsn(digits: str) -> bool:
    """Dutch citizen service number: the eleven test."""
    return int(digits) > 0 and weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), 11)


def pesel(digits: str) -> bool:
    """Polish identity number."""
    return _dated(digits[4:6], digits[2:4], months=93) and weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10)


def tax_id(digits: str) -> bool:
    """German tax identification number: ISO 7064 mod 11,10; ten digits of which some repeat."""
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (
        len(digits) == 11 and digits[0] != "0" and len(set(digits[:10])) < 10 and (11 - product) % 10 == int(digits[10])
    )


def fodselsnummer(digits: str) -> bool:
    """Norwegian identity number: two check digits, mod 11."""
    first = weighted(digits[:10], (3, 7, 6, 1, 8, 9, 4, 5, 2, 1), 11)
    return first and weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), 11)


def nir(number: str) -> bool:
    """French social security number: 13 characters and a key, mod 97 (Corsica: 2A is 19, 2B is 18)."""
    body = number[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(number[13:])


def dni(number: str) -> bool:
    """Spanish DNI or NIE: the letter is the number mod 23."""
    body = number[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return number[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[int(body) % 23]


def personnummer(digits: str) -> bool:
    """Swedish personal number (ten digits): a date and the Luhn check."""
    return _dated(digits[4:6], digits[2:4], days=91) and luhn(digits)


def hetu(code: str) -> bool:
    """Finnish identity code ``DDMMYYsNNNc``: a date and a check character, mod 31."""
    number = int(code[:6] + code[7:10])
    return _dated(code[:2], code[2:4]) and code[10] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31]


def rijksregister(digits: str) -> bool:
    """Belgian national number: mod 97, with a leading 2 for people born from 2000 on."""
    return any(97 - int(lead + digits[:9]) % 97 == int(digits[9:]) for lead in ("", "2"))


def ahv(digits: str) -> bool:
    """Swiss social security number: 756 and the EAN-13 check digit."""
    return weighted(digits, (1, 3) * 6 + (1,), 10)


def codice_fiscale(code: str) -> bool:
    """Italian tax code: odd places weigh by a table, the last letter is the sum mod 26."""
    odd = dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True))
    letters = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    odd |= dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", letters, strict=True))
    even = sum(int(c) if c.isdigit() else ord(c) - ord("A") for c in code[1:15:2])
    return (sum(odd[c] for c in code[0:15:2]) + even) % 26 == ord(code[15]) - ord("A")


def ssn(digits: str) -> bool:
    """US social security number: no checksum, but areas and groups that are never issued."""
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def cpr(digits: str) -> bool:
    """Danish personal number: a date (the check digit was given up in 2007)."""
    return _dated(digits[:2], digits[2:4])


def real_date(day: int, month: int, year: int) -> bool:
    """Such a day exists."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _dated(day: str, month: str, *, days: int = 31, months: int = 12) -> bool:
    """Day and month in range; some countries add 20, 40, 60 or 80 to one of them for a century or a stand-in number."""
    return 1 <= int(day) <= days and 1 <= int(month) <= months and 1 <= int(month) % 20 <= 12
