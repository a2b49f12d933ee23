"""Precision of redaction: which of the replaced spans were to be replaced.

Stored text no longer says what a placeholder stands for, so the accepted files are read once more and the redactor is
run over them as ingestion does it. A span is right if it overlaps one that truth marks ``redact``. It is found in the
clean text by its words; where they stand there several times and policy differs, by the words around it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from labkit.bench.result import Figure, share
from labkit.bench.truth import Case, Clean
from labkit.ingest.read import Source, read_file
from labkit.ingest.reading import Reading
from labkit.pii import Policy, Redactor, Roster

_KEY = b"pseudonyms of a benchmark are no secret"
_AROUND = 60
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Replaced:
    """A span that was replaced, with what stood before and after it, and whether that was right."""

    path: str
    kind: str
    text: str
    right: bool


def replaced_spans(documents: Path, cases: Sequence[Case]) -> list[Replaced]:
    """Redact all accepted files of a world anew and judge every replaced span."""
    texts: dict[str, list[str]] = {}
    evidence = []
    for case in cases:
        if case.document is None:
            continue
        reading = read_file(Source(documents / case.path, case.path))
        if isinstance(reading, Reading):
            texts[case.path] = [reading.card.title, *(block.text for block in reading.blocks)]
            evidence.append(reading.card.evidence)
    policy = Policy()
    redactor = Redactor(policy, Roster(evidence, policy), _KEY)
    return [
        Replaced(case.path, kind, found, to_be_redacted(case.clean, found, before, after))
        for case in cases
        if case.clean is not None and case.path in texts
        for kind, found, before, after in _spans(redactor, texts[case.path])
    ]


def _spans(redactor: Redactor, texts: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    for span in redactor.redact(texts).spans:
        text = texts[span.index]
        yield span.kind, text[span.start : span.end], text[: span.start][-_AROUND:], text[span.end :][:_AROUND]


def to_be_redacted(clean: Clean, found: str, before: str = "", after: str = "") -> bool:
    """Whether this occurrence of some words is, or overlaps, personal data that policy redacts."""
    due = [(span.start, span.end) for span in clean.personal if span.action == "redact"]
    words = r"\s+".join(map(re.escape, found.split()))
    places = [match.span() for match in re.finditer(rf"(?<!\w){words}(?!\w)", clean.text)]
    if not places:  # the parser reads it differently: enough if it holds something that was to go
        return any(clean.text[start:end] in found for start, end in due)
    verdicts = [any(start < last and first < end for first, last in due) for start, end in places]
    if len(set(verdicts)) == 1:
        return verdicts[0]

    def likeness(place: tuple[int, int]) -> int:
        start, end = place
        left, right = clean.text[max(0, start - _AROUND) : start], clean.text[end : end + _AROUND]
        return _common(_words(left)[::-1], _words(before)[::-1]) + _common(_words(right), _words(after))

    return max(zip(places, verdicts, strict=True), key=lambda pair: likeness(pair[0]))[1]


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words two sequences share at their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def precision_figure(spans: Sequence[Replaced]) -> dict[str, Figure]:
    """Share of the replaced spans that were to be replaced."""
    return {"pii_precision": share(sum(span.right for span in spans), len(spans))}


def by_kind(spans: Sequence[Replaced]) -> list[dict[str, object]]:
    """One row for each kind: spans replaced, and how many of them rightly."""
    total, right = Counter(span.kind for span in spans), Counter(span.kind for span in spans if span.right)
    return [{"kind": kind, "replaced": total[kind], "right": right[kind]} for kind in sorted(total)]
