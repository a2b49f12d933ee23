import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labkit.course.execute import Execution, execute
from labkit.errors import CourseError, KernelDied, NotebookFailed, NotebookTimeout

pytestmark = pytest.mark.slow  # every test starts kernels; the file takes about half a minute


def run(tmp_path: Path, *cells: str, minutes: float = 5, parameters: dict[str, Any] | None = None) -> Execution:
    first = new_code_cell("seed = 7", metadata={"tags": ["parameters"]})
    nb = new_notebook(cells=[new_markdown_cell("# T"), first, *map(new_code_cell, cells)])
    (tmp_path / "work").mkdir(exist_ok=True)
    return execute(
        nb,
        name="00_x",
        folder=tmp_path / "work",
        output=tmp_path / "out" / "00_x.ipynb",
        parameters=parameters or {},
        timeout_minutes=minutes,
    )


def printed(execution: Execution) -> list[str]:
    return [output.text.strip() for cell in execution.notebook.cells for output in cell.get("outputs", ())]


def test_this_interpreter_here_and_offline(tmp_path: Path) -> None:
    code = "import os, sys\nprint(sys.executable, os.getcwd(), os.environ['HF_HUB_OFFLINE'], seed)"
    execution = run(tmp_path, code, parameters={"seed": 7})
    assert printed(execution) == [f"{sys.executable} {(tmp_path / 'work').resolve()} 1 7"]
    assert [cell.get("execution_count") for cell in execution.notebook.cells] == [None, 1, 2]
    assert Path.cwd() != tmp_path / "work"


def test_another_registered_kernel_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text('{"argv": ["false"], "display_name": "no", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    assert printed(run(tmp_path, "print(seed)", parameters={"seed": 8})) == ["8"]


def test_a_failing_cell_is_named_with_source_and_traceback(tmp_path: Path) -> None:
    with pytest.raises(NotebookFailed) as caught:
        run(tmp_path, "x = 1", "def f():\n    return {}['gone']\n\nf()", "print('never')", parameters={"seed": 8})
    text = str(caught.value)
    assert "KeyError: 'gone' at 00_x, cell 4 (In [4])" in text
    assert "    def f():\n        return {}['gone']" in text
    assert text.rstrip().endswith("KeyError: 'gone'")
    assert "\x1b" not in text
    assert (tmp_path / "out" / "00_x.ipynb").exists()


def test_memory_of_children_is_counted_and_none_outlives_the_notebook(tmp_path: Path) -> None:
    child = "import time; x = bytearray(200_000_000); print('ready', flush=True); time.sleep(60)"
    # In a session of its own, like a server: ending the kernel's process group would not reach it.
    start = f"p = subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True, stdout=subprocess.PIPE)"
    code = f"import subprocess, sys, time\n{start}\np.stdout.readline()\ntime.sleep(1.5)\nprint(p.pid)"
    execution = run(tmp_path, code)
    assert execution.peak_mb > 230
    assert execution.minutes > 0.02
    pid = int(printed(execution)[0])
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_dead_kernel_is_named(tmp_path: Path) -> None:
    with pytest.raises(KernelDied, match=r"died while it ran: import os at 00_x, cell 3"):
        run(tmp_path, "import os\nos._exit(3)", parameters={"seed": 8})


def test_a_notebook_that_runs_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(NotebookTimeout, match=r"stopped after 0\.05 minutes"):
        run(tmp_path, "while True:\n    pass", minutes=0.05)


def test_a_parameter_has_to_be_declared(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="does not declare profile"):
        run(tmp_path, parameters={"profile": "ci"})


def test_importing_the_learners_names_stays_light() -> None:
    heavy = ("papermill", "nbformat", "matplotlib", "torch")
    code = f"import sys, labkit.course; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert result.stdout.strip() == "[]"
