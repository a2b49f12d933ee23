"""Speculation: several tokens for the price of one pass, and not one token different.

Somebody guesses how the reply goes on; the model reads the whole guess in one pass and keeps it as far as it would have
written the same itself. A pass over a few positions costs hardly more than one over a single position where reading
the weights is what takes the time, so a guess that is often right saves time and a poor one loses it.

Whether it pays is not known here: it depends on the text and on the machine (``labkit bench decode`` measures).

Leviathan et al. 2023 ("Fast Inference from Transformers via Speculative Decoding"), for greedy decoding; guesses
copied from the prompt: Saxena 2023 ("Prompt Lookup Decoding").
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from labkit.errors import InputError
from labkit.llm.decoder import Choose, Decoder, Reading

if TYPE_CHECKING:
    from labkit.llm.lora import Lora
    from labkit.llm.weights import Array

DOUBT = 1e-2
"""Scores closer than this may change places between a pass over one position and one over several.

Both add the same numbers in another order. A test holds the largest difference on SmolLM2 to a tenth of it.
"""


class Proposer(Protocol):
    """Guesses how a text goes on."""

    def propose(self, ids: Sequence[int], most: int) -> Sequence[int]:
        """Up to ``most`` tokens that may follow ``ids``; none where it has no idea."""
        ...


class PromptLookup:
    """Guesses that what followed the last few tokens before will follow them again: answers quote their prompt.

    Args:
        ngram: the longest run of last tokens that is looked for; then shorter ones, down to one.
        k: tokens of a guess.

    Raises:
        InputError: one of them is below 1.
    """

    def __init__(self, ngram: int = 3, k: int = 5) -> None:
        _require_positive(ngram=ngram, k=k)
        self._ngram, self._k = ngram, k

    def propose(self, ids: Sequence[int], most: int) -> Sequence[int]:
        """See :class:`Proposer`; of several places the latest counts."""
        text = np.asarray(ids)
        for length in range(min(self._ngram, len(text) - 1), 0, -1):
            windows = np.lib.stride_tricks.sliding_window_view(text[:-1], length)
            places = np.flatnonzero((windows == text[-length:]).all(axis=1))
            if len(places):
                start = int(places[-1]) + length
                found: list[int] = text[start : start + min(self._k, most)].tolist()
                return found
        return []


class Draft:
    """Guesses what a smaller model would write.

    It remembers the text it read last, and forgets of it what the next text does not begin with.

    Args:
        decoder: the smaller model; its tokens must mean the same.
        k: tokens of a guess; each costs a pass of the smaller model.

    Raises:
        InputError: ``k`` is below 1.
    """

    def __init__(self, decoder: Decoder, k: int = 3) -> None:
        _require_positive(k=k)
        self._decoder, self._k = decoder, k
        # Memory that nothing was written to takes no room.
        self._reading = decoder.reading(decoder.context)
        self._ids: list[int] = []

    def propose(self, ids: Sequence[int], most: int) -> Sequence[int]:
        """See :class:`Proposer`; nothing where the text does not fit the smaller model's context."""
        most = min(most, self._k)
        if most < 1 or len(ids) + most > self._decoder.context:
            return []
        pairs = enumerate(zip(self._ids, ids[:-1], strict=False))  # the last is read in any case, to be asked
        same = next((at for at, (old, new) in pairs if old != new), min(len(self._ids), len(ids) - 1))
        self._reading.back_to(same)
        del self._ids[same:]
        found: list[int] = []
        unread = list(ids[same:])
        while len(found) < most:
            scores = self._reading.read(unread)[0]
            self._ids += unread
            found.append(int(np.argmax(scores)))
            unread = found[-1:]
        return found


@dataclass(slots=True)
class Tally:
    """What speculation has done so far.

    Attributes:
        proposed: tokens that were guessed.
        accepted: guessed tokens that became part of a reply. What was guessed beyond a reply's end did not.
        passes: of the verifying model after the prompt's.
        repeated: of these, passes that only settled a doubt.
        tokens: of replies; plain decoding makes as many passes, less one for each reply.
    """

    proposed: int = 0
    accepted: int = 0
    passes: int = 0
    repeated: int = 0
    tokens: int = 0


