"""Who belongs to the organisation: evidence from every document, put together once for the whole corpus.

One document says who wrote it and which address a name has; the corpus says which mail domain is the organisation's
own. Staff are people with an address at an own domain; authors of documents, and holders of an office in several, who
have no address elsewhere. Of anybody else nothing is known. Two people of one name are one person here.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from labkit.pii.identifiers import emails, is_function
from labkit.pii.names import names_and_scores
from labkit.pii.policy import Policy
from labkit.pii.spans import Blocks
from labkit.pii.spelling import canonical
from labkit.schema import Record

_AUTHOR_KEYS = ("author", "authors", "creator", "from", "sender", "last_modified_by", "lastmodifiedby")
_PROVIDERS = frozenset(
    (
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "icloud.com", "me.com"),
        *("aol.com", "gmx.de", "gmx.net", "web.de", "proton.me", "protonmail.com", "qq.com", "163.com", "mail.ru"),
    )
)
"""Domains of the public: whoever has an address there belongs to nobody."""
_SHORTEST_LABEL = 5
_CAPITAL = r"(?<!\w)[^\W\d_a-z][\w'’-]{0,30}\.?"
_NAME = rf"{_CAPITAL}(?: (?:[a-z]{{1,3}} ){{0,2}}{_CAPITAL}){{1,3}}?"
_OFFICE = re.compile(
    r"(?i:\b(?:author|owner|account manager|project manager|process owner|team lead(?:er)?|head of [a-z ]{3,20}|minutes"
    r"|(?:approved|checked|edited|issued|led|owned|prepared|resolved|reviewed|written) by))[ \t]*[:|][ \t]*"
    rf"(?P<name>{_NAME})(?=[ \t]*(?:[\n,;|(]|\Z))"
)
"""An office and who holds it, as forms and the heads of documents have it."""
_EXTENSION = re.compile(rf"(?P<name>{_NAME}),? \(?ext(?:ension\b|\b\.?) ?\d")
"""Who is reached by an extension, which only the own switchboard knows."""
_SPEAKER = re.compile(
    rf"(?m)^\[\d\d?:\d\d(?::\d\d)?\] (?P<name>{_NAME}):|^(?P<after>{_NAME}) \(\d\d?:\d\d(?::\d\d)?\):"
)
"""Who writes in a chat, after or before the time."""
_OFFICE_DOCUMENTS = 2
"""Documents that have to show somebody so; one alone may be a customer's form."""
_AUTHORS_APART = re.compile(r"[;,/&]| and ")


class Evidence(Record):
    """What one document says about who is who; names are in the form :func:`canonical` gives them."""

    authors: tuple[str, ...] = Field((), description="named by the file itself")
    addressed: tuple[tuple[str, str], ...] = Field((), description="(name, mail domain) of people with an address")
    domains: tuple[str, ...] = Field((), description="mail domains that occur")
    senders: tuple[str, ...] = Field((), description="domain of each author whose address is given")
    offices: tuple[str, ...] = Field((), description="shown as insiders: an office (Owner …), an extension, a chat")
    words: dict[str, float] = Field({}, description="capitalised word → how much it looks like a name here")


def people_evidence(texts: Sequence[str], metadata: Mapping[str, str]) -> Evidence:
    """Read one document's blocks and its file's properties (author, creator, From …); a first pass over a corpus."""
    blocks = Blocks(texts)
    marks = list(emails(blocks.text)) if "@" in blocks.text else []
    addresses = {blocks.text[mark.start : mark.end].lower() for mark in marks}
    named, senders = _authors(metadata, addresses)
    full = set(named)
    people, scores = names_and_scores(blocks.text, marks)
    if addresses:
        full |= {canonical(blocks.text[mark.start : mark.end]) for mark in people}
    full = {name for name in full if " " in name}
    addressed = {(name, domain) for local, _, domain in map(_split, addresses) for name in owners(local, full)}
    return Evidence(
        authors=tuple(sorted(named)),
        addressed=tuple(sorted(addressed)),
        domains=tuple(sorted({address.partition("@")[2] for address in addresses})),
        senders=tuple(sorted(senders)),
        offices=tuple(sorted(_office_holders(blocks.text))),
        words={word: round(score, 2) for word, score in sorted(scores.items())},
    )


