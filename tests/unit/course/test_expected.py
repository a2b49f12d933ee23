from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode

from labkit.course import figures
from labkit.course.expected import Expectation, check_figures, load_expected
from labkit.errors import ConfigError


@pytest.fixture
def expectation(built: tuple[Path, Path, object]) -> Expectation:
    return load_expected(built[0] / "notebooks" / "expected.toml")["00_small"]


def figure(nb: NotebookNode, number: int) -> dict[str, object]:
    found: dict[str, object] = next(c for c in nb.cells if "draws = " in c.source).outputs[number].data[figures.MIME]
    return found


def test_the_good_notebook_is_in_range(good: NotebookNode, expectation: Expectation) -> None:
    assert expectation.light
    assert len(expectation.figures) == 5
    assert check_figures(good, expectation.figures) == []


def wrong_figure(nb: NotebookNode) -> None:
    figure(nb, 0)["value"] = 2.0


def out_of_range(nb: NotebookNode) -> None:
    figure(nb, 1)["value"] = 0.29


def wrong_unit(nb: NotebookNode) -> None:
    figure(nb, 1)["unit"] = "%"


def twice(nb: NotebookNode) -> None:
    cell = next(c for c in nb.cells if "draws = " in c.source)
    cell.outputs.append(cell.outputs[0])


@pytest.mark.parametrize(
    ("break_it", "words"),
    [(wrong_figure, "not exactly 3"), (out_of_range, "not 0.3 to 0.4"), (wrong_unit, "in '%'"), (twice, "twice")],
)
def test_a_bad_figure_is_caught(
    good: NotebookNode, expectation: Expectation, break_it: Callable[[NotebookNode], None], words: str
) -> None:
    break_it(good)
    (finding,) = check_figures(good, expectation.figures)
    assert words in finding.message


def test_an_unexpected_figure_is_caught(good: NotebookNode, expectation: Expectation) -> None:
    ranges = {name: value for name, value in expectation.figures.items() if name != "scoreboard_money_lost"}
    (finding,) = check_figures(good, ranges)
    assert "scoreboard_money_lost = 1234 has no entry" in finding.message


def test_an_expected_figure_that_is_not_recorded_is_caught(good: NotebookNode, expectation: Expectation) -> None:
    (finding,) = check_figures(good, {**expectation.figures, "recall": expectation.figures["draws"]})
    assert "recall is in expected.toml but was not recorded" in finding.message


@pytest.mark.parametrize(
    "entry",
    [
        "x = { exact = 3 }",
        'x = { exact = 3, why = "" }',
        'x = { min = 3, why = "w" }',
        'x = { min = 3, max = 2, why = "w" }',
        'x = { exact = 1, min = 0, max = 2, why = "w" }',
        'x = { min = -inf, max = 2, why = "w" }',
        'x = { exact = 1, reason = "w" }',
        "lite = true",
        "timeout_minutes = 0",
        "x = [",
    ],
)
def test_malformed_entries(tmp_path: Path, entry: str) -> None:
    path = tmp_path / "expected.toml"
    path.write_text(f'["00_a"]\n{entry}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"expected\.toml"):
        load_expected(path)


def test_no_file_expects_nothing(tmp_path: Path) -> None:
    assert load_expected(tmp_path / "expected.toml") == {}
