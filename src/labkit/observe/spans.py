"""Traces kept in memory: what a library that speaks OpenTelemetry did during a block, span by span.

Attributes follow the OpenInference conventions (https://arize-ai.github.io/openinference/spec/), the same that a trace
server would receive. This module sends nothing anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """One finished span; ``depth`` is how many spans it lies inside."""

    name: str
    kind: str
    """What OpenInference calls it: RETRIEVER, EMBEDDING, LLM, CHAIN …"""
    depth: int
    seconds: float
    attributes: dict[str, Any]

    @property
    def documents(self) -> list[tuple[float, str, str]]:
        """(score, metadata as JSON, text) of each document a retriever span returned."""
        found: list[tuple[float, str, str]] = []
        while f"retrieval.documents.{len(found)}.document.content" in self.attributes:
            prefix = f"retrieval.documents.{len(found)}.document"
            score = self.attributes.get(f"{prefix}.score", 0.0)
            metadata = self.attributes.get(f"{prefix}.metadata", "{}")
            found.append((float(score), str(metadata), str(self.attributes[f"{prefix}.content"])))
        return found


@contextmanager
def capture() -> Iterator[list[SpanRecord]]:
    """Record every LlamaIndex call of the block; the list fills when the block ends, outermost span first."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = LlamaIndexInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    records: list[SpanRecord] = []
    try:
        yield records
    finally:
        instrumentor.uninstrument()
        provider.shutdown()
        records.extend(_ordered(exporter.get_finished_spans()))


def _ordered(spans: tuple[ReadableSpan, ...]) -> Iterator[SpanRecord]:
    by_id = {span.context.span_id: span for span in spans}
    for span in sorted(spans, key=lambda span: (span.start_time or 0, -(span.end_time or 0))):
        depth, parent = 0, span.parent
        while parent is not None and parent.span_id in by_id:
            depth, parent = depth + 1, by_id[parent.span_id].parent
        attributes = dict(span.attributes or {})
        kind = str(attributes.get("openinference.span.kind", ""))
        seconds = ((span.end_time or 0) - (span.start_time or 0)) / 1e9
        yield SpanRecord(span.name, kind, depth, seconds, attributes)
