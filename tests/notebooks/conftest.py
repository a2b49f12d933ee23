"""One run of the course per test session; what `labkit course` has just executed is not executed again."""

import os
from pathlib import Path

import pytest

from labkit.course.run import CourseReport, run_course, run_labs
from labkit.course.session import unpack_models
from labkit.settings import get_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def course() -> CourseReport:
    """The whole course: executed once, verified, compared."""
    # Earlier tests of this process may have called setup(), which leaves a profile and a seed behind.
    for name in ("LABKIT_PROFILE", "LABKIT_SEED"):
        os.environ.pop(name, None)
    get_settings.cache_clear()
    unpack_models()
    return run_course(ROOT)


@pytest.fixture(scope="session")
def labs() -> CourseReport:
    """The labs, executed with their solutions."""
    return run_labs(ROOT)
