"""Learns the names of things from the documents: a field *Supplier* vouches for what stands in it.

Persons are found by the tagger of :mod:`labkit.pii`. A capitalised phrase that ends in what its kind is called
(*Removable Media Policy*) or stands behind it (*team Facilities*) names itself, and so does one in the title of a page
that has the fields of a kind. Names no field holds are learned from the words around those that one does (Brin 1998,
*Extracting patterns and relations from the World Wide Web*).
"""

from __future__ import annotations

import re
from calendar import month_name
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

from labkit.graph.fields import Field
from labkit.graph.names import PERSON, Named, Names
from labkit.graph.schema import Schema
from labkit.pii.names import names as persons
from labkit.retrieve.terms import FUNCTION_WORDS
from labkit.retrieve.text import sentences
from labkit.schema import Chunk

_MOST_WORDS = 6
_WORD = re.compile(r"\w+(?:[-'’.&/]\w+)*")
_IDENTIFIER = re.compile(r"\b[A-Z]{1,4}-?\d[\w-]*$")
_VERSION = re.compile(r"\b\d+(?:\.\d+)+$")
_TOKEN = re.compile(r"<\w+>|\w+|[^\w\s]")
_JOINING = "and|at|for|in|of|on|the|to|with"
_CAPITALISED = re.compile(r"[A-ZÀ-ÞĀ-Ž][\w’'-]*(?: (?:(?:and|of|the|for|&|de|la|van) )?[A-ZÀ-ÞĀ-Ž][\w’'-]*){0,5}")
_ROUNDS = 2
_SURE, _LIKELY = 3, 1
"""Votes of a field, and of a context."""
_MOSTLY = 0.8
_CONTEXTS, _SUPPORT, _PURE = 2, 2, 0.9
_AGREED = 0.65  # of what the contexts of a name say
"""Words to either side that make a context, different known names it needs, and the share of one kind among them."""


