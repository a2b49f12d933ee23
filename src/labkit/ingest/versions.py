"""Chains of versions: which document replaced which, and until when each held.

Three kinds of statement make a chain, the strongest first: a document names the one it replaces or was replaced by; two
documents state the same number and title and different versions or days; two documents of one folder have the same
title but for the version in it. Texts are not compared: a rewritten edition replaces the one before all the same. What
a chain cannot know is a version that was never stored.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import PurePosixPath

from labkit.ingest.reading import Card

_VERSION_WORD = re.compile(r"\b(?:version|revision|rev|issue|edition|release|v)\b\.?\s*[\w.]+", re.I)
_PART = re.compile(r"\d+|[a-z]+")


@dataclass(frozen=True, slots=True)
class Edition:
    """One document that may belong to a chain; ``path`` identifies it."""

    path: str
    tenant: str
    card: Card


@dataclass(frozen=True, slots=True)
class Replaced:
    """A document that no longer holds: what replaced it, and the first day on which it did not hold."""

    by: str
    valid_to: date | None


def find_replaced(editions: Iterable[Edition]) -> dict[str, Replaced]:
    """Every document that another replaced. Give it originals only: a copy is replaced with its original."""
    ordered = sorted(editions, key=lambda edition: edition.path)
    links = _stated(ordered)
    for chain in _chains(ordered):
        for older, newer in pairwise(chain):
            links.setdefault(older.path, newer)
    known = {edition.path: edition for edition in ordered}
    return {
        path: Replaced(newer.path, _end(known[path].card, newer.card))
        for path, newer in sorted(links.items())
        if not _circular(path, links)
    }


def _stated(editions: list[Edition]) -> dict[str, Edition]:
    """Links that documents state themselves."""
    by_number: defaultdict[tuple[str, str], list[Edition]] = defaultdict(list)
    for edition in editions:
        if edition.card.number:
            by_number[edition.tenant, _key(edition.card.number)].append(edition)
    links: dict[str, Edition] = {}
    for edition in editions:
        for number in edition.card.replaced_by:
            # Of several numbers or versions the latest counts.
            newer = sorted(by_number.get((edition.tenant, _key(number)), []), key=_order)
            if newer and newer[-1].path != edition.path:
                links.setdefault(edition.path, newer[-1])
        for number in edition.card.replaces:
            for older in by_number.get((edition.tenant, _key(number)), []):
                if older.path != edition.path:
                    links.setdefault(older.path, edition)
    return links


def _chains(editions: list[Edition]) -> Iterable[list[Edition]]:
    """Documents of one number, or of one folder and title, with different versions, oldest first."""
    groups: defaultdict[tuple[str, ...], list[Edition]] = defaultdict(list)
    for edition in editions:
        card = edition.card
        if card.number and (card.version or card.valid_from):
            groups[edition.tenant, "number", _key(card.number), _stem(card.title)].append(edition)
        elif card.version and _stem(card.title):
            folder = str(PurePosixPath(edition.path).parent)
            groups[edition.tenant, "title", folder, _stem(card.title)].append(edition)
    for group in groups.values():
        chain: list[Edition] = []
        for edition in sorted(group, key=_order):
            if not chain or _order(edition)[:2] != _order(chain[-1])[:2]:
                chain.append(edition)  # two documents of one version do not replace each other
        if len(chain) > 1:
            yield chain


def _order(edition: Edition) -> tuple[tuple[tuple[int, int, str], ...], date, str]:
    """By version as people count (9 before 10, A before B), then by day."""
    parts = _PART.findall(edition.card.version.lower())
    version = tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)
    return version, edition.card.valid_from or date.min, edition.path


def _end(older: Card, newer: Card) -> date | None:
    """The earlier of what the older states and the day the newer began."""
    ends = [day for day in (older.valid_to, newer.valid_from) if day is not None]
    end = min(ends, default=None)
    # A newer edition that began first would leave no day at all: then only the order is known.
    return older.valid_to if end and older.valid_from and end <= older.valid_from else end


def _stem(title: str) -> str:
    """The title without the version in it."""
    return " ".join(re.findall(r"\w+", _VERSION_WORD.sub(" ", title).lower()))


def _key(number: str) -> str:
    """``PEP 0008``, ``8`` and ``MA-1234`` as they are compared."""
    found = re.sub(r"[^a-z0-9]", "", number.lower())
    return found.lstrip("0") if found.isdigit() else found


def _circular(path: str, links: dict[str, Edition]) -> bool:
    seen = {path}
    while path in links:
        path = links[path].path
        if path in seen:
            return True
        seen.add(path)
    return False
