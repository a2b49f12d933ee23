"""What was read and finished before: unchanged files are not processed again, interrupted runs go on.

One SQLite file keyed by content: a reading by its bytes and the code that read them, a finished document by its reading
and everything it was finished with. So an entry is either right or never looked up, whatever happened to the run that
wrote it; SQLite's journal makes each batch whole or absent. Entries that a complete run did not use are deleted with
the files they came from.

It holds text *before* redaction and is as confidential as the source files: the folder is the owner's only, and lies
beside the tables, not among them.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_SECONDS = 1.0
"""How much work a kill may cost at most."""


class Cache:
    """Two tables: ``readings`` (a card, or a refusal, and the body) and ``finished`` (rows to write)."""

    def __init__(self, folder: Path) -> None:
        self.connection = _opened(folder / "cache.sqlite")
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        for table, columns in (("readings", "card BLOB, body BLOB"), ("finished", "rows BLOB")):
            self.connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY, run INTEGER, {columns})"
            )
        found = self.connection.execute(
            "SELECT max(run) FROM (SELECT run FROM readings UNION SELECT run FROM finished)"
        )
        self.run = (found.fetchone()[0] or 0) + 1
        self.connection.execute("BEGIN")
        self.committed = time.monotonic()

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.execute("COMMIT")
        self.connection.close()

    def card(self, key: str) -> bytes | None:
        """The card of a reading, None if it was not read yet."""
        return self._used("readings", "card", key)

    def body(self, key: str) -> bytes:
        """The body of a reading that has a card."""
        found: bytes = self.connection.execute("SELECT body FROM readings WHERE key = ?", (key,)).fetchone()[0]
        return found

    def add_reading(self, key: str, card: bytes, body: bytes) -> None:
        """Remember a reading."""
        self.connection.execute("INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?)", (key, self.run, card, body))
        self._commit()

    def rows(self, key: str) -> bytes | None:
        """The rows of a finished document, None if it was not finished like this yet."""
        return self._used("finished", "rows", key)

    def add_rows(self, key: str, rows: bytes) -> None:
        """Remember the rows of a finished document."""
        self.connection.execute("INSERT OR REPLACE INTO finished VALUES (?, ?, ?)", (key, self.run, rows))
        self._commit()

    def forget_unused(self) -> None:
        """Delete what this run did not ask for: it belongs to files that were changed or deleted."""
        deleted = 0
        for table in ("readings", "finished"):
            statement = f"DELETE FROM {table} WHERE run < ?"  # noqa: S608  (our own names)
            deleted += self.connection.execute(statement, (self.run,)).rowcount
        self.connection.execute("COMMIT")
        if deleted:
            self.connection.execute("VACUUM")  # deleted text must not stay in free pages
        self.connection.execute("BEGIN")

    def _used(self, table: str, column: str, key: str) -> bytes | None:
        found = self.connection.execute(f"SELECT {column} FROM {table} WHERE key = ?", (key,)).fetchone()  # noqa: S608
        if found is None:
            return None
        self.connection.execute(f"UPDATE {table} SET run = ? WHERE key = ?", (self.run, key))  # noqa: S608
        value: bytes = found[0]
        return value

    def _commit(self) -> None:
        if time.monotonic() - self.committed > _SECONDS:
            self.connection.execute("COMMIT")
            self.connection.execute("BEGIN")
            self.committed = time.monotonic()


def _opened(path: Path) -> sqlite3.Connection:
    """The file as a database; one that is damaged is thrown away, because everything in it can be had again."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
        return connection
    except sqlite3.DatabaseError:
        connection.close()
        for part in path.parent.glob(f"{path.name}*"):
            part.unlink()
        return sqlite3.connect(path, isolation_level=None)
