"""Seeing inside: traces of requests. Exporting them, metrics and logs come with their chapter."""

from labkit.observe.spans import SpanRecord, capture

__all__ = ["SpanRecord", "capture"]