class Roster:
    """Staff of the organisation, from the evidence of all documents in any order."""

    def __init__(self, evidence: Iterable[Evidence] = (), policy: Policy | None = None) -> None:
        pieces = list(evidence)
        policy = policy or Policy()
        self.own_domains = frozenset(map(str.lower, policy.own_domains)) or _inferred(pieces)
        inside = {name for piece in pieces for name, domain in piece.addressed if self.is_own(domain)}
        outside = {name for piece in pieces for name, domain in piece.addressed if not self.is_own(domain)}
        authors = {name for piece in pieces for name in piece.authors}
        offices = Counter(name for piece in pieces for name in piece.offices)
        insiders = {name for name, count in offices.items() if count >= _OFFICE_DOCUMENTS}
        self._staff = inside | ((authors | insiders) - outside)
        self.words = frozenset(word for name in inside | outside | authors for word in name.split() if len(word) > 1)
        """Parts of every name that an address or a file's properties vouch for."""
        self.organisations = frozenset(_label(domain) for piece in pieces for domain in piece.domains)
        """Names that mail domains spell: *millandsons* for *Mill and Sons*; what they spell is nobody's name."""
        self.seen = _averaged(pieces)
        """What the corpus knows of each capitalised word of two documents or more."""
        self._words: dict[str, list[str]] = {}
        for name in sorted(self._staff):
            for word in set(name.split()):
                self._words.setdefault(word, []).append(name)

    @property
    def staff(self) -> frozenset[str]:
        """Canonical full names of everybody who belongs to the organisation."""
        return frozenset(self._staff)

    def fingerprint(self) -> str:
        """Changes whenever the redaction of some document under the same policy and key could change."""
        state = (self._staff, self.own_domains, self.words, self.organisations, self.seen.items())
        return hashlib.sha256(repr([sorted(part) for part in state]).encode()).hexdigest()

    def is_staff(self, name: str) -> bool:
        """A full name that belongs to somebody of the organisation, in any spelling of case and accents."""
        return canonical(name) in self._staff

    def is_own(self, domain: str) -> bool:
        """A mail domain of the organisation, or below one."""
        domain = domain.lower()
        return domain in self.own_domains or any(domain.endswith(f".{own}") for own in self.own_domains)

    def is_organisation(self, name: str) -> bool:
        """A mail domain spells these words (*Mill & Sons* and millsons.example), give or take a short ending."""
        letters = _letters(name)
        size = len(letters)
        spelt = any(letters[:cut] in self.organisations for cut in range(max(_SHORTEST_LABEL, size - 3), size + 1))
        return spelt and not self.words.issuperset(canonical(name).split())

    def staff_called(self, words: Sequence[str]) -> list[str]:
        """Staff whose canonical full name holds all these words, or begins a word with them where they are initials."""
        if not words:
            return []
        longest = max(words, key=len)
        return [name for name in self._words.get(longest, ()) if all(_is_part(word, name.split()) for word in words)]


def _is_part(word: str, name: Sequence[str]) -> bool:
    return word in name or (len(word) == 1 and any(part.startswith(word) for part in name))


def _office_holders(text: str) -> set[str]:
    """Names beside an office or an extension, and who writes in a chat."""
    patterns = (_OFFICE, _SPEAKER, _EXTENSION) if "ext" in text else (_OFFICE, _SPEAKER)
    found = {canonical(next(filter(None, m.groups()))) for pattern in patterns for m in pattern.finditer(text)}
    return {name for name in found if 2 <= len(name.split()) <= 5}


def _authors(metadata: Mapping[str, str], addresses: set[str]) -> tuple[set[str], list[str]]:
    """Authors in the file's properties; an address beside them joins ``addresses``."""
    found: set[str] = set()
    senders: list[str] = []
    for key in _AUTHOR_KEYS:
        value = str(metadata.get(key) or "")[:500]
        for mark in emails(value):
            address = value[mark.start : mark.end].lower()
            addresses.add(address)
            senders.append(address.partition("@")[2])
        for part in _AUTHORS_APART.split(re.sub(r"<[^>]*>|\([^)]*\)|\S+@\S+", " ", value)):
            words = canonical(part.strip(" \"'")).split()
            if 2 <= len(words) <= 5:
                found.add(" ".join(words))
    return found, senders


def _split(address: str) -> tuple[str, str, str]:
    return address.partition("@")


def owners(local: str, full: set[str]) -> set[str]:
    """The names of ``full`` this mailbox can stand for; the mailbox's own words where the text spells out none."""
    key = _letters(local)
    owners = {name for name in full if key in _mailboxes(name)}
    if not owners and not is_function(local):
        words = canonical(re.sub(r"[._]", " ", local)).split()
        if len(words) >= 2 and all(len(word) > 1 for word in words):
            owners = {" ".join(words)}
    return owners


def _mailboxes(name: str) -> set[str]:
    """Usual local parts of a name, letters only: first.last, last.first, f.last, first.l, flast."""
    words = [_letters(word) for word in name.split()]
    first, last, rest = words[0], words[-1], "".join(words[1:])
    return {
        first + rest,
        rest + first,
        first + last,
        last + first,
        first[:1] + rest,
        first[:1] + last,
        first + last[:1],
    }


def _letters(text: str) -> str:
    return "".join(c for c in canonical(text) if c.isalpha())


def _inferred(pieces: Sequence[Evidence]) -> frozenset[str]:
    """The domain that senders or texts of most documents have; empty when nobody has an address."""
    votes = Counter(domain for piece in pieces for domain in {*piece.senders, *piece.domains} - _PROVIDERS)
    if not votes:
        return frozenset()
    most = max(votes.values())
    return frozenset({min(domain for domain, count in votes.items() if count == most)})


def _averaged(pieces: Sequence[Evidence]) -> dict[str, tuple[float, float, int]]:
    """Mean over documents, in whole hundredths so that their order does not matter, the best, and their number."""
    sums: dict[str, int] = {}
    best: dict[str, float] = {}
    counts: Counter[str] = Counter()
    for piece in pieces:
        for word, score in piece.words.items():
            sums[word] = sums.get(word, 0) + round(100 * score)
            best[word] = max(best.get(word, score), score)
            counts[word] += 1
    return {word: (sums[word] / 100 / count, best[word], count) for word, count in counts.items() if count > 1}


def _label(domain: str) -> str:
    """The registered name of a domain, letters only: the longest of its labels but the last."""
    return max((_letters(label) for label in domain.split(".")[:-1]), key=len, default="")
