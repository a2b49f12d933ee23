"""Who may read a file, as its source system says.

A folder may hold a file ``.access.toml``::

    groups = ["finance"]            # who may read everything below this folder
    tenant = "emea"

    [files."board-minutes.pdf"]     # exceptions, by name in this folder
    groups = ["board"]

For ``groups`` and for ``tenant`` alike, an entry for the file itself counts first, then the nearest folder upwards
that states it. Nothing stated means everybody (``public``) of the tenant ``default``; ``groups = []`` means nobody.
An access file that cannot be understood stops the run: guessing would publish what it protects. Access files are not
documents.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.errors import ConfigError
from labkit.schema import PUBLIC

ACCESS_FILE = ".access.toml"


@dataclass(frozen=True, slots=True)
class Access:
    """Groups that may read something, and the tenant it belongs to."""

    groups: tuple[str, ...] = (PUBLIC,)
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class FolderAccess:
    """The rules in one folder: what its files inherit, and exceptions by file name."""

    default: Access = field(default_factory=Access)
    files: dict[str, Access] = field(default_factory=dict)

    def of(self, name: str) -> Access:
        """The access of the file ``name`` in this folder."""
        return self.files.get(name, self.default)


def read_access(folder: Path, inherited: Access) -> FolderAccess:
    """The rules of ``folder``, given what the folder above it passes on.

    Raises:
        ConfigError: the access file cannot be read, or says something this format does not have.
    """
    path = folder / ACCESS_FILE
    try:
        path.lstat()
    except FileNotFoundError:
        return FolderAccess(inherited)
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _malformed(path, f"The access file cannot be read ({type(error).__name__}: {error})") from error
    entries = stated.pop("files", {})
    if not isinstance(entries, dict):
        raise _malformed(path, "files is not a table")
    default = _access(stated, inherited, path)
    return FolderAccess(default, {name: _access(entry, default, path, name) for name, entry in entries.items()})


def _access(stated: Any, inherited: Access, path: Path, name: str = "") -> Access:
    within = f' in files."{name}"' if name else ""
    if not isinstance(stated, dict):
        raise _malformed(path, f"Expected a table{within}")
    if unknown := sorted(set(stated) - {"groups", "tenant"}):
        raise _malformed(path, f"Unknown key {unknown[0]!r}{within}")
    groups, tenant = stated.get("groups", list(inherited.groups)), stated.get("tenant", inherited.tenant)
    if not isinstance(groups, list) or not all(isinstance(group, str) and group for group in groups):
        raise _malformed(path, f"groups is not a list of names{within}")
    if not isinstance(tenant, str) or not tenant:
        raise _malformed(path, f"tenant is not a name{within}")
    return Access(tuple(dict.fromkeys(groups)), tenant)


def _malformed(path: Path, what: str) -> ConfigError:
    return ConfigError(
        what, where=str(path), todo='Write groups = ["name", …] and tenant = "name"; nothing was ingested.'
    )
