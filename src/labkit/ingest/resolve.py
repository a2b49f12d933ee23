"""What only the whole corpus can tell: who repeats whom, what replaced what, who belongs to the organisation.

Works on cards alone and reads a file's words again only where two must be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit.ingest.access import Access
from labkit.ingest.duplicates import Candidate, find_duplicates
from labkit.ingest.finish import Place
from labkit.ingest.reading import Card
from labkit.ingest.versions import Edition, find_replaced


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read: its reading's key in the cache, its bytes' hash, its card."""

    path: str
    """Source path, below the root."""
    access: Access
    key: str
    sha256: str
    card: Card


def places(files: Sequence[Read], words: Callable[[str], list[str]]) -> dict[str, Place]:
    """Source path → how the file stands to the others.

    Args:
        files: every accepted file.
        words: the words of the file at a source path.
    """
    copies = find_duplicates(
        [Candidate(read.path, (read.access.tenant, *read.access.groups), read.sha256, read.card) for read in files],
        words,
    )
    replaced = find_replaced(
        Edition(read.path, read.access.tenant, read.card) for read in files if read.path not in copies
    )
    found: dict[str, Place] = {}
    for read in files:
        path = read.path
        copy = copies.get(path)
        newer = replaced.get(copy.original if copy else path)
        found[path] = Place(
            source_path=path,
            sha256=read.sha256,
            access=read.access,
            duplicate_of=copy.original if copy else "",
            exact=bool(copy and copy.exact),
            replaced_by=newer.by if newer else "",
            valid_to=newer.valid_to if newer else read.card.valid_to,
        )
    return found
