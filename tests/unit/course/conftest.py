"""A small course in a repository of its own: one good notebook and one lab, executed once for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from nbformat import NotebookNode

from labkit.course import cache
from labkit.course.run import CourseReport, run_course
from labkit.course.source import read_notebook, read_source

NAME = "00_small"
GOOD = """\
# %% [markdown]
# # A small notebook
#
# It is here to be broken.

# %% [markdown]
# ## Objectives
#
# - run
# - fail
# - be caught

# %% tags=["parameters"]
profile = "ci"
seed = 7

# %%
import random
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
from labkit.course import record, scoreboard_row, setup, show

lab = setup(profile, seed)
print(lab.profile, lab.seed, Path.cwd().name, Path(sys.executable).parent.parent == Path(sys.prefix))

# %%
draws = [random.Random(seed).random() for _ in range(3)]
record("draws", len(draws))
record("first_draw", draws[0], unit="share", direction="higher")

# %%
fig, axis = plt.subplots()
axis.plot([1, 2], [3, 4])
show(fig, alt="A line that rises from three to four", data={"x": [1, 2], "y": [3, 4]})

# %% tags=["generated"]
print("what a model said", time.perf_counter_ns())

# %% tags=["timing"]
print(time.perf_counter())

# %%
print(f"that took {time.perf_counter() % 60:.2f} s")
object()

# %%
scoreboard_row(
    chapter="00",
    system="small",
    answers_right=0.25,
    answers_right_ci=(0.1, 0.4),
    n=60,
    citations_right=0.5,
    money_lost=1234,
    p99_s=time.perf_counter() % 10,
    cost_per_1000=0.12,
    got_worse="everything | else",
)

# %% [markdown]
# ## Recap
#
# It ran.
#
# ### Say it at work
#
# Numbers are printed.
"""
EXPECTED = """\
["00_small"]
light = true
draws = { exact = 3, why = "three are drawn" }
first_draw = { min = 0.3, max = 0.4, unit = "share", why = "one seed" }
scoreboard_answers_right = { min = 0.2, max = 0.3, why = "typed in" }
scoreboard_citations_right = { exact = 0.5, why = "typed in" }
scoreboard_money_lost = { exact = 1234, why = "typed in" }
"""
TARGET = """\
[target]
system = "the contract"
answers_right = 0.9
"""
README = """\
# Small

<!-- scoreboard:begin -->
<!-- scoreboard:end -->

after
"""


def write_course(root: Path) -> Path:
    """A repository with the good notebook, not executed yet."""
    (root / "notebooks").mkdir(parents=True)
    (root / "labs").mkdir()
    (root / "notebooks" / f"{NAME}.py").write_text(GOOD, encoding="utf-8")
    (root / "notebooks" / "expected.toml").write_text(EXPECTED, encoding="utf-8")
    (root / "notebooks" / "scoreboard.toml").write_text(TARGET, encoding="utf-8")
    (root / "README.md").write_text(README, encoding="utf-8")
    return root


@pytest.fixture(scope="session", autouse=True)
def _one_room() -> Iterator[None]:
    """Resuming depends on labkit's sources; here only on this room's, which no one edits while its tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "PACKAGE", cache.PACKAGE / "course")
        yield


@pytest.fixture(scope="session")
def built(_one_room: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, CourseReport]:
    """The repository after `course --update`, the results folder, and the report. Do not change: copy."""
    base = tmp_path_factory.mktemp("course")
    root = write_course(base / "repo")
    return root, base / "results", run_course(root, update=True, results=base / "results")


@pytest.fixture
def repo(built: tuple[Path, Path, CourseReport], tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the executed repository and of its results, to break."""
    root, results, _ = built
    shutil.copytree(root, tmp_path / "repo")
    shutil.copytree(results, tmp_path / "results")
    return tmp_path / "repo", tmp_path / "results"


@pytest.fixture(scope="session")
def _good(built: tuple[Path, Path, CourseReport]) -> tuple[NotebookNode, NotebookNode]:
    path = built[0] / "notebooks" / f"{NAME}.py"
    return read_notebook(path.with_suffix(".ipynb")), read_source(path)


@pytest.fixture
def good(_good: tuple[NotebookNode, NotebookNode]) -> NotebookNode:
    """The executed good notebook, to break."""
    return deepcopy(_good[0])


@pytest.fixture
def source(_good: tuple[NotebookNode, NotebookNode]) -> NotebookNode:
    """The notebook its source builds."""
    return deepcopy(_good[1])
