"""Which code made something: a hash over its sources; of a table also over the tokenizer ingestion counts with.

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
    """Of ingestion and redaction, sixteen hexadecimal digits."""
    sources = _digest(Path(__file__).parent, Path(labkit.pii.__file__).parent)
    sources.update(tokenizer_file().read_bytes())
    return sources.hexdigest()[:16]


def sources_fingerprint(*places: Path) -> str:
    """Of source files and of all sources below folders, sixteen hexadecimal digits."""
    return _digest(*places).hexdigest()[:16]


def _digest(*places: Path) -> hashlib._Hash:
    digest = hashlib.sha256()
    for place in places:
        files = [place] if place.is_file() else [path for path in place.rglob("*") if path.suffix in _SOURCES]
        for path in sorted(files):
            digest.update(path.relative_to(place).as_posix().encode() + b"\0" + path.read_bytes())
    return digest
