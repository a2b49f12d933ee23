"""Cleaning between parsing and chunking: what no reader should see goes, and is named as a defect.

Wrongly decoded text is repaired and characters that are not text are removed, block by block, before the document's
text is put together and offsets exist. Boilerplate is the parsers' work, because only they see the page it stands on.
"""

from __future__ import annotations

import re

from labkit.ingest.mojibake import is_damaged, repair
from labkit.ingest.parse import Block, Parsed

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_INVISIBLE = re.compile(r"[\u200b\u2060\ufeff\u00ad]")  # zero-width space, joiner, mark, soft hyphen
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n?|[\u2028\u2029\x85]")


def clean(parsed: Parsed) -> Parsed:
    """A copy with clean text, without empty blocks, and with defect codes added.

    Adds ``mojibake``, ``control_characters`` and ``broken_unicode``.
    """
    defects = dict.fromkeys(parsed.defects)
    damaged = is_damaged("\n".join([parsed.title, *parsed.metadata.values(), *(block.text for block in parsed.blocks)]))

    def cleaned(text: str) -> str:
        if text.isascii() and text.isprintable():
            return text
        if damaged and (repaired := repair(text, damaged=True)) != text:
            defects["mojibake"] = None
            text = repaired
        text = _LINE_END.sub("\n", text)
        if _SURROGATE.search(text):
            defects["broken_unicode"] = None
            text = _SURROGATE.sub("\ufffd", text)
        if _CONTROL.search(text):
            defects["control_characters"] = None
            text = _CONTROL.sub("", text)
        return _INVISIBLE.sub("", text.replace("\xa0", " "))

    blocks = [
        Block(block.kind, text, block.level, block.page)
        for block in parsed.blocks
        if (text := "\n".join(line.rstrip() for line in cleaned(block.text).split("\n")).strip("\n")).strip()
    ]
    metadata = {cleaned(name): cleaned(value) for name, value in parsed.metadata.items()}
    return Parsed(blocks, " ".join(cleaned(parsed.title).split()), metadata, cleaned(parsed.language), list(defects))
