"""Contexts out of a generated world, as its questions meet them: what retrieval finds, with all that goes wrong there.

Distractors, superseded versions, planted instructions, copies and passages without the answer come from the documents
themselves. Documents of other splits are left out, so nothing of dev or test is seen in training. A *gold* context
holds the sentences that answer among the nearest that do not: what a reader can do once retrieval has done its work.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

from labkit.evaluate.corpus import asked_by, gold_paths, prepare_world, read_questions
from labkit.graph.schema import Schema
from labkit.llm import embedder
from labkit.llm.constrain import MOST_QUOTES
from labkit.llm.tasks import Quote
from labkit.pipeline.build import default_retriever
from labkit.pipeline.pipeline import HITS
from labkit.pipeline.select import Passage, shown
from labkit.pipeline.statements import StatementSelector
from labkit.retrieve import open_index
from labkit.schema import Chunk, Hit, RequestContext
from labkit.settings import Settings
from labkit.tune.chains import Phrasings
from labkit.tune.context import Asked, Context, Readable
from labkit.tune.truth import Seen, WorldTruth
from labkit.world.chance import END
from labkit.world.questions import Question

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
        self._select = StatementSelector(self._encoder)
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

    def retrieved(
        self, question: Question, rng: random.Random, *, everything: bool = False, without: bool = False
    ) -> Context:
        """What the pipeline would read for a question.

        Args:
            question: what is searched for.
            rng: draws what else is asked.
            everything: also show documents of other splits, as the running system does; for measuring, not training.
            without: leave out the sentences that state what is asked, so that the question has no answer.
        """
        ctx = asked_by(question)
        hits = self._retriever.search(question.text, HITS, ctx)
        if not everything:
            hits = [hit for hit in hits if self._is_ours(hit.chunk)]
        passages = self._select.ranked(question.text, hits, ctx)
        if without:
            passages = [passage for passage in passages if not self._states(passage, question.facts)]
        return self._context(question, passages[: self._select.statements], rng)

    def gold(self, question: Question, rng: random.Random) -> Context | None:
        """The sentences that hold the answer among the nearest others; None where a fact stands in no sentence."""
        ctx = asked_by(question)
        hits = [hit for hit in self._retriever.search(question.text, HITS, ctx) if self._is_ours(hit.chunk)]
        passages = self._select(question.text, hits, ctx)
        if not 0 < len(question.facts) <= MOST_QUOTES:
            return None
        for fact_id in question.facts:
            if any(self._states(passage, [fact_id]) for passage in passages):
                continue
            found = self._holding(fact_id, question.text, ctx, rng)
            if found is None:
                return None
            idle = [place for place, one in enumerate(passages) if not self._states(one, question.facts)]
            if len(passages) == self._select.statements:
                if not idle:
                    return None
                passages.pop(idle[-1])
            nearer = [one.closeness[0] > found.closeness[0] for one in passages]
            passages.insert(nearer.index(False) if False in nearer else len(passages), found)
        return self._context(question, passages, rng)

    def phrased(self, rng: random.Random, n: int, *, dated: bool = False) -> Iterator[Question]:
        """Further questions over this split's facts, every relation as often as there are facts for it.

        The words are those of :class:`~labkit.tune.chains.Phrasings`. A dated question asks for a day on which the fact
        held. Others leave out facts with an older or newer value: no phrasing says which is meant.
        """
        by_relation: defaultdict[str, list[str]] = defaultdict(list)
        for fact_id, fact in self.truth.facts.items():
            clear = dated or len(self.truth.about[fact["subject_id"], fact["relation"]]) == 1
            if clear and self.truth.pool(fact_id) == self.split and self._forms(fact["relation"], dated=dated):
                by_relation[fact["relation"]].append(fact_id)
        left = [rng.sample(ids, len(ids)) for _, ids in sorted(by_relation.items())]
        made = 0
        while made < n and any(left):
            for ids in left:
                if ids and made < n:
                    yield self._phrased(ids.pop(), rng, dated=dated)
                    made += 1

    def chunks(self) -> list[Chunk]:
        """The chunks of this split's documents."""
        return [chunk for chunks in self._chunks.values() for chunk in chunks if self._is_ours(chunk)]

    def _is_ours(self, chunk: Chunk) -> bool:
        return self.truth.pools.get(chunk.source_path) == self.split

    def _phrased(self, fact_id: str, rng: random.Random, *, dated: bool) -> Question:
        fact = self.truth.facts[fact_id]
        subject = rng.choice(self.truth.names(fact["subject_id"]))
        text = rng.choice(self._forms(fact["relation"], dated=dated)).replace("{subject}", subject)
        day = END
        if dated:
            first = date.fromisoformat(fact["valid_from"])
            last = date.fromisoformat(fact["valid_to"]) - timedelta(days=1) if fact["valid_to"] else END
            day = first + timedelta(days=rng.randint(0, max(0, (last - first).days)))
            text = text.replace("{date}", f"{day.day} {day:%B %Y}")
        value, *aliases = self.truth.wordings(fact_id)
        return Question(
            f"phrased-{fact_id}", self.split, "time" if dated else "single_hop", text, value, tuple(aliases),
            (fact_id,), as_of=day,
        )  # fmt: skip

    def _forms(self, relation: str, *, dated: bool = False) -> Sequence[str]:
        return self._phrasings.asked.get(relation, {}).get("as_of" if dated else "questions", ())

    def _states(self, passage: Passage, fact_ids: Iterable[str]) -> bool:
        """Whether a sentence states one of some facts."""
        seen = self.truth.seen(passage.chunk.source_path, passage.text, shown(passage).title)
        return not {one.fact_id for one in seen}.isdisjoint(fact_ids)

    def _holding(self, fact_id: str, question: str, ctx: RequestContext, rng: random.Random) -> Passage | None:
        """A sentence the asker may read today that states a fact: of one of the chunks, the nearest to the question."""
        paths = sorted(self.paths.get(fact_id, ()))
        chunks = [chunk for path in paths for chunk in self._chunks[path] if self._is_ours(chunk) and ctx.sees(chunk)]
        for chunk in rng.sample(chunks, len(chunks)):
            for passage in self._select.ranked(question, [Hit(chunk=chunk, score=0.0)], ctx):
                if self._states(passage, [fact_id]):
                    return passage
        return None

    def _context(self, question: Question, passages: Sequence[Passage], rng: random.Random) -> Context:
        seen = [
            (place, one)
            for place, passage in enumerate(passages, 1)
            for one in self.truth.seen(passage.chunk.source_path, passage.text, shown(passage).title)
        ]
        quotes: defaultdict[str, list[Quote]] = defaultdict(list)
        for place, one in seen:
            quotes[one.fact_id].append(Quote(place, one.value))
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
        accepted = {wording.casefold() for wording in (question.value, *question.aliases)}
        others = (one.value for one in seen if one.fact_id not in question.facts)
        wrong = next((value for value in others if value.casefold() not in accepted), "")
        if all(fact_id in quotes for fact_id in question.facts):
            cited = tuple(dict.fromkeys(quotes[fact_id][0] for fact_id in question.facts))
            last = quotes[question.facts[-1]][0].words
            value = last if len(question.facts) == 1 or last.casefold() in accepted else question.value
            return Asked(question.text, value, cited, question.type, wrong)
        missing = [fact_id for fact_id in question.facts if fact_id not in quotes]
        if any(self.truth.mentions(whole, fact_id) for fact_id in missing):
            return None  # perhaps stated in words that were not recognised
        return Asked(question.text, "", (), question.type, wrong)

    def _readable(self, seen: Sequence[Seen], quotes: dict[str, list[Quote]], rng: random.Random) -> Iterator[Readable]:
        once = {one.fact_id: one for one in reversed(seen)}  # as it is written first
        said_of: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for one in once.values():
            said_of[self.truth.facts[one.fact_id]["subject_id"], one.relation].add(one.fact_id)
        for one in once.values():
            subject_id = self.truth.facts[one.fact_id]["subject_id"]
            if len(said_of[subject_id, one.relation]) > 1:
                continue  # an old and a new value: which one is asked for?
            phrased = (form.replace("{subject}", one.subject) for form in self._forms(one.relation))
            questions = [*self._own.get(one.fact_id, ()), *phrased]
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
                    if entity["kind"] == kind and entity["pool"] == self.split
                    and not any(name in whole for name in self.truth.names(entity["entity_id"]))
                ]  # fmt: skip
                if names:
                    form = rng.choice(relations[one.relation]["questions"])
                    yield form.replace("{subject}", rng.choice(names)), one.value

    def _perhaps_said(self, whole: str, subject_id: str, relation: str) -> bool:
        """Whether a value the relation ever has stands in the passages, said of whatever."""
        return any(self.truth.mentions(whole, fact) for fact in self.truth.about.get((subject_id, relation), ()))
