"""Whether a training set knows what it is going to be asked: names, phrasings and word sequences of dev and test.

An adapter that is measured on what it has seen is praised for its memory. Three things can be seen: the things asked
about (their names), the way they are asked for (a question with its names taken out), and the text that answers (runs
of eight words, as in Brown et al. 2020, appendix C, with 13). Names that a train or public thing bears as well are
counted apart: a code drawn twice is no leak. Word sequences that train documents hold too are the corpus's boilerplate.

It compares strings. It does not see a fact told in other words, nor a question reworded.
"""

from __future__ import annotations

import calendar
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit.errors import InputError
from labkit.evaluate.corpus import read_questions
from labkit.schema import Record
from labkit.tune.dialogue import Dialogue
from labkit.tune.relation import FOLDER, kinds
from labkit.tune.truth import WorldTruth

GRAM = 8
"""Words of a sequence that two texts share by copying rather than by chance."""
SHORTEST = 4
"""Characters of a name that is looked for; three letters stand anywhere (``ATE``, ``PIN``), and so do bare numbers."""
MARK = "▢"
"""Stands for a name or number in a skeleton."""

_EXAMPLES = 5
_WORD = re.compile(r"\w+")
_PUT = re.compile(r"(?:^|\n)(?:Question|Statement): (.+)\Z")  # the last line of a first turn, or a whole further turn
_MONTHS = frozenset(calendar.month_name[1:])


class Found(Record):
    """What was found of one kind.

    Attributes:
        count: how many.
        of: among how many.
        examples: the first few.
    """

    count: int
    of: int
    examples: tuple[str, ...] = ()


class Leaks(Record):
    """What a training set holds of one held-out split.

    Attributes:
        held: which split of which world.
        names: held-out names that stand in the conversations.
        namesakes: of those set apart because something in train or public bears the name too, those that stand there.
        unsought: names not looked for, being shorter than :data:`SHORTEST` or without a letter.
        phrasings: held-out questions put in the very words of a training question, names and numbers aside.
        sequences: runs of :data:`GRAM` words of held-out questions and evidence that stand in the conversations and
            in no train document.
        boilerplate: those that stand in both.
    """

    held: str
    names: Found
    namesakes: Found
    unsought: int
    phrasings: Found
    sequences: Found
    boilerplate: Found


@dataclass(frozen=True, slots=True)
class Held:
    """What a training set must not know.

    Attributes:
        name: the split and its world.
        names: what its things are called.
        questions: what is asked.
        evidence: the statements its documents answer with.
    """

    name: str
    names: frozenset[str]
    questions: Sequence[str]
    evidence: Sequence[str]


@dataclass(frozen=True, slots=True)
class Public:
    """What a training set may know.

    Attributes:
        names: of the things of train and of those in everybody's documents.
        documents: texts of the train documents.
    """

    names: frozenset[str] = field(default_factory=frozenset)
    documents: Sequence[str] = ()


class Names:
    """Finds names in a text, whole and as they are spelled, the longest first.

    Args:
        names: what to look for; words and numbers count, the signs between them do not.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_first: defaultdict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        for name in sorted(set(names)):
            if words := tuple(_WORD.findall(name)):
                self._by_first[words[0]].append((words, name))
        for known in self._by_first.values():
            known.sort(key=lambda pair: -len(pair[0]))

    def split(self, text: str) -> Iterator[tuple[str, str]]:
        """The text in order: (word, '') or, where a name stands, ('', name)."""
        words = _WORD.findall(text)
        at = 0
        while at < len(words):
            for spelled, name in self._by_first.get(words[at], ()):
                if tuple(words[at : at + len(spelled)]) == spelled:
                    yield "", name
                    at += len(spelled)
                    break
            else:
                yield words[at], ""
                at += 1

    def within(self, text: str) -> set[str]:
        """The names that stand in a text."""
        return {name for _, name in self.split(text) if name}


def skeleton(text: str, names: Names) -> tuple[str, ...]:
    """The words of a question in small letters, every name, number and month replaced by one :data:`MARK`.

    >>> skeleton("What was E-417 on 3 May 2025?", Names(["E-417"]))
    ('what', 'was', '▢', 'on', '▢')
    """
    found: list[str] = []
    for word, name in names.split(text):
        part = MARK if name or word.isdigit() or word in _MONTHS else word.casefold()
        if part != MARK or found[-1:] != [MARK]:
            found.append(part)
    return tuple(found)


def grams(text: str, n: int = GRAM) -> set[tuple[str, ...]]:
    """All runs of ``n`` words of a text, in small letters; none where it has fewer words."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return set(zip(*(words[start:] for start in range(n)), strict=False))


