"""What the late interaction learns from, and what it is held to.

Examples are the single-hop train questions of generated worlds with what retrieval finds for them, and questions over
invented subjects (:mod:`labkit.tune.relation`). What it is held to are questions and sentences with natural passages,
out of the public sets in ``LABKIT_DATA``: PEPs (python/peps, public domain or CC0), Prometheus runbooks (Apache 2.0)
and HaluEval's questions and answers (Li et al. 2023, MIT).
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from labkit.errors import ConfigError
from labkit.evaluate.corpus import gold_paths, prepare_tables, read_facts, read_questions
from labkit.evaluate.stages import needs_of
from labkit.llm.embed import Encoded, LocalEmbedder
from labkit.retrieve.index import read_chunks
from labkit.retrieve.rerank import DENSE_LEAST, DEPTH, LEXICAL, RERANKED, Candidates, unfamiliar
from labkit.retrieve.store import search_text
from labkit.retrieve.stores.lancedb import LanceStore
from labkit.retrieve.terms import terms
from labkit.schema import RequestContext
from labkit.settings import Settings
from labkit.tune.relation import invented

Array = NDArray[np.float32]

_PARAGRAPH, _SENTENCE, _ANSWER = (250, 1_100), (30, 160), (120, 700)  # characters, from and to
_FILES, _PER_FILE, _BESIDE = 450, 2, 7
_QUESTIONS = 900


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its candidates.

    Attributes:
        tokens: ids of the question's tokens.
        passages: token states of each candidate, float16 (tokens, dimensions).
        first: of each candidate, what both paths count together.
        right: for each candidate, whether it answers the question.
    """

    tokens: list[int]
    passages: list[NDArray[np.float16]]
    first: Array
    right: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Held:
    """A natural question or sentence with natural passages, whose order is to stay what it was.

    Attributes:
        encoded: the question.
        passages: token states of each passage, float16 (tokens, dimensions).
    """

    encoded: Encoded
    passages: list[NDArray[np.float16]]


def from_world(settings: Settings, seed: int, encoder: LocalEmbedder) -> list[Example]:
    """The single-hop train questions of a world; those for which retrieval found no right or no wrong passage not."""
    tables, world = prepare_tables(settings, seed=seed)
    chunks = read_chunks(tables)
    encoded = encoder.encode_tokens([search_text(chunk) for chunk in chunks])
    states = {chunk.chunk_id: one.states.astype(np.float16) for chunk, one in zip(chunks, encoded, strict=True)}
    by_path = defaultdict(list)
    for chunk in chunks:
        by_path[chunk.source_path].append(chunk)
    facts, paths = read_facts(world), gold_paths(world)
    asked = [question for question in read_questions(world, "train") if question.type == "single_hop"]
    questions = encoder.encode_tokens([question.text for question in asked])
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        store = LanceStore.create(Path(scratch), "train", encoder.dimensions)
        store.append(chunks, np.stack([one.vector for one in encoded]))
        store.optimize()
        for question, one in zip(tqdm(asked, desc=f"candidates of seed {seed}"), questions, strict=True):
            ctx = RequestContext(groups=frozenset(question.groups), tenant="tidewater", as_of=question.as_of)
            lists = {
                "dense": store.search_dense(one.vector, DEPTH, ctx),
                "lexical": store.search_lexical(question.text, DEPTH, ctx),
            }
            candidates = Candidates(lists, RERANKED)
            ids = [hit.chunk.chunk_id for hit in candidates.hits]
            needed = frozenset().union(*(need.chunk_ids for need in needs_of(question, facts, paths, by_path)))
            right = np.array([chunk_id in needed for chunk_id in ids], bool)
            if right.any() and not right.all():
                first = candidates.first(unfamiliar(question.text, encoder))
                found.append(Example(one.ids.tolist(), [states[chunk_id] for chunk_id in ids], first, right))
    return found


