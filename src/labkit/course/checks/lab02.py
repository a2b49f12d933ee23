"""Checks of lab 02: a chat packed into another model's budget, torn rules, recall at a budget, a stage that cuts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from labkit.course.check import question
from labkit.ingest.tokens import count_tokens
from labkit.schema import Document

Span = tuple[int, int]
Count = Callable[[str], int]

BUDGET = 64
"""Tokens of the encoder that a passage of the last exercise may take."""

CHAT = (
    "[02:11] Priya: Otter 3, E-530, carriage up",
    "[02:12] Jean: what does the page say?",
    "[02:13] Priya: do not",
    "[02:14] Jean: do not what?",
    "[02:15] Priya: restart it. Pin first, 18 N·m on the clamp, part PN-20-118",
    "[02:16] Jean: ok",
)


def spelled(text: str) -> int:
    """A toy tokenizer: words, each digit and mark by itself, and one token for every line break."""
    return len(re.findall(r"\n|[^\W\d_]+|\d|[^\w\s]", text))


@question(
    hint="Build the text you would send, `newline.join(messages)`, and count that; counts of parts need not add up."
)
def q1(pack: Callable[[Sequence[str], Count, int], list[list[str]]]) -> str | None:
    """Whole messages in order, packed greedily, each passage within the budget of whatever tokenizer is given."""
    for count, budget in ((spelled, 40), (spelled, 24), (len, 90), (lambda text: len(text.split()), 14)):
        got = [list(group) for group in pack(list(CHAT), count, budget)]
        if [message for group in got for message in group] != list(CHAT):
            return f"with a budget of {budget} messages were lost, repeated, cut or moved"
        for group in got:
            if len(group) > 1 and (cost := count("\n".join(group))) > budget:
                return f"a passage of {len(group)} messages costs {cost} tokens where {budget} are allowed"
        for group, following in pairwise(got):
            if count("\n".join([*group, following[0]])) <= budget:
                return (
                    f"with a budget of {budget} the message {following[0][:12]!r} still fitted into the passage before"
                )
    if pack([], spelled, 40) != []:
        return "no messages give no passages"
    return None


@q1.solution
def _pack(messages: Sequence[str], count: Count, budget: int) -> list[list[str]]:
    groups: list[list[str]] = []
    for message in messages:
        if groups and count("\n".join([*groups[-1], message])) <= budget:
            groups[-1].append(message)
        else:
            groups.append([message])
    return groups


@q1.wrong
def _sums(messages: Sequence[str], count: Count, budget: int) -> list[list[str]]:
    """Forgets the line breaks between messages."""
    groups: list[list[str]] = []
    used = 0
    for message in messages:
        cost = count(message)
        if groups and used + cost <= budget:
            groups[-1].append(message)
            used += cost
        else:
            groups.append([message])
            used = cost
    return groups


q1.wrong(lambda messages, count, budget: _pack([m for m in messages if count(m) <= budget], count, budget))
q1.wrong(lambda messages, count, budget: _pack(messages, lambda text: len(text.split()), budget))
q1.wrong(lambda messages, count, budget: [[message] for message in messages])


@question(
    hint="For each passage that touches the item, even in part, ask: does it hold all of the rule and all of the item?"
)
def q2(torn: Callable[[Sequence[Span], Span, Span], bool]) -> str | None:
    """Whether some passage shows the item, or a part of it, without the rule above it."""
    rule, item = (10, 20), (40, 60)
    cases: tuple[tuple[str, list[Span], bool], ...] = (
        ("one passage that holds both", [(0, 80)], False),
        ("rule and item in different passages", [(0, 30), (30, 80)], True),
        ("a cut inside the item", [(0, 50), (50, 80)], True),
        ("a cut inside the rule", [(0, 15), (15, 80)], True),
        ("a cut between the rule and the item's neighbours only", [(0, 10), (10, 60), (60, 80)], False),
        ("two overlapping passages, one of them whole", [(0, 65), (35, 80)], True),
        ("overlapping passages that both hold everything", [(0, 60), (10, 80)], False),
        ("passages that end where the item begins and begin where it ends", [(10, 60), (0, 40), (60, 99)], False),
        ("no passage near the item", [(0, 30)], False),
    )
    for name, passages, wanted in cases:
        got = torn(list(passages), rule, item)
        if bool(got) is not wanted:
            return f"for {name}, {passages}, it said {got!r}"
    return None


@q2.solution
def _torn(passages: Sequence[Span], rule: Span, item: Span) -> bool:
    low, high = min(rule[0], item[0]), max(rule[1], item[1])
    return any(a < item[1] and b > item[0] and not (a <= low and b >= high) for a, b in passages)


@q2.wrong
def _no_good_copy(passages: Sequence[Span], rule: Span, item: Span) -> bool:
    """Is content when one good copy exists, as recall is."""
    return not any(a <= rule[0] and b >= item[1] for a, b in passages)


@q2.wrong
def _whole_items_only(passages: Sequence[Span], rule: Span, item: Span) -> bool:
    return any(a <= item[0] and b >= item[1] and a > rule[0] for a, b in passages)


@question(hint="Spend the budget passage by passage, in order; stop at the first one that does not fit as a whole.")
def q3(found: Callable[[Sequence[str], dict[str, int], set[str], int], bool]) -> str | None:
    """Whether evidence is among the whole passages a reader gets to within a budget of tokens."""
    costs = {"a": 100, "b": 300, "c": 100, "d": 50, "e": 600}
    cases: tuple[tuple[list[str], set[str], int, bool], ...] = (
        (["a", "b", "c"], {"b"}, 400, True),
        (["a", "b", "c"], {"c"}, 400, False),
        (["a", "b", "c"], {"c"}, 500, True),
        (["a", "b", "c"], {"c"}, 499, False),
        (["e", "d", "a"], {"d"}, 500, False),
        (["a", "e", "d"], {"d"}, 500, False),
        (["e"], {"e"}, 500, False),
        (["d", "c", "a", "b"], {"a", "e"}, 250, True),
        (["a", "b"], set(), 1000, False),
        ([], {"a"}, 500, False),
    )
    for ranked, gold, budget, wanted in cases:
        got = found(list(ranked), dict(costs), set(gold), budget)
        if bool(got) is not wanted:
            paid = [costs[name] for name in ranked]
            return f"for {ranked} of {paid} tokens, evidence in {sorted(gold)} and {budget} tokens it said {got!r}"
    return None


@q3.solution
def _found(ranked: Sequence[str], tokens: dict[str, int], gold: set[str], budget: int) -> bool:
    for passage in ranked:
        budget -= tokens[passage]
        if budget < 0:
            return False
        if passage in gold:
            return True
    return False


q3.wrong(lambda ranked, tokens, gold, budget: bool(gold & set(ranked[:3])))


@q3.wrong
def _reads_past_the_end(ranked: Sequence[str], tokens: dict[str, int], gold: set[str], budget: int) -> bool:
    """Reads the passage during which the budget runs out."""
    for passage in ranked:
        if budget <= 0:
            return False
        if passage in gold:
            return True
        budget -= tokens[passage]
    return False


@q3.wrong
def _skips(ranked: Sequence[str], tokens: dict[str, int], gold: set[str], budget: int) -> bool:
    """Skips what does not fit and reads on."""
    for passage in ranked:
        if tokens[passage] <= budget:
            budget -= tokens[passage]
            if passage in gold:
                return True
    return False


RULES = """Conveyor 4, jam at the merge

