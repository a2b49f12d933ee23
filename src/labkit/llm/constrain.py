"""Constrained decoding: the model writes what it likes best among what a format allows.

A :class:`Constraint` speaks about text, not tokens, so one works with every model and engine. Text is UTF-8 bytes
here, because a token may end inside a character. A format says which beginnings can still become a whole text; the
:class:`Speller` then takes the most likely token that leaves such a beginning. What the model writes is therefore
always in the format, unless its tokens run out first. Whether it is true is another matter: this module does not know.

Method: Willard and Louf 2023 ("Efficient Guided Generation"), without its automaton: formats here are functions.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from labkit.errors import InputError, ModelError
from labkit.llm.tasks import ABSTENTION, ANSWER

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from labkit.llm.weights import Array

MOST_QUOTES = 4
"""Quotations of one answer, at most: as many as the longest chain has steps."""

_NO_BYTE = 256  # where the first byte of a token that writes nothing would be
_WORD = {*b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", *range(0x80, 0x100)}
_DIGITS = b"0123456789"
_new_utf8 = codecs.getincrementaldecoder("utf-8")


class Constraint(Protocol):
    """A format: a set of texts.

    Every beginning of a viable text must be viable, and every viable text complete or the beginning of one.
    """

    def viable(self, text: bytes) -> bool:
        """Whether some text of the format begins like this."""
        ...

    def complete(self, text: bytes) -> bool:
        """Whether it is a text of the format, so that the model may stop."""
        ...


class Quotations:
    """Lines ``words of passage 2 [2]``, and a line ``Answer: …`` where need be; or the abstention and nothing else.

    What is quoted stands in the passage it names, character by character, where runs of white space count as one space,
    and neither begins nor ends inside a word or number. What follows ``Answer:`` is free. There are at most
    :data:`MOST_QUOTES` quotations, so that an end comes.

    Args:
        passages: as they are shown, numbered from 1; with none there is only the abstention.
        abstention: the text that needs no quotation.
    """

    def __init__(self, passages: Sequence[str], *, abstention: str = ABSTENTION) -> None:
        self._shown = [(f" [{place}]".encode(), _spellable(passage)) for place, passage in enumerate(passages, 1)]
        self._abstention, self._answer = abstention.encode(), ANSWER.encode()

    def viable(self, text: bytes) -> bool:
        """See :class:`Constraint`."""
        if self._abstention.startswith(text):
            return True
        *done, last = text.split(b"\n")
        if len(done) > MOST_QUOTES or not all(map(self._is_quotation, done)):
            return False
        answers = bool(done) and self._answer.startswith(last[: len(self._answer)])
        if answers and not last[len(self._answer) :][:1].isspace():
            return True
        return len(done) < MOST_QUOTES and self._is_begun(last)

    def complete(self, text: bytes) -> bool:
        """See :class:`Constraint`."""
        said = text.rpartition(b"\n")[2]
        answered = said.startswith(self._answer) and bool(said[len(self._answer) :].strip())
        return text == self._abstention or ((answered or self._is_quotation(said)) and self.viable(text))

    def _is_begun(self, line: bytes) -> bool:
        """Whether a line is, or may become, a quotation: words of a passage, and a beginning of its number."""
        return not line[:1].isspace() and any(
            line.endswith(mark[:written]) and _stands(line[: len(line) - written], passage, whole=written > 0)
            for mark, passage in self._shown
            for written in range(len(mark) + 1)
        )

    def _is_quotation(self, line: bytes) -> bool:
        return not line[:1].isspace() and any(
            line.endswith(mark) and line[: -len(mark)].strip() and _stands(line[: -len(mark)], passage, whole=True)
            for mark, passage in self._shown
        )


class Lines:
    """Lines ``subject | relation | object`` whose subject and object stand in a passage, character by character.

    No line at all says that there is nothing to extract. Runs of white space in the passage count as one space. A
    field does not begin inside a word, but may leave its ending out, as of a plural; it does not reach over a ``|`` or
    an unprintable character of the passage.

    Args:
        passage: what is read.
        relations: the names a line may use.

    Raises:
        InputError: a relation is empty or holds a ``|`` or a line break.
    """

    def __init__(self, passage: str, relations: Sequence[str]) -> None:
        if bad := [name for name in relations if name != " ".join(name.split()) or not name or "|" in name]:
            raise InputError(f"Not a name of a relation: {bad[0]!r}", todo="Use one line without '|'.")
        # No field holds a line break, so none reaches over one here.
        pieces = [piece for part in passage.split("|") for piece in _spellable(part)]
        self._passage = b"\n".join(pieces) if relations else b""
        self._relations = [f" {name} ".encode() for name in relations]

    def viable(self, text: bytes) -> bool:
        """See :class:`Constraint`."""
        *done, last = text.split(b"\n")
        return all(map(self._is_whole, done)) and self._is_begun(last.split(b"|"))

    def complete(self, text: bytes) -> bool:
        """See :class:`Constraint`."""
        lines = text.removesuffix(b"\n").split(b"\n")
        return not text or all(map(self._is_whole, lines))

    def _is_begun(self, parts: Sequence[bytes]) -> bool:
        match parts:
            case [subject]:
                return self._begins_field(subject) or self._is_field(subject.removesuffix(b" "))
            case [subject, relation]:
                return self._is_subject(subject) and any(known.startswith(relation) for known in self._relations)
            case [subject, relation, thing]:
                known = self._is_subject(subject) and relation in self._relations
                return known and (not thing or (thing[:1] == b" " and self._begins_field(thing[1:])))
        return False

    def _is_whole(self, line: bytes) -> bool:
        match line.split(b"|"):
            case [subject, relation, thing]:
                known = self._is_subject(subject) and relation in self._relations
                return known and thing[:1] == b" " and self._is_field(thing[1:])
        return False

    def _is_subject(self, part: bytes) -> bool:
        return part[-1:] == b" " and self._is_field(part[:-1])

    def _is_field(self, part: bytes) -> bool:
        return self._begins_field(part) and bool(part) and part[-1:] != b" "

    def _begins_field(self, part: bytes) -> bool:
        if not part or part[:1] == b" ":
            return not part
        at = self._passage.find(part)
        while at > 0 and part[0] in _WORD and self._passage[at - 1] in _WORD:
            at = self._passage.find(part, at + 1)
        return at >= 0


class Vocabulary:
    """What each token of a byte-level tokenizer writes.

    Args:
        tokenizer: a byte-level BPE, as of GPT-2, Llama 3, Qwen or SmolLM2.
        end: tokens by which the model stops.

    Raises:
        ModelError: the tokenizer is of another kind.
    """

    def __init__(self, tokenizer: Tokenizer, end: frozenset[int]) -> None:
        letters, special = _byte_letters(), tokenizer.get_added_tokens_decoder().keys()
        spelled = {token: word for word, token in tokenizer.get_vocab().items() if token not in special}
        try:
            written = {token: bytes(letters[letter] for letter in word) for token, word in spelled.items()}
        except KeyError as error:
            raise ModelError(
                f"The tokenizer is not byte-level: a token holds {error}", todo="Use this model without a constraint."
            ) from error
        self.end = end
        self.pieces = [written.get(token, b"") for token in range(max({*written, *special}) + 1)]
        self.first = np.array([piece[0] if piece else _NO_BYTE for piece in self.pieces])


class Speller:
    """Picks the tokens of one reply; a :data:`labkit.llm.decoder.Choose` that remembers what it picked."""

    def __init__(self, vocabulary: Vocabulary, constraint: Constraint) -> None:
        self._vocabulary, self._constraint, self._text = vocabulary, constraint, b""

    def __call__(self, scores: Array) -> int:
        """The most likely token that the format allows next.

        Raises:
            ModelError: there is none, because the tokenizer cannot spell what the format asks for.
        """
        scores = scores[: len(self._vocabulary.pieces)]  # some models score more tokens than there are
        token = int(np.argmax(scores))
        if not self._allows(token):
            token = self._best_allowed(scores)
        self._text += self._vocabulary.pieces[token]
        return token

    def _best_allowed(self, scores: Array) -> int:
        # A token can only be allowed if its first byte is: this leaves few to look at where the format is narrow.
        begins = np.array([self._viable(self._text + bytes([byte])) for byte in range(_NO_BYTE)] + [False])
        candidates = np.concatenate([np.flatnonzero(begins[self._vocabulary.first]), sorted(self._vocabulary.end)])
        for token in candidates[np.argsort(-scores[candidates], kind="stable")]:
            if self._allows(int(token)):
                return int(token)
        raise ModelError(
            "No token continues the reply in its format",
            where=repr(self._text.decode(errors="replace")[-60:]),
            todo="Use another model or constraint.",
        )

    def _allows(self, token: int) -> bool:
        if token in self._vocabulary.end:
            return self._constraint.complete(self._text) and _is_text(self._text, whole=True)
        piece = self._vocabulary.pieces[token]
        return bool(piece) and self._viable(self._text + piece)

    def _viable(self, text: bytes) -> bool:
        return self._constraint.viable(text) and _is_text(text, whole=False)


def _stands(words: bytes, passage: Sequence[bytes], *, whole: bool) -> bool:
    """Whether words stand in a passage, not begun inside a word or number, nor (if ``whole``) ended there."""
    for piece in passage:
        at = piece.find(words)
        while at >= 0:
            if not _inside(piece, at) and not (whole and _inside(piece, at + len(words))):
                return True
            at = piece.find(words, at + 1)
    return False


def _inside(text: bytes, at: int) -> bool:
    """Whether a place lies inside a word or a number: ``4.5`` and ``1,200`` are one."""
    if not 0 < at < len(text):
        return False
    left, right = text[at - 1], text[at]
    if left in _WORD and right in _WORD:
        return True
    before, after = text[max(0, at - 2) : at - 1], text[at + 1 : at + 2]
    ends = left in _DIGITS and right in b".," and after.isdigit()
    begins = left in b".," and right in _DIGITS and before.isdigit()
    return ends or begins


def _spellable(passage: str) -> list[bytes]:
    """A passage with single spaces, parted where it holds what no token can spell."""
    pieces = "".join(c if c.isprintable() or c.isspace() else "\0" for c in passage).split("\0")
    return [" ".join(piece.split()).encode() for piece in pieces if piece.strip()]


def _is_text(text: bytes, *, whole: bool) -> bool:
    """Whether it is UTF-8, up to an unfinished last character unless ``whole``."""
    if text[-2:-1] == b"\xed" and text[-1] >= 0xA0:
        return False  # half a surrogate: the decoder waits for a third byte before it refuses every one
    try:
        _new_utf8().decode(text, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _byte_letters() -> dict[str, int]:
    """The printable letter that stands for each byte in a byte-level vocabulary (Radford et al. 2019, GPT-2)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}
