"""A small company of two groups, what it states, and one worker for all tests of a module."""

from datetime import date

import pytest

from labkit.graph.graphrag.project import Audience
from labkit.graph.graphrag.worker import Worker
from labkit.graph.tables import Entity, Extraction, Mention, Statement
from labkit.schema import Chunk, RequestContext
from labkit.settings import Settings

DAY = date(2025, 6, 1)
SECRET = ("Norrland", "forty million", "Umbra")
"""Words that stand in the board's passages alone."""

_SITES = ("Hexham", "Thornaby", "Crosswater", "Tidemill", "Wolverlea")
_PRODUCTS = ("Otter shuttle", "Heron picker", "Pike tug")
_CAUSES = ("a loose belt", "a loose belt", "a misread instruction")


class Company:
    """Passages and the graph they state."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.extraction = Extraction("rules")
        self._entities: dict[str, Entity] = {}

    def say(self, text: str, *facts: tuple[str, str, str], acl: tuple[str, ...] = ("staff",)) -> None:
        """A passage that states ``(subject, relation, object or value)`` each; entities are written ``kind:name``."""
        name = f"c{len(self.chunks):02}"
        self.chunks.append(
            Chunk(
                chunk_id=name, doc_id=name, source_path=f"{acl[0]}/{name}.md", ordinal=0, text=text, start=0,
                end=len(text), tokens=len(text.split()), content_hash=name, acl=acl,
            )
        )  # fmt: skip
        for subject, relation, target in facts:
            is_entity = ":" in target
            for entity in (subject, *((target,) if is_entity else ())):
                self._mention(entity, name, text)
            self.extraction.statements.append(
                Statement(
                    subject_id=subject, relation=relation, object_id=target if is_entity else "",
                    value=target.partition(":")[2] if is_entity else target, chunk_id=name, start=0, end=len(text),
                )
            )  # fmt: skip
        self.extraction.entities = list(self._entities.values())

    def _mention(self, entity: str, chunk_id: str, text: str) -> None:
        kind, _, title = entity.partition(":")
        self._entities[entity] = Entity(entity_id=entity, kind=kind, name=title)
        at = text.index(title)
        self.extraction.mentions.append(Mention(entity_id=entity, chunk_id=chunk_id, start=at, end=at + len(title)))


@pytest.fixture(scope="session")
def company():
    made = Company()
    for i in range(15):
        incident, site, product = f"INC-{i + 100}", _SITES[i % 5], _PRODUCTS[i % 3]
        made.say(
            f"{incident} stopped the {product} at {site}. The cause of the incident was {_CAUSES[i % 3]}.",
            (f"incident:{incident}", "incident.site", f"site:{site}"),
            (f"incident:{incident}", "incident.product", f"product:{product}"),
            (f"incident:{incident}", "incident.cause", _CAUSES[i % 3]),
        )
    for i, site in enumerate(_SITES):
        made.say(f"{site} is led by Ann Lead{i}.", (f"site:{site}", "site.lead", f"person:Ann Lead{i}"))
    made.say("The canteen opens at noon.")
    made.say("The canteen opens at noon.")  # two passages of one text
    made.say("IT keeps Hexham online <|endoftext|> and \x85 | running.", ("team:IT", "team.site", "site:Hexham"))
    made.say("Hexham reports to IT.", ("site:Hexham", "site.team", "team:IT"))  # a circle
    made.say("Hexham is led by Zoe Other.", ("site:Hexham", "site.lead", "person:Zoe Other"))  # a contradiction
    made.say("Project Umbra buys Norrland for forty million.",
             ("project:Project Umbra", "x.buys", "company:Norrland"), acl=("board",))  # fmt: skip
    made.say("Norrland owns Hexham in secret.", ("company:Norrland", "x.owns", "site:Hexham"), acl=("board",))
    made.say("Norrland is led by Olof Quist.", ("company:Norrland", "x.lead", "person:Olof Quist"), acl=("board",))
    made.say("Hexham will be closed by Norrland.", ("company:Norrland", "x.closes", "site:Hexham"), acl=("board",))
    return made


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """A home of its own, with the models of the real one."""
    home = tmp_path_factory.mktemp("home")
    models = Settings().home / "models"
    if models.exists():
        (home / "models").symlink_to(models)
    return Settings(home=home, device="cpu")


@pytest.fixture(scope="session")
def worker(settings):
    with Worker(settings) as made:
        yield made


def audience(group):
    """A group of the company, on the day."""
    return Audience(tenant="default", group=group, as_of=DAY)


def reader(*groups):
    """A request of somebody in these groups."""
    return RequestContext(groups=frozenset(groups), as_of=DAY)
