"""Invented people, companies and places: what the name tagger learns from instead of any list it will be judged on.

Names come from Faker's tables of some sixty locales (Latin script), put together at random; companies, towns and
products from Faker, from surnames, and from pairs of common words. Only training uses this module.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import faker.providers.address as address_tables
import faker.providers.address.en as english_addresses
import faker.providers.company as company_tables
import faker.providers.lorem as word_tables
import faker.providers.person as person_tables

from labkit.models import resolve

_LAST_LATIN = "\u024f"
_LANGUAGES = ("cs", "da", "de", "es", "fi", "fr", "hu", "it", "nb", "nl", "pl", "pt", "ro", "sv")
_LOREM = ("en_US", "de_DE", "fr_FR", "es_ES", "nl_NL", "pl_PL", "it_IT", "da_DK", "nl_BE", "de_AT")
_SITES = """
Yard Gate Depot Terminal Works Hall Park Dock Campus Street House Point Mill Wharf Cross Bridge Ridge Lock Basin Quay
Hill Heath Common Green Field Farm Grove Wood Moor Down Brook Lake Bay Cove Haven Landing Junction Crossing Valley Beach
"""
_SITE_WORDS = _SITES.split()
_COMPANIES = """
Logistics Foods Stores Bearings Plastics Systems Group Dynamics Labs Pharma Textiles Motors Optics Dairy Bank Partners
Industries Controls Metals Garden Energy Software Retail Supplies Tools Elektronik Mekanik Maschinenbau Antriebstechnik
Metall Technika Transport Handel Groep Industrie Verpackung Logistik Automation Frères Electronique Fabrik
"""
_COMPANY_WORDS = _COMPANIES.split()
_FORMS = ("Ltd", "Inc", "GmbH", "AG", "Oy", "AB", "BV", "plc", "LLC", "S.A.", "& Co", "& Sons", "KG", "A/S", "s.r.o.")
_PREFIXES = ("De ", "van ", "van der ", "von ", "Mc", "O'", "El-", "Van ", "de la ", "Di ", "Mac")
_THINGS = "picker shuttle robot controller gripper sensor cable bearing firmware report policy team line cell truck"
_KINDS = _THINGS.split()


@dataclass(frozen=True, slots=True)
class Locale:
    """Given names and surnames that go together."""

    given: tuple[str, ...]
    surnames: tuple[str, ...]


class Inventor:
    """Draws names of every kind from one random stream."""

    def __init__(self, rng: random.Random, home: Path) -> None:
        self.rng = rng
        self.locales = list(_locales())
        self.given = sorted({name for locale in self.locales for name in locale.given})
        self.surnames = sorted({name for locale in self.locales for name in locale.surnames})
        self.common = _common_words(home)
        self.countries = [name for name in english_addresses.Provider.countries if name.replace(" ", "").isalpha()]
        self.cities = sorted(
            set(_table(address_tables, ("cities", "city_names", "city_suffixes", "states", "countries")))
        )
        self.companies = sorted(set(_table(company_tables, ("company_suffixes", "companies", "large_companies"))))
        self._wordlike = [word for word in self.common if 3 <= len(word) <= 7 and word.isascii()]

    def person(self) -> tuple[str, str]:
        """A given name and a surname, four times in five of one locale."""
        locale = self.rng.choice(self.locales)
        other = locale if self.rng.random() < 0.8 else self.rng.choice(self.locales)
        surname = self.rng.choice(other.surnames)
        if self.rng.random() < 0.04:
            surname = f"{surname}-{self.rng.choice(self.surnames)}"
        elif self.rng.random() < 0.05:
            surname = f"{self.rng.choice(_PREFIXES)}{surname}"
        given = self.rng.choice(locale.given)
        if self.rng.random() < 0.03:
            given = f"{self._syllable().capitalize()}-{self._syllable()}"
        return given, surname

    def _syllable(self) -> str:
        """Two to four letters, as in romanised Korean and Chinese given names."""
        vowels = self.rng.choice(("a", "e", "i", "o", "u", "eo", "eu", "ae", "ia"))
        return self.rng.choice("bdghjklmnpsty") + vowels + self.rng.choice(("", "n", "ng", "k", ""))

    def word(self) -> str:
        """A common word."""
        return self.rng.choice(self._wordlike)

    def place(self) -> str:
        """A country or a town; some towns are in no list, or are called like families."""
        if self.rng.random() < 0.5:
            return self.rng.choice(self.countries)
        first = self.rng.choice((self._made_up(), self.rng.choice(self.surnames), self.rng.choice(self.given)))
        return self.rng.choice((self.rng.choice(self.cities), first, f"{first} {self._made_up()}"))

    def thing(self) -> str:
        """A company, place or product: capitalised, and nobody."""
        rng = self.rng
        makers = (
            lambda: (self.word() + self.word()).capitalize(),
            lambda: f"{self.word().capitalize()} {rng.choice(_SITE_WORDS)}",
            lambda: f"{self.word().capitalize()} {rng.choice(_COMPANY_WORDS)}",
            lambda: f"{rng.choice(self.surnames)} {rng.choice(_COMPANY_WORDS)}",
            lambda: f"{rng.choice(self.surnames)} {rng.choice(_FORMS)}",
            lambda: f"{rng.choice(self.surnames)} {rng.choice(_SITE_WORDS)}",
            lambda: (self.word() + self.word()).capitalize() + f" {rng.choice((*_FORMS, *_COMPANY_WORDS))}",
            lambda: self._made_up(),
            lambda: f"{self._made_up()} {rng.choice(_KINDS)}",
            lambda: f"{self.word().capitalize()} {rng.choice(_KINDS)}",
            lambda: f"{self._made_up()} {self.word().capitalize()}",
            lambda: rng.choice(self.cities),
            lambda: f"{self._made_up()} {self._made_up()}",
            lambda: f"{rng.choice(self.surnames)} {self._made_up()}",
            lambda: f"{rng.choice(self.cities).split()[0]} {self._made_up()}",
            lambda: f"{self._made_up()} {rng.choice(_COMPANY_WORDS)}",
            lambda: rng.choice(self.companies),
            lambda: self.word().capitalize(),
            lambda: f"{rng.choice(self.surnames)}'s {rng.choice(_SITE_WORDS)}",
            lambda: f"{self.word().capitalize()}'s {rng.choice(_SITE_WORDS)}",
        )
        return rng.choice(makers)()

    def _made_up(self) -> str:
        """Letters of two common words run together: pronounceable, in no list."""
        one, two = self.word(), self.word()
        return (one[: self.rng.randint(2, len(one))] + two[self.rng.randint(0, len(two) - 2) :]).capitalize()


def _locales() -> Iterator[Locale]:
    for module in sorted(info.name for info in pkgutil.iter_modules(person_tables.__path__)):
        provider = importlib.import_module(f"{person_tables.__name__}.{module}").Provider
        given = tuple(sorted(_entries(provider, "first_name")))
        surnames = tuple(sorted(_entries(provider, "last_name")))
        if len(given) >= 30 and len(surnames) >= 30:
            yield Locale(given, surnames)


def _entries(provider: type, prefix: str) -> set[str]:
    found: set[str] = set()
    for name in dir(provider):
        value = getattr(provider, name)
        if name.startswith(prefix) and isinstance(value, (tuple, list, dict)):
            found.update(entry for entry in value if isinstance(entry, str))
    return {entry for entry in found if _usable(entry)}


def _usable(entry: str) -> bool:
    return (
        2 <= len(entry) <= 24
        and entry[0].isupper()
        and max(entry) <= _LAST_LATIN
        and not any(c.isdigit() for c in entry)
    )


def _table(package: object, names: Iterable[str]) -> Iterator[str]:
    path: list[str] = package.__path__  # type: ignore[attr-defined]
    for module in sorted(info.name for info in pkgutil.iter_modules(path)):
        provider = importlib.import_module(f"{package.__name__}.{module}").Provider  # type: ignore[attr-defined]
        for name in names:
            value = getattr(provider, name, ())
            if isinstance(value, (tuple, list)):
                yield from (entry for entry in value if isinstance(entry, str) and _usable(entry) and len(entry) > 3)


def _common_words(home: Path) -> list[str]:
    """Lower-case words of the course model's cased vocabulary (frequent words are one token), of Faker and spaCy."""
    tokenizer = json.loads((resolve("smollm2-135m-instruct", home).path / "tokenizer.json").read_text(encoding="utf-8"))
    words = {token[1:] for token in tokenizer["model"]["vocab"] if token.startswith("Ġ") and len(token) > 3}
    for module in _LOREM:
        try:
            words.update(importlib.import_module(f"{word_tables.__name__}.{module}").Provider.word_list)
        except ModuleNotFoundError:
            continue
    for language in _LANGUAGES:
        words.update(importlib.import_module(f"spacy.lang.{language}.stop_words").STOP_WORDS)
    words |= {british for word in words for british in _british(word)}
    return sorted(word for word in words if word.isalpha() and word.islower() and len(word) > 1)


def _british(word: str) -> Iterator[str]:
    """The vocabulary spells as Americans do; other spellings are as common."""
    for american, british in (("or", "our"), ("ors", "ours"), ("ter", "tre"), ("ize", "ise"), ("ized", "ised")):
        if word.endswith(american) and len(word) > len(american) + 2:
            yield word.removesuffix(american) + british
