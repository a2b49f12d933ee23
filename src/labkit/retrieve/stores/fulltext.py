"""LanceDB's full text under a request's access, day and filters."""

from __future__ import annotations

from typing import Any

import numpy as np
from lance.query import MatchQuery
from lancedb.index import FTS, LabelList
from numpy.typing import NDArray

from labkit.retrieve.stores.snapshot import TERMS, Snapshot
from labkit.schema import Filters, RequestContext

# Terms arrive stemmed and folded; the index only splits them at spaces.
FULL_TEXT = FTS(
    base_tokenizer="whitespace", lower_case=False, stem=False, remove_stop_words=False,
    ascii_folding=False, max_token_length=None,
)  # fmt: skip
"""How terms are indexed."""

ACCESS = LabelList()
"""How the groups a chunk is for are indexed. Without it the database reads them all for every search it filters."""

# Candidates taken without a filter before the database is asked to filter itself.
_DEEPEST = 4_000


def best_matches(
    now: Snapshot, terms: str, mask: NDArray[np.bool_], k: int, ctx: RequestContext
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Positions and scores of the k rows of a mask that match best, best first.

    The first k that qualify of a ranking are the ranking of those that qualify, so as many more are asked for as do
    not. Where few qualify, or too few of the best, the database filters while it searches.
    """
    qualify = int(np.count_nonzero(mask))
    n = k if qualify == len(mask) else int(1.3 * k * len(mask) / qualify) + 16
    deepest = max(k, _DEEPEST)
    while n <= deepest:
        at, scores = _ranked(now, terms, n, None)
        kept = mask[at]
        found = int(np.count_nonzero(kept))
        if found >= k or len(at) < n:
            return at[kept][:k], scores[kept][:k]
        n *= 4
    return _ranked(now, terms, k, _filter(ctx))


def _ranked(now: Snapshot, terms: str, n: int, sql: str | None) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    rows = now.dataset.scanner(
        full_text_query=MatchQuery(terms, TERMS), limit=n, filter=sql, columns=["_score"],
        with_row_id=True, prefilter=True, disable_scoring_autoprojection=True,
    ).to_table()  # fmt: skip
    return now.positions(rows["_rowid"].to_numpy().astype(np.int64)), rows["_score"].to_numpy()


def _filter(ctx: RequestContext) -> str:
    """The request's tenant, groups, date and filters as SQL over a chunk's columns."""
    groups = ", ".join(literal(group) for group in sorted(ctx.groups))
    day = _day(ctx.as_of)
    parts = [
        f"tenant = {literal(ctx.tenant)} AND array_has_any(acl, make_array({groups}))",
        f"(valid_from IS NULL OR valid_from <= {day}) AND (valid_to IS NULL OR valid_to > {day})",
    ]
    filters: Filters = ctx.filters
    for column, wanted in (("doc_class", filters.doc_classes), ("lang", filters.languages)):
        if wanted:
            parts.append(f"{column} IN ({', '.join(map(literal, sorted(wanted)))})")
    if filters.since is not None:
        parts.append(f"valid_from >= {_day(filters.since)}")
    if filters.until is not None:
        parts.append(f"valid_from <= {_day(filters.until)}")
    return " AND ".join(parts)


def _day(day: Any) -> str:
    return f"DATE '{day.isoformat()}'"


def literal(value: str) -> str:
    """A SQL string literal: the quote is the only character with a meaning inside one, and is doubled."""
    return "'" + value.replace("'", "''") + "'"
