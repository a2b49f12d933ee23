"""How well a ranking puts the documents a question needs in front: recall, hop coverage, MRR, nDCG.

A question needs one document or several (a multi-hop question: one per hop), and each need may be met by any of some
documents, for copies and later reports state the same fact. So gold is a list of needs, each an id or a set of ids
of which one is enough. Per-question values are computed here, for intervals and paired tests need them; where every
need has one id they are the usual ones, and :func:`peer_means` has ranx compute the same.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

from labkit.errors import InputError

Need = str | Collection[str]
"""A document id, or ids any one of which is as good."""
DEPTHS = (1, 5, 10, 20)
MRR_DEPTH = 10


def ranking_rows(
    runs: Mapping[str, Sequence[str]], gold: Mapping[str, Collection[Need]], depths: Sequence[int] = DEPTHS
) -> dict[str, dict[str, float]]:
    """Per question: ``recall_at_K``, ``all_gold_at_K`` for every depth, ``mrr_at_10``, ``ndcg_at_10``; each 0 to 1.

    Args:
        runs: question id → ids found, best first; an id found twice counts where it stands first.
        gold: question id → what it needs. Questions without gold are left out, questions without a run count as 0.
        depths: at which recall and hop coverage are taken.

    Raises:
        InputError: there is a run for a question that has no entry in gold, or a need without an id.
    """
    unknown = runs.keys() - gold.keys()
    if unknown:
        raise InputError(f"{len(unknown)} ranked questions have no gold, such as {min(unknown)!r}")
    rows = {}
    for question_id, needed in gold.items():
        needs = [_ids(need, question_id) for need in needed]
        if needs:
            rows[question_id] = _values(list(dict.fromkeys(runs.get(question_id, ()))), needs, depths)
    return rows


def means(rows: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean over questions of each value; empty for no rows."""
    if not rows:
        return {}
    names = next(iter(rows.values())).keys()
    return {name: sum(row[name] for row in rows.values()) / len(rows) for name in names}


def peer_means(
    runs: Mapping[str, Sequence[str]], gold: Mapping[str, Collection[str]], depths: Sequence[int] = DEPTHS
) -> dict[str, float]:
    """``recall_at_K``, ``mrr_at_10`` and ``ndcg_at_10`` as ranx computes them; every need is one id.

    The first call in a fresh environment compiles for half a minute; the result is kept by numba.
    Source: E. Bassani, *ranx: a blazing-fast Python library for ranking evaluation and comparison*, ECIR 2022.

    Raises:
        InputError: there is no question with gold.
    """
    asked = {question_id: set(ids) for question_id, ids in gold.items() if ids}
    if not asked:
        raise InputError("No question has a gold document", todo="Give at least one.")
    evaluate, qrels_type, run_type = _ranx()
    qrels = qrels_type({question_id: dict.fromkeys(ids, 1) for question_id, ids in asked.items()})
    # ranx wants an entry, and a document, for every question; an id no document has ranks nowhere.
    ranked = {q: list(dict.fromkeys(runs.get(q, ()))) or [""] for q in asked}
    run = run_type({q: {doc: 1.0 / (n + 1) for n, doc in enumerate(ids)} for q, ids in ranked.items()})
    names = {f"recall_at_{k}": f"recall@{k}" for k in depths}
    names |= {f"mrr_at_{MRR_DEPTH}": f"mrr@{MRR_DEPTH}", f"ndcg_at_{MRR_DEPTH}": f"ndcg@{MRR_DEPTH}"}
    found = evaluate(qrels, run, list(names.values()), threads=1)
    return {ours: float(found[theirs]) for ours, theirs in names.items()}


def _ranx() -> tuple[Any, Any, Any]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's, about its own casts
        from ranx import Qrels, Run, evaluate

    def quiet(*args: Any, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return evaluate(*args, **options)

    return quiet, Qrels, Run


def _ids(need: Need, question_id: str) -> frozenset[str]:
    ids = frozenset([need] if isinstance(need, str) else need)
    if not ids:
        raise InputError("A need names no document", where=f"question {question_id}", todo="Leave it out.")
    return ids


def _values(ranked: Sequence[str], needs: Sequence[frozenset[str]], depths: Sequence[int]) -> dict[str, float]:
    met_at = [next((rank for rank, doc in enumerate(ranked, 1) if doc in need), math.inf) for need in needs]
    row: dict[str, float] = {}
    for depth in depths:
        met = sum(rank <= depth for rank in met_at)
        row[f"recall_at_{depth}"] = met / len(needs)
        row[f"all_gold_at_{depth}"] = float(met == len(needs))
    first = min(met_at)
    row[f"mrr_at_{MRR_DEPTH}"] = 1 / first if first <= MRR_DEPTH else 0.0
    gains = _gains(ranked[:MRR_DEPTH], needs)
    row[f"ndcg_at_{MRR_DEPTH}"] = min(1.0, _dcg(gains) / _dcg(_best_gains(needs)))  # greedy may miss the best
    return row


def _gains(ranked: Sequence[str], needs: Sequence[frozenset[str]]) -> list[int]:
    """How many needs each document is the first to meet."""
    seen = [sum(any(doc in need for doc in ranked[:rank]) for need in needs) for rank in range(len(ranked) + 1)]
    return [after - before for before, after in pairwise(seen)]


def _best_gains(needs: Sequence[frozenset[str]]) -> list[int]:
    """The gains of a good order: always the document next that meets most of what is left.

    With needs as subtopics this is alpha-nDCG with alpha = 1, whose best order is approximated greedily as there:
    C. Clarke et al., *Novelty and diversity in information retrieval evaluation*, SIGIR 2008.
    """
    left = list(needs)
    gains: list[int] = []
    while left and len(gains) < MRR_DEPTH:
        documents = sorted(frozenset().union(*left))
        best = max(documents, key=lambda doc: sum(doc in need for need in left))
        gains.append(sum(best in need for need in left))
        left = [need for need in left if best not in need]
    return gains


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
