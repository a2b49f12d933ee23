"""The graph by a small model of one's own: the ``extract`` adapter reads one passage at a time.

It writes ``subject | relation | object`` with the names of the data dictionary, held to what stands in the passage, and
fills the tables that rules and graphrag's model fill. Names are joined as for the rules. It needs no labels, forms or
patterns, and a second or more for a passage, where rules need a millisecond. That a line says what the passage means it
cannot promise: the words stand there, whether they belong together is what it has learned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

from labkit.graph.names import Named, Names
from labkit.graph.resolve import entities_of, entity_id, resolve
from labkit.graph.schema import Schema
from labkit.graph.tables import Extraction, Mention, Statement
from labkit.graph.values import stated
from labkit.llm.constrain import Lines
from labkit.llm.local import LocalChat
from labkit.llm.tasks import Shown, Triple, prompt_of, titled, triples
from labkit.retrieve.text import sentences
from labkit.schema import ChatModel, Chunk, RequestContext

MAX_TOKENS = 400
"""Longest list of facts of one passage, in the model's tokens: some twenty lines."""


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
            chunk.chunk_id: self._known(self.triples(chunk), found.problems)
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
            found.statements += [self._statement(triple, chunk, standing) for triple in read[chunk.chunk_id]]
        found.entities = entities_of(standing)
        return found

    def triples(self, chunk: Chunk) -> list[Triple]:
        """What the model lists for one chunk."""
        passage = titled(Shown(" > ".join(chunk.heading_path) or chunk.source_path, chunk.text))
        messages = prompt_of("extract").messages(passage=passage)
        ctx = RequestContext()
        if isinstance(self._chat, LocalChat) and self._constrained:
            form = Lines(passage, sorted(self.schema.relation))
            return triples(self._chat.chat(messages, max_tokens=MAX_TOKENS, ctx=ctx, constraint=form).text)
        return triples(self._chat.chat(messages, max_tokens=MAX_TOKENS, ctx=ctx).text)

    def _known(self, read: Sequence[Triple], problems: Counter[str]) -> list[Triple]:
        kept = [triple for triple in read if triple.relation in self.schema.relation]
        problems["relation that is not in the data dictionary"] += len(read) - len(kept)
        return kept

    def _named(self, chunk: Chunk, read: Sequence[Triple]) -> list[Named]:
        """The names in the lines, where they stand in the text; those of the title alone at its beginning, empty."""
        found: dict[tuple[int, str, str], Named] = {}
        for triple in read:
            relation = self.schema.relation[triple.relation]
            for kind, surface in ((relation.subject, triple.subject), (relation.object, triple.object)):
                if kind:
                    start, end = _place(surface, chunk.text)
                    found.setdefault((start, kind, surface), Named(start, end, kind, surface))
        return sorted(found.values(), key=lambda name: (name.start, name.kind, name.surface))

    def _statement(self, triple: Triple, chunk: Chunk, standing: dict[tuple[str, str], str]) -> Statement:
        relation = self.schema.relation[triple.relation]
        start, end = _saying(triple, chunk.text)
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
            start=start,
            end=end,
        )


def _place(surface: str, text: str) -> tuple[int, int]:
    at = text.casefold().find(surface.casefold())
    return (at, at + len(surface)) if at >= 0 else (0, 0)


def _saying(triple: Triple, text: str) -> tuple[int, int]:
    """The sentence that holds most of a triple's names; the whole text where none does."""
    best, shown = 0, (0, len(text))
    for sentence in sentences(text):
        low = sentence.text.casefold()
        held = (triple.object.casefold() in low) * 2 + (triple.subject.casefold() in low)
        if held > best:
            best, shown = held, (sentence.start, sentence.end)
    return shown