class Speculation:
    """A decoder that verifies guesses; an :class:`labkit.llm.engine.Engine` in its place.

    Its replies are token for token those of the decoder. Rounding alone could change one, where two tokens score almost
    the same: there the reply is read again the plain way, one token a pass, before the choice is made.

    Args:
        decoder: whose replies they are.
        proposer: guesses.

    Attributes:
        tally: what happened since this was made.
    """

    def __init__(self, decoder: Decoder, proposer: Proposer) -> None:
        self.context = decoder.context
        self.tally = Tally()
        self._decoder, self._proposer = decoder, proposer

    def generate(
        self, prompt: Sequence[int], max_tokens: int, adapter: Lora | None = None, choose: Choose | None = None
    ) -> Iterator[int]:
        """Yield what :meth:`labkit.llm.decoder.Decoder.generate` would.

        Args:
            prompt: token ids.
            max_tokens: of the reply.
            adapter: of the verifying decoder; a :class:`Draft` has none.
            choose: picks a token from scores. Copies of it are asked, since a doubtful pick is taken back: where it
                remembers its picks, a shallow copy must have a memory of its own, as
                :class:`labkit.llm.constrain.Speller` has.

        Raises:
            InputError: the proposer names a token that the decoder does not have.
        """
        tally, text = self.tally, list(prompt)
        end = len(prompt) + max_tokens
        reading = self._decoder.reading(end, adapter)
        scores = reading.read(text)
        plain = len(text)  # so much of the text was read as plain decoding reads it
        guess: list[int] = []
        while len(text) < end:
            for place, row in enumerate(scores):  # scores[i] follow the text and i guessed tokens
                picked, memory = _pick(row, choose)
                if plain < len(text) and _doubtful(row, picked):
                    row = self._read_plainly(reading, text, plain)
                    picked, memory = _pick(row, choose)
                    plain, guess = len(text), guess[:place]  # what was guessed from here on is no longer read
                choose = memory
                agreed = place < len(guess) and guess[place] == picked
                tally.tokens += 1
                tally.accepted += agreed
                text.append(picked)
                yield picked
                if len(text) == end:
                    return
                if not agreed:
                    break
            reading.back_to(len(text) - 1)
            guess = self._guess(text, end - len(text) - 1)
            scores = reading.read([text[-1], *guess], scored=1 + len(guess))
            tally.passes += 1
            if not guess and plain == len(text) - 1:
                plain = len(text)

    def log_probabilities(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: Lora | None = None
    ) -> list[float]:
        """The decoder's own: nothing is left to guess."""
        return self._decoder.log_probabilities(prompt, continuations, adapter)

    def _guess(self, text: Sequence[int], most: int) -> list[int]:
        guess = list(self._proposer.propose(text, most))[:most] if most > 0 else []
        if wrong := [token for token in guess if not 0 <= token < self._decoder.vocabulary]:
            raise InputError(
                f"The proposer guesses token {wrong[0]}, the model has {self._decoder.vocabulary}",
                todo="Draft with a model of the same tokenizer.",
            )
        self.tally.proposed += len(guess)
        return guess

    def _read_plainly(self, reading: Reading, text: Sequence[int], plain: int) -> Array:
        """Scores after ``text``, read token by token from where it was not."""
        reading.back_to(plain)
        for token in text[plain:]:
            scores = reading.read([token])
            self.tally.passes += 1
            self.tally.repeated += 1
        row: Array = scores[0]
        return row


def _pick(row: Array, choose: Choose | None) -> tuple[int, Choose | None]:
    """The next token, and who remembers having picked it; ``choose`` itself is left as it was."""
    if choose is None:
        return int(np.argmax(row)), None
    memory = copy.copy(choose)
    return memory(row), memory


def _doubtful(row: Array, picked: int) -> bool:
    """Whether another token scores almost what the picked one does."""
    return int((np.abs(row - row[picked]) < DOUBT).sum()) > 1


def _require_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"{name} is {number}", todo="Give at least 1.")
