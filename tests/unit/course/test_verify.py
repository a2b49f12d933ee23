"""Every check is shown a good notebook, which passes, and one broken in its way, which does not."""

from collections.abc import Callable

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_output

from labkit.course import verify as checks
from labkit.course.verify import machine_path, verify


def cell(nb: NotebookNode, words: str) -> NotebookNode:
    return next(cell for cell in nb.cells if words in cell.source)


def out_of_order(nb: NotebookNode) -> None:
    code = [c for c in nb.cells if c.cell_type == "code"]
    code[1].execution_count, code[2].execution_count = code[2].execution_count, code[1].execution_count


def stale_text(nb: NotebookNode) -> None:
    cell(nb, "draws = ").source += "\n# changed after it ran"


def stale_tags(nb: NotebookNode) -> None:
    cell(nb, "what a model said").metadata["tags"] = []


def lost_cell(nb: NotebookNode) -> None:
    nb.cells.remove(cell(nb, "time.perf_counter_ns"))
    for count, code in enumerate((c for c in nb.cells if c.cell_type == "code"), 1):
        code.execution_count = count


def failing_cell(nb: NotebookNode) -> None:
    cell(nb, "draws = ").outputs.append(new_output("error", ename="ValueError", evalue="no", traceback=["no"]))


def not_run(nb: NotebookNode) -> None:
    cell(nb, "scoreboard_row(").execution_count = None


def missing_output(nb: NotebookNode) -> None:
    cell(nb, "print(lab.profile").outputs = []


def path_in_output(nb: NotebookNode) -> None:
    cell(nb, "print(lab.profile").outputs[0].text = "saved to /home/ines/out.txt\n"


def path_in_json(nb: NotebookNode) -> None:
    data = {"application/json": {"where": ["C:\\Users\\ines\\out.txt"]}, "text/plain": "."}
    cell(nb, "print(lab.profile").outputs.append(new_output("display_data", data=data))


def path_in_metadata(nb: NotebookNode) -> None:
    nb.metadata["papermill"] = {"output_path": "/Users/ines/00.ipynb"}


def path_in_cell_metadata(nb: NotebookNode) -> None:
    nb.cells[0].metadata["origin"] = "/tmp/x/00.ipynb"


def warning(nb: NotebookNode) -> None:
    cell(nb, "draws = ").outputs.append(new_output("stream", name="stderr", text="UserWarning: x\n"))


def no_alt(nb: NotebookNode) -> None:
    cell(nb, "plt.subplots").outputs[0].metadata = {}


def no_table(nb: NotebookNode) -> None:
    del cell(nb, "plt.subplots").outputs[1]


def no_title(nb: NotebookNode) -> None:
    nb.cells[0].source = "A small notebook"


def no_parameters(nb: NotebookNode) -> None:
    cell(nb, "seed = 7").metadata["tags"] = []


def half_parameters(nb: NotebookNode) -> None:
    cell(nb, "seed = 7").source = "seed = 7"


def two_objectives(nb: NotebookNode) -> None:
    cell(nb, "Objectives").source = "## Objectives\n\n- run\n- fail"


def no_objectives(nb: NotebookNode) -> None:
    cell(nb, "Objectives").source = "## Aims\n\n- run\n- fail\n- more"


def no_recap(nb: NotebookNode) -> None:
    cell(nb, "Recap").source = "### Say it at work\n\nNumbers."


def nothing_to_say(nb: NotebookNode) -> None:
    cell(nb, "Recap").source = "## Recap\n\nIt ran."


def second_row(nb: NotebookNode) -> None:
    row = cell(nb, "scoreboard_row(")
    row.outputs.append(row.outputs[0])


def typed_number(nb: NotebookNode) -> None:
    cell(nb, "Recap").source += "\n\nIt reached 87 %."


CASES: list[tuple[Callable[[NotebookNode], None], str]] = [
    (out_of_order, "order"),
    (stale_text, "source"),
    (stale_tags, "source"),
    (lost_cell, "source"),
    (failing_cell, "error"),
    (not_run, "not run"),
    (missing_output, "missing output"),
    (path_in_output, "machine path"),
    (path_in_json, "machine path"),
    (path_in_metadata, "machine path"),
    (path_in_cell_metadata, "machine path"),
    (warning, "stderr"),
    (no_alt, "alt text"),
    (no_table, "alt text"),
    (no_title, "anatomy"),
    (no_parameters, "anatomy"),
    (half_parameters, "anatomy"),
    (two_objectives, "anatomy"),
    (no_objectives, "anatomy"),
    (no_recap, "anatomy"),
    (nothing_to_say, "anatomy"),
    (second_row, "scoreboard"),
    (typed_number, "typed number"),
]


def test_a_good_notebook_passes(good: NotebookNode, source: NotebookNode) -> None:
    assert verify(good, source) == []


@pytest.mark.parametrize(("break_it", "check"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_bad_notebook_is_caught(
    good: NotebookNode, source: NotebookNode, break_it: Callable[[NotebookNode], None], check: str
) -> None:
    break_it(good)
    # A fault in the text is written into both, as its author would: then only its own check can object.
    wanted = good if check in {"anatomy", "typed number"} else source
    found = verify(good, wanted)
    assert {finding.check for finding in found} == {check}


def test_findings_say_where(good: NotebookNode, source: NotebookNode) -> None:
    warning(good)
    (finding,) = verify(good, source)
    assert good.cells[(finding.cell or 0) - 1].source.startswith("draws")
    assert str(finding) == f"[stderr] cell {finding.cell}: wrote to stderr: UserWarning: x"


def test_papermills_own_cell_is_no_difference(good: NotebookNode, source: NotebookNode) -> None:
    good.cells.insert(3, {**good.cells[2], "metadata": {"tags": ["injected-parameters"]}})
    good.cells[3] = NotebookNode(good.cells[3])
    assert checks.check_source(good, source) == []


@pytest.mark.parametrize(
    "text",
    [
        "/home/x/y",
        "at /root/z",
        "'/tmp/ab'",
        "file:///Users/x",
        "C:\\\\Users\\\\x",
        "/var/folders/zz/1",
        "(/tmp)",
        "<td>/tmp/a</td>",
    ],
)
def test_machine_paths(text: str) -> None:
    assert machine_path(text)


@pytest.mark.parametrize(
    "text", ["https://x.org/home/page", "~/notes", "a/tmp/b", "/homely", "notebooks/00.ipynb", "<repo>/tmp/x", "and/or"]
)
def test_other_paths(text: str) -> None:
    assert machine_path(text) is None
