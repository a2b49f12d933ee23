"""The graph by a small model of one's own: the ``extract`` adapter reads one sentence at a time, under its title.

It writes ``subject | relation | object`` with the names of the data dictionary, held to what stands there, and
fills the tables that rules and graphrag's model fill. Names are joined as for the rules. It needs no labels, forms or
patterns, and a second or more for a passage, where rules need a millisecond. What only two sentences together say it
does not see, and that a line says what its sentence means it cannot promise: the words stand there, whether they belong
together is what it has learned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tqdm import tqdm

from labkit.graph.names import Named, Names
from labkit.graph.resolve import entities_of, entity_id, resolve
from labkit.graph.schema import Schema
from labkit.graph.tables import Extraction, Mention, Statement
from labkit.graph.values import stated
from labkit.llm.constrain import Lines
from labkit.llm.local import LocalChat
from labkit.llm.tasks import Shown, Triple, flat, prompt_of, triples
from labkit.retrieve.text import Sentence, says_something, sentences
from labkit.schema import ChatModel, Chunk, RequestContext

MAX_TOKENS = 300
"""Longest list of facts of one sentence or row, in the model's tokens: some fifteen lines."""


class Read(NamedTuple):
    """A line, and the sentence it was read from."""

    triple: Triple
    sentence: Sentence


class LocalExtractor:
    """Implements :class:`labkit.graph.tables.Extractor`.

    Args:
        chat: a model with the ``extract`` adapter, in this process or behind an endpoint.
        schema: the data dictionary; by default the one that ships, which the adapter was trained with.
        constrained: hold its lines to the passage and the dictionary while they are written.
        progress: show a bar.
    """

    name = "local"

    def __init__(
        self, chat: ChatModel, schema: Schema | None = None, *, constrained: bool = True, progress: bool = True
    ) -> None:
        self.schema = schema or Schema.load()
        self._chat, self._constrained, self._progress = chat, constrained, progress

    def extract(self, chunks: Sequence[Chunk]) -> Extraction:
        """The graph of these chunks.

        Raises:
            EndpointError: the model's endpoint failed.
        """
        found = Extraction(self.name)
        read = {
            chunk.chunk_id: self._known(self.read(chunk), found.problems)
            for chunk in tqdm(chunks, desc="extracting", unit="passage", disable=not self._progress)
        }
        named = {chunk.chunk_id: self._named(chunk, read[chunk.chunk_id]) for chunk in chunks}
        kinds = {name.surface: name.kind for names in named.values() for name in names}
        standing = resolve(chunks, named, Names(kinds, self.schema))
        for chunk in chunks:
            found.mentions += [
                Mention(entity_id=entity_id(name, standing), chunk_id=chunk.chunk_id, start=name.start, end=name.end)
                for name in named[chunk.chunk_id]
                if name.end > name.start
            ]
            found.statements += [self._statement(*one, chunk, standing) for one in read[chunk.chunk_id]]
        found.entities = entities_of(standing)
        return found

    def read(self, chunk: Chunk) -> Iterator[Read]:
        """What the model lists for each sentence of a chunk."""
        title = " > ".join(chunk.heading_path) or chunk.source_path
        for sentence in sentences(chunk.text):
            if says_something(sentence, chunk.heading_path):
                reply = self._reply(flat(Shown(title, sentence.text)))
                yield from (Read(triple, sentence) for triple in triples(reply))

    def _reply(self, shown: str) -> str:
        messages, ctx = prompt_of("extract").messages(passage=shown), RequestContext()
        if isinstance(self._chat, LocalChat) and self._constrained:
            form = Lines(shown, sorted(self.schema.relation))
            return self._chat.chat(messages, max_tokens=MAX_TOKENS, ctx=ctx, constraint=form).text
        return self._chat.chat(messages, max_tokens=MAX_TOKENS, ctx=ctx).text

    def _known(self, read: Iterator[Read], problems: Counter[str]) -> list[Read]:
        """Each line of a chunk once, where its relation is one of the dictionary's."""
        first: dict[Triple, Read] = {}
        for one in read:
            if one.triple.relation in self.schema.relation:
                first.setdefault(one.triple, one)
            else:
                problems["relation that is not in the data dictionary"] += 1
        return list(first.values())

    def _named(self, chunk: Chunk, read: Sequence[Read]) -> list[Named]:
        """The names in the lines, where they stand in the text; those of the title alone at its beginning, empty."""
        found: dict[tuple[int, str, str], Named] = {}
        for triple, sentence in read:
            relation = self.schema.relation[triple.relation]
            for kind, surface in ((relation.subject, triple.subject), (relation.object, triple.object)):
                if kind:
                    start, end = _place(surface, sentence)
                    found.setdefault((start, kind, surface), Named(start, end, kind, surface))
        return sorted(found.values(), key=lambda name: (name.start, name.kind, name.surface))

    def _statement(
        self, triple: Triple, sentence: Sentence, chunk: Chunk, standing: dict[tuple[str, str], str]
    ) -> Statement:
        relation = self.schema.relation[triple.relation]
        value = None if relation.object else next(iter(stated(triple.object, relation, (triple.object,))), None)
        object_ = entity_id(Named(0, 0, relation.object, triple.object), standing) if relation.object else ""
        return Statement(
            subject_id=entity_id(Named(0, 0, relation.subject, triple.subject), standing),
            relation=triple.relation,
            object_id=object_,
            value=triple.object,
            number=value.number if value else None,
            unit=value.unit if value else "",
            chunk_id=chunk.chunk_id,
            start=sentence.start,
            end=sentence.end,
        )


def _place(surface: str, sentence: Sentence) -> tuple[int, int]:
    at = sentence.text.casefold().find(surface.casefold())
    return (sentence.start + at, sentence.start + at + len(surface)) if at >= 0 else (0, 0)
