"""What may differ between two executions passes; everything else is a finding."""

from collections.abc import Callable
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_output

from labkit.course import figures, scoreboard
from labkit.course.compare import compare, masked
from labkit.course.expected import Range

RANGES = {
    "first_draw": Range(min=0.3, max=0.4, why="x"),
    "scoreboard_answers_right": Range(min=0.2, max=0.3, why="x"),
}


def outputs(nb: NotebookNode, words: str) -> list[NotebookNode]:
    found: list[NotebookNode] = next(cell for cell in nb.cells if words in cell.source).outputs
    return found


def other_model_text(nb: NotebookNode) -> None:
    outputs(nb, "what a model said")[0].text = "quite another answer\nof two lines\n"


def model_speaks_twice(nb: NotebookNode) -> None:
    outputs(nb, "what a model said").append(new_output("stream", name="stdout", text="more\n"))


def other_time(nb: NotebookNode) -> None:
    outputs(nb, "that took")[0].text = "that took 1,234.5 s\n"


def other_picture(nb: NotebookNode) -> None:
    outputs(nb, "plt.subplots")[0].data["image/png"] = "AAAA"


def figure_in_range(nb: NotebookNode) -> None:
    outputs(nb, "draws = ")[1].data[figures.MIME]["value"] = 0.39
    outputs(nb, "draws = ")[1].data["text/plain"] = "first_draw = 0.39 share"


def row_in_range(nb: NotebookNode) -> None:
    outputs(nb, "scoreboard_row(")[0].data[scoreboard.MIME] |= {"answers_right": 0.21, "p99_s": 99.0}


def figure_off(nb: NotebookNode) -> None:
    outputs(nb, "draws = ")[1].data[figures.MIME]["value"] = 0.41


def exact_figure_off(nb: NotebookNode) -> None:
    outputs(nb, "draws = ")[0].data[figures.MIME]["value"] = 4.0


def figure_renamed(nb: NotebookNode) -> None:
    outputs(nb, "draws = ")[0].data[figures.MIME]["name"] = "pulls"


def row_off(nb: NotebookNode) -> None:
    outputs(nb, "scoreboard_row(")[0].data[scoreboard.MIME]["citations_right"] = 0.6


def row_says_otherwise(nb: NotebookNode) -> None:
    outputs(nb, "scoreboard_row(")[0].data[scoreboard.MIME]["got_worse"] = "nothing"


def other_text(nb: NotebookNode) -> None:
    outputs(nb, "print(lab.profile")[0].text = "ci 8 notebooks True\n"


def other_table(nb: NotebookNode) -> None:
    outputs(nb, "plt.subplots")[1].data["text/html"] = "<details></details>"


def lost_output(nb: NotebookNode) -> None:
    outputs(nb, "print(lab.profile").clear()


def silent_model(nb: NotebookNode) -> None:
    outputs(nb, "what a model said").clear()


def other_kind(nb: NotebookNode) -> None:
    outputs(nb, "print(lab.profile")[0].name = "stderr"


def other_source(nb: NotebookNode) -> None:
    nb.cells[3].source += "\n"


def other_tags(nb: NotebookNode) -> None:
    nb.cells[3].metadata["tags"] = ["timing"]


def lost_cell(nb: NotebookNode) -> None:
    del nb.cells[-1]


ALLOWED = [other_model_text, model_speaks_twice, other_time, other_picture, figure_in_range, row_in_range]
CAUGHT = {
    figure_off: "figures",
    exact_figure_off: "figures",
    figure_renamed: "figures",
    row_off: "figures",
    row_says_otherwise: "scoreboard",
    other_text: "text",
    other_table: "text",
    lost_output: "structure",
    silent_model: "structure",
    other_kind: "structure",
    other_source: "structure",
    other_tags: "structure",
    lost_cell: "structure",
}


@pytest.mark.parametrize("change", ALLOWED, ids=lambda change: change.__name__)
def test_allowed_differences(good: NotebookNode, change: Callable[[NotebookNode], None]) -> None:
    committed = deepcopy(good)
    change(good)
    assert good != committed
    assert compare(good, committed, RANGES) == []


@pytest.mark.parametrize("change", CAUGHT, ids=lambda change: change.__name__)
def test_other_differences_are_caught(good: NotebookNode, change: Callable[[NotebookNode], None]) -> None:
    committed = deepcopy(good)
    change(good)
    assert [finding.check for finding in compare(good, committed, RANGES)] == [CAUGHT[change]]
    assert [finding.check for finding in compare(committed, good, RANGES)] == [CAUGHT[change]]


def test_a_figure_in_a_generated_cell_is_still_compared(good: NotebookNode) -> None:
    generated = next(cell for cell in good.cells if "what a model said" in cell.source)
    generated.outputs += deepcopy(outputs(good, "draws = ")[:1])
    committed = deepcopy(good)
    generated.outputs.insert(0, new_output("stream", name="stdout", text="more\n"))
    assert compare(good, committed, {}) == []
    generated.outputs[-1].data[figures.MIME]["value"] = 5.0
    assert [finding.check for finding in compare(good, committed, {})] == ["figures"]


@given(st.floats(0, 1e5), st.sampled_from(["s", "ms", "min", "µs", "tokens/s"]))
def test_any_written_out_time_is_masked(value: float, unit: str) -> None:
    assert masked(f"took {value:.2f} {unit}, found 3") == "took <time>, found 3"


def test_what_is_not_a_time_is_not_masked() -> None:
    text = "0.43 recall, 12 sites, 3 messages, E-417, version 3.11, 5 items"
    assert masked(text) == text
