"""Question in, cited answer out: facts, or retrieve, select, judge, generate, attribute, each stage named and traced.

``build_pipeline`` assembles one from settings; :class:`Pipeline` takes any retriever, chat model and stages.
"""

from labkit.pipeline.abstain import EvidenceRule
from labkit.pipeline.attribute import Attributor
from labkit.pipeline.build import build_pipeline, default_retriever
from labkit.pipeline.facts import Facts
from labkit.pipeline.pipeline import ABSTENTION, Pipeline
from labkit.pipeline.select import Passage, Selector
from labkit.pipeline.statements import StatementSelector

__all__ = [
    "ABSTENTION",
    "Attributor",
    "EvidenceRule",
    "Facts",
    "Passage",
    "Pipeline",
    "Selector",
    "StatementSelector",
    "build_pipeline",
    "default_retriever",
]
