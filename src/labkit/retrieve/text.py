"""What can be compared between a question, a passage and an answer: sentences, identifiers, content words.

Plain rules, no model. Knows English function words only; other languages fall back to comparing more words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.retrieve.terms import FUNCTION_WORDS

_SENTENCE_END = re.compile(
    r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[`*]*[A-Z0-9À-Þ])"  # full stop, then a new start
    r"|\n[ \t]*\n\s*"  # blank line
    r"|\n(?=[ \t]*(?:[-*+•|>#]|\d+[.)]\s|[A-Za-z][\w /()-]{0,30}:\s))"  # list item, table row, heading, "field: value"
)
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|etc|vs|cf|approx|ext|tel|no|nr|fig|dr|mr|mrs|ms|inc|ltd|st)\.$", re.IGNORECASE
)
_FRONT_MATTER = re.compile(r"(?:title|date|author|created|modified|updated|language|tags|weight|draft|layout): ")
_LIST_NUMBER = re.compile(r"\s*\d+[.)]")
# A token with a digit (E-417, 3.2.1, PN-20-118, 18) or an inner capital (KubePodCrashLooping).
_IDENTIFIER = re.compile(r"[A-Za-z]*\d[\w./:-]*|(?:[A-Za-z]+[-_./])+\w*\d[\w./:-]*|\b[A-Za-z]+[a-z][A-Z]\w*")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_NAME = re.compile(r"(?<=[\w,;:)] )[A-Z][^\W_]+")
_AMOUNT_ASKED = re.compile(
    r"\bhow (?:many|much|long|often|old|far|fast|large|big|high|hot|heavy)\b"
    r"|\bwhat (?:is the )?(?:year|date|number|percentage|percent|amount)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:no|none|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|sixty|seventy|eighty|ninety|hundred|thousand|million|once|twice|half|third|quarter|daily|weekly|monthly|yearly"
    r"|hourly|annually|quarterly|always|never|every)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(r"\b(?:not|no|never|none|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
# A date that says *when* is asked about selects documents by their validity; passages need not repeat it.
_ASKED_DATE = re.compile(
    rf"\b(?:as of|as at|on|in|by|since|before|after|until|during|at the end of|end of)\s+"
    rf"(?:\d{{4}}-\d\d-\d\d|(?:\d{{1,2}}\.?\s+)?{_MONTH}(?:\s+\d{{1,2}},?)?(?:\s+\d{{4}})?|q[1-4]\s+\d{{4}}|\d{{4}})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, list item or table row, and where it stands in the text it was cut from."""

    start: int
    end: int
    text: str


def sentences(text: str) -> list[Sentence]:
    """Cut text into sentences; every character that is not space lies in exactly one."""
    found: list[Sentence] = []
    start = 0
    for match in [*_SENTENCE_END.finditer(text), None]:
        end = match.start() if match else len(text)
        if match and (_ABBREVIATION.search(text[start:end]) or _LIST_NUMBER.fullmatch(text[start:end])):
            continue
        piece = text[start:end]
        if piece.strip():
            begin = start + len(piece) - len(piece.lstrip())
            found.append(Sentence(begin, begin + len(piece.strip()), piece.strip()))
            start = match.end() if match else end
            # Closing quotes and brackets that the boundary swallowed belong to the sentence they close.
            closing = text[end:start].rstrip()
            if closing:
                found[-1] = Sentence(begin, end + len(closing), text[begin : end + len(closing)])
    return found


def is_front_matter(line: str) -> bool:
    """Whether a line is what programs put on top of a document about it, such as its title or date."""
    return _FRONT_MATTER.match(line) is not None


def identifiers(text: str) -> set[str]:
    """Part numbers, error codes, versions, quantities and CamelCase names, in lower case.

    Dates that say as of when something is asked are left out.
    """
    return {match.group().rstrip("./:-").lower() for match in _IDENTIFIER.finditer(_ASKED_DATE.sub(" ", text))}


def names(text: str) -> set[str]:
    """Capitalised words that do not open a sentence, stemmed as in :func:`content_words`: people, sites, products."""
    return {stem for name in _NAME.findall(_ASKED_DATE.sub(" ", text)) for stem in content_words(name)}


def wants_number(question: str) -> bool:
    """Whether only an amount can answer: *how many*, *how long*, *what percentage* …"""
    return _AMOUNT_ASKED.search(question) is not None


def has_number(text: str) -> bool:
    """Whether a text states an amount, in digits or words."""
    return _NUMBER.search(text) is not None


def is_negative(text: str) -> bool:
    """Whether a sentence says that something is not so; a lost *not* turns an instruction into its opposite."""
    return _NEGATION.search(text) is not None


def is_rambling(text: str) -> bool:
    """Whether a text repeats itself, as small models do when they have nothing to say."""
    words = [word.lower() for word in _WORD.findall(text)]
    return len(words) >= 8 and len(set(words)) < 0.5 * len(words)


def content_words(text: str) -> set[str]:
    """The words that carry meaning, in lower case, without function words and common endings."""
    words = (word.lower() for word in _WORD.findall(_ASKED_DATE.sub(" ", text)))
    return {_stem(word) for word in words if word not in FUNCTION_WORDS}


def says_something(part: Sentence, headings: Sequence[str]) -> bool:
    """Whether a sentence is more than a label, the heading it stands under, or a rule between sections."""
    words = content_words(part.text)
    return not part.text.startswith("#") and len(words) >= 2 and not words <= content_words(" ".join(headings))


def share(part: set[str], whole: set[str]) -> float:
    """How much of ``part`` lies in ``whole``, 0 to 1; 1 when ``part`` is empty."""
    return len(part & whole) / len(part) if part else 1.0


def contains(identifier: str, text: str) -> bool:
    """Whether an identifier stands in a text as a whole: ``18`` is not in ``118``, ``e-417`` not in ``e-4170``."""
    return re.search(rf"(?<![\w])(?<!\d[.,]){re.escape(identifier)}(?![\w])(?![.,]\d)", text.lower()) is not None


def _stem(word: str) -> str:
    """Cut the commonest English endings: enough for *restart, restarts, restarted, restarting* to meet."""
    word = word.removesuffix("'s").removesuffix("’s")
    for ending, keep in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: len(word) - len(ending)] + keep
    return word
