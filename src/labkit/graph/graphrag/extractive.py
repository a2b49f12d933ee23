"""Writes what graphrag asks a language model for, by quoting: the stand-in where there is no model worth asking.

graphrag asks for community reports, for rated points (the map step of global search), for answers, and for answers with
follow-up questions (DRIFT). A model of 135 million parameters returns none of these in the form that is asked for. Here
every sentence is copied from the data in the prompt, so nothing is invented, and nothing is understood either: reports
put first what is connected most and what recurs (Luhn 1958), answers what shares most with the question (cosine of the
sentence encoder, and the share of the question's words). It is labelled ``extractive`` wherever it is shown.

This module knows texts only; graphrag's interfaces are the business of :mod:`labkit.graph.graphrag.writers`.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from labkit.graph.graphrag.quotes import DASH, NOTE, Quote, piped, quotes_of, report_quotes, tables, unbullet
from labkit.retrieve.text import content_words

NAME = "extractive"
LABEL = f"[written by: {NAME}]"

Similarity = Callable[[str, Sequence[str]], Sequence[float]]
"""Cosine of a question with each of some texts."""

FINDINGS = 10
"""Relationships a report quotes, and entities; graphrag asks for 5 to 10 findings."""

SENTENCES = 8
"""Sentences of an answer."""

POINTS = 5
"""Points of one report that the map step of a global search returns at most."""

THEMES = 16
"""Points that the final answer of a global search keeps."""

FOLLOW_UPS = 5
"""Questions DRIFT's primer is given to go on with; each of its steps adds two."""

LEAST = 0.25
"""A sentence that shares less with the question than this, of 1, is not quoted; an encoder finds something in common
between any two sentences."""

NOTHING = "Nothing in the data speaks of this."

_RECORD = re.compile(r"\[Data: Reports \((\d+)\)\]")
_ANALYST = re.compile(r"^----Analyst \d+----\nImportance Score: (\d+)\n", re.MULTILINE)


def report(context: str) -> dict[str, Any]:
    """A community report from the data graphrag puts into its prompt, in the form it wants back.

    The title names the entities with most relationships; the summary quotes the edges between the best connected, and
    what is said of several entities; the findings quote edges and entities, the best connected first. The rating is the
    number of relationships, 10 at most.

    Args:
        context: tables Entities, Relationships and perhaps Reports of sub-communities, as CSV.
    """
    found = {name: list(csv.DictReader(io.StringIO(text.strip()))) for name, text in tables(context)}
    entities = sorted(found.get("Entities", []), key=lambda row: -float(row.get("degree") or 0))
    edges = found.get("Relationships", [])  # graphrag sends the best connected first
    parts = [_part(row) for row in found.get("Reports", [])]
    names = [row["title"] for row in entities[:3]] or [title for title, _ in parts[:3]]
    title = ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else "".join(names) or "Unnamed community"
    recurring = Counter(quote for row in entities for quote in unbullet(row["description"])[1:])
    lead = [quote for row in edges[:2] for quote in unbullet(row["description"])[:1]]
    lead += [f"{quote} ({count} times)" for quote, count in recurring.most_common(3) if count > 1]
    lead += [text for _, text in parts[:2]] if not lead else []
    findings = [
        _finding(f"{row['source']} and {row['target']}", unbullet(row["description"]), "Relationships", row)
        for row in edges[:FINDINGS]
    ]
    for row in entities[:FINDINGS]:
        head, *quotes = unbullet(row["description"]) or [row["title"]]
        findings += [_finding(head.rstrip("."), quotes, "Entities", row)] if quotes else []
    findings += [{"summary": name, "explanation": text} for name, text in parts[:FINDINGS]]
    size = f"{len(entities)} entities, {len(edges)} relationships, {len(parts)} reports of parts"
    return {
        "title": title,
        "summary": "\n".join([*lead, LABEL]),
        "rating": float(min(10, len(edges) or len(parts))),
        "rating_explanation": f"The number of relationships, 10 at most ({size}); nobody judged the impact. {LABEL}",
        "findings": findings,
    }


def points(question: str, context: str, similarity: Similarity) -> dict[str, Any]:
    """The map step of global search: of each report in the batch what is nearest the question, and how near (0 to 100).

    Args:
        question: what is asked.
        context: the table of reports, as graphrag joins it.
        similarity: compares the question with sentences.
    """
    found = []
    for row in piped(context):
        quotes = report_quotes(row["content"] or "", row["id"])
        # The rating sorts them in the end, so more may pass than where a sentence goes into the answer as it is.
        for near, quote in nearest(question, quotes, similarity, POINTS, least=LEAST / 2):
            found.append({"description": str(quote), "score": round(100 * near)})
    return {"points": found}


