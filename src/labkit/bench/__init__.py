"""Benchmarks: one file each, one result format, one interface (``labkit bench NAME``)."""

from labkit.bench.registry import BENCHES, Options, run
from labkit.bench.result import BenchResult, Figure

__all__ = ["BENCHES", "BenchResult", "Figure", "Options", "run"]
