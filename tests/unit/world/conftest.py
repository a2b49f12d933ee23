"""The course's pack and one cell of its company, loaded once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.world.build import build_world
from labkit.world.company import build_company
from labkit.world.facts import FactGraph
from labkit.world.pack import Pack, load_pack


@pytest.fixture(scope="session")
def pack() -> Pack:
    return load_pack()


@pytest.fixture(scope="session")
def graph(pack: Pack) -> FactGraph:
    return build_company(pack, seed=3)


@pytest.fixture
def overlay(tmp_path: Path) -> Callable[..., Path]:
    """Writes a pack folder: ``overlay(names="…", **{"documents/x": "…"})`` without the .toml endings."""

    def write(head: str = 'format = 1\nname = "over"\n', **files: str) -> Path:
        folder = tmp_path / "over"
        for name, text in {"pack": head, **files}.items():
            path = folder / f"{name}.toml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "small"
    build_world("40", 1, out, progress=False)
    return out