def leaks(dialogues: Sequence[Dialogue], held: Held, public: Public) -> Leaks:
    """What the conversations hold of a split.

    Args:
        dialogues: what an adapter learns from.
        held: what it is measured on.
        public: what it may know.

    Raises:
        InputError: there is no conversation, or nothing to compare with.
    """
    if not dialogues or not held.questions:
        raise InputError("Nothing to compare", where=held.name, todo="Give conversations and a split with questions.")
    texts = [text for one in dialogues for turn in one.turns for text in (turn.user, turn.reply)]
    sought = {name for name in held.names if len(name) >= SHORTEST and re.search(r"[^\W\d_]", name)}
    finder = Names(held.names)
    standing = set().union(*(finder.within(text) for text in texts)) & sought
    shared = sought & public.names

    everyone = Names(held.names | public.names)
    put = {skeleton(asked, everyone) for asked in _asked(dialogues)}
    skeletons = [(skeleton(question, everyone), question) for question in held.questions]
    worded = sorted({question for bones, question in skeletons if bones in put})

    unseen = set().union(*(grams(text) for text in (*held.questions, *held.evidence)))
    seen = set().union(*(grams(text) & unseen for text in texts))
    usual = set().union(*(grams(text) & seen for text in public.documents))
    return Leaks(
        held=held.name,
        names=_found(standing - shared, len(sought - shared)),
        namesakes=_found(standing & shared, len(shared)),
        unsought=len(held.names) - len(sought),
        phrasings=Found(
            count=sum(bones in put for bones, _ in skeletons), of=len(skeletons), examples=tuple(worded[:_EXAMPLES])
        ),
        sequences=_found((" ".join(one) for one in seen - usual), len(unseen)),
        boilerplate=_found((" ".join(one) for one in usual), len(unseen)),
    )


def held_out(world: Path, split: str) -> Held:
    """The names, questions and evidence of a split of a built world; its tables' rows are evidence too.

    Raises:
        InputError: the split is one that may be learned from.
    """
    if split not in ("dev", "test"):
        raise InputError(f"{split} is not held out", where="held_out", todo="Give dev or test.")
    truth = WorldTruth(world)
    return Held(
        f"{split} of {truth.version}",
        frozenset(_names(truth, {split})),
        [question.text for question in read_questions(world, split)],
        sorted({said for path, one in truth.stated.items() if truth.pools[path] == split for _, said in one}),
    )


def public_of(worlds: Iterable[Path], invented: Path = FOLDER) -> Public:
    """What training may know: the names of train and public things of these worlds, and the text of their documents.

    The names of invented subjects are among them. Documents of dev and test are not.

    Args:
        worlds: those learned from and those measured on.
        invented: folder with the invented relations.
    """
    names = {name for file in sorted(invented.glob("*.toml")) for _, subjects in kinds(file) for name in subjects}
    documents: list[str] = []
    for world in worlds:
        truth = WorldTruth(world)
        names |= _names(truth, {entity["pool"] for entity in truth.entities.values()} - {"dev", "test"})
        withheld = {path for path, pool in truth.pools.items() if pool in ("dev", "test")}
        documents += _texts(world, withheld)
    return Public(frozenset(names), documents)


def _names(truth: WorldTruth, pools: set[str]) -> set[str]:
    return {name for key, one in truth.entities.items() if one["pool"] in pools for name in truth.names(key)}


def _texts(world: Path, withheld: set[str]) -> Iterator[str]:
    """Clean texts of a world's documents but for those at these paths."""
    rows = [json.loads(line) for line in (world / "truth" / "documents.jsonl").read_text(encoding="utf-8").splitlines()]
    allowed = {row["doc_id"] for row in rows if row.get("doc_id") and row["path"] not in withheld}
    with (world / "truth" / "texts.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["doc_id"] in allowed:
                yield row["text"]


def _asked(dialogues: Sequence[Dialogue]) -> Iterator[str]:
    """The questions of the conversations, without the passages before them or, where judged, the answer after them."""
    for dialogue in dialogues:
        for turn in dialogue.turns:
            if put := _PUT.search(turn.user):
                question, mark, _ = put[1].partition("?")
                yield question + mark


def _found(items: Iterable[str], of: int) -> Found:
    listed = sorted(items)
    return Found(count=len(listed), of=of, examples=tuple(listed[:_EXAMPLES]))
