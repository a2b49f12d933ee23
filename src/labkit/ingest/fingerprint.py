"""Which code made a table: a hash over the sources of ingestion and redaction, and the tokenizer they count with.

A cached result is used again only if the same code made it. Versions of libraries are not part of it: after an
upgrade of a parser, delete the state folder.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import labkit.pii
from labkit.ingest.tokens import tokenizer_file

_SOURCES = (".py", ".npz", ".toml", ".json")


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """Sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for folder in (Path(__file__).parent, Path(labkit.pii.__file__).parent):
        for path in sorted(path for path in folder.rglob("*") if path.suffix in _SOURCES):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    digest.update(tokenizer_file().read_bytes())
    return digest.hexdigest()[:16]
