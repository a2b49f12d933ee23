"""Every file below a root, with its access; what cannot be opened without following something is refused.

Left out are folders of version control and caches, and what ingestion itself writes, if it lies inside; access files
steer and are no documents. No symbolic link is followed: what it points to inside the root is read at its own place,
under its own access rules, and what lies outside is not ours.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.ingest.access import ACCESS_FILE, Access, read_access
from labkit.ingest.read import Source
from labkit.ingest.reading import Refusal
from labkit.ingest.sniff import Guard

EXCLUDED_FOLDERS = frozenset(
    {".git", ".hg", ".svn", ".bzr", "CVS", "__pycache__", ".ipynb_checkpoints", ".cache", ".mypy_cache",
     ".pytest_cache", ".ruff_cache", ".tox", ".venv"}
)  # fmt: skip
"""Folders that hold no documents whatever is in them."""


@dataclass(frozen=True, slots=True)
class File:
    """A file met: what to read, who may read it, and why it must not be opened, if so."""

    source: Source
    access: Access
    refused: Refusal | None = None


class Walk:
    """Goes through a folder once; ``excluded`` and ``warnings`` are filled on the way."""

    def __init__(self, root: Path, own: frozenset[Path], *, max_bytes: int, guard: Guard) -> None:
        self.root, self.own = root, own
        self.max_bytes, self.guard = max_bytes, guard
        self.excluded: list[str] = []
        self.warnings: list[str] = []

    def files(self) -> list[File]:
        """All files by source path.

        Raises:
            ConfigError: an access file is malformed.
        """
        return sorted(self._walk(), key=lambda file: file.source.source_path)

    def _walk(self) -> Iterator[File]:
        stack: list[tuple[Path, Access]] = [(self.root, Access())]
        while stack:
            folder, inherited = stack.pop()
            rules = read_access(folder, inherited)
            try:
                entries = list(os.scandir(folder))
            except OSError as error:
                message = f"The folder cannot be opened ({error.strerror})"
                yield self._file(folder, rules.default, Refusal("unreadable", message))
                continue
            names = {entry.name for entry in entries}
            self.warnings += [
                f"{self._shown(folder / ACCESS_FILE)}: no file {name!r}" for name in rules.files if name not in names
            ]
            for entry in entries:
                path = Path(entry.path)
                access = rules.of(entry.name)
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISLNK(mode):
                    yield self._file(path, access, Refusal("link", "A symbolic link is not followed"))
                elif stat.S_ISDIR(mode):
                    if path in self.own:
                        continue
                    if entry.name in EXCLUDED_FOLDERS:
                        self.excluded.append(self._shown(path))
                    else:
                        stack.append((path, rules.default))
                elif entry.name == ACCESS_FILE:
                    continue
                elif stat.S_ISREG(mode):
                    yield self._file(path, access)
                else:
                    refusal = Refusal("unsupported", "Not a regular file (pipe, socket or device)")
                    yield self._file(path, access, refusal)

    def _file(self, path: Path, access: Access, refused: Refusal | None = None) -> File:
        return File(Source(path, self._shown(path), self.max_bytes, self.guard), access, refused)

    def _shown(self, path: Path) -> str:
        """POSIX path below the root; bytes of a name that are not UTF-8 are written as escapes."""
        shown = path.relative_to(self.root).as_posix()
        return shown.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
