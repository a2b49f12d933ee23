"""Trains the late interaction of :mod:`labkit.retrieve.late`: ``python -m labkit.tune.late --out FILE``.

It learns how the encoder should read a question, so that a passage that states the fact comes before those that only
look like it: a low-rank adapter (LoRA: Hu et al. 2021, with peft) on the encoder, the projections of questions and
passages, and how much each token counts. Passages keep the encoder as it is. The wrong passages of a question's own
candidates are its hard negatives. So that what it learns of one company's questions does not spoil other text, it is
held to what the untrained interaction says on natural text (*learning without forgetting*: Li and Hoiem 2016). The same
command gives the same figures on the same machine; pin the hash it prints in ``labkit/retrieve/late.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize, pad
from tqdm import tqdm

from labkit.errors import ConfigError
from labkit.llm import embedder
from labkit.llm.adapter import Adapter
from labkit.llm.embed import LocalEmbedder
from labkit.models import resolve
from labkit.retrieve.late import BLOCK, LateInteraction
from labkit.retrieve.rerank import LATE
from labkit.settings import Settings, get_settings
from labkit.tune.examples import Array, Example, Held, from_relations, from_world, natural

SEEDS = (7, 101, 102)
WIDTH = 192
"""Numbers per token vector."""

_EPOCHS, _BATCH = 3, 16  # epochs over the worlds' questions, and how many of them per step
_RELATIONS, _HELD = 4, 4  # further questions per step: over invented subjects, and natural ones
_ADAPTER_RATE, _RATE = 5e-4, 1e-3  # highest learning rates, of the adapter and of the rest
_ADAPTER_RANK = 16
_DROPPED = 0.1  # of a question's tokens: none may be relied on alone
_KEEP = 1.0  # weight of what holds it to the untrained interaction
_HARD, _EASY = 10, 4  # wrong candidates per question: the best, and some of the others
_CLS, _SEP = 101, 102  # what frames a text: BERT's token ids


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
    held = natural(settings.data, encoder, rng)
    examples = [example for seed in seeds for example in from_world(settings, seed, encoder)]
    relations = from_relations(encoder, rng)
    torch.manual_seed(0)
    model = _Interaction(resolve(settings.embed_model, settings.home).path, _principal(held, WIDTH))
    _fit(model, examples, relations, held, rng)
    return LateInteraction.from_bytes(model.exported(encoder.name).to_bytes())


def _principal(held: Sequence[Held], width: int) -> Array:
    """Projection (width, dimensions) that keeps most of what token states differ in (Pearson 1901)."""
    passages = [states for one in held for states in one.passages[:1]]
    rows = np.concatenate([states[:: max(1, len(states) // 40)] for states in passages]).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors: Array = np.linalg.svd(rows.T @ rows)[0][:, :width].T.astype(np.float32)
    return vectors


def _fit(
    model: _Interaction, examples: Sequence[Example], relations: Sequence[Example], held: Sequence[Held],
    rng: random.Random,
) -> None:  # fmt: skip
    groups = [{"params": model.adapted(), "lr": _ADAPTER_RATE}, {"params": model.others(), "lr": _RATE}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = _EPOCHS * (len(examples) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [_ADAPTER_RATE, _RATE], total_steps=steps + 1, pct_start=0.1
    )
    with tqdm(total=steps, unit="step", desc="train") as bar:
        for _ in range(_EPOCHS):
            order = rng.sample(list(examples), len(examples))
            for at in range(0, len(order) - _BATCH + 1, _BATCH):
                chosen = order[at : at + _BATCH] + rng.sample(list(relations), _RELATIONS)
                ranking = torch.stack(model.losses(chosen, rng)).sum() / _BATCH
                kept = torch.stack(model.distances(rng.sample(list(held), _HELD))).mean()
                optimizer.zero_grad()
                (ranking + _KEEP * kept).backward()
                torch.nn.utils.clip_grad_norm_([*model.adapted(), *model.others()], 1.0)
                optimizer.step()
                schedule.step()
                bar.set_postfix(loss=f"{ranking.item():.2f}", moved=f"{kept.item():.3f}", refresh=False)
                bar.update()


class _Interaction:
    """:class:`LateInteraction` in PyTorch, differentiable and without rounding.

    Args:
        encoder: folder of the encoder's weights.
        start: projection (width, dimensions) of passages, and of questions to begin with.
    """

    def __init__(self, encoder: Path, start: Array) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import BertModel

        plain = BertModel.from_pretrained(encoder, add_pooling_layer=False, attn_implementation="eager")
        for module in plain.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        config = LoraConfig(
            r=_ADAPTER_RANK, lora_alpha=_ADAPTER_RANK, target_modules=["query", "key", "value", "dense"]
        )
        self.encoder: Any = get_peft_model(plain, config)
        self.start = torch.tensor(start)
        self.query = self.start.clone().requires_grad_()
        self.document = self.start.clone().requires_grad_()
        self.weight = torch.zeros(start.shape[1], requires_grad=True)
        self.scale = torch.tensor(2.0, requires_grad=True)

    def adapted(self) -> list[Tensor]:
        """Parameters of the adapter."""
        return [parameter for parameter in self.encoder.parameters() if parameter.requires_grad]

    def others(self) -> list[Tensor]:
        """All other parameters that are trained."""
        return [self.query, self.document, self.weight, self.scale]

    def losses(self, examples: Sequence[Example], rng: random.Random) -> list[Tensor]:
        """For each question the cross-entropy of one right candidate among wrong ones."""
        found = []
        for example, states in zip(examples, self._read([example.tokens for example in examples]), strict=True):
            wrong = np.flatnonzero(~example.right).tolist()
            others = wrong[_HARD:]
            chosen = [
                rng.choice(np.flatnonzero(example.right).tolist()),
                *wrong[:_HARD],
                *rng.sample(others, min(_EASY, len(others))),
            ]
            late = self._scores(states, [example.passages[i] for i in chosen], _DROPPED)
            scores = torch.from_numpy(example.first[chosen]) + LATE * late
            found.append(-torch.log_softmax(torch.exp(self.scale) * scores, 0)[0])
        return found

    def distances(self, held: Sequence[Held]) -> list[Tensor]:
        """For each natural question how far its passages' scores moved, as a share of how much they differed.

        They are held to plain MaxSim of the encoder as it is: every token counts alike, over the whole passage.
        """
        found = []
        for one, states in zip(held, self._read([one.encoded.ids.tolist() for one in held]), strict=True):
            asked = _projected(one.encoded.states, self.start)
            before = torch.stack([(asked @ _projected(p, self.start).T).amax(1).mean() for p in one.passages])
            before = before - before.mean()
            after = self._scores(states, one.passages)
            found.append(((after - after.mean() - before) ** 2).mean() / (before**2).mean())
        return found

    def exported(self, name: str) -> LateInteraction:
        """What is shipped; ``name`` is the encoder's."""
        changes = {
            key.removeprefix("base_model.model.") + ".weight": tuple(
                getattr(module, side)["default"].weight.detach().numpy().astype(np.float32)
                for side in ("lora_B", "lora_A")
            )
            for key, module in self.encoder.named_modules()
            if hasattr(module, "lora_A")
        }
        query, document, weight = (tensor.detach().numpy() for tensor in (self.query, self.document, self.weight))
        return LateInteraction(name, Adapter(changes), query, document, weight)

    def _read(self, questions: Sequence[list[int]]) -> list[Tensor]:
        """The token states of each question, without the two that frame it."""
        length = max(map(len, questions)) + 2
        ids = torch.tensor([[_CLS, *question, _SEP, *[0] * (length - 2 - len(question))] for question in questions])
        mask = torch.tensor([[1] * (len(q) + 2) + [0] * (length - 2 - len(q)) for q in questions])
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return [row[1 : 1 + len(question)] for row, question in zip(states, questions, strict=True)]

    def _scores(self, states: Tensor, passages: Sequence[NDArray[np.float16]], dropped: float = 0.0) -> Tensor:
        asked = normalize(states, dim=-1)
        logits = asked @ self.weight
        if dropped:
            logits = logits.masked_fill(torch.rand(len(logits)) < dropped, -9.0)
        weights = torch.softmax(logits, 0)
        blocks = -(-max(map(len, passages)) // BLOCK)
        said = torch.stack([pad(_projected(p, self.document), (0, 0, 0, blocks * BLOCK - len(p))) for p in passages])
        similar = normalize(asked @ self.query.T, dim=-1) @ said.transpose(1, 2)
        strongest = similar.unflatten(2, (blocks, BLOCK)).amax(-1)  # (passages, tokens, blocks)
        windows = torch.maximum(strongest[..., :-1], strongest[..., 1:]) if blocks > 1 else strongest
        near = (weights @ windows).amax(1)
        return (strongest.amax(2) @ weights + near) / 2


def _projected(states: NDArray[np.floating[Any]], projection: Tensor) -> Tensor:
    """Unit vectors (tokens, width) of token states."""
    rows = torch.from_numpy(states.astype(np.float32))
    return normalize(normalize(rows, dim=-1) @ projection.T, dim=-1)


if __name__ == "__main__":
    main()
