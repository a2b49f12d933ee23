"""Text that was decoded with the wrong encoding and saved again, undone: ``GrÃ¼ÃŸe`` becomes ``Grüße``.

Line by line, because good and damaged text meet in one file. A line is repaired as a whole where its characters,
written back as windows-1252, are UTF-8 without a remainder, which real text hardly ever is; but only when something
in the document looks damaged beyond doubt to ftfy, or several such lines agree and none speaks against it. Other
damage is left to ftfy. This module does not know formats; control characters are part of the damage, so it must see
them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import cast

_ROUNDS = 3  # text can be spoiled more than once
_SEQUENCE = re.compile(r"[\u0080-\uffff]{2,}")


def is_damaged(text: str) -> bool:
    """Whether ``text`` as a whole gives enough evidence that some of it was decoded wrongly."""
    if text.isascii():
        return False
    candidates: set[str] = set()
    against = 0
    for line in text.split("\n"):
        if line.isascii():
            continue
        undone = _undone(line)
        if _looks_bad(line) and (undone is not None or _ftfy(line) != line):
            return True
        if undone is None:
            against += 1
        else:
            candidates.update(_SEQUENCE.findall(line))
    return len(candidates) > 1 and not against


def repair(text: str, *, damaged: bool | None = None) -> str:
    """The text with wrongly decoded lines undone; unchanged where it looks right.

    Args:
        text: any text; control characters and no-break spaces still in it.
        damaged: what :func:`is_damaged` says about the document ``text`` is a part of; None asks it about ``text``.
    """
    if text.isascii() or not (is_damaged(text) if damaged is None else damaged):
        return text
    return "\n".join(line if line.isascii() else _repaired(line) for line in text.split("\n"))


def _repaired(line: str) -> str:
    for _ in range(_ROUNDS):
        undone = _undone(line)
        if undone is None:
            undone = _ftfy(line) if _looks_bad(line) else line
        if undone == line:
            break
        line = undone
    return line


@lru_cache(maxsize=4096)
def _undone(line: str) -> str | None:
    """The line written back as windows-1252 and read as UTF-8; None if that does not make text of all of it."""
    try:
        data = bytes(_byte(char) for char in line)
        undone = data.decode("utf-8")
    except (ValueError, UnicodeDecodeError):
        return None
    if undone == line or any(unicodedata.category(char) in ("Cn", "Co", "Cc") for char in undone if char > "\x7f"):
        return None
    return undone


def _byte(char: str) -> int:
    """The windows-1252 byte of a character; bytes it leaves undefined were passed through as they are.

    Raises:
        ValueError: it has none.
    """
    if char <= "\x7f" or "\xa0" <= char <= "\xff":
        return ord(char)
    try:
        return char.encode("cp1252")[0]
    except UnicodeEncodeError:
        if "\x80" <= char <= "\x9f":
            return ord(char)
        raise


@lru_cache(maxsize=4096)
def _looks_bad(line: str) -> bool:
    from ftfy.badness import is_bad

    return bool(is_bad(line))


@lru_cache(maxsize=4096)
def _ftfy(line: str) -> str:
    import ftfy

    return cast("str", ftfy.fix_encoding(line))
