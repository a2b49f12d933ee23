"""From a folder of source files to documents, chunks and a quarantine with reasons.

Read (parse, repair, clean) → resolve (duplicates, versions, people) → finish (redact, chunk) → tables. Reads any
folder; knows nothing about who wrote it, how chunks are searched, or any particular corpus.
"""

from labkit.ingest.finish import Privacy
from labkit.ingest.output import read_chunks, read_documents, read_quarantine
from labkit.ingest.run import IngestReport, Limits, ingest, privacy_of

__all__ = [
    "IngestReport",
    "Limits",
    "Privacy",
    "ingest",
    "privacy_of",
    "read_chunks",
    "read_documents",
    "read_quarantine",
]
