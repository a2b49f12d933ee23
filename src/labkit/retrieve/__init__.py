"""Finds the passages a question is about: dense and lexical search in one store, fused and reranked.

``index`` builds an index from ingested chunks, ``open_index`` opens it, and the retrievers search it. What the asker
may read and what was in force on the asker's date is filtered inside the store, before ranking.
"""

from labkit.retrieve.dense import DenseRetriever
from labkit.retrieve.fuse import convex_fusion, reciprocal_rank_fusion
from labkit.retrieve.hybrid import HybridRetriever
from labkit.retrieve.index import Index, IndexInfo, IndexReport, index, open_index, seal
from labkit.retrieve.late import LateInteraction
from labkit.retrieve.lexical import LexicalRetriever
from labkit.retrieve.rerank import Reranker
from labkit.retrieve.rewrite import Rewriter, Vocabulary
from labkit.retrieve.search import Search, flat_retriever, plain_retriever, ranker
from labkit.retrieve.store import Store

__all__ = [
    "DenseRetriever",
    "HybridRetriever",
    "Index",
    "IndexInfo",
    "IndexReport",
    "LateInteraction",
    "LexicalRetriever",
    "Reranker",
    "Rewriter",
    "Search",
    "Store",
    "Vocabulary",
    "convex_fusion",
    "flat_retriever",
    "index",
    "open_index",
    "plain_retriever",
    "ranker",
    "reciprocal_rank_fusion",
    "seal",
]
