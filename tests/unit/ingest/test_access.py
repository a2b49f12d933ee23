"""Access files: nearest statement wins, anything unclear stops the run."""

from pathlib import Path

import pytest

from labkit.errors import ConfigError
from labkit.ingest.access import Access, read_access


def test_no_file_inherits(tmp_path: Path) -> None:
    inherited = Access(("finance",), "emea")
    assert read_access(tmp_path, inherited).of("a.pdf") == inherited


def test_file_entry_then_folder_then_above(tmp_path: Path) -> None:
    (tmp_path / ".access.toml").write_text('groups = ["finance"]\n[files."minutes.pdf"]\ngroups = ["board"]\n')
    rules = read_access(tmp_path, Access(("everyone",), "emea"))
    assert rules.of("other.pdf") == Access(("finance",), "emea")
    assert rules.of("minutes.pdf") == Access(("board",), "emea")


def test_empty_list_means_nobody(tmp_path: Path) -> None:
    (tmp_path / ".access.toml").write_text("groups = []")
    assert read_access(tmp_path, Access()).default.groups == ()


@pytest.mark.parametrize(
    "content",
    [
        "groups = ",
        'group = ["finance"]',
        'groups = "finance"',
        "groups = [1]",
        'groups = [""]',
        "tenant = 3",
        'files = ["a"]',
        '[files."a.pdf"]\nreaders = ["x"]',
        '[files]\n"a.pdf" = "board"',
    ],
)
def test_malformed_stops(tmp_path: Path, content: str) -> None:
    (tmp_path / ".access.toml").write_text(content)
    with pytest.raises(ConfigError, match=r"\.access\.toml"):
        read_access(tmp_path, Access())


def test_unreadable_stops(tmp_path: Path) -> None:
    (tmp_path / ".access.toml").mkdir()
    with pytest.raises(ConfigError):
        read_access(tmp_path, Access())
    (tmp_path / "dangling").mkdir()
    (tmp_path / "dangling" / ".access.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError):
        read_access(tmp_path / "dangling", Access())
