from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from labkit.course.output import NBVAL_IGNORE, normalise, places


def executed(*outputs: NotebookNode, tags: tuple[str, ...] = ()) -> NotebookNode:
    return new_notebook(cells=[new_code_cell("x", outputs=list(outputs), metadata={"tags": list(tags)})])


def stream(text: str, name: str = "stdout") -> NotebookNode:
    return new_output("stream", name=name, text=text)


def test_pieces_of_a_stream_are_joined() -> None:
    nb = normalise(executed(stream("a"), stream("b\n"), stream("w", "stderr"), stream("c")), {})
    assert [(o.name, o.text) for o in nb.cells[0].outputs] == [("stdout", "ab\n"), ("stderr", "w"), ("stdout", "c")]


def test_places_and_addresses_are_replaced(tmp_path: Path) -> None:
    known = places(tmp_path)
    data = {"text/plain": f"{tmp_path}/a.txt <X at 0x7f00deadbeef>", "application/json": {"p": [str(tmp_path)]}}
    nb = normalise(executed(stream(f"in {Path.home()}\n"), new_output("display_data", data=data)), known)
    first, second = nb.cells[0].outputs
    assert first.text == "in ~\n"
    assert second.data == {"text/plain": "<repo>/a.txt <X at 0x…>", "application/json": {"p": ["<repo>"]}}


def test_a_longer_name_is_another_place() -> None:
    nb = normalise(executed(stream("/srv/repository /srv/repo/x")), {"/srv/repo": "<repo>"})
    assert nb.cells[0].outputs[0].text == "/srv/repository <repo>/x"


@pytest.mark.parametrize(
    "bar", ["  0%|          | 0/3\r100%|███| 3/3 [00:01<00:00, 2.50it/s]\n", "12it [00:02, 6.0it/s]"]
)
def test_progress_bars_go(bar: str) -> None:
    assert normalise(executed(stream(bar, "stderr")), {}).cells[0].outputs == []


def test_warnings_stay() -> None:
    text = "100%|███| 3/3 [00:01<00:00, 2.50it/s]\nUserWarning: look\n"
    assert "UserWarning" in normalise(executed(stream(text, "stderr")), {}).cells[0].outputs[0].text


def test_a_carriage_return_starts_the_line_again() -> None:
    assert normalise(executed(stream("1 of 2\r2 of 2\r\nnext\n")), {}).cells[0].outputs[0].text == "2 of 2\nnext\n"


@pytest.mark.parametrize("tag", ["generated", "timing"])
def test_nbval_is_told_what_not_to_compare(tag: str) -> None:
    assert normalise(executed(stream("x"), tags=(tag,)), {}).cells[0].metadata["tags"] == [tag, NBVAL_IGNORE]
    assert "tags" not in normalise(executed(stream("x")), {}).cells[0].metadata


def test_papermill_leaves_no_trace() -> None:
    nb = executed(stream("x"))
    nb.metadata["papermill"] = {"start_time": "2026-01-01"}
    nb.cells[0].metadata["papermill"] = {"duration": 1.0}
    normalise(nb, {})
    assert "papermill" not in nb.metadata
    assert "papermill" not in nb.cells[0].metadata
