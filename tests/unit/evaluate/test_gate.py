"""The gate stops what is worse, lets pass what is not, and refuses what cannot be compared."""

import json
import random

import pytest
from typer.testing import CliRunner

from labkit.cli import app
from labkit.errors import InputError
from labkit.evaluate.gate import compare, figures_named, of_system, read_rows, run_fields

RUN = {"profile": "ci", "seed": 7, "split": "test", "world_version": "w1"}


def rows(n=400, *, share=0.6, first=0, **more):
    rng = random.Random(3)
    made = []
    for number in range(first, first + n):
        right = rng.random() < share
        made.append({"question_id": f"q{number}", "right": right, "citation_correct": right,
                     "money_lost": 0.0 if right else 120.0, **RUN, **more})  # fmt: skip
    return made


def worse(before, drops):
    after = [dict(row) for row in before]
    for row in [row for row in after if row["right"]][:drops]:
        row.update(right=False, citation_correct=False, money_lost=120.0)
    return after


def test_the_same_rows_pass():
    report = compare(rows(), rows())
    assert report.passed
    assert [change.figure for change in report.changes] == ["right", "citation_correct", "money_lost"]
    assert all(change.change == 0 and change.ci95 is None and change.detectable is None for change in report.changes)


def test_a_real_drop_is_stopped_in_every_figure_it_shows_in():
    before = rows()
    report = compare(before, worse(before, 20))
    assert not report.passed
    assert all(change.dropped for change in report.changes)
    right, money = report.changes[0], report.changes[2]
    assert right.change == pytest.approx(-0.05)
    assert right.ci95[1] < 0
    assert money.change == pytest.approx(6.0)
    assert (right.test, money.test) == ("McNemar, exact", "paired permutation")
    assert "failed" in report.table()


def test_an_improvement_passes():
    before = rows()
    assert compare(worse(before, 60), before).passed


def test_a_few_questions_are_chance():
    before = rows()
    report = compare(before, worse(before, 3))
    assert report.passed
    assert report.changes[0].detectable > 0.005


def test_a_drop_in_a_secondary_figure_alone_is_stopped():
    before = rows()
    after = [dict(row) for row in before]
    for row in after[:40]:
        row["citation_correct"] = False
    report = compare(before, after)
    assert [change.dropped for change in report.changes] == [False, True, False]


def test_two_changes_that_cancel_out_are_no_drop():
    before = [{**row, "right": n % 2 == 0} for n, row in enumerate(rows())]
    after = [{**row, "right": n % 2 == 1} for n, row in enumerate(rows())]
    assert compare(before, after, {"right": "higher"}).passed


def test_only_common_questions_count():
    before = rows(400)
    after = worse(before, 20)[:350]
    assert compare(before, after).matched == 350


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (rows(400), rows(400, first=200), "Only 200 of 400"),
        (rows(40), rows(40), "Only 40 of 40"),
        (rows(), rows(world_version="w2"), "different worlds: w1, w2"),
        (rows() + rows(1), rows(), "two rows at baseline"),
        (rows(), [{k: v for k, v in row.items() if k != "right"} for row in rows()], "right is None"),
        (rows(), rows(money_lost=float("nan")), "not a number at question"),
        ([{"right": True}] * 60, rows(), "no question_id at baseline, row 1"),
        ([{"question_id": "q1", **RUN}], rows(), "Only 1 of 400"),
        ([{"question_id": row["question_id"], **RUN} for row in rows()], rows(), "none of the figures"),
    ],
)
def test_what_cannot_be_compared_is_refused(before, after, message):
    with pytest.raises(InputError, match=message):
        compare(before, after)


def test_figures_by_name():
    assert figures_named(["money_lost", "f1", "ms:lower", "x:higher"]) == {
        "money_lost": "lower", "f1": "higher", "ms": "lower", "x": "higher",
    }  # fmt: skip
    with pytest.raises(InputError, match="figure x:up"):
        figures_named(["x:up"])


def test_a_figure_that_had_better_be_low():
    before = rows()
    report = compare(before, worse(before, 30), figures_named(["money_lost"]))
    assert report.changes[0].level == 0.035
    assert not report.passed
    assert compare(worse(before, 30), before, figures_named(["money_lost"])).passed
    missing = [{**row, "failed": not row["right"]} for row in before]
    assert not compare(missing, [{**row, "failed": True} for row in before], {"failed": "lower"}).passed


def written(path, rows_):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_))
    return str(path)


def test_command_exits_0_and_1(tmp_path):
    base = written(tmp_path / "a.jsonl", rows())
    bad = written(tmp_path / "b.jsonl", worse(rows(), 30))
    runner = CliRunner()
    assert runner.invoke(app, ["eval", "gate", "--baseline", base, "--candidate", base]).exit_code == 0
    report = tmp_path / "sub" / "report.json"
    found = runner.invoke(app, ["eval", "gate", "--baseline", base, "--candidate", bad, "--json", str(report)])
    assert found.exit_code == 1
    assert "DROPPED" in found.stdout
    said = json.loads(report.read_text())
    assert said["passed"] is False
    assert said["changes"][0]["dropped"] is True


def test_command_refuses_bad_files(tmp_path):
    base = written(tmp_path / "a.jsonl", rows())
    broken = tmp_path / "b.jsonl"
    for text, message in [("{oops\n", r"b\.jsonl:1"), ("[1]\n", "not a JSON object"), ("\n", "empty")]:
        broken.write_text(text)
        with pytest.raises(InputError, match=message):
            CliRunner().invoke(
                app, ["eval", "gate", "--baseline", base, "--candidate", str(broken)], catch_exceptions=False
            )
    with pytest.raises(InputError, match="no such file"):
        read_rows(tmp_path / "none.jsonl")


def test_one_system_of_several():
    both = rows(system="dense") + rows(system="hybrid")
    assert {row["system"] for row in of_system(both, "dense")} == {"dense"}
    assert of_system(rows(), None) == rows()
    with pytest.raises(InputError, match="--system: dense, hybrid"):
        of_system(both, None)
    with pytest.raises(InputError, match="There are: dense, hybrid"):
        of_system(both, "sparse")


def test_a_baseline_says_how_it_was_measured():
    assert run_fields(rows()) == ("ci", 7, "test")
    for unclear in (rows() + rows(1, seed=8), [{"question_id": "q"}]):
        with pytest.raises(InputError, match="profile, seed and split"):
            run_fields(unclear)


def test_without_a_candidate_the_present_system_is_asked_the_same(tmp_path, monkeypatch):
    asked = []

    def ask_world(options):
        asked.append(options)
        return None, worse(rows(), 40)

    monkeypatch.setattr("labkit.bench.answer.run", ask_world)  # the real one takes minutes
    base = written(tmp_path / "a.jsonl", rows(seed=11, split="dev"))
    assert CliRunner().invoke(app, ["eval", "gate", "--baseline", base]).exit_code == 1
    (options,) = asked
    assert (options.profile, options.seed, options.split, options.limit) == ("ci", 11, "dev", 400)