def from_relations(encoder: LocalEmbedder, rng: random.Random) -> list[Example]:
    """Questions over invented subjects."""
    passages, asked = invented(rng)
    encoded = encoder.encode_tokens([passage.text for passage in passages])
    states = [one.states.astype(np.float16) for one in encoded]
    words = [set(terms(passage.text)) for passage in passages]
    questions = encoder.encode_tokens([one.question for one in asked])
    found = []
    for one, question in zip(asked, questions, strict=True):
        at = [one.right, *one.wrong]
        dense = np.array([encoded[i].vector @ question.vector for i in at], np.float32)
        wanted = set(terms(one.question))
        shared = np.array([len(wanted & words[i]) for i in at], np.float32)
        lexical = (shared - shared.min()) / max(1.0, np.ptp(shared))
        found.append(
            Example(
                question.ids.tolist(), [states[i] for i in at],
                np.asarray(DENSE_LEAST * dense + LEXICAL * lexical, np.float32), np.arange(len(at)) == 0,
            )
        )  # fmt: skip
    return found


def natural(data: Path | None, encoder: LocalEmbedder, rng: random.Random) -> list[Held]:
    """Sentences among the paragraphs of their file, and questions among the answers to similar questions.

    Raises:
        ConfigError: the public sets are not there.
    """
    if data is None or not all((data / name).is_dir() for name in ("peps", "prometheus-runbooks", "halueval-general")):
        raise ConfigError("There is no natural prose to hold on to", todo="Set LABKIT_DATA to the public sets.")
    texts: list[str] = []
    asked: list[tuple[str, list[int]]] = []
    for sentence, paragraphs in _sentences(data, rng):
        asked.append((sentence, list(range(len(texts), len(texts) + len(paragraphs)))))
        texts += paragraphs
    pairs = _answers(data, rng)
    vectors = encoder.encode([answer for _, answer in pairs])
    for (question, _), vector in zip(pairs, encoder.encode([question for question, _ in pairs]), strict=True):
        nearest = np.argsort(-(vectors @ vector), kind="stable")[: _BESIDE + 1]
        asked.append((question, [len(texts) + int(i) for i in nearest]))
    texts += [answer for _, answer in pairs]
    states = [one.states.astype(np.float16) for one in encoder.encode_tokens(texts)]
    questions = encoder.encode_tokens([text for text, _ in asked])
    return [Held(one, [states[i] for i in at]) for one, (_, at) in zip(questions, asked, strict=True)]


def _sentences(data: Path, rng: random.Random) -> list[tuple[str, list[str]]]:
    """Sentences, each with the rest of its paragraph and other paragraphs of the same file."""
    files = sorted((data / "peps").glob("*.rst")) + sorted((data / "prometheus-runbooks").rglob("*.md"))
    found = []
    for file in rng.sample(files, min(_FILES, len(files))):
        text = file.read_text(encoding="utf-8", errors="replace")
        parts = [re.sub(r"\s+", " ", part).strip() for part in re.split(r"\n\s*\n", text)]
        parts = [part for part in parts if _within(part, _PARAGRAPH) and part[0].isalpha()]
        if len(parts) <= _BESIDE:
            continue
        for part in rng.sample(parts, _PER_FILE):
            said = [sentence for sentence in re.split(r"(?<=[.!?]) ", part) if _within(sentence, _SENTENCE)]
            others = [other for other in parts if other != part]
            if said and len(others) >= _BESIDE:
                sentence = rng.choice(said)
                beside = rng.sample(others, _BESIDE)
                found.append((sentence, [part.replace(sentence, "").strip() or part, *beside]))
    return found


def _answers(data: Path, rng: random.Random) -> list[tuple[str, str]]:
    """Questions and the answers a model gave to them that its judges found nothing invented in."""
    lines = (data / "halueval-general" / "general_data.json").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    pairs = [
        (row["user_query"], re.sub(r"\s+", " ", row["chatgpt_response"])[: _ANSWER[1]])
        for row in rows
        if row["hallucination"] == "no" and 8 < len(row["user_query"].split()) < 40
    ]
    pairs = [(question, answer) for question, answer in pairs if len(answer) > _ANSWER[0]]
    return rng.sample(pairs, min(_QUESTIONS, len(pairs)))


def _within(text: str, limits: tuple[int, int]) -> bool:
    return limits[0] < len(text) < limits[1]
