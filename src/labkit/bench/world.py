"""How good the generated enterprise is: how often it repeats itself, and whether its truth holds.

Counts over one world: sentences that stand in several documents which are no planted copies of each other, gold
evidence that lacks its answer, and secrets that some document gives away.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.bench.registry import Options, Rows
from labkit.bench.result import BenchResult, Figure
from labkit.evaluate.corpus import built_world, read_questions
from labkit.evaluate.grading import value_correct
from labkit.world.prose import split_sentences

MIN_WORDS = 8


def run(options: Options) -> tuple[BenchResult, Rows]:
    """Build the world if need be and count."""
    world = built_world(options.settings, seed=options.seed, pack_dir=options.pack, profile=options.profile)
    repeated, total, examples = repetition(world)
    wrong = evidence_without_answer(world)
    questions = [q for split in ("train", "dev", "test") for q in read_questions(world, split)]
    figures = {
        "repeated_sentence_share": Figure(value=repeated / max(total, 1), n=total, direction="lower"),
        "evidence_without_answer": Figure(value=float(len(wrong)), n=len(questions), direction="lower"),
        "test_single_hop_questions": Figure(
            value=float(sum(q.split == "test" and q.type == "single_hop" for q in questions)), direction="higher"
        ),
    }
    result = BenchResult(
        bench="world", profile=options.profile, seed=options.seed, world_version=world.name, figures=figures
    )
    return result, [{"repeated": text, "documents": sorted(ids)} for text, ids in examples] + wrong


def repetition(world: Path) -> tuple[int, int, list[tuple[str, set[str]]]]:
    """Sentences of eight or more words that two documents share though neither is a copy of the other.

    Returns:
        how many distinct sentences are shared, how many there are, and the shared ones with their documents.
    """
    family = _families(world)
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows(world / "truth" / "texts.jsonl"):
        for sentence in split_sentences(row["text"]):
            if len(sentence.split()) >= MIN_WORDS:
                seen[sentence.casefold()].add(family[row["doc_id"]])
    shared = [(text, ids) for text, ids in seen.items() if len(ids) > 1]
    return len(shared), len(seen), shared


def _families(world: Path) -> dict[str, str]:
    """doc_id → a name shared by planted copies and revisions of one document."""
    return {row["doc_id"]: row["doc_id"].rstrip("rnxi") for row in rows(world / "truth" / "documents.jsonl")}


def evidence_without_answer(world: Path) -> Rows:
    """Answerable questions whose gold evidence lacks the answer, or what a computed answer is computed from."""
    texts = {row["doc_id"]: row["text"] for row in rows(world / "truth" / "texts.jsonl")}
    facts = {row["fact_id"]: row for row in rows(world / "truth" / "facts.jsonl")}
    wrong: Rows = []
    for split in ("train", "dev", "test", "hero"):
        for question in read_questions(world, split):
            if not question.value or question.type == "global":
                continue
            quotes = [texts[doc_id][start:end] for doc_id, start, end in question.evidence]
            if question.type in {"comparison", "aggregation"}:
                held = all(_stated(facts[fact_id], quotes) for fact_id in question.facts)
            else:
                held = any(value_correct(question, quote) for quote in quotes)
            if not held:
                wrong.append({"question_id": question.question_id, "text": question.text, "value": question.value,
                              "evidence": quotes[:3]})  # fmt: skip
    return wrong


def _stated(fact: dict[str, Any], quotes: list[str]) -> bool:
    return any(surface in quote for surface in (fact["value"], *fact["aliases"]) for quote in quotes)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSON lines file."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
