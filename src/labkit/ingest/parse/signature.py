"""What mail programs and offices add below a message: signatures and legal notices.

A signature is what follows the delimiter ``-- `` of RFC 3676. A legal notice is a paragraph at the end of a message,
or of one quoted in it, that says what such notices say. Without either mark nothing is taken: a name and a telephone
number under a letter may be the only place where they stand.
"""

from __future__ import annotations

import re

REPLY_BEGINS = re.compile(
    r"-{2,}\s*(?:original message|forwarded message|ursprüngliche nachricht|message d'origine)\s*-{2,}"
    r"|_{10,}$"
    r"|(?:on|am|le|el|den|w dniu)\b.{5,200}\b(?:wrote|schrieb|a écrit|escribió|skrev|napisał\(?a?\)?).{0,80}:$",
    re.I | re.S,
)
"""The first line or lines of what is quoted from an earlier mail."""

_DELIMITER = re.compile(r"((?:>[ \t]?)*)--( ?)$")
_PREFIX = re.compile(r"(?:>[ \t]?)*")
_MOST_LINES, _MOST_LINES_BARE = 20, 8
"""Lines a signature may have; fewer where the delimiter has lost its space and may be a rule."""
_LEGAL = re.compile(
    r"(?:received|obtained) this (?:e-?mail|mail|message|communication|transmission)\b.{0,40}\b(?:error|mistake)"
    r"|intended (?:only|solely|exclusively)?\s*for\b.{0,40}\b(?:addressee|recipient|individual|person|use of)"
    r"|(?:e-?mail|message|communication|attachments?)\b.{0,80}\b(?:confidential|privileged)\b"
    r"|not the (?:intended|named) (?:recipient|addressee)|unauthori[sz]ed (?:use|disclosure|copying|review)"
    r"|consider the environment before|think before you print"
    r"|(?:views|opinions) (?:expressed|stated|contained)\b.{0,120}\b(?:author|sender|necessarily|company)"
    r"|(?:checked|scanned|free) (?:for|of|from)\b.{0,40}\bvirus"
    r"|(?:e-?mail|mail|nachricht)\b.{0,80}\bvertraulich"
    r"|nicht der (?:richtige|beabsichtigte|vorgesehene) (?:adressat|empfänger)"
    r"|irrtümlich erhalten|(?:courriel|message|e-mail)\b.{0,80}\bconfidentiel|reçu ce (?:message|courriel) par erreur"
    r"|wiadomość\b.{0,80}\bpoufn|konfidentiell|(?:mensaje|correo)\b.{0,80}\bconfidencial"
    r"|registered (?:office|in england|under (?:company )?(?:no|number))"
    r"|(?:sitz der gesellschaft|geschäftsführer|handelsregister)\b.{0,20}:"
    r"|monitors? (?:all )?e-?mail|e-?mail (?:traffic )?(?:is|may be) monitored",
    re.I | re.S,
)
_MOST_LEGAL = 1500


def trim_message(text: str) -> str:
    """A message's text without signatures and legal notices, its own and those of mails quoted in it."""
    kept: list[str] = []
    for part in _parts(text.split("\n")):
        lines = _without_notices(_without_signature(part))
        if lines == part or not any(map(_content, lines)):
            kept += part  # a message that says nothing else says this
        else:
            kept += [*lines, ""]
    return "\n".join(kept)


def _parts(lines: list[str]) -> list[list[str]]:
    """The lines of each message in a thread: cut where a reply begins or the depth of quoting changes."""
    parts: list[list[str]] = [[]]
    for number, line in enumerate(lines):
        depth = _depth(line)
        pair = " ".join(_content(part).strip() for part in lines[number : number + 2])
        begins = bool(REPLY_BEGINS.match(_content(line).strip()) or REPLY_BEGINS.match(pair))
        above = next((part for part in reversed(parts[-1]) if _content(part).strip()), None)
        if parts[-1] and (begins or (above is not None and line.strip() and depth != _depth(above))):
            parts.append([])
        parts[-1].append(line)
    return parts


def _depth(line: str) -> int:
    return _PREFIX.match(line)[0].count(">")  # type: ignore[index]


def _content(line: str) -> str:
    return line[_PREFIX.match(line).end() :]  # type: ignore[union-attr]


def _without_signature(lines: list[str]) -> list[str]:
    for number, line in enumerate(lines):
        if match := _DELIMITER.match(line):
            below = sum(bool(_content(part).strip()) for part in lines[number + 1 :])
            if below <= (_MOST_LINES if match[2] else _MOST_LINES_BARE):
                return lines[:number]
    return lines


def _without_notices(lines: list[str]) -> list[str]:
    """Without the last paragraphs as long as they are legal notices."""
    while True:
        end = len(lines)
        while end and not _content(lines[end - 1]).strip(" \t-_*="):
            end -= 1
        start = end
        while start and _content(lines[start - 1]).strip():
            start -= 1
        paragraph = " ".join(_content(line) for line in lines[start:end])
        if not paragraph or len(paragraph) > _MOST_LEGAL or not _LEGAL.search(paragraph):
            return lines
        lines = lines[:start]
