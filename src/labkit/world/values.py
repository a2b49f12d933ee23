"""Wordings of values: how a number, a date or a name may be written, and which wordings count as right."""

from __future__ import annotations

import random
import re
from datetime import date
from decimal import Decimal

from labkit.world.ontology import Relation

_UNITS: dict[str, tuple[str, ...]] = {
    "N·m": ("{} N·m", "{} Nm", "{} N m", "{} newton metres"),
    "kg": ("{} kg", "{} kilograms", "{}kg"),
    "hours": ("{} hours", "{} h", "{} hrs"),
    "minutes": ("{} minutes", "{} min", "{} mins"),
    "m/s": ("{} m/s", "{} metres per second"),
    "weeks": ("{} weeks", "{} wks"),
    "operating hours": ("{} operating hours", "{} h of operation", "{} hours", "{} h"),
    "EUR": ("{} EUR", "EUR {}", "€{}", "{} euros"),
    "k EUR": ("{} k EUR", "EUR {}k", "{}k EUR", "€{}k", "{},000 EUR", "{} thousand euros"),
    "EUR per hour": ("{} EUR per hour", "EUR {} per hour", "€{} per hour", "{} EUR/h", "EUR {}/h"),
    "days net": ("{} days net", "net {} days", "net {}"),
    "robots": ("{} robots", "{}"),
    "pieces": ("{} pieces", "{} pcs", "{}"),
    "": ("{}",),
}
_WRITTEN = 2
"""How many of a unit's wordings documents use; the others are only accepted from a reader."""


def draw_number(relation: Relation, rng: random.Random) -> float:
    """A value of a number relation, on its grid."""
    steps = round((relation.high - relation.low) / relation.step)
    return float(Decimal(str(relation.low)) + rng.randint(0, steps) * Decimal(str(relation.step)))


def number_surfaces(number: float, relation: Relation) -> tuple[str, ...]:
    """Accepted wordings of a number, canonical first."""
    decimals = 2 if relation.unit == "EUR" and relation.step < 1 else max(0, -_exponent(relation.step))
    plain = f"{number:.{decimals}f}" if decimals == 2 else f"{number:.{decimals}f}".removesuffix(".0")
    grouped = f"{number:,.{decimals}f}" if number >= 1000 and relation.unit else plain
    if relation.prefix:
        return (f"{relation.prefix}{plain}", f"extension {plain}", plain)
    shapes = _UNITS[relation.unit]
    written = [shape.format(grouped) for shape in shapes]
    surfaces = dict.fromkeys([*written, *(shape.format(plain) for shape in shapes)])
    return tuple(dict.fromkeys(_singular(text, number) for text in surfaces))


def _singular(text: str, number: float) -> str:
    return re.sub(r"(hour|minute|week|robot|metre|kilogram|euro)s\b", r"\1", text) if number == 1 else text


def _exponent(step: float) -> int:
    exponent = Decimal(str(step)).normalize().as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def date_surfaces(day: date) -> tuple[str, ...]:
    """Accepted wordings of a date, canonical first: ``14 March 2025``, ISO, American, numeric."""
    month = day.strftime("%B")
    return (
        f"{day.day} {month} {day.year}",
        day.isoformat(),
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month[:3]} {day.year}",
        day.strftime("%d/%m/%Y"),
        day.strftime("%d.%m.%Y"),
        f"{day.day:02d} {month} {day.year}",
    )


def written(surfaces: tuple[str, ...], rng: random.Random) -> str:
    """The wording a document uses: mostly the canonical one."""
    usual = surfaces[:_WRITTEN]
    return surfaces[0] if rng.random() < 0.7 else rng.choice(usual)
