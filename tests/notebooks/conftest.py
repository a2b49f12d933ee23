"""One run of the course per test session; what `labkit course` has just executed is not executed again."""

from pathlib import Path

import pytest

from labkit.course.run import CourseReport, run_course, run_labs
from labkit.course.session import unpack_models

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def course() -> CourseReport:
    """The whole course: executed once, verified, compared."""
    unpack_models()
    return run_course(ROOT)


@pytest.fixture(scope="session")
def labs() -> CourseReport:
    """The labs, executed with their solutions."""
    return run_labs(ROOT)
