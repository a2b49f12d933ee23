"""One spelling of a name: what makes *Łucja ŻAK* and *lucja zak* the same person."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "’": "'"}
)


@lru_cache(maxsize=65536)
def canonical(name: str) -> str:
    """Words of a name without case and accents, separated by single spaces."""
    if name.isascii() and name.isalpha():
        return name.lower()
    folded = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    return " ".join(_WORD.findall("".join(c for c in folded if not unicodedata.combining(c))))