def learn(chunks: Sequence[Chunk], rows: Mapping[str, list[list[Field]]], schema: Schema) -> Names:
    """From the chunks and their fields (chunk id → rows)."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for chunk in chunks:
        for row in rows.get(chunk.chunk_id, ()):
            for field in row:
                _vote(field, schema, votes)
        for mark in persons(chunk.text):
            name = chunk.text[mark.start : mark.end]
            if " " in name and not any(char.isdigit() for char in name):
                votes[name][PERSON] = _LIKELY  # however often: the tagger takes some places for persons
    by_field = Names(_decided(votes), schema)
    for name, kind in _self_named(chunks, schema):
        if not any(named.start == 0 for named in by_field.find(name)):
            votes[name][kind] += _SURE
    tagged = {name for name, count in votes.items() if count == {PERSON: _LIKELY}}
    kinds = _told_by_name(by_field, schema)
    for name, kind in [*_announced(chunks, kinds, schema), *_titles(chunks, rows, by_field, kinds, schema)]:
        if name not in by_field.kinds:
            votes[name][kind] += _LIKELY
    recast = set()
    for name, kind in _in_contexts(chunks, by_field, tagged, kinds):
        votes[name][kind] += _SURE if name in tagged else _LIKELY
        recast.add(name)
    for chunk in chunks:
        for named in by_field.find(chunk.text):
            if named.surface not in recast:
                votes[named.surface][named.kind] += _LIKELY  # also what a numbering scheme found
    return Names(_decided(votes), schema)


def _told_by_name(known: Names, schema: Schema) -> Set[str]:
    """The kinds that nothing but names tells, and whose names are mostly capitalised throughout.

    Others have numbers, or a tagger looks for them.
    """
    whole, total = Counter[str](), Counter[str]()
    for surface, kind in known.kinds.items():
        total[kind] += 1
        whole[kind] += _CAPITALISED.fullmatch(surface) is not None
    return {
        kind for kind, entry in schema.kind.items()
        if kind != PERSON and not entry.number and whole[kind] >= _MOSTLY * total[kind]
    }  # fmt: skip


def _vote(field: Field, schema: Schema, votes: dict[str, Counter[str]]) -> None:
    kind = schema.kind_of_label.get(field.label)
    if kind and _is_name(field.value, schema):
        votes[field.value][kind] += _SURE
    subjects = {schema.relation[name].subject for name in schema.by_label.get(field.label, ())}
    if not any(char.isdigit() for char in field.about):
        subjects = {kind for kind in subjects if not schema.kind[kind].number}
    if field.about and len(subjects) == 1 and _is_name(field.about, schema):
        votes[field.about][next(iter(subjects))] += _SURE


def _is_name(value: str, schema: Schema) -> bool:
    words = value.split()
    if value in schema.labels:  # the head of a table, or an empty field and the label behind it
        return False
    if not 0 < len(words) <= _MOST_WORDS or not value[-1].isalnum() or any(mark in value for mark in ":;,?!("):
        return False
    return words[0][0].isupper() or _IDENTIFIER.search(value) is not None


def _decided(votes: Mapping[str, Counter[str]]) -> dict[str, str]:
    """Each name's kind, and for a thing with a number (*belt tensioner BT-4471*) also the number alone.

    Where most names of a kind have a number, one that has none is not a name.
    """
    kinds = {name: max(sorted(count), key=count.__getitem__) for name, count in sorted(votes.items())}
    numbered = Counter(kind for name, kind in kinds.items() if _IDENTIFIER.search(name))
    total = Counter(kinds.values())
    kinds = {
        name: kind for name, kind in kinds.items()
        if numbered[kind] < _MOSTLY * total[kind] or _IDENTIFIER.search(name)
    }  # fmt: skip
    numbers: dict[str, set[str]] = {}
    for name in kinds:
        for pattern in (_IDENTIFIER, _VERSION):
            if (match := pattern.search(name)) and match.start() > 0:
                numbers.setdefault(match[0], set()).add(kinds[name])
    kinds |= {number: next(iter(of)) for number, of in numbers.items() if len(of) == 1 and number not in kinds}
    return kinds


def _self_named(chunks: Iterable[Chunk], schema: Schema) -> Iterable[tuple[str, str]]:
    """Capitalised phrases that end in a label of a kind.

    With a preposition in them (*Photography on Site Policy*) those that stand more than once, and never alone.
    """
    ends = {
        label: name for name, kind in schema.kind.items() if name != PERSON for label in kind.labels if label.istitle()
    }
    if not ends:
        return
    either = "|".join(sorted(map(re.escape, ends)))
    pattern = re.compile(rf"\b((?:[A-Z][\w’'-]* (?:(?:{_JOINING}) (?=[A-Z][\w’'-]* ))?){{1,5}})({either})\b(?!:)")
    times: Counter[tuple[str, str]] = Counter()
    for chunk in chunks:
        for match in pattern.finditer(chunk.text):
            words = match[1].split()
            while words and words[0].lower() in FUNCTION_WORDS:
                words.pop(0)
            if all(word.isalpha() for word in "".join(words).split("-")):
                times[" ".join(words), match[2]] += 1
    for (words_, label), n in sorted(times.items()):
        whole, tail = words_, re.split(rf" (?:{_JOINING}) ", words_)[-1]
        if whole != tail and (n < _SUPPORT or times[tail, label]):
            whole = tail
        if whole and whole not in schema.labels:
            yield f"{whole} {label}", ends[label]


def _announced(chunks: Iterable[Chunk], kinds: Set[str], schema: Schema) -> Iterable[tuple[str, str]]:
    """Capitalised phrases behind what their kind is called: *the team Facilities*."""
    called = {label.lower(): kind for kind in sorted(kinds) for label in (kind, *schema.kind[kind].labels)}
    if not called:
        return
    pattern = re.compile(rf"(?<![\w-])({'|'.join(sorted(map(re.escape, called)))}) ({_CAPITALISED.pattern})")
    for text in dict.fromkeys(text for chunk in chunks for text in (*chunk.heading_path, chunk.text)):
        for match in pattern.finditer(text):
            if match[2] not in schema.labels and match[2].partition(" ")[0] not in month_name:
                yield match[2], called[match[1]]


def _titles(
    chunks: Sequence[Chunk], rows: Mapping[str, list[list[Field]]], known: Names, kinds: Set[str], schema: Schema
) -> Iterable[tuple[str, str]]:
    """The one capitalised phrase in the title of a page that has the fields of a kind and names no thing of it."""
    docs: defaultdict[str, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        docs[chunk.doc_id].append(chunk)
    for of in docs.values():
        title = next((chunk.heading_path[0] for chunk in of if chunk.heading_path), "")
        kind = kind_of_page((rows.get(chunk.chunk_id, ()) for chunk in of), schema)
        taken = known.find(title)
        if kind in kinds and all(named.kind != kind for named in taken):
            texts = [chunk.text.replace(title, "") for chunk in of]
            free = _free(title, taken)
            named = [phrase for phrase, _, _ in free if any(_stands(phrase, text) for text in texts)]
            if len(free) == 1 or len(named) == 1:
                yield (named or [free[0][0]])[0], kind


def kind_of_page(rows: Iterable[Iterable[Sequence[Field]]], schema: Schema) -> str:
    """The kind of thing whose fields a document has beside no name; '' where there is none."""
    of_kind: dict[str, set[str]] = {}
    for row in (row for some in rows for row in some):
        named = {schema.kind_of_label.get(field.label, "") for field in row}
        for field in row:
            kinds = {schema.relation[name].subject for name in schema.by_label.get(field.label, ())}
            if len(kinds) == 1 and not kinds & named and not field.about:
                of_kind.setdefault(min(kinds), set()).add(field.label)
    best = max(sorted(of_kind), key=lambda kind: len(of_kind[kind]), default="")
    return best if best and len(of_kind[best]) >= _SUPPORT else ""


def _in_contexts(chunks: Sequence[Chunk], known: Names, tagged: Set[str], kinds: Set[str]) -> Iterable[tuple[str, str]]:
    """Capitalised phrases that stand where names of one kind do, and that are not made of ordinary words.

    Those that only the tagger takes for persons may be something else, where nothing speaks for a person.
    """
    names_in: defaultdict[tuple[str, str], defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    unknown: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    ordinary: defaultdict[str, set[str]] = defaultdict(set)  # word → the persons it is a name of; '' where none
    for surface, kind in known.kinds.items():
        for word in surface.lower().split() if kind == PERSON else ():
            ordinary[word].add(surface)
    for chunk in chunks:
        for word in _WORD.findall(chunk.text):
            if word.islower():
                ordinary[word].add("")
        said = [sentence.text.replace("\n", " ") for sentence in sentences(chunk.text)]
        for line in dict.fromkeys((*chunk.heading_path, *chunk.text.split("\n"), *said)):
            taken = known.find(line)
            for named in taken:
                for context in _contexts(line, named.start, named.end, taken, line in chunk.heading_path):
                    names_in[context][named.kind].add(named.surface)
            for phrase, start, end in _free(line, taken):
                for context in _contexts(line, start, end, taken, line in chunk.heading_path):
                    unknown[context].add(phrase)
    alone = {name for names in unknown.values() for name in names if " " not in name}
    for found_, names in ((names_in[context], unknown[context]) for context in names_in):
        for name in found_.get(PERSON, set()) & tagged:
            if name.partition(" ")[0] not in alone and all(
                ordinary[word] <= {name, ""} for word in name.lower().split()
            ):
                found_[PERSON].discard(name)  # nobody else is called so, and it is never shortened
                names.add(name)
    told: dict[str, str] = {}
    for _ in range(_ROUNDS):
        for name, kind in _likely(names_in, unknown):
            known_words = all(ordinary.get(word.lower(), {name}) - {name} for word in _WORD.findall(name))
            if kind in kinds and name not in told and not name.isupper() and not known_words:
                told[name] = kind
        for context, names in unknown.items():
            for name in names & told.keys():
                names_in[context][told[name]].add(name)
    yield from sorted(told.items())


_Contexts = Mapping[tuple[str, str], Mapping[str, Set[str]]]
"""Context → kind → the names that stand there."""


def _likely(names_in: _Contexts, unknown: Mapping[tuple[str, str], Set[str]]) -> list[tuple[str, str]]:
    """The names of which the other names in their contexts are almost all of one kind, and that kind."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for context, names in unknown.items():
        for name in names:
            others = {kind: len(of - {name}) for kind, of in names_in.get(context, {}).items()}
            kind = max(sorted(others), key=others.__getitem__, default="")
            if kind and others[kind] >= _PURE * sum(others.values()):
                votes[name][kind] += others[kind]
    best = [(name, max(sorted(count), key=count.__getitem__), count) for name, count in sorted(votes.items())]
    return [(name, kind) for name, kind, count in best if count[kind] >= max(_SUPPORT, _AGREED * count.total())]


