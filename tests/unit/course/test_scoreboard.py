import json
from pathlib import Path

import pytest
from nbformat import NotebookNode

from labkit.bench.answer import figures as bench_figures
from labkit.course import figures
from labkit.course.run import CourseReport, committed_rows
from labkit.course.scoreboard import (
    Row,
    check_scoreboard,
    markdown_table,
    plain_table,
    rows_of,
    scoreboard_row,
    target_row,
    write_scoreboard,
    you_row,
)
from labkit.errors import ConfigError, InputError
from labkit.evaluate.grading import Grade

VALUES = {
    "chapter": "00",
    "system": "demo",
    "answers_right": 0.5,
    "answers_right_ci": (0.4, 0.6),
    "n": 60,
    "citations_right": 0.25,
    "money_lost": 10,
    "p99_s": 1.5,
    "cost_per_1000": 0.1,
    "got_worse": "latency",
}


def test_a_row_travels_in_the_notebook(good: NotebookNode) -> None:
    ((cell, row),) = rows_of(good)
    assert good.cells[cell - 1].source.startswith("scoreboard_row(")
    assert (row.chapter, row.answers_right, row.answers_right_ci, row.n) == ("00", 0.25, (0.1, 0.4), 60)


def test_outside_of_a_notebook_a_row_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    scoreboard_row(**VALUES)  # type: ignore[arg-type]
    assert "50% (40% to 60%) of 60" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [
        {"answers_right": 1.5},
        {"n": 0},
        {"got_worse": ""},
        {"got_worse": "a\nb"},
        {"p99_s": float("nan")},
        {"money_lost": -1},
    ],
)
def test_impossible_rows_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="00"):
        scoreboard_row(**{**VALUES, **wrong})  # type: ignore[arg-type]


def test_the_readme_follows_the_notebooks(repo: tuple[Path, Path]) -> None:
    root, _ = repo
    rows = committed_rows(root)
    assert [row.chapter for row in rows] == ["target", "00"]
    assert check_scoreboard(root, rows) == []
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert "| 00 | small | 25% (10% to 40%) of 60 | 50% | €1,234 |" in readme
    assert readme.endswith("\nafter\n")
    assert json.loads((root / "datasets" / "scoreboard.json").read_text(encoding="utf-8"))[1]["n"] == 60


def test_a_stale_readme_is_caught(repo: tuple[Path, Path]) -> None:
    root, _ = repo
    rows = committed_rows(root)
    readme = root / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("25%", "52%"), encoding="utf-8")
    (finding,) = check_scoreboard(root, rows)
    assert "README" in finding.message
    write_scoreboard(root, rows)
    assert check_scoreboard(root, rows) == []


def test_a_stale_data_file_is_caught(repo: tuple[Path, Path]) -> None:
    root, _ = repo
    (root / "datasets" / "scoreboard.json").write_text("[]", encoding="utf-8")
    (finding,) = check_scoreboard(root, committed_rows(root))
    assert "scoreboard.json" in finding.message


def test_a_readme_without_a_place_for_it_is_caught(repo: tuple[Path, Path]) -> None:
    root, _ = repo
    (root / "README.md").write_text("# Small\n", encoding="utf-8")
    (finding,) = check_scoreboard(root, committed_rows(root))
    assert "scoreboard:begin" in finding.message
    with pytest.raises(ConfigError, match=r"README\.md"):
        write_scoreboard(root, committed_rows(root))


def test_without_rows_there_is_nothing_to_check(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("<!-- scoreboard:begin -->\n<!-- scoreboard:end -->\n", encoding="utf-8")
    assert check_scoreboard(tmp_path, []) == []


def test_the_learners_row_is_printed_and_never_committed(repo: tuple[Path, Path]) -> None:
    root, results = repo
    grades = [Grade(str(i), "single", True, False, i < 3, i < 2, 0.0 if i < 3 else 50.0, 0.5) for i in range(4)]
    measured = {name: figure.model_dump(mode="json") for name, figure in bench_figures(grades, seed=7).items()}
    (results / "you.json").write_text(json.dumps({"figures": measured}), encoding="utf-8")
    (you,) = you_row(results / "you.json")
    assert (you.answers_right, you.n, you.money_lost, you.p99_s) == (0.75, 4, 1250.0, 0.5)
    assert you.citations_right == pytest.approx(2 / 3)
    assert "labs/my_system.py  75% (" in CourseReport(rows=(you,)).table()
    write_scoreboard(root, committed_rows(root))
    assert "you" not in (root / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"figures": {"p99_s": {"value": 1}}}', '{"figures": []}'])
def test_another_file_is_not_the_learners_row(tmp_path: Path, text: str) -> None:
    path = tmp_path / "you.json"
    assert you_row(path) == []
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"you\.json"):
        you_row(path)


@pytest.mark.parametrize("text", ["", "[target]\n", "[target]\nsystem = 'x'\nanswers_right = 2\n", "target = 1\n"])
def test_a_malformed_target_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scoreboard.toml"
    assert target_row(path) == []
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"scoreboard\.toml"):
        target_row(path)


def test_tables_hold_every_row() -> None:
    rows = [Row(chapter="00", system="a|b", answers_right=0.5), Row(chapter="01", system="c", answers_right=1)]
    assert len({line.replace("\\|", "").count("|") for line in markdown_table(rows).splitlines()}) == 1
    assert len(plain_table(rows).splitlines()) == 3


def test_a_recorded_figure_is_checked_and_rounded(capsys: pytest.CaptureFixture[str]) -> None:
    figures.record("recall_at_5", 1 / 3, unit="share", direction="higher")
    assert capsys.readouterr().out == "recall_at_5 = 0.3333 share  (higher is better)\n"
    for name, value in [("Recall", 1.0), ("r", float("inf")), ("r", "x"), ("r@5", 1.0)]:
        with pytest.raises(InputError):
            figures.record(name, value)  # type: ignore[arg-type]
