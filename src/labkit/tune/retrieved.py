"""Contexts out of a generated world, as its questions meet them: what retrieval finds, with all that goes wrong there.

Distractors, superseded versions, planted instructions, copies and passages without the answer come from the documents
themselves. Documents of other splits are left out, so nothing of dev or test is seen in training. A *gold* context puts
the passages that hold the answer among the nearest that do not: what a reader can do once retrieval has done its work.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from labkit.evaluate.corpus import asked_by, gold_paths, prepare_world, read_questions
from labkit.graph.schema import Schema
from labkit.llm import embedder
from labkit.llm.tasks import Quote
from labkit.pipeline.build import default_retriever
from labkit.pipeline.pipeline import HITS
from labkit.pipeline.select import PASSAGE_TOKENS, PASSAGES, Passage, Selector, shown
from labkit.retrieve import open_index
from labkit.retrieve.text import sentences
from labkit.schema import Chunk, RequestContext
from labkit.settings import Settings
from labkit.tune.chains import Phrasings
from labkit.tune.context import Asked, Context, Readable
from labkit.tune.truth import Seen, WorldTruth
from labkit.world.questions import Question

MOST_PASSAGES = 4

_RIVALS, _ABSENT = 6, 4


class Contexts:
    """Makes the contexts of one world and split.

    Args:
        settings: where worlds and indexes are kept.
        seed: of the world.
        split: whose documents and questions are used.
        pack_dir: a pack laid over the course's own.
        profile: size of the world.
    """

    def __init__(
        self, settings: Settings, seed: int, split: str, *, pack_dir: Path | None = None, profile: str = "ci"
    ) -> None:
        self.split = split
        self._encoder = embedder(settings)
        corpus = prepare_world(settings, self._encoder, seed=seed, pack_dir=pack_dir, profile=profile)
        assert corpus.world is not None
        index = open_index(corpus.index, self._encoder)
        self._retriever = default_retriever(index, self._encoder)
        self._select = Selector(self._encoder)
        self._chunks: defaultdict[str, list[Chunk]] = defaultdict(list)
        for chunk in sorted(index.store.chunks(), key=lambda chunk: (chunk.source_path, chunk.ordinal)):
            self._chunks[chunk.source_path].append(chunk)
        self.truth = WorldTruth(corpus.world)
        self.paths = gold_paths(corpus.world)
        self._phrasings = Phrasings(Schema.load())
        self.questions = read_questions(corpus.world, split)
        self._own: defaultdict[str, list[str]] = defaultdict(list)
        for question in self.questions:
            if question.type == "single_hop":
                self._own[question.facts[0]].append(question.text)

    def retrieved(self, question: Question, rng: random.Random, *, everything: bool = False) -> Context:
        """What the pipeline would read for a question.

        Args:
            question: what is searched for.
            rng: draws what else is asked.
            everything: also show documents of other splits, as the running system does; for measuring, not training.
        """
        ctx = asked_by(question)
        hits = self._retriever.search(question.text, HITS, ctx)
        if not everything:
            hits = [hit for hit in hits if self._is_ours(hit.chunk)]
        return self._context(question, self._select(question.text, hits, ctx), rng)

    def gold(self, question: Question, rng: random.Random) -> Context | None:
        """The passages that hold the answer among others, in random order; None where a fact stands in no passage."""
        ctx = asked_by(question)
        passages: list[Passage] = []
        for fact_id in question.facts:
            if any(fact_id in self._facts_in(passage) for passage in passages):
                continue
            found = self._holding(fact_id, ctx, rng)
            if found is None:
                return None
            passages.append(found)
        if not 0 < len(passages) <= MOST_PASSAGES:
            return None
        hits = [hit for hit in self._retriever.search(question.text, HITS, ctx) if self._is_ours(hit.chunk)]
        held = {passage.chunk.chunk_id for passage in passages}
        for hit in hits:
            if len(passages) >= PASSAGES:
                break
            if hit.chunk.chunk_id not in held:
                passages += self._select(question.text, [hit], ctx)
        rng.shuffle(passages)
        return self._context(question, passages, rng)

    def chunks(self) -> list[Chunk]:
        """The chunks of this split's documents."""
        return [chunk for chunks in self._chunks.values() for chunk in chunks if self._is_ours(chunk)]

    def _is_ours(self, chunk: Chunk) -> bool:
        return self.truth.pools.get(chunk.source_path) == self.split

    def _facts_in(self, passage: Passage) -> list[str]:
        title = shown(passage).title
        return [seen.fact_id for seen in self.truth.seen(passage.chunk.source_path, passage.text, title)]

    def _holding(self, fact_id: str, ctx: RequestContext, rng: random.Random) -> Passage | None:
        """A passage the asker may read today that states a fact, cut as the pipeline would around its statement."""
        paths = sorted(self.paths.get(fact_id, ()))
        chunks = [chunk for path in paths for chunk in self._chunks[path] if self._is_ours(chunk) and ctx.sees(chunk)]
        for chunk in rng.sample(chunks, len(chunks)):
            title = " > ".join(chunk.heading_path)
            seen = [one for one in self.truth.seen(chunk.source_path, chunk.text, title) if one.fact_id == fact_id]
            if seen:
                return self._cut(chunk, seen[0])
        return None

    def _cut(self, chunk: Chunk, seen: Seen) -> Passage:
        """The sentences around a statement, as many as fit."""
        parts = sentences(chunk.text)
        flat = [len(" ".join(chunk.text[: part.end].split())) for part in parts]
        middle = next((place for place, end in enumerate(flat) if end > seen.at), len(parts) - 1)
        lengths = [self._encoder.count_tokens(part.text) for part in parts]
        first = last = middle
        room = PASSAGE_TOKENS - lengths[middle]
        while True:
            if last + 1 < len(parts) and lengths[last + 1] <= room:
                last += 1
                room -= lengths[last]
            elif first > 0 and lengths[first - 1] <= room:
                first -= 1
                room -= lengths[first]
            else:
                kept = tuple(parts[first : last + 1])
                return Passage(chunk, kept, (0.0,) * len(kept), 0.0)

    def _context(self, question: Question, passages: Sequence[Passage], rng: random.Random) -> Context:
        seen = [
            (place, one)
            for place, passage in enumerate(passages, 1)
            for one in self.truth.seen(passage.chunk.source_path, passage.text, shown(passage).title)
        ]
        quotes: defaultdict[str, list[Quote]] = defaultdict(list)
        for place, one in seen:
            quotes[one.fact_id].append(Quote(place, one.quote))
        shows = tuple(shown(passage) for passage in passages)
        whole = "\n".join("\n".join(passage) for passage in shows)
        facts = [one for _, one in seen if self.truth.pool(one.fact_id) == self.split]
        return Context(
            shows,
            list(self._readable(facts, quotes, rng)),
            list(self._absent(facts, whole, rng)),
            self.truth.version,
            self._asked(question, [one for _, one in seen], quotes, whole),
        )

    def _asked(
        self, question: Question, seen: Sequence[Seen], quotes: dict[str, list[Quote]], whole: str
    ) -> Asked | None:
        """The question with what its passages allow to answer; None where that cannot be told."""
        if not question.value:
            return Asked(question.text, "", (), question.type, wrong=seen[0].value if seen else "")
        by_id = {one.fact_id: one for one in seen}
        wrong = next((one.value for one in seen if one.fact_id not in question.facts), "")
        if all(fact_id in quotes for fact_id in question.facts):
            last = by_id[question.facts[-1]]
            accepted = {wording.casefold() for wording in (question.value, *question.aliases)}
            value = last.value if last.value.casefold() in accepted else question.value
            cited = tuple(dict.fromkeys(quotes[fact_id][0] for fact_id in question.facts))
            return Asked(question.text, value, cited, question.type, wrong)
        missing = [fact_id for fact_id in question.facts if fact_id not in quotes]
        if any(self.truth.mentions(whole, fact_id) for fact_id in missing):
            return None  # perhaps stated in words that were not recognised
        return Asked(question.text, "", (), question.type, wrong)

    def _readable(self, seen: Sequence[Seen], quotes: dict[str, list[Quote]], rng: random.Random) -> Iterator[Readable]:
        once = {one.fact_id: one for one in seen}
        said_of: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for one in once.values():
            said_of[self.truth.facts[one.fact_id]["subject_id"], one.relation].add(one.fact_id)
        for one in once.values():
            subject_id = self.truth.facts[one.fact_id]["subject_id"]
            if len(said_of[subject_id, one.relation]) > 1:
                continue  # an old and a new value: which one is asked for?
            phrased = self._phrasings.asked.get(one.relation, {}).get("questions", ())
            questions = [*self._own.get(one.fact_id, ()), *(form.replace("{subject}", one.subject) for form in phrased)]
            accepted = {wording.casefold() for wording in self.truth.wordings(one.fact_id)}
            values = self.truth.values.get((self.split, one.relation), ())
            rivals = [value for value in values if value.casefold() not in accepted]
            yield Readable(
                one.subject,
                one.relation,
                one.value,
                tuple(quotes[one.fact_id]),
                questions,
                self.truth.sentences.get(one.fact_id, ()),
                rng.sample(rivals, min(_RIVALS, len(rivals))),
            )

    def _absent(self, seen: Sequence[Seen], whole: str, rng: random.Random) -> Iterator[tuple[str, str]]:
        """Questions about what is named here that nothing here answers, with a value a guesser would take."""
        relations = self._phrasings.asked
        here = {(self.truth.facts[one.fact_id]["subject_id"], one.relation) for one in seen}
        for one in rng.sample(list(seen), min(_ABSENT, len(seen))):
            subject_id = self.truth.facts[one.fact_id]["subject_id"]
            kind = self.truth.entities[subject_id]["kind"]
            if rng.random() < 0.5:  # the right thing, another relation of it
                others = [
                    name for name, forms in relations.items()
                    if name.startswith(f"{kind}.") and "questions" in forms and (subject_id, name) not in here
                    and not self._perhaps_said(whole, subject_id, name)
                ]  # fmt: skip
                if others:
                    form = rng.choice(relations[rng.choice(others)]["questions"])
                    yield form.replace("{subject}", one.subject), one.value
            elif one.relation in relations:  # the right relation, another thing
                names = [
                    entity["name"] for entity in self.truth.entities.values()
                    if entity["kind"] == kind and entity["pool"] == self.split and entity["name"] not in whole
                ]  # fmt: skip
                if names:
                    form = rng.choice(relations[one.relation]["questions"])
                    yield form.replace("{subject}", rng.choice(names)), one.value

    def _perhaps_said(self, whole: str, subject_id: str, relation: str) -> bool:
        """Whether a value the relation ever has stands in the passages, said of whatever."""
        return any(self.truth.mentions(whole, fact) for fact in self.truth.about.get((subject_id, relation), ()))
