from pathlib import Path

import nbformat
import pytest

from labkit.course.source import declared_parameters, notebook_sources, read_notebook, read_source
from labkit.errors import CourseError


def build(tmp_path: Path, text: str) -> nbformat.NotebookNode:
    path = tmp_path / "00_x.py"
    path.write_text(text, encoding="utf-8")
    return read_source(path)


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    text = "# %% [markdown]\n# # T\n\n# %%\nx = 1\n\n# %%\nx = 1\n"
    first, second = build(tmp_path, text), build(tmp_path, text)
    assert nbformat.writes(first) == nbformat.writes(second)
    nbformat.validate(first)
    assert len({cell.id for cell in first.cells}) == 3


def test_inserting_a_cell_keeps_the_ids_of_the_others(tmp_path: Path) -> None:
    before = build(tmp_path, "# %%\na = 1\n\n# %%\nb = 2\n")
    after = build(tmp_path, "# %%\na = 1\n\n# %%\nnew = 0\n\n# %%\nb = 2\n")
    assert [after.cells[0].id, after.cells[2].id] == [cell.id for cell in before.cells]


def test_only_reader_metadata_stays(tmp_path: Path) -> None:
    nb = build(tmp_path, '# ---\n# jupyter:\n#   foo: 1\n# ---\n# %% tags=["timing"] editable=true\nx = 1\n')
    assert set(nb.metadata) == {"kernelspec", "language_info"}
    assert nb.cells[0].metadata == {"tags": ["timing"]}


def test_parameters_are_read_from_their_cell(tmp_path: Path) -> None:
    nb = build(tmp_path, '# %% tags=["parameters"]\nprofile = "ci"\nseed: int = 7\n')
    assert declared_parameters(nb) == {"profile": "ci", "seed": 7}
    assert declared_parameters(build(tmp_path, "# %%\nseed = 7\n")) == {}


@pytest.mark.parametrize("line", ["seed = int('7')", "import os", "a, b = 1, 2"])
def test_parameters_are_literals(tmp_path: Path, line: str) -> None:
    with pytest.raises(CourseError, match="literals"):
        declared_parameters(build(tmp_path, f'# %% tags=["parameters"]\n{line}\n'))


def test_names_cover_notebooks_and_capstone(tmp_path: Path) -> None:
    assert notebook_sources(tmp_path) == {}
    for place in ("notebooks/01_b.py", "notebooks/00_a.py", "notebooks/helper.py", "capstone/notebooks/01_c.py"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    assert list(notebook_sources(tmp_path)) == ["00_a", "01_b", "capstone/01_c"]


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"00_gone\.py"):
        read_source(tmp_path / "00_gone.py")
    (tmp_path / "bad.ipynb").write_text("{", encoding="utf-8")
    with pytest.raises(CourseError, match=r"bad\.ipynb"):
        read_notebook(tmp_path / "bad.ipynb")
