import sys
from pathlib import Path
from types import ModuleType

import pytest

from labkit.course import check
from labkit.course.check import question
from labkit.course.labs import check_lab, check_solutions, lab_sources, learner_notebook, write_labs
from labkit.course.run import run_labs
from labkit.course.source import read_source
from labkit.errors import CourseError

LAB = """\
# %% [markdown]
# # Lab

# %%
from labkit.course import NotAttempted, check

# %% [markdown]
# ### q1 · The newest
#
# *Difficulty* ●○○ · *Minutes* 5
#
# <details><summary>Hint</summary>Sort first.</details>


# %%
def newest(revisions):
    # <solution> sort by date first
    ordered = sorted(revisions)
    return ordered[-1]
    # </solution>


check.lab90.q1(newest)

# %% [markdown]
# ### q2 · Your grades
#
# *Difficulty* ●●○ · *Minutes* 10
#
# <details><summary>Hint</summary>Read them.</details>

# %%
# <solution>
grades: list[int] = [1, 0]
reason = "read"
# </solution>
check.lab90.q2(grades)

# %% [markdown] tags=["solution"]
# The second one is wrong.
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "labs").mkdir()
    path = tmp_path / "labs" / "90_small.py"
    path.write_text(LAB, encoding="utf-8")
    module = ModuleType("labkit.course.checks.lab90")

    def q1(newest):  # type: ignore[no-untyped-def]
        return None if newest(["b", "a"]) == "b" else "no"

    def q2(grades):  # type: ignore[no-untyped-def]
        return None if grades == [1, 0] else "no"

    for judge in (q1, q2):
        judge.__module__ = module.__name__
        setattr(module, judge.__name__, question(hint="h")(judge))
    monkeypatch.setattr(check, "labs", lambda: ["lab90"])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_learner_gets_gaps(lab: Path) -> None:
    nb = learner_notebook(lab)
    text = "\n".join(cell.source for cell in nb.cells)
    assert "    # Your turn: sort by date first\n    raise NotAttempted\n" in text
    assert "# Your turn\ngrades = ...\nreason = ...\ncheck.lab90.q2(grades)" in text
    assert "ordered" not in text
    assert "second one is wrong" not in text
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in nb.cells)


def test_the_gaps_are_not_attempted_and_the_solutions_right(lab: Path) -> None:
    for nb, state in ((learner_notebook(lab), "not attempted"), (read_source(lab), "right")):
        names: dict[str, object] = {}
        for cell in nb.cells:
            if cell.cell_type == "code":
                exec(cell.source, names)
        assert check.lab90.q1(names["newest"]).state == state
        assert check.lab90.q2(names["grades"]).state == state


def test_a_lab_in_sync_passes(lab: Path) -> None:
    root = lab.parents[1]
    assert write_labs(root) == [lab.with_suffix(".ipynb")]
    assert write_labs(root) == []
    assert list(lab_sources(root)) == ["lab/90_small"]
    assert check_lab(lab) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("# # Lab", "# # A lab", "out of date"),
        ("*Difficulty* ●○○ · ", "", "q1 does not state difficulty"),
        ("*Minutes* 5", "soon", "q1 does not state minutes"),
        ("<details><summary>Hint</summary>Sort first.</details>", "Sort first.", "q1 does not state a folded hint"),
        ("### q2", "### Two", "q2 is checked but has no heading"),
        ("check.lab90.q1(newest)", "newest", "q1 has a heading but no check"),
        ("check.lab90.q2(grades)", "check.lab90.q3(grades)", "lab90.q3 is asked but not registered"),
        ("import NotAttempted, check", "import check", "does not import NotAttempted"),
        ("    return ordered[-1]\n    # </solution>\n", "    # </solution>\n    return (\n", "not valid Python"),
    ],
)
def test_a_bad_lab_is_caught(lab: Path, old: str, new: str, words: str) -> None:
    if words != "out of date":
        change(lab, old, new)
    write_labs(lab.parents[1])
    if words == "out of date":
        change(lab, old, new)
    assert any(words in str(finding) for finding in check_lab(lab))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    # </solution>\n\n\ncheck", "\n\ncheck", "not closed"),
        ("    # <solution> sort by date first\n", "", "no partner"),
        ("    ordered = sorted", "    # <solution>\n    ordered = sorted", "no partner"),
        ('grades: list[int] = [1, 0]\nreason = "read"', "print(1)", "assigns no name"),
    ],
)
def test_bad_markers_are_named(lab: Path, old: str, new: str, words: str) -> None:
    change(lab, old, new)
    with pytest.raises(CourseError, match=rf"{words}.*90_small\.py, cell"):
        learner_notebook(lab)


SOLVED = """\
# %%
from labkit.course import check
from labkit.course.check import question

@question(hint="h")
def q1(answer):
    return None if answer == 1 else "no"

# %%
# <solution>
one = 1
# </solution>
q1(one)
"""


def test_executed_solutions_are_right(tmp_path: Path) -> None:
    (tmp_path / "labs").mkdir()
    path = tmp_path / "labs" / "91_tiny.py"
    path.write_text(SOLVED, encoding="utf-8")
    assert run_labs(tmp_path, results=tmp_path / "results").ok
    change(path, "one = 1", "one = 2")
    report = run_labs(tmp_path, names=["91"], results=tmp_path / "results")
    assert [finding.check for finding in report.notebooks[0].findings] == ["solution"]
    assert "not yet: no" in report.table()


def test_a_check_without_a_verdict_is_caught() -> None:
    from nbformat.v4 import new_code_cell, new_notebook

    nb = new_notebook(cells=[new_code_cell("check.lab90.q1(newest)\nprint(1)")])
    assert ["shows no verdict" in finding.message for finding in check_solutions(nb)] == [True]
