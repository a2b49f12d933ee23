"""Trains the late interaction of :mod:`labkit.retrieve.late`: ``python -m labkit.tune.late --out FILE``.

It reads the train questions of several worlds, finds candidates with the two paths of retrieval, and learns how to
project a question's token states so that a passage that states the fact comes before those that only look like it:
the wrong passages of a question's own candidates are its hard negatives. So that what it learns of one company's
questions does not spoil other text, it is held to what the untrained interaction says on natural prose (*learning
without forgetting*: Li and Hoiem 2016): paragraphs of the PEPs and runbooks in ``LABKIT_DATA``. The same command
gives the same figures on the same machine; pin the hash it prints in ``labkit/retrieve/late.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from labkit.errors import ConfigError
from labkit.evaluate.corpus import gold_paths, prepare_tables, read_facts, read_questions
from labkit.evaluate.stages import needs_of
from labkit.llm import embedder
from labkit.llm.embed import Encoded, LocalEmbedder
from labkit.retrieve.index import read_chunks
from labkit.retrieve.late import LateInteraction
from labkit.retrieve.rerank import DEPTH, LATE, RERANKED, Candidates, unfamiliar
from labkit.retrieve.store import search_text
from labkit.retrieve.stores.lancedb import LanceStore
from labkit.schema import RequestContext
from labkit.settings import Settings, get_settings

SEEDS = (7, 101, 102)
WIDTH = 192
"""Numbers per token vector."""

_EPOCHS, _BATCH, _RATE = 3, 8, 3e-3
_RANK = 96  # of what is added to the projection of questions
_DROPPED = 0.3  # of a question's tokens: none may be relied on alone
_KEEP = 3.0  # weight of what holds it to the untrained interaction
_HARD, _EASY = 12, 8  # wrong candidates per question: the best, and some of the others

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its candidates.

    Attributes:
        states: of the question's tokens.
        passages: token states of each candidate.
        first: of each candidate, what both paths count together.
        right: for each candidate, whether it states the fact.
    """

    states: Array
    passages: list[Array]
    first: Array
    right: NDArray[np.bool_]


def main() -> None:
    """Train and write the artefact, and say what to pin."""
    parser = argparse.ArgumentParser(description="Train the late interaction of labkit.retrieve.")
    parser.add_argument("--out", type=Path, required=True, help="where to write the artefact (late.npz)")
    out: Path = parser.parse_args().out
    raw = train(get_settings()).to_bytes()
    out.write_bytes(raw)
    print(f"{out}: {len(raw):,} bytes, sha256 {hashlib.sha256(raw).hexdigest()}")  # noqa: T201


def train(settings: Settings, seeds: Sequence[int] = SEEDS) -> LateInteraction:
    """The trained interaction.

    Raises:
        ConfigError: there is no natural prose, or the encoder shows no tokens.
    """
    encoder = embedder(settings)
    if not isinstance(encoder, LocalEmbedder):
        raise ConfigError("The encoder does not show its tokens", todo="Unset LABKIT_EMBED_URL.")
    rng = random.Random(0)
    paragraphs, sentences = _prose(settings.data, encoder, rng)
    examples = [example for seed in seeds for example in _examples(settings, seed, encoder)]
    start = _principal(paragraphs, WIDTH)
    return _fitted(examples, paragraphs, sentences, start, encoder.name, rng)


def _examples(settings: Settings, seed: int, encoder: LocalEmbedder) -> list[Example]:
    """The single-hop train questions of a world, with what retrieval finds for them."""
    tables, world = prepare_tables(settings, seed=seed)
    chunks = read_chunks(tables)
    encoded = encoder.encode_tokens([search_text(chunk) for chunk in chunks])
    states = {chunk.chunk_id: one.states.astype(np.float16) for chunk, one in zip(chunks, encoded, strict=True)}
    by_path = defaultdict(list)
    for chunk in chunks:
        by_path[chunk.source_path].append(chunk)
    facts, paths = read_facts(world), gold_paths(world)
    asked = [question for question in read_questions(world, "train") if question.type == "single_hop"]
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        store = LanceStore.create(Path(scratch), "train", encoder.dimensions)
        store.append(chunks, np.stack([one.vector for one in encoded]))
        store.optimize()
        del encoded
        questions = encoder.encode_tokens([question.text for question in asked])
        for question, one in zip(tqdm(asked, desc=f"candidates of seed {seed}"), questions, strict=True):
            ctx = RequestContext(groups=frozenset(question.groups), tenant="tidewater", as_of=question.as_of)
            right = frozenset().union(*(need.chunk_ids for need in needs_of(question, facts, paths, by_path)))
            example = _example(store, encoder, question.text, one, right, ctx, states)
            if example.right.any() and not example.right.all():
                found.append(example)
    return found


def _example(
    store: LanceStore, encoder: LocalEmbedder, text: str, question: Encoded, right: frozenset[str],
    ctx: RequestContext, states: dict[str, Any],
) -> Example:  # fmt: skip
    lists = {
        "dense": store.search_dense(question.vector, DEPTH, ctx),
        "lexical": store.search_lexical(text, DEPTH, ctx),
    }
    candidates = Candidates(lists, RERANKED)
    ids = [hit.chunk.chunk_id for hit in candidates.hits]
    return Example(
        question.states, [states[chunk_id] for chunk_id in ids], candidates.first(unfamiliar(text, encoder)),
        np.array([chunk_id in right for chunk_id in ids], bool),
    )  # fmt: skip


