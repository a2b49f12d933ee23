"""Finds the passages a question is about: dense and lexical search in one store, fused.

``index`` builds an index from ingested chunks, ``open_index`` opens it, and the retrievers search it. What the asker
may read and what was in force on the asker's date is filtered inside the store, before ranking.
"""

from labkit.retrieve.dense import DenseRetriever
from labkit.retrieve.fuse import reciprocal_rank_fusion
from labkit.retrieve.hybrid import HybridRetriever
from labkit.retrieve.index import Index, IndexInfo, IndexReport, index, open_index, seal
from labkit.retrieve.lexical import LexicalRetriever
from labkit.retrieve.store import Store

__all__ = [
    "DenseRetriever",
    "HybridRetriever",
    "Index",
    "IndexInfo",
    "IndexReport",
    "LexicalRetriever",
    "Store",
    "index",
    "open_index",
    "reciprocal_rank_fusion",
    "seal",
]
