"""Duplicates and superseded versions: what ingestion linked against what the generator planted.

Duplicates are judged pair by pair: two documents are one if the chains of ``duplicate_of`` end at the same place, and
*exact* if every link between them is. A document and its next revision are no duplicates. Files that belong in
quarantine do not count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

from labkit.bench.result import Figure, share
from labkit.bench.truth import Case

Pair = frozenset[str]
EXACT = "exact_duplicate"


def duplicate_figures(cases: Sequence[Case]) -> dict[str, Figure]:
    """Pairwise F1 of exact and of near duplicates."""
    counted = [case for case in cases if case.document is not None and case.clean is not None]
    true_exact, true_near = true_pairs(counted)
    found_exact, found_near = found_pairs(counted)
    return {
        "exact_duplicate_f1": _f1(true_exact, found_exact),
        "near_duplicate_f1": _f1(true_near, found_near),
    }


def true_pairs(cases: Iterable[Case]) -> tuple[set[Pair], set[Pair]]:
    """Pairs of paths with equal bytes, and pairs of one group of which at least one was edited."""
    by_group: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if case.group:
            by_group[case.group].append(case)
    exact, near = set(), set()
    for group in by_group.values():
        for one, other in combinations(group, 2):
            if one.sha256 == other.sha256:
                exact.add(frozenset((one.path, other.path)))
            elif one.near or other.near:
                near.add(frozenset((one.path, other.path)))
    return exact, near


def found_pairs(cases: Sequence[Case]) -> tuple[set[Pair], set[Pair]]:
    """Pairs of paths that ingestion links through exact copies only, and all others it links."""
    exact_of = roots(cases, only_exact=True)
    any_of = roots(cases)
    exact: set[Pair] = set()
    near: set[Pair] = set()
    for group in _grouped(any_of):
        for one, other in combinations(group, 2):
            (exact if exact_of[one] == exact_of[other] else near).add(frozenset((one, other)))
    return exact, near


def roots(cases: Iterable[Case], *, only_exact: bool = False) -> dict[str, str]:
    """Path → ``doc_id`` at the end of its chain of ``duplicate_of``; with ``only_exact``, of its exact links."""
    documents = {case.document.doc_id: case.document for case in cases if case.document is not None}
    found = {}
    for document in documents.values():
        here, seen = document, {document.doc_id}
        while here.duplicate_of in documents and here.duplicate_of not in seen:
            if only_exact and EXACT not in here.defects:
                break
            here = documents[here.duplicate_of]
            seen.add(here.doc_id)
        found[document.source_path] = here.doc_id
    return found


def supersession_figure(cases: Sequence[Case]) -> tuple[Figure, dict[str, bool]]:
    """Share right of the documents that truth or ingestion calls superseded, and which path is right.

    A duplicate takes over what is said of the document it copies.
    """
    right = {}
    by_true_id = {case.doc_id: case for case in cases}
    documents = {case.document.doc_id: case for case in cases if case.document is not None}
    root = roots(cases)
    for case in cases:
        if case.document is None or case.clean is None:
            continue
        said = case.document.superseded_by or _superseded_by(documents.get(root[case.path]))
        if not case.superseded_by and not said:
            continue
        successor, named = by_true_id.get(case.superseded_by), documents.get(said or "")
        right[case.path] = (
            successor is not None
            and named is not None
            and (named is successor or (named.group != "" and named.group == successor.group))
        )
    return share(sum(right.values()), len(right)), right


def _superseded_by(case: Case | None) -> str | None:
    return case.document.superseded_by if case is not None and case.document is not None else None


def _grouped(root: dict[str, str]) -> Iterable[list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path, end in root.items():
        groups[end].append(path)
    return groups.values()


def _f1(true: set[Pair], found: set[Pair]) -> Figure:
    if not true and not found:
        return Figure(value=None, n=0, direction="higher", status="skipped: no such pair")
    value = 2 * len(true & found) / (len(true) + len(found))
    return Figure(value=value, n=len(true | found), direction="higher")