def _prose(data: Path | None, encoder: LocalEmbedder, rng: random.Random) -> tuple[list[Array], list[Array]]:
    """Token states of natural paragraphs, and of sentences out of others."""
    folders = [data / name for name in ("peps", "prometheus-runbooks")] if data else []
    files = sorted(path for folder in folders for pattern in ("*.rst", "*.md") for path in folder.rglob(pattern))
    if not files:
        raise ConfigError("There is no natural prose to hold on to", todo="Set LABKIT_DATA to the public sets.")
    paragraphs, sentences = [], []
    for file in rng.sample(files, min(400, len(files))):
        text = file.read_text(encoding="utf-8", errors="replace")
        found = [re.sub(r"\s+", " ", part).strip() for part in re.split(r"\n\s*\n", text)]
        found = [part for part in found if 200 < len(part) < 1_200 and part[0].isalpha()]
        paragraphs += rng.sample(found, min(3, len(found)))
        parts = [part for part in re.split(r"(?<=[.!?]) ", rng.choice(found)) if 30 < len(part) < 160] if found else []
        sentences += parts[:1]
    return (
        [one.states.astype(np.float16) for one in encoder.encode_tokens(paragraphs[:700])],
        [one.states for one in encoder.encode_tokens(sentences[:400])],
    )


def _principal(passages: Sequence[Array], width: int) -> Array:
    """Projection (width, dimensions) that keeps most of what token states differ in (Pearson 1901)."""
    rows = np.concatenate([states[:: max(1, len(states) // 40)] for states in passages]).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors: Array = np.linalg.svd(rows.T @ rows)[0][:, :width].T.astype(np.float32)
    return vectors


def _fitted(
    examples: Sequence[Example],
    paragraphs: Sequence[Array],
    sentences: Sequence[Array],
    start: Array,
    encoder: str,
    rng: random.Random,
) -> LateInteraction:
    import torch

    torch.manual_seed(0)
    untrained = _Interaction(start)
    model = _Interaction(start)
    scale = torch.tensor(2.0, requires_grad=True)
    parameters = [*model.parameters(), scale]
    optimizer = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=0.0)
    steps = _EPOCHS * (len(examples) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps + 1)
    with tqdm(total=steps, unit="step", desc="train") as bar:
        for _ in range(_EPOCHS):
            order = rng.sample(list(examples), len(examples))
            for at in range(0, len(order) - _BATCH + 1, _BATCH):
                losses = [_ranking_loss(model, example, scale, rng) for example in order[at : at + _BATCH]]
                kept = _distance(model, untrained, rng.choice(sentences), rng.sample(list(paragraphs), 12))
                loss = torch.stack(losses).mean() + _KEEP * kept
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.set_postfix(loss=f"{float(loss.detach()):.2f}", refresh=False)
                bar.update()
    query, weight = model.query().detach().numpy(), model.weight.detach().numpy()
    rounded = LateInteraction(encoder, query, start, weight).to_bytes()
    return LateInteraction.from_bytes(rounded)


class _Interaction:
    """:meth:`LateInteraction.scores` in PyTorch, differentiable and without rounding."""

    def __init__(self, start: Array) -> None:
        import torch

        self.document = torch.tensor(start)
        self.left = (0.02 * torch.randn(len(start), _RANK)).requires_grad_()
        self.right = torch.zeros(_RANK, start.shape[1], requires_grad=True)
        self.weight = torch.zeros(start.shape[1], requires_grad=True)

    def parameters(self) -> list[Any]:
        return [self.left, self.right, self.weight]

    def query(self) -> Any:
        return self.document + self.left @ self.right

    def __call__(self, states: Array, passages: Sequence[Array], dropped: float = 0.0) -> Any:
        import torch
        from torch.nn.functional import normalize

        asked = normalize(_tensor(states), dim=-1)
        logits = asked @ self.weight
        logits = logits.masked_fill(torch.rand(len(logits)) < dropped, -9.0)
        said = normalize(normalize(torch.cat([_tensor(p) for p in passages]), dim=-1) @ self.document.T, dim=-1)
        similar = normalize(asked @ self.query().T, dim=-1) @ said.T
        best = [part.amax(1) for part in similar.split([len(p) for p in passages], dim=1)]
        return torch.softmax(logits, 0) @ torch.stack(best, dim=1)


def _ranking_loss(model: _Interaction, example: Example, scale: Any, rng: random.Random) -> Any:
    """Cross-entropy of one right candidate among the wrong ones."""
    import torch

    wrong = np.flatnonzero(~example.right).tolist()
    others = wrong[_HARD:]
    chosen = [
        rng.choice(np.flatnonzero(example.right).tolist()),
        *wrong[:_HARD],
        *rng.sample(others, min(_EASY, len(others))),
    ]
    late = model(example.states, [example.passages[i] for i in chosen], _DROPPED)
    scores = _tensor(example.first[chosen]) + LATE * late
    return -torch.log_softmax(torch.exp(scale) * scores, 0)[0]


def _distance(model: _Interaction, untrained: _Interaction, sentence: Array, passages: Sequence[Array]) -> Any:
    """How far the scores of natural passages moved, as a share of how much they differed."""
    before = untrained(sentence, passages).detach()
    before = before - before.mean()
    after = model(sentence, passages)
    return ((after - after.mean() - before) ** 2).mean() / (before**2).mean()


def _tensor(values: Array) -> Any:
    import torch

    return torch.from_numpy(np.asarray(values, np.float32))


if __name__ == "__main__":
    main()