Kasia took the call at night and wrote this from memory. Photos are on the card in the drawer of the desk. \
The belt had stopped with two totes on it and the gate was open. Nobody from the day crew was there any more. \
She asked twice whether the light was red or yellow and got two answers.

As long as the belt is live you must not

- reach between the rollers, not even for a label
- pull the tote out against the direction of the belt
- reset the drive from the panel and confirm with the green key

Order of work

1. Switch the main isolator off and hang your own lock on it
2. Wait until the pressure gauge shows zero
3. Lift the tote out from above, two people
4. Only then reset the drive"""

TABLE = """Clamp torques after the refit, as measured on the night of the call with the wrench from the van

part | screw | torque
PN-20-118 | M6 | 9 N·m
PN-20-181 | M8 | 18 N·m
PN-20-811 | M8 | 81 N·m

The value for PN-20-811 is no slip of the pen. Do not use the short wrench for it. Do not go by the old card either. \
The old card was printed before the refit and nobody has taken it off the wall, so it hangs there still."""

WIRE = "alarm " * 125 + "stop. Do not touch the belt. "
"""Hardly a seam: an export without punctuation still has to fit the budget, and the sentence after it stays whole."""

KEPT: tuple[tuple[str, str, str], ...] = (
    (RULES, "As long as the belt", "green key"),
    (RULES, "1. Switch the main", "reset the drive"),
    (TABLE, "part | screw", "81 N·m"),
    (TABLE, "Do not use the short wrench", "for it."),
    (TABLE, "Do not go by", "either."),
    (WIRE, "Do not touch", "belt."),
)
"""Document, and the first and last words of a stretch that must lie in one passage."""


def document(text: str) -> Document:
    """A document with nothing but a text."""
    return Document(doc_id="lab02", source_path="lab02.txt", format="text", title="", text=text, sha256="")


@question(
    hint="Split at blank lines; glue a list to the line above it; pack whole blocks; cut a long paragraph at sentences."
)
def q4(chunk: Callable[[Document], list[Span]]) -> str | None:
    """Passages within the budget that tear no list from its lead-in, no table, no step and no sentence."""
    for text in (RULES, TABLE, RULES + "\n\n" + TABLE, WIRE, ""):
        passages = [(int(start), int(end)) for start, end in chunk(document(text))]
        if fault := _misplaced(text, passages):
            return fault
        for owner, first, last in KEPT:
            if owner not in text:
                continue
            start = text.index(first)
            end = text.index(last, start) + len(last)
            if not any(a <= start and b >= end for a, b in passages):
                return f"no passage holds all from {first!r} to {last!r}"
        if len(passages) > 3 + len(text) // 100:
            return f"{len(passages)} passages for {count_tokens(text)} tokens is far more than the budget asks for"
    return None


def _misplaced(text: str, passages: Sequence[Span]) -> str | None:
    """What is wrong with where passages lie: gaps, overlaps, sizes."""
    at = 0
    for start, end in passages:
        if not at <= start < end <= len(text):
            return f"the passage {(start, end)} is empty, out of order, or overlaps the one before"
        if text[at:start].strip():
            return f"the text {text[at:start].strip()[:40]!r} is in no passage"
        if (cost := count_tokens(text[start:end])) > BUDGET:
            return f"the passage that begins {text[start : start + 30]!r} has {cost} tokens, {BUDGET} are allowed"
        at = end
    if text[at:].strip():
        return f"the text {text[at:].strip()[:40]!r} is in no passage"
    return None


_ITEM = re.compile(r"- |\d+\. ")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_SPACE = re.compile(r"\s+")


def _blocks(text: str) -> Iterator[Span]:
    """Stretches between blank lines, a list together with the line above it."""
    held: Span | None = None
    for match in re.finditer(r"\S(?:.|\n(?!\s*\n))*", text):
        start, end = match.span()
        if held and _ITEM.match(text, start):
            start, held = held[0], None
        if held:
            yield held
        held = (start, end)
    if held:
        yield held


def _fitting(text: str, start: int, end: int, seams: Sequence[re.Pattern[str]] = (_SENTENCE, _SPACE)) -> Iterator[Span]:
    """The stretch, or its sentences, and of a sentence that is too long its words."""
    if not seams or count_tokens(text[start:end]) <= BUDGET:
        yield start, end
        return
    cuts = [start, *(match.end() for match in seams[0].finditer(text, start, end)), end]
    for a, b in pairwise(cuts):
        yield from _fitting(text, a, b, seams[1:])


def _packed(text: str, pieces: Iterable[Span]) -> list[Span]:
    """Pieces in order, each added to the passage before it while that fits."""
    passages: list[Span] = []
    for start, end in pieces:
        if passages and count_tokens(text[passages[-1][0] : end]) <= BUDGET:
            passages[-1] = (passages[-1][0], end)
        elif start < end:
            passages.append((start, end))
    return passages


@q4.solution
def _at_seams(document: Document) -> list[Span]:
    return _packed(
        document.text, (piece for block in _blocks(document.text) for piece in _fitting(document.text, *block))
    )


@q4.wrong
def _equal(document: Document) -> list[Span]:
    """Equal numbers of words, as everybody starts."""
    words = [match.span() for match in re.finditer(r"\S+", document.text)]
    return [(words[i][0], words[min(i + 30, len(words)) - 1][1]) for i in range(0, len(words), 30)]


@q4.wrong
def _paragraphs(document: Document) -> list[Span]:
    """Blank lines only: a list loses its lead-in, a long paragraph breaks the budget."""
    return [match.span() for match in re.finditer(r"\S(?:.|\n(?!\s*\n))*", document.text)]


@q4.wrong
def _words_of_the_whole_paragraph(document: Document) -> list[Span]:
    """Cuts a paragraph with one endless sentence between any two words."""
    text = document.text
    return _packed(text, (piece for block in _blocks(text) for piece in _fitting(text, *block, [_SPACE])))


@q4.wrong
def _sentences(document: Document) -> list[Span]:
    """Packs sentences and knows no list: what a sentence splitter does to a page of rules."""
    found = re.finditer(r"\S.*?(?:[.!?](?=\s)|\n|$)", document.text)
    return _packed(document.text, (match.span() for match in found))


# One passage tears nothing, and fits nowhere.
q4.wrong(lambda document: [(0, len(document.text))] if document.text else [])
