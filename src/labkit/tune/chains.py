"""Trains the chain model of :mod:`labkit.graph.chains`: ``python -m labkit.tune.chains --out FILE``.

It reads ``asking/*.toml``: ways to ask for every relation of the data dictionary, to name a thing by its relation to
another, to compare and to count, written for this purpose by people who saw neither documents nor questions that are
measured here; nested at random they make questions over chains. The train questions of three generated worlds come on
top. The encoder stays as it is, so a question is encoded once for everything. Pin the hash it prints in
``labkit/graph/chains.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout
from tqdm import tqdm

from labkit.errors import ConfigError
from labkit.evaluate.corpus import built_world, read_questions
from labkit.graph.chains import LONGEST, Weights, chains_from
from labkit.graph.schema import Schema
from labkit.llm import TokenEmbedder, embedder
from labkit.settings import Settings, get_settings

FOLDER = Path(__file__).with_name("asking")
SEEDS = (7, 101, 102)
_MADE = 14_000
_HOPS = (1, 1, 2, 2, 3, 4)  # lengths of made chains, by how often they stand here
_AS_OF, _COMPARED, _COUNTED = 0.1, 0.08, 0.08  # of the made questions
_EPOCHS, _BATCH, _RATE, _DECAY = 6, 64, 2e-3, 0.02
_DROPPED, _SMOOTHING = 0.3, 0.05
_NEVER = -1e4

NAMES = {
    "person": ("Jean Martin", "Ada Colm", "Rui Tavares", "Greta Holm"),
    "team": ("Field Service North", "Battery Lab", "Tooling", "Night Desk"),
    "customer": ("Brightmart", "Halden Pharma", "Orrin Foods"),
    "site": ("Marlow Quay", "Severn Cross", "Ostby", "Gull Lane"),
    "contract": ("SLA-HAL-2", "SLA-QRT-8"),
    "supplier": ("Corvane", "Lund Metall", "Baxter Coils"),
    "product": ("Otter shuttle", "Heron picker", "Linnet carrier"),
    "part": ("belt tensioner BT-4471", "drive wheel DW-1180", "cable clip CC-9034"),
    "lot": ("C-22", "Q-71", "V-19"),
    "error": ("E-417", "E-206", "E-885"),
    "firmware": ("TideOS 4.1.0", "ReefOS 2.7.3"),
    "incident": ("INC-2031", "INC-8830", "INC-5519"),
    "change": ("CN-229", "CN-814"),
    "policy": ("Travel Policy", "Badge Policy", "POL-31"),
    "rma": ("RMA-3088", "RMA-9412"),
}
"""Names the made questions are about, by kind."""
_DAYS = ("3 May 2025", "1 March 2024", "2025-06-30", "17 November 2024")


class Example(NamedTuple):
    """A question, the kind of the thing it names, and the chain it asks for."""

    text: str
    kind: str
    steps: tuple[str, ...]


class Phrasings:
    """The ways to ask, by relation.

    Raises:
        ConfigError: a file cannot be read, or a relation of the data dictionary has none.
    """

    def __init__(self, schema: Schema, folder: Path = FOLDER) -> None:
        self.schema = schema
        self.asked: dict[str, Mapping[str, Sequence[str]]] = {}
        self.counted: dict[str, Sequence[str]] = {}
        for file in sorted(folder.glob("*.toml")):
            try:
                read = tomllib.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise ConfigError(f"Phrasings cannot be read ({error})", where=file.name) from error
            self.asked |= read.get("relation", {})
            for how in ("count", "sum"):
                self.counted |= {f"{how} {name}": forms["questions"] for name, forms in read.get(how, {}).items()}
        if missing := (schema.relation.keys() | schema.tallies.keys()) - self.asked.keys() - self.counted.keys():
            raise ConfigError(f"{len(missing)} relations have no phrasings", where=min(missing))

    def made(self, n: int, rng: random.Random) -> list[Example]:
        """Questions over random chains of relations, comparisons and counts."""
        found: list[Example] = []
        while len(found) < n:
            dice = rng.random()
            if dice < _COUNTED:
                found.append(self._counted(rng))
            elif dice < _COUNTED + _COMPARED:
                found.append(self._compared(rng))
            elif (example := self._chained(rng)) is not None:
                found.append(example)
        return found

    def _chained(self, rng: random.Random) -> Example | None:
        relations = self.schema.relation
        steps = [rng.choice(sorted(relations))]
        hops = rng.choice(_HOPS)
        while len(steps) < hops:
            kinds = {relations[step].subject for step in steps}
            before = [
                name for name, relation in relations.items()
                if relation.object == relations[steps[0]].subject and relation.subject not in kinds
            ]  # fmt: skip
            if not before:
                break
            steps.insert(0, rng.choice(before))
        kind = relations[steps[0]].subject
        subject = self._name(kind, rng)
        for step in steps[:-1]:
            subject = rng.choice(self.asked[step]["phrases"]).replace("{subject}", subject)
        forms = self.asked[steps[-1]]
        as_of = forms.get("as_of", ()) if rng.random() < _AS_OF else ()
        form = rng.choice(as_of or forms["questions"]).replace("{date}", rng.choice(_DAYS))
        return Example(_sentence(form.replace("{subject}", subject)), kind, tuple(steps))

    def _compared(self, rng: random.Random) -> Example:
        name = rng.choice([name for name, forms in sorted(self.asked.items()) if "compare" in forms])
        kind = self.schema.relation[name].subject
        form = rng.choice(self.asked[name]["compare"])
        text = form.replace("{a}", self._name(kind, rng)).replace("{b}", self._name(kind, rng))
        return Example(_sentence(text), kind, (name,))

    def _counted(self, rng: random.Random) -> Example:
        step = rng.choice(sorted(self.schema.tallies))
        kind = self.schema.relation[self.schema.tallies[step]].object
        form = rng.choice(self.counted[step])
        text = form.replace("{subject}", self._name(kind, rng)).replace("{year}", rng.choice(("2024", "2025", "2023")))
        return Example(_sentence(text), kind, (step,))

    def _name(self, kind: str, rng: random.Random) -> str:
        name = rng.choice(NAMES[kind])
        return f"the {name}" if kind in {"part", "product"} and rng.random() < 0.5 else name


def _sentence(text: str) -> str:
    text = text.replace("the the ", "the ")
    return text[:1].upper() + text[1:]


def from_world(settings: Settings, seed: int, schema: Schema) -> list[Example]:
    """The train questions of a world that ask for a chain."""
    world = built_world(settings, seed=seed)
    found = []
    for question in read_questions(world, "train"):
        # A fact is called after its subject and relation: 0-part-train-3.torque.1
        steps = tuple(f"{fact.split('-')[1]}.{fact.split('.')[1]}" for fact in question.facts)
        if question.type in {"single_hop", "multi_hop", "time"} and set(steps) <= schema.relation.keys():
            found.append(Example(question.text, schema.relation[steps[0]].subject, steps))
    return found


def train(settings: Settings, schema: Schema) -> Weights:
    """The trained weights.

    Raises:
        ConfigError: the encoder does not show its tokens, or phrasings are missing.
    """
    encoder = embedder(settings)
    if not isinstance(encoder, TokenEmbedder):
        raise ConfigError("The encoder does not show its tokens", todo="Unset LABKIT_EMBED_URL.")
    rng = random.Random(0)
    examples = Phrasings(schema).made(_MADE, rng)
    examples += [example for seed in SEEDS for example in from_world(settings, seed, schema)]
    states = [one.states.astype(np.float16) for one in encoder.encode_tokens([e.text for e in examples])]
    torch.manual_seed(0)
    model = _Model(schema, encoder.dimensions)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=_DECAY)
    with tqdm(total=_EPOCHS * (len(examples) // _BATCH), unit="step", desc="train") as bar:
        for _ in range(_EPOCHS):
            order = rng.sample(range(len(examples)), len(examples))
            for at in range(0, len(order) - _BATCH + 1, _BATCH):
                chosen = order[at : at + _BATCH]
                loss = model.loss([states[i] for i in chosen], [examples[i] for i in chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                bar.set_postfix(loss=f"{loss.item():.2f}", refresh=False)
                bar.update()
    return model.exported()


class _Model(nn.Module):  # type: ignore[misc]
    """The scores of :class:`labkit.graph.chains.ChainModel` in PyTorch, differentiable."""

    def __init__(self, schema: Schema, dimensions: int) -> None:
        super().__init__()
        self.chains = {kind: chains_from(kind, schema) for kind in schema.kind}
        self.steps = sorted({step for chains in self.chains.values() for chain in chains for step in chain})
        place = {step: at for at, step in enumerate(self.steps)}
        self.members = {kind: _matrix(chains, place) for kind, chains in self.chains.items()}
        self.speaks = nn.Linear(dimensions, len(self.steps))
        self.explains = nn.Linear(dimensions, len(self.steps))
        self.counts = nn.Linear(dimensions, 1, bias=False)
        self.length = nn.Parameter(torch.zeros(LONGEST))
        self.share = nn.Parameter(torch.tensor(8.0))
        for layer in (self.speaks, self.explains):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.counts.weight)

    def loss(self, states: Sequence[NDArray[np.float16]], examples: Sequence[Example]) -> Tensor:
        """Mean cross-entropy of the right chain among all that begin at its kind."""
        lengths = [len(one) for one in states]
        padded = torch.zeros(len(states), max(lengths), states[0].shape[1])
        for row, one in enumerate(states):
            padded[row, : len(one)] = torch.from_numpy(one.astype(np.float32))
        padded = dropout(padded, _DROPPED)
        absent = torch.arange(max(lengths))[None] >= torch.tensor(lengths)[:, None]
        spoken = self.speaks(padded).masked_fill(absent[..., None], _NEVER).amax(1)
        explained, counts = self.explains(padded), self.counts(padded).squeeze(-1)
        losses = []
        for row, example in enumerate(examples):
            members = self.members[example.kind]
            here = slice(0, lengths[row])
            best = (explained[row, here, None, :] + (members - 1)[None] * -_NEVER).amax(2)  # (tokens, chains)
            scores = members @ spoken[row] + self.share * (counts[row, here].softmax(0) @ best)
            scores = scores + self.length[members.sum(1).long() - 1]
            right = torch.tensor([self.chains[example.kind].index(example.steps)])
            losses.append(cross_entropy(scores[None], right, label_smoothing=_SMOOTHING))
        return torch.stack(losses).mean()

    def exported(self) -> Weights:
        """As arrays."""
        return Weights(
            steps=tuple(self.steps), speaks=_joined(self.speaks), explains=_joined(self.explains),
            counts=self.counts.weight.detach().numpy()[0], length=self.length.detach().numpy(), share=float(self.share),
        )  # fmt: skip


def _matrix(chains: Sequence[tuple[str, ...]], place: Mapping[str, int]) -> Tensor:
    members = torch.zeros(len(chains), len(place))
    for row, chain in enumerate(chains):
        members[row, [place[step] for step in chain]] = 1
    return members


def _joined(layer: nn.Linear) -> Any:
    return torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach().numpy()


def main() -> None:
    """Train and write the artefact, and say what to pin."""
    parser = argparse.ArgumentParser(description="Train the chain model of labkit.graph.")
    parser.add_argument("--out", type=Path, required=True, help="where to write the artefact (chains.npz)")
    out: Path = parser.parse_args().out
    raw = train(get_settings(), Schema.load()).to_bytes()
    out.write_bytes(raw)
    print(f"{out}: {len(raw):,} bytes, sha256 {hashlib.sha256(raw).hexdigest()}")  # noqa: T201


if __name__ == "__main__":
    main()
