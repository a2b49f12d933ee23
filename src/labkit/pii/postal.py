"""Postal addresses: a house number beside the name of a street, and what belongs to it (flat, town, postcode).

Which words end the name of a street is public knowledge of each language (the street types of British, American,
German, Dutch, French, Iberian, Italian and Scandinavian addressing guides), no list of streets or towns. A street
without a house number is no address; a type that means other things too (*12 Tern Gate*) needs a town or a postcode
behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.pii.spans import Mark

_SURE_TYPES = """
street st road rd lane ln avenue ave drive close crescent cres gardens gdns mews terrace boulevard blvd
highway hwy parkway pkwy esplanade embankment wynd brae cottages
"""
_SURE = frozenset(_SURE_TYPES.split())
_PERHAPS_TYPES = """
alley approach arcade bank bridge broadway brow circle circus common court croft fold gate green grove hill
loop meadow meadows mount orchard parade park passage place plaza promenade quay rise row square trail
turnpike vale view walk way wharf yard
"""
_PERHAPS = frozenset(_PERHAPS_TYPES.split())
_NUMBER_LAST = (
    *("straße", "strasse", "str.", "straat", "gasse", "platz", "allee", "damm", "ufer", "weg"),
    *("gracht", "laan", "plein", "kade", "dijk", "singel", "dreef", "gatan", "vägen", "veien", "gade", "katu"),
)
"""Endings of streets whose number follows; the first four need no town to be one."""
_NUMBER_BEFORE = ("walk", "way", "gate", "bank", "side", *_NUMBER_LAST)
"""Endings of one-word street names that follow their number; a town has to follow these."""
_ROMANCE_WORDS = (
    *("rue ", "avenue ", "boulevard ", "place ", "allée ", "chemin ", "impasse ", "quai ", "cours ", "route "),
    *("calle ", "avenida ", "plaza ", "paseo ", "via ", "viale ", "piazza ", "corso ", "rua ", "ul. ", "ulica "),
)

_LONGEST_STREET, _LONGEST_NUMBER = 56, 12

_CAPITAL = r"[^\W\d_a-z][\w'’-]{0,24}"
_NUMBER = r"(?<![\w.,:/+#-])(?!(?:19|20)\d\d\b)[1-9]\d{0,3}[A-Za-z]?(?:[-/]\d{1,4})?"
_POSTCODE = r"(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]{2} \d{5}(?:-\d{4})?|(?:[A-Z]{1,2}-)?\d{4,6}(?: ?[A-Z]{2})?)\b"
_TOWN = rf"{_CAPITAL}(?:[ -](?:(?:am|an der|on|upon|le|la|sur|under|in) )?{_CAPITAL}){{0,3}}"

_NUMBER_FIRST = re.compile(rf"{_NUMBER},? (?P<words>{_CAPITAL}\.?(?: {_CAPITAL}\.?){{0,3}})")
_ROMANCE = re.compile(
    rf"{_NUMBER},? (?:bis |ter )?(?:rue|avenue|boulevard|place|allée|chemin|impasse|quai|cours|route)"
    rf"(?: (?:de|du|des|la|le|les|l['’]|d['’]|{_CAPITAL})){{1,5}}"
    r"|\b(?:[Cc]alle|[Aa]venida|[Pp]laza|[Pp]aseo|[Vv]ia|[Vv]iale|[Pp]iazza|[Cc]orso|[Rr]ua|ul\.|[Uu]lica)"
    rf"(?: (?:de|del|della|di|da|do|la|el|{_CAPITAL})){{1,5}},? (?:n[.º°]? ?)?[1-9]\d{{0,3}}\b"
)
_STREET_FIRST = re.compile(
    rf"(?<![\w-])(?P<words>{_CAPITAL}(?:[ -]{_CAPITAL})?\.?) [1-9]\d{{0,3}} ?[a-z]?\b(?![.:/-]\d)"
)
_BOX = re.compile(r"(?<!\w)(?:P\.? ?O\.? ?Box|Postfach|Postbus) \d{1,3}(?: ?\d{1,3}){0,2}\b")
_TOWN_AFTER = re.compile(
    rf"(?: (?:NW|NE|SW|SE)\b)?(?:,? (?:Flat|Apt\.?|Apartment|Unit|Suite|Floor) \w{{1,5}}\b)?"
    rf"(?P<town>,\s(?:{_POSTCODE} {_TOWN}|{_TOWN}(?:,? {_POSTCODE})?|{_POSTCODE}))?"
)


def addresses(text: str) -> Iterator[Mark]:
    """Postal addresses, from the house number or street to the last part recognised."""
    for match in _NUMBER_FIRST.finditer(text):
        end, sure = _street(match["words"], match.start("words"))
        if end:
            yield from _with_town(text, match.start(), end, sure=sure)
    lower = text.lower()
    for start, end in _endings(lower if len(lower) == len(text) else text):
        for match in _STREET_FIRST.finditer(text, start, end):
            words = match["words"].casefold()
            if words.endswith(_NUMBER_LAST):
                yield from _with_town(text, match.start(), match.end(), sure=words.endswith(_NUMBER_LAST[:4]))
    if any(word in lower for word in _ROMANCE_WORDS):
        for match in _ROMANCE.finditer(text):
            yield from _with_town(text, match.start(), match.end(), sure=True)
    if "box" in lower or "postfach" in lower or "postbus" in lower:
        for match in _BOX.finditer(text):
            yield from _with_town(text, match.start(), match.end(), sure=True)


def _endings(lower: str) -> Iterator[tuple[int, int]]:
    """Surroundings of what ends the name of a street and has a number behind it."""
    for ending in _NUMBER_LAST:
        position = lower.find(f"{ending} ")
        while position >= 0:
            behind = position + len(ending) + 1
            if lower[behind : behind + 1].isdigit():
                yield max(0, position - _LONGEST_STREET), behind + _LONGEST_NUMBER
            position = lower.find(f"{ending} ", behind)


def _street(words: str, start: int) -> tuple[int, bool]:
    """Where the street's name ends and whether its type alone decides; (0, False) where there is none."""
    position = start
    for number, word in enumerate(words.split(" ")):
        bare = word.rstrip(".").casefold()
        position += len(word) + (number > 0)
        if number and bare in _SURE | _PERHAPS:
            return position, bare in _SURE
        if len(bare) > 6 and bare.endswith(_NUMBER_BEFORE):
            return position, False
    return 0, False


def _with_town(text: str, start: int, end: int, *, sure: bool) -> Iterator[Mark]:
    after = _TOWN_AFTER.match(text, end)
    if after is not None and (sure or after["town"]):
        yield Mark(start, after.end(), "address")
