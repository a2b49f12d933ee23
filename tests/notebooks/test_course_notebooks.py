"""The course as it is committed: every notebook runs, is right, and agrees with its committed execution."""

from pathlib import Path

import pytest

from labkit.course.expected import load_expected
from labkit.course.labs import check_lab, lab_sources
from labkit.course.light import revalidate
from labkit.course.run import CourseReport
from labkit.course.source import notebook_sources

ROOT = Path(__file__).parents[2]
SOURCES = notebook_sources(ROOT)
LABS = lab_sources(ROOT)
LIGHT = [name for name, wanted in load_expected(ROOT / "notebooks" / "expected.toml").items() if wanted.light]


@pytest.mark.parametrize("name", SOURCES)
def test_notebook_runs_and_agrees(course: CourseReport, name: str) -> None:
    (report,) = [report for report in course.notebooks if report.name == name]
    if report.error is not None:
        pytest.fail(f"{name} failed: {report.error}", pytrace=False)
    assert [str(finding) for finding in report.findings] == []


@pytest.mark.parametrize("name", LIGHT)
def test_light_notebook_agrees_cell_by_cell(course: CourseReport, name: str) -> None:
    found = revalidate([SOURCES[name].with_suffix(".ipynb")], ROOT)
    assert [str(finding) for finding in found] == []


@pytest.mark.parametrize("name", LABS)
def test_lab_is_in_sync(name: str) -> None:
    assert [str(finding) for finding in check_lab(LABS[name])] == []


@pytest.mark.parametrize("name", LABS)
def test_lab_solutions_are_right(labs: CourseReport, name: str) -> None:
    (report,) = [report for report in labs.notebooks if report.name == name]
    if report.error is not None:
        pytest.fail(f"{name} failed: {report.error}", pytrace=False)
    assert [str(finding) for finding in report.findings] == []


def test_scoreboard_and_tables_are_in_date(course: CourseReport) -> None:
    assert [str(finding) for finding in course.findings] == []
