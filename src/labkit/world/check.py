"""Whether a pack holds together: slots, banks, word lists, relations and facts that its entries name exist.

Shapes are checked by the models of ``entries``; whether the words read well is checked by people.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from labkit.errors import PackError
from labkit.world.entries import KINDS, Arc, DocumentClass, Family
from labkit.world.grammar import always_holds, parse, slots
from labkit.world.ontology import ONTOLOGY

if TYPE_CHECKING:
    from labkit.world.pack import Pack

_NEEDS: dict[str, tuple[str, ...]] = {
    "statement": ("subject", "value"),
    "question": ("subject",),
    "noun_phrase": ("subject",),
    "compare": ("a", "b"),
    "as_of": ("subject", "date"),
    "premise": ("subject", "wrong"),
}
_PEOPLE = ("author", "colleague", "colleague2", "manager", "contact")
_SCENE = {*_PEOPLE, *ONTOLOGY.kinds, "part2"} - {"person"}
_RANDOM = {"n", "dec", "time", "bay", "asset"}
_DATES = {"date", "weekday", "month", "year", "earlier", "later"}
PII_KINDS = ("email", "phone", "mobile", "iban", "card", "ip", "address", "national_id", "birthdate")
BOILERPLATE_SLOTS = frozenset({"author", "author.first", "author.last", "date", "year"})
_FACTS = r"facts(:[a-z_]+\.[a-z_*]+)?(:\d+-\d+)?"
_ITEM = re.compile(
    rf"p:[a-z_0-9]+(:\d+-\d+)?(\+({_FACTS}|[a-z_0-9]+))*|(ul|ol):[a-z_0-9]+(:\d+-\d+)?|{_FACTS}"
    r"|(kv|table)(:[a-z_]+\.[a-z_*]+)?|rows"
)
WIDE: dict[str, frozenset[str]] = {
    "count.incidents_at_site": frozenset({"site", "year"}),
    "count.parts_from_supplier": frozenset({"supplier"}),
    "count.sites_of_customer": frozenset({"customer"}),
    "count.incidents_with_error": frozenset({"error"}),
    "sum.downtime_at_site": frozenset({"site", "year"}),
    "global.causes": frozenset({"year"}),
    "global.products_with_most_incidents": frozenset({"year"}),
    "global.changes_reasons": frozenset({"year"}),
}
"""What questions about many facts at once are called, and the slots their forms must hold."""


def check(pack: Pack, where: str) -> None:
    """Check everything in a pack that refers to something else.

    Raises:
        PackError: a family, class, story or line of dirt breaks the format; names which, and what is allowed.
    """
    for family in pack.families:
        _check_family(pack, family, f"{where}: {family.relation} / {family.kind} / {family.name}")
    for document in pack.classes.values():
        _check_class(pack, document, f"{where}: documents/{document.name}.toml")
    for arc in pack.arcs:
        _check_arc(arc, f"{where}: arcs/{arc.slug}")
    _check_dirt(pack, f"{where}: dirt.toml")


def _check_family(pack: Pack, family: Family, place: str) -> None:
    absent = family.relation.split(".")
    if absent[0] == "absent" and len(absent) == 3 and absent[1] in ONTOLOGY.kinds:
        needs = allowed = frozenset({"subject"})
    elif family.relation in WIDE:
        needs = allowed = WIDE[family.relation]
    elif family.relation in ONTOLOGY.relations:
        needs = frozenset(_NEEDS[family.kind])
        allowed = needs
    else:
        raise PackError(
            f"{family.relation!r} is an unknown relation",
            where=place,
            todo="Use one of ontology.toml or docs/packs.md.",
        )
    for form in family.forms:
        nodes = _parsed(form, place)
        for need in sorted(needs):
            if not always_holds(nodes, need):
                raise PackError(f"The form {form!r} lacks {{{need}}}", where=place, todo="Every choice must hold it.")
        for slot in slots(nodes):
            if family.kind == "statement" and slot.name not in {"subject", "value", "date"}:
                _check_slot(pack, slot.name, slot.part, f"{place}: {form[:60]!r}")
            elif family.kind != "statement" and (slot.name not in allowed or slot.part):
                raise PackError(
                    f"There is no slot {{{slot.name}}} in a {family.kind}", where=f"{place}: {form[:60]!r}",
                    todo=f"Use {', '.join(sorted(allowed)) or 'none'}.",
                )  # fmt: skip


def _check_class(pack: Pack, document: DocumentClass, place: str) -> None:
    if document.author and ONTOLOGY.relations.get(document.author) is None:
        raise PackError(f"author = {document.author!r} is no relation", where=place, todo="Use one of ontology.toml.")
    if document.about not in ONTOLOGY.kinds:
        raise PackError(f"about = {document.about!r} is no kind", where=place, todo="Use a kind of ontology.toml.")
    for layout in document.layout:
        for item in layout.items():
            if not _ITEM.fullmatch(item):
                raise PackError(f"The body item {item!r} of layout {layout.name!r} is malformed", where=place)
            for part in item.split("+"):
                bank = part.removeprefix("p:").removeprefix("ul:").removeprefix("ol:").split(":")[0]
                if bank not in {"facts", "kv", "table", "rows"} and bank not in document.bank:
                    raise PackError(f"Layout {layout.name!r} names the missing bank {bank!r}", where=place)
    headings = (h for layout in document.layout for section in layout.sections for h in section.heading)
    passages = (line for lines in document.bank.values() for line in lines)
    for form in (*document.title, *document.filename, *headings, *passages):
        for slot in slots(_parsed(form, place)):
            _check_slot(pack, slot.name, slot.part, f"{place}: {form[:60]!r}")


def _check_arc(arc: Arc, place: str) -> None:
    known = {fact.id for fact in arc.fact}
    named = {e.fact for document in arc.document for e in document.evidence} | {
        f for q in arc.question for f in q.facts
    }
    for missing in sorted(named - known):
        raise PackError(f"There is no fact {missing!r} in this story", where=place, todo="Add it, or correct its name.")


def _check_dirt(pack: Pack, place: str) -> None:
    for kind in sorted(set(pack.dirt.rates) - set(KINDS)):
        raise PackError(f"There is no dirt called {kind!r}", where=place, todo=f"Use one of {', '.join(KINDS)}.")
    allowed = {"boilerplate": BOILERPLATE_SLOTS, "injection": frozenset[str](), "languages": frozenset[str]()}
    for part, may in allowed.items():
        for line in (line for lines in getattr(pack.dirt, part).values() for line in lines):
            for slot in slots(_parsed(line, place)):
                if (f"{slot.name}.{slot.part}" if slot.part else slot.name) not in may:
                    raise PackError(
                        f"There is no slot {{{slot.name}}} in [{part}]", where=f"{place}: {line[:60]!r}",
                        todo=f"Use {', '.join(sorted(may)) or 'none'}.",
                    )  # fmt: skip
    for line in (line for lines in pack.dirt.pii.values() for line in lines):
        for slot in slots(_parsed(line, place)):
            _check_slot(pack, slot.name, slot.part, f"{place}: {line[:60]!r}")


def _check_slot(pack: Pack, name: str, part: str, place: str) -> None:
    known = _SCENE | _RANDOM | _DATES
    if name == "lex" and part not in pack.lex:
        raise PackError(f"There is no word list [lex] {part}", where=place, todo="Add it to names.toml.")
    if name == "pii" and part not in PII_KINDS:
        raise PackError(f"There is no personal data kind {part!r}", where=place, todo=f"Use one of {PII_KINDS}.")
    if name not in known | {"lex", "pii"}:
        raise PackError(f"There is no slot {{{name}}}", where=place, todo="See docs/packs.md for the slots there are.")


def _parsed(form: str, place: str) -> tuple[Any, ...]:
    try:
        return parse(form)
    except PackError as error:
        raise PackError(error.what, where=f"{place}: {form[:80]!r}", todo=error.todo) from error
