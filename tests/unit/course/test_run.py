"""The orchestration over a small course; each drift of a repository is caught by the run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.course import run as orchestration
from labkit.course.light import revalidate
from labkit.course.run import CourseReport, run_course
from labkit.course.source import read_notebook, write_notebook
from labkit.errors import InputError, NotebookFailed, NotebookInvalid

pytestmark = pytest.mark.slow  # every test starts kernels; the file takes about half a minute

Repo = tuple[Path, Path]
SOURCE = "notebooks/00_small.py"
EXECUTED = "notebooks/00_small.ipynb"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def run(repo: Repo, **options: object) -> CourseReport:
    return run_course(repo[0], results=repo[1], **options)  # type: ignore[arg-type]


def test_update_writes_the_course(built: tuple[Path, Path, CourseReport]) -> None:
    root, results, report = built
    assert report.ok
    assert report.notebooks[0].status == "ok, written"
    assert report.notebooks[0].figures == 5
    assert "00_small" in report.table()
    facts = read_notebook(root / EXECUTED).metadata["labkit"]
    assert facts["seed"] == 7
    assert facts["peak_mb"] > 50
    record = json.loads((results / "00_small.json").read_text(encoding="utf-8"))
    assert record["parameters"] == {"profile": "ci", "seed": 7}
    assert record["minutes"] > 0
    assert str(root) not in (root / EXECUTED).read_text(encoding="utf-8")


def test_an_unchanged_notebook_is_not_executed_again(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("executed again")

    monkeypatch.setattr(orchestration, "execute", refuse)
    report = run(repo)
    assert report.ok
    assert report.notebooks[0].status == "ok, kept"
    with pytest.raises(AssertionError):
        run(repo, force=True)
    (repo[0] / "datasets" / "new.csv").touch()
    with pytest.raises(AssertionError):
        run(repo)


def test_an_execution_tampered_with_is_not_kept(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    change(repo[1] / "00_small.ipynb", "ci 7 notebooks True", "ci 8 notebooks True")
    monkeypatch.setattr(orchestration, "execute", lambda *_, **__: pytest.fail("executed again"))
    with pytest.raises(pytest.fail.Exception):
        run(repo)


def test_executing_again_agrees_and_leaves_the_committed_bytes(repo: Repo) -> None:
    before = (repo[0] / EXECUTED).read_bytes()
    report = run(repo, force=True, update=True)
    assert report.ok
    assert report.notebooks[0].status == "ok"
    assert (repo[0] / EXECUTED).read_bytes() == before
    assert (repo[1] / "00_small.ipynb").read_bytes() != before  # it did run: its clock cells differ


def stale_output(root: Path) -> None:
    change(root / EXECUTED, "ci 7 notebooks True", "ci 6 notebooks True")


def stale_figure(root: Path) -> None:
    nb = read_notebook(root / EXECUTED)
    cell = next(c for c in nb.cells if "draws = " in c.source)
    cell.outputs[1].data["application/vnd.labkit.figure+json"]["value"] = 0.9
    write_notebook(nb, root / EXECUTED)


def committed_leak(root: Path) -> None:
    change(root / EXECUTED, "what a model said", "/home/ines what a model said")


def nothing_committed(root: Path) -> None:
    (root / EXECUTED).unlink()


def narrower_range(root: Path) -> None:
    change(root / "notebooks/expected.toml", "min = 0.3, max = 0.4", "min = 0.1, max = 0.2")


def unknown_table(root: Path) -> None:
    change(root / "notebooks/expected.toml", '["00_small"]', '["07_gone"]\n["00_small"]')


def orphan(root: Path) -> None:
    (root / "notebooks" / "01_orphan.ipynb").write_bytes((root / EXECUTED).read_bytes())


def stale_readme(root: Path) -> None:
    change(root / "README.md", "€1,234", "€4,321")


def stale_lab(root: Path) -> None:
    (root / "labs" / "00_small.py").write_text("# %% [markdown]\n# # Lab\n", encoding="utf-8")


DRIFTS = {
    stale_output: "text",
    stale_figure: "figures",
    committed_leak: "committed machine path",
    nothing_committed: "committed",
    narrower_range: "figures",
    unknown_table: "expected",
    orphan: "source",
    stale_readme: "scoreboard",
    stale_lab: "lab/00_small lab",
}


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.__name__)
def test_a_drifted_repository_is_caught(repo: Repo, drift: Callable[[Path], None]) -> None:
    drift(repo[0])
    report = run(repo)
    assert not report.ok
    found = [*report.findings, *(finding for notebook in report.notebooks for finding in notebook.findings)]
    assert DRIFTS[drift] in {finding.check for finding in found}
    with pytest.raises(NotebookInvalid):
        report.raise_if_bad()


def test_update_repairs_what_drifted(repo: Repo) -> None:
    for drift in (stale_output, stale_readme, stale_lab):
        drift(repo[0])
    assert run(repo, update=True).ok
    assert run(repo).ok


def test_a_changed_source_is_executed_and_found_stale_in_the_committed_one(repo: Repo) -> None:
    change(repo[0] / SOURCE, "It ran.", "It ran again.")
    report = run(repo)
    assert not report.notebooks[0].reused
    assert {finding.check for finding in report.notebooks[0].findings} == {"structure", "committed source"}


def test_a_broken_notebook_fails_with_its_name_and_does_not_stop_the_others(repo: Repo) -> None:
    text = '# %% tags=["parameters"]\nprofile = "ci"\nseed = 7\n\n# %%\nraise ValueError("planted")\n'
    (repo[0] / "notebooks" / "01_broken.py").write_text(text, encoding="utf-8")
    before = (repo[0] / EXECUTED).read_bytes()
    report = run(repo, update=True)
    assert [notebook.status for notebook in report.notebooks] == ["ok, kept", "failed"]
    assert "01_broken, cell 2 (In [2])" in report.table()
    with pytest.raises(NotebookFailed, match="planted"):
        report.raise_if_bad()
    assert not (repo[0] / "notebooks" / "01_broken.ipynb").exists()
    assert (repo[0] / EXECUTED).read_bytes() == before
    record = json.loads((repo[1] / "01_broken.json").read_text(encoding="utf-8"))
    assert record["status"] == "NotebookFailed"


def test_an_invalid_execution_is_not_written(repo: Repo) -> None:
    change(repo[0] / SOURCE, "# ## Recap", "# ## The end")
    before = (repo[0] / EXECUTED).read_bytes()
    report = run(repo, update=True)
    assert "anatomy" in {finding.check for finding in report.notebooks[0].findings}
    assert (repo[0] / EXECUTED).read_bytes() == before


def test_another_seed_is_executed_and_not_compared(repo: Repo) -> None:
    report = run(repo, names=["00"], seed=8)
    assert report.ok
    assert "ci 8" in (repo[1] / "00_small.ipynb").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="default"):
        run(repo, seed=8, update=True)


def test_names(repo: Repo) -> None:
    assert [notebook.name for notebook in run(repo, names=["00_small", "00"]).notebooks] == ["00_small"]
    with pytest.raises(InputError, match="There are: 00_small"):
        run(repo, names=["03"])


def test_an_empty_course_is_fine(tmp_path: Path) -> None:
    report = run_course(tmp_path, results=tmp_path / "results")
    assert report.ok
    assert report.notebooks == ()


def test_nbval_agrees_and_can_disagree(repo: Repo) -> None:
    path = repo[0] / EXECUTED
    assert revalidate([], repo[0]) == []
    assert revalidate([path], repo[0]) == []
    stale_output(repo[0])
    (finding,) = revalidate([path], repo[0])
    assert "00_small.ipynb, code cell 2" in finding.message
    assert "ci 6 notebooks" in finding.message
