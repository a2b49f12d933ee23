"""docs/packs.md names everything a pack can say."""

import re
import tomllib
from pathlib import Path

import pytest

from labkit.world.check import PII_KINDS, WIDE
from labkit.world.entries import KINDS, Arc, DocumentClass, MessagePlan
from labkit.world.ontology import ONTOLOGY
from labkit.world.pack import Pack

PAGE = (Path(__file__).parents[3] / "docs" / "packs.md").read_text(encoding="utf-8")


def code(text: str) -> set[str]:
    return set(re.findall(r"[a-z_0-9.]+", " ".join(re.findall(r"`[^`]+`|```.*?```", text, re.DOTALL))))


@pytest.mark.parametrize(
    "names",
    [
        KINDS,
        PII_KINDS,
        sorted(WIDE),
        sorted({r.list for r in ONTOLOGY.relations.values() if r.list}),
        ["class" if name == "name" else name for name in DocumentClass.model_fields],
        ["from" if name == "sender" else name for name in MessagePlan.model_fields],
        list(Arc.model_fields),
    ],
)  # fmt: skip
def test_nothing_is_missing(names: list[str]):
    assert not [name for name in names if name not in code(PAGE)]


def test_every_pool_of_the_course_is_named(pack: Pack):
    assert not [pool for pool in pack.pools if pool not in PAGE]


def test_its_arc_and_class_examples_are_what_the_format_takes():
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    story = next(tomllib.loads(block) for block in blocks if "[[question]]" in block)
    assert Arc.model_validate(story).question[0].hero
    layout = next(block for block in blocks if "five whys" in block)
    cleaned = re.sub(r", …|…", "", layout).replace('["passage"]', "[]")
    assert DocumentClass.model_validate(tomllib.loads(cleaned)).author == "incident.resolver"
