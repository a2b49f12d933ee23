"""Assembles the default pipeline from settings and an index folder."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labkit.errors import ModelError
from labkit.graph.cache import open_graph
from labkit.graph.chains import ChainModel
from labkit.graph.hop import HopRetriever
from labkit.llm import Embedder, chat_model, embedder
from labkit.llm.local import LocalChat
from labkit.llm.shipped import shipped
from labkit.pipeline.abstain import EvidenceRule
from labkit.pipeline.facts import Facts
from labkit.pipeline.pipeline import Pipeline, is_answered
from labkit.pipeline.reader import Reader
from labkit.pipeline.select import Selector
from labkit.pipeline.statements import StatementSelector
from labkit.retrieve import Index, Reranker, Rewriter, Search, open_index, ranker
from labkit.schema import ChatModel, Retriever, Versions
from labkit.settings import Settings


def build_pipeline(
    index_dir: Path,
    settings: Settings,
    *,
    world: str | None = None,
    rule: EvidenceRule | None = None,
    retrieval: Callable[[Index, Embedder], Retriever] | None = None,
    facts: bool = True,
) -> Pipeline:
    """The index and its graph, the chat model of ``settings``, and the default rules.

    Args:
        index_dir: what :func:`labkit.retrieve.index` built.
        settings: names the models and endpoints.
        world: if given, the world version the index must belong to.
        rule: when to abstain; None takes the calibrated default.
        retrieval: makes another retriever of the open index; the graph is then left out.
        facts: let the graph answer what it can before passages are read.

    Raises:
        IndexMissing, IndexMismatch, StoreError: the index cannot be used.
        ModelError, ModelMismatch: a model cannot.
    """
    chat = chat_model(settings, enough=is_answered)
    if isinstance(chat, LocalChat):
        threading.Thread(target=_preload, args=(chat,), daemon=True).start()  # while the store opens
    encoder = embedder(settings)
    with _collector_paused():
        opened = _opened(index_dir, settings, encoder, world)
        retriever, known = (retrieval(opened, encoder), None) if retrieval else _by_graph(opened, encoder)
    reader = _reader(chat, settings)
    return Pipeline(
        retriever,
        chat,
        facts=known if facts else None,
        select=StatementSelector(encoder) if reader else Selector(encoder),
        judge=rule,
        reader=reader,
        versions=Versions(index=opened.info.version, world=opened.info.world),
    )


def default_retriever(index: Index, embedder: Embedder) -> Retriever:
    """What the pipeline and the benchmarks search with: along the chains of the index's graph.

    Flat where the encoder shows no tokens, since the chain model reads them. The graph is of what the store held when
    it was opened: open it again after a change.

    Raises:
        StoreError: the graph must be built and cannot be written beside the index.
    """
    return _by_graph(index, embedder)[0]


def _by_graph(index: Index, embedder: Embedder) -> tuple[Retriever, Facts | None]:
    flat = ranker(index, embedder)
    rewriter = Rewriter(index.vocabulary)
    if not isinstance(flat, Reranker):
        return Search(flat, rewriter), None
    graph = open_graph(index)
    chains = ChainModel.shipped(graph.schema)
    return Search(HopRetriever(flat, graph, chains), rewriter), Facts(graph, chains, flat)


def _reader(chat: ChatModel, settings: Settings) -> Reader | None:
    """The tuned reader the settings ask for: an adapter in this process, or a name the endpoint knows."""
    if not settings.answer_adapter:
        return None
    if isinstance(chat, LocalChat):
        named = settings.answer_adapter
        return Reader(chat.adapted(shipped("answer") if named == "shipped" else Path(named)))
    return Reader(chat_model(settings.model_copy(update={"chat_model": settings.answer_adapter})))


def _opened(index_dir: Path, settings: Settings, encoder: Embedder, world: str | None) -> Index:
    """The index in the folder; where a Weaviate server is set, what was published from it (`labkit publish`)."""
    if settings.weaviate_url is None:
        return open_index(index_dir, encoder, world=world)
    from labkit.retrieve.publish import open_published

    return open_published(index_dir, settings, encoder, world=world)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Opening the store imports thousands of classes; walking them for garbage is a tenth of a cold start."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _preload(chat: LocalChat) -> None:
    with suppress(ModelError):  # the first question meets it again, where somebody is listening
        chat.load()
