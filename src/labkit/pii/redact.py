"""Replacing personal data: what is found, whom it means, what policy says, and the text that results.

A person's pseudonym is the same in every document that is redacted with the same key, and cannot be traced back
without it (HMAC-SHA256, RFC 2104, of the canonical value). Text outside the replaced spans is copied unchanged. This
module knows nothing of files, formats or chunks.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.errors import InputError
from labkit.pii.identifiers import identifiers
from labkit.pii.names import names
from labkit.pii.policy import Policy
from labkit.pii.postal import addresses
from labkit.pii.roster import Roster, owners
from labkit.pii.spans import Blocks, Finding, Kind, Mark, without_overlap
from labkit.pii.spelling import canonical

_NOBODY = Roster()
_BESIDE = 40
_CAPITALS_BEFORE = re.compile(r"(?:[^\W\d_a-z][\w'’-]* (?:& )?){1,2}\Z")
_CAPITALS_AFTER = re.compile(r"(?:(?: &)? [^\W\d_a-z][\w'’-]*){1,2}")
_SHORTEST_REPEAT = 6
"""Characters a value has to have before its other occurrences in the document are taken for the same value."""


@dataclass(frozen=True, slots=True)
class Span:
    """``texts[index][start:end]`` of the original became ``[start_out:end_out]`` of the redacted block."""

    index: int
    start: int
    end: int
    kind: Kind
    replacement: str
    start_out: int
    end_out: int


@dataclass(frozen=True, slots=True)
class Redaction:
    """Redacted blocks, as many as came in, and what was replaced, in order of place."""

    texts: list[str]
    spans: list[Span]


def find(texts: Sequence[str]) -> list[Finding]:
    """Personal data of every kind in the blocks of one document, before any policy, in order of place."""
    blocks = Blocks(texts)
    return [blocks.finding(mark) for mark in _marks(blocks.text)]


class Redactor:
    """Applies one policy with one roster and one key to documents.

    Args:
        policy: what stays.
        roster: who belongs to the organisation.
        key: secret of the pseudonyms, at least 16 bytes; another key gives unrelated ones.

    Raises:
        InputError: the key is too short to keep pseudonyms secret.
    """

    def __init__(self, policy: Policy, roster: Roster, key: bytes) -> None:
        if len(key) < 16:
            raise InputError(
                f"A key of {len(key)} bytes does not protect pseudonyms",
                todo="Use at least 16 random bytes (secrets.token_bytes).",
            )
        self.policy, self.roster = policy, roster
        self._hmac = hmac.new(key, digestmod=hashlib.sha256)

    def redact(self, texts: Sequence[str]) -> Redaction:
        """Replace what policy does not let stay in the blocks of one document (title first)."""
        blocks = Blocks(texts)
        marks = _marks(blocks.text, self.roster)
        people = _People([blocks.text[m.start : m.end] for m in marks if m.kind == "person"], self.roster)
        strangers = self._strangers(blocks.text, marks, people)
        spans: list[Span] = []
        out = [""] * len(texts)
        done = [0] * len(texts)
        for mark in marks:
            value = blocks.text[mark.start : mark.end]
            identity = people.identity(value) if mark.kind == "person" else _plain(value, mark.kind)
            if identity not in strangers and self._stays(mark.kind, identity):
                continue
            place = blocks.finding(mark)
            out[place.index] += texts[place.index][done[place.index] : place.start]
            replacement = self.pseudonym(mark.kind, identity)
            start_out = len(out[place.index])
            out[place.index] += replacement
            done[place.index] = place.end
            spans.append(
                Span(
                    place.index, place.start, place.end, mark.kind, replacement, start_out, start_out + len(replacement)
                )
            )
        return Redaction([head + text[end:] for head, text, end in zip(out, texts, done, strict=True)], spans)

    def pseudonym(self, kind: Kind, identity: str) -> str:
        """What stands for a value, e.g. ``[person 3fa9c1d2]``."""
        mac = self._hmac.copy()
        mac.update(f"{kind}\0{identity}".encode())
        return f"[{kind} {mac.hexdigest()[:8]}]"

    def _strangers(self, text: str, marks: Sequence[Mark], people: _People) -> set[str]:
        """People to whom the document gives an address elsewhere: namesakes of colleagues, if they have any."""
        mailboxes = (text[mark.start : mark.end].partition("@") for mark in marks if mark.kind == "email")
        return {
            name
            for local, _, domain in mailboxes
            if not self.roster.is_own(domain)
            for name in owners(local, people.full) & people.full
        }

    def _stays(self, kind: Kind, identity: str) -> bool:
        if not self.policy.keep_staff:
            return False
        if kind == "email":
            return self.roster.is_own(identity.partition("@")[2])
        return kind == "person" and self.roster.is_staff(identity)


class _People:
    """Whom the mentions of one document mean: a part of a name is the person whose full name the document gives."""

    def __init__(self, mentions: Sequence[str], roster: Roster) -> None:
        self._roster = roster
        self._full: dict[str, str] = {}
        # Where a colleague and a stranger share a first name, the document that names both is read as the stranger's.
        self.full = {self._colleague(canonical(mention)) for mention in mentions if len(mention.split()) > 1}
        """Canonical full names."""
        for name in sorted(self.full, key=lambda name: (roster.is_staff(name), -len(name.split()), name)):
            for word in name.split():
                self._full.setdefault(word, name)

    def identity(self, mention: str) -> str:
        """Canonical full name if the document or the roster has one, else the mention itself."""
        name = self._colleague(canonical(mention))
        words = name.split()
        full = self._full.get(max(words, key=len)) if words else None
        if full is not None and set(words) <= set(full.split()):
            return full
        staff = self._roster.staff_called(words)
        return staff[0] if staff else name

    def _colleague(self, name: str) -> str:
        """The colleague whom initials and a surname mean, or a full name with a word too many behind it."""
        words = name.split()
        if len(words) > 2 and self._roster.is_staff(" ".join(words[:-1])):
            return " ".join(words[:-1])
        staff = self._roster.staff_called(words) if len(words) > 1 and min(map(len, words)) == 1 else []
        return staff[0] if staff else name


def _marks(text: str, roster: Roster = _NOBODY) -> list[Mark]:
    structured = [*identifiers(text), *addresses(text)]
    structured = without_overlap([*structured, *_repeats(text, structured)])
    people = names(text, structured, roster.words, roster.seen)
    return without_overlap([*structured, *(mark for mark in people if not _is_company(text, mark, roster))])


def _is_company(text: str, mark: Mark, roster: Roster) -> bool:
    """The name, with capitalised words beside it, is what a mail domain of the corpus spells."""
    before = _CAPITALS_BEFORE.search(text[max(0, mark.start - _BESIDE) : mark.start])
    after = _CAPITALS_AFTER.match(text, mark.end, mark.end + _BESIDE)
    left = before[0].split() if before else []
    right = after[0].split() if after else []
    own = text[mark.start : mark.end]
    return any(
        roster.is_organisation(" ".join((*left[skip:], own, *right[:take])))
        for skip in range(len(left) + 1)
        for take in range(len(right) + 1)
    )


def _repeats(text: str, marks: Sequence[Mark]) -> Iterator[Mark]:
    """Other occurrences of a value that its surroundings gave away once."""
    values = {text[mark.start : mark.end]: mark.kind for mark in reversed(marks)}
    for value, kind in values.items():
        position = text.find(value) if len(value) >= _SHORTEST_REPEAT else -1
        while position >= 0:
            yield Mark(position, position + len(value), kind)
            position = text.find(value, position + len(value))


def _plain(value: str, kind: Kind) -> str:
    """One spelling of a value: addresses of mail in lower case, numbers without what separates their digits."""
    folded = value.casefold()
    return folded if kind in ("email", "ip", "birthdate") else "".join(c for c in folded if c.isalnum())