def merged(report_data: str) -> str:
    """The reduce step of global search: the points nearest the question, each once; what several entities share, first.

    Args:
        report_data: the rated points of all batches as graphrag joins them, best first.
    """
    pieces = _ANALYST.split(report_data)
    about: dict[str, dict[str, None]] = {}
    records: dict[str, dict[str, None]] = {}
    near: Counter[str] = Counter()
    for score, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        subject, dash, said = NOTE.sub("", piece).strip().rpartition(DASH)
        about.setdefault(said, {}).update({subject: None} if dash else {})
        records.setdefault(said, {}).update(dict.fromkeys(_RECORD.findall(piece)))
        near[said] = max(near[said], int(score))
    # What ten entities share counts some four times as much as what one has.
    weight = {said: near[said] * (1 + math.log2(max(1, len(subjects)))) for said, subjects in about.items()}
    ranked = sorted(enumerate(about), key=lambda pair: (-weight[pair[1]], pair[0]))[:THEMES]
    lines = []
    for _, said in ranked:
        subjects, ids = list(about[said]), list(records[said])
        shared = f" ({len(subjects)} times: {'; '.join(subjects[:5])}{' …' * (len(subjects) > 5)})"
        whole = said + shared if len(subjects) > 1 else DASH.join([*subjects, said])
        more = ", +more" * (len(ids) > 5)
        lines.append(f"{whole} [Data: Reports ({', '.join(ids[:5])}{more})]" if ids else whole)
    return _bullets(lines)


def answer(question: str, context: str, similarity: Similarity) -> str:
    """An answer of sentences from the data tables of local, basic or DRIFT's local search."""
    return _bullets([str(quote) for _, quote in nearest(question, quotes_of(context), similarity, SENTENCES)])


def step(question: str, goal: str, context: str, similarity: Similarity) -> dict[str, Any]:
    """One step of DRIFT: an answer, how near it is to the overall question (0 to 100), and where to look further.

    Quoting cannot ask, so what follows is the overall question again, towards two other reports in the context.
    """
    best = nearest(question, quotes_of(context), similarity, SENTENCES)
    towards = nearest(goal, [quote for _, quote in best], similarity, 1)
    titles = [row["title"] for name, text in tables(context) if name == "Reports" for row in piped(text)]
    return {
        "response": _bullets([str(quote) for _, quote in best]),
        "score": round(100 * towards[0][0]) if towards else 0,
        "follow_up_queries": [f"{goal} ({title})" for title in titles if title not in question][:2],
    }


def primer(question: str, reports: str, similarity: Similarity) -> dict[str, Any]:
    """DRIFT's first look: what the nearest reports say, and the question again for each of them."""
    titles = re.findall(r"^# (.+)$", reports, re.MULTILINE)
    best = nearest(question, report_quotes(reports, ""), similarity, SENTENCES)
    return {
        "intermediate_answer": _bullets([str(quote) for _, quote in best]),
        "score": round(100 * best[0][0]) if best else 0,
        "follow_up_queries": [f"{question} ({title})" for title in titles[:FOLLOW_UPS]],
    }


def combined(question: str, answers: Sequence[str], similarity: Similarity) -> str:
    """DRIFT's end: the lines of all answers that are nearest the question, each once."""
    lines = dict.fromkeys(line.removeprefix("- ").strip() for text in answers for line in text.splitlines())
    quotes = [Quote(line) for line in lines if line and line not in (NOTHING, LABEL)]
    return _bullets([str(quote) for _, quote in nearest(question, quotes, similarity, SENTENCES)])


def nearest(
    question: str, quotes: Sequence[Quote], similarity: Similarity, limit: int, *, least: float = LEAST
) -> list[tuple[float, Quote]]:
    """The quotes nearest the question with their nearness (0 to 1), best first; what is said twice counts once.

    Nearness is the mean of cosine and of the share of the question's words, where rare words weigh more.
    """
    unique: dict[str, Quote] = {}
    for quote in quotes:
        unique.setdefault(NOTE.sub("", quote.whole), quote)
    if not unique:
        return []
    wanted = content_words(question)
    held = [content_words(text) for text in unique]
    frequency = Counter(word for words in held for word in words & wanted)
    weight = {word: math.log(1 + len(unique) / (1 + frequency[word])) for word in wanted}
    total = sum(weight.values()) or 1.0
    scored = [
        ((max(0.0, cosine) + sum(weight[word] for word in words & wanted) / total) / 2, quote)
        for cosine, words, quote in zip(similarity(question, list(unique)), held, unique.values(), strict=True)
    ]
    ranked = sorted(enumerate(scored), key=lambda pair: (-pair[1][0], pair[0]))
    return [pair for _, pair in ranked[:limit] if pair[0] >= least]


def _finding(summary: str, quotes: Sequence[str], table: str, row: dict[str, str]) -> dict[str, str]:
    cited = [f"{quote} [Data: {table} ({row['human_readable_id']})]" for quote in quotes]
    return {"summary": summary, "explanation": "\n".join(cited)}


def _part(row: dict[str, str]) -> tuple[str, str]:
    """Title and first line of a sub-community's report."""
    lines = [NOTE.sub("", line).strip() for line in row.get("full_content", "").splitlines()]
    title, *rest = [line for line in lines if line] or ["Unnamed community"]
    return title.removeprefix("# "), rest[0] if rest else ""


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join([*(f"- {line}" for line in lines), LABEL] if lines else [NOTHING, LABEL])