def _free(line: str, taken: Sequence[Named]) -> list[tuple[str, int, int]]:
    """The capitalised phrases of a line that overlap no known name, without function words in front."""
    found = []
    for match in _CAPITALISED.finditer(line):
        if all(match.end() <= named.start or match.start() >= named.end for named in taken):
            phrase = match[0]
            while phrase.partition(" ")[0].lower() in FUNCTION_WORDS and " " in phrase:
                phrase = phrase.partition(" ")[2]
            if phrase.partition(" ")[0] not in month_name:
                found.append((phrase, match.end() - len(phrase), match.end()))
    return found


def _stands(phrase: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", text) is not None


def _contexts(line: str, start: int, end: int, taken: Sequence[Named], heading: bool) -> Iterable[tuple[str, str]]:
    """The words to either side, of a heading also all words; a known name there is as any other of its kind."""
    left, right = line[:start], line[end:]
    for named in reversed(taken):
        if named.end <= start:
            left = f"{left[: named.start]}<{named.kind}>{left[named.end :]}"
        elif named.start >= end:
            right = f"{right[: named.start - end]}<{named.kind}>{right[named.end - end :]}"
    before, after = _TOKEN.findall(left[-60:]), _TOKEN.findall(right[:60])
    yield " ".join(before[-_CONTEXTS:]), " ".join(after[: _CONTEXTS - 1])
    if heading:
        yield left, right
