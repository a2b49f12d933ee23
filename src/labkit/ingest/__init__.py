"""From a folder of source files to documents, chunks and a quarantine with reasons.

parse → clean → (deduplicate, redact: to come) → chunk → tables. Reads any folder; knows nothing about who wrote it, how
chunks are searched, or any particular corpus.
"""

from labkit.ingest.output import read_chunks, read_documents, read_quarantine
from labkit.ingest.run import IngestReport, Limits, ingest

__all__ = ["IngestReport", "Limits", "ingest", "read_chunks", "read_documents", "read_quarantine"]
