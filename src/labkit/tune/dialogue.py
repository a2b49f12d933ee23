"""What an adapter learns from: a conversation, of which only the replies count.

labkit's own conversations hold one question each, for it stands before the passages it is asked of; others may hold
more. This module knows how conversations become token ids and nothing about where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from labkit.errors import InputError
from labkit.llm.tasks import Task, prompt_of

IGNORED = -100
"""The label of a token that no loss is computed of (PyTorch's ``ignore_index``)."""


class Turn(NamedTuple):
    """A question and the reply that is learned."""

    user: str
    reply: str
    kind: str = ""
    """What is practised: a type of question, ``absent``, ``supported`` and so on."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation.

    Attributes:
        task: which adapter learns from it.
        turns: questions and replies, in order.
        source: the version of the world it is of, or ``invented``.
    """

    task: Task
    turns: tuple[Turn, ...]
    source: str

    def messages(self) -> list[dict[str, str]]:
        """The conversation in the chat format, system message first."""
        system = dict(prompt_of(self.task).parts)["system"]
        found = [{"role": "system", "content": system}]
        for turn in self.turns:
            found += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.reply}]
        return found

    def row(self) -> dict[str, Any]:
        """As one JSON object, in the format trl reads (``messages``)."""
        kinds = [turn.kind for turn in self.turns]
        return {"task": self.task, "source": self.source, "kinds": kinds, "messages": self.messages()}


class Encoded(NamedTuple):
    """Token ids of a conversation; ``labels`` repeats those of the replies and is :data:`IGNORED` elsewhere."""

    input_ids: list[int]
    labels: list[int]


def encode(dialogue: Dialogue, tokenizer: Any) -> Encoded:
    """Token ids as the chat template lays the conversation out, up to the end mark of the last reply.

    Args:
        dialogue: what to encode.
        tokenizer: transformers' tokenizer, with a chat template.

    Raises:
        InputError: the template changes what it wrote before when a turn is added, so replies cannot be told apart.
    """
    messages = dialogue.messages()
    ids: list[int] = []
    labels: list[int] = []
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _ids(messages[:place], tokenizer, reply_next=True)
        after = _ids(messages[: place + 1], tokenizer, reply_next=False)
        if before[: len(ids)] != ids or after[: len(before)] != before:
            raise InputError("The chat template rewrites earlier turns", todo="Train on one question a conversation.")
        end = len(after) - 1 - after[::-1].index(tokenizer.eos_token_id)  # what follows the end mark is no reply
        labels += [IGNORED] * (len(before) - len(ids)) + after[len(before) : end + 1]
        ids = after[: end + 1]
    return Encoded(ids, labels)


def dataset_rows(dialogues: Sequence[Dialogue], tokenizer: Any, longest: int) -> list[dict[str, list[int]]]:
    """Encoded conversations for trl, those longer than ``longest`` tokens left out."""
    rows = (encode(dialogue, tokenizer)._asdict() for dialogue in dialogues)
    return [row for row in rows if len(row["input_ids"]) <= longest]


def _ids(messages: Sequence[dict[str, str]], tokenizer: Any, *, reply_next: bool) -> list[int]:
    text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=reply_next)
    found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return found
