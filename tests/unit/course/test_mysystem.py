from pathlib import Path

import pytest

from labkit.course.mysystem import SIGNATURES, load_functions
from labkit.errors import InputError

SHIPPED = Path(__file__).parents[3] / "labs" / "my_system.py"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my_system.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_file_is_blank_and_complete() -> None:
    assert load_functions(SHIPPED) == {}
    for name, parameters in SIGNATURES.items():
        assert f"def {name}({parameters[0]}: " in SHIPPED.read_text(encoding="utf-8")


def test_every_shipped_function_fits_once_filled(tmp_path: Path) -> None:
    text = SHIPPED.read_text(encoding="utf-8").replace("raise NotAttempted(", "return (")
    assert list(load_functions(write(tmp_path, text))) == list(SIGNATURES)


def test_only_filled_functions_are_loaded(tmp_path: Path) -> None:
    text = SHIPPED.read_text(encoding="utf-8").replace('raise NotAttempted("abstain")', "return not hits")
    functions = load_functions(write(tmp_path, text))
    assert list(functions) == ["abstain"]
    assert functions["abstain"]("q", []) is True


def test_a_partly_filled_function_counts_as_attempted(tmp_path: Path) -> None:
    text = "def clean(text):\n    if not text:\n        return text\n    raise NotImplementedError\n"
    assert list(load_functions(write(tmp_path, text))) == ["clean"]


def test_further_parameters_need_defaults(tmp_path: Path) -> None:
    assert load_functions(write(tmp_path, "def clean(text, form='NFC'):\n    return text\n"))
    for text in ("def clean(text, form): ...", "def clean(t): ...", "def clean(): ...", "clean = 3"):
        with pytest.raises(InputError, match=r"my_system\.py.*def clean\(text\)"):
            load_functions(write(tmp_path, text + "\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def clean(text:\n", "line 1"),
        ("x = 1\nimport no_such_module\n", r"ModuleNotFoundError.*line 2"),
        ("raise SystemExit(1)\n", "SystemExit"),
    ],
)
def test_a_file_that_does_not_load_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_functions(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"my_system\.py"):
        load_functions(tmp_path / "my_system.py")
