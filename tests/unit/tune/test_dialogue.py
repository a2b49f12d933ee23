"""Conversations as token ids, of which the replies alone are learned."""

import pytest

from labkit.errors import InputError
from labkit.tune.dialogue import IGNORED, Dialogue, Turn, dataset_rows, encode

TALK = Dialogue(
    "answer", (Turn("[1] A passage.\n\nQuestion: Who?", "Edna Marsh [1]", "fact"), Turn("Question: When?", "Älg")), "w"
)


def learned(encoded, tokenizer):
    """The runs of tokens that loss is computed of, as text."""
    runs, run = [], []
    for token, label in zip(encoded.input_ids, encoded.labels, strict=True):
        assert label in (IGNORED, token)
        if label == IGNORED and run:
            runs, run = [*runs, tokenizer.decode(run)], []
        elif label != IGNORED:
            run.append(token)
    return [*runs, tokenizer.decode(run)]


def test_the_replies_are_learned_with_their_end_marks_and_nothing_else(tokenizer):
    encoded = encode(TALK, tokenizer)
    assert learned(encoded, tokenizer) == ["Edna Marsh [1]<|im_end|>", "Älg<|im_end|>"]


def test_the_ids_are_those_of_the_whole_conversation_up_to_the_last_end_mark(tokenizer):
    whole = tokenizer.apply_chat_template(TALK.messages(), tokenize=False)
    assert tokenizer.decode(encode(TALK, tokenizer).input_ids) == whole.removesuffix("\n")


def test_an_empty_reply_teaches_the_end_mark(tokenizer):
    encoded = encode(Dialogue("extract", (Turn("Nothing here.", ""),), "w"), tokenizer)
    assert learned(encoded, tokenizer) == ["<|im_end|>"]


def test_a_template_that_rewrites_what_was_said_is_refused(tokenizer):
    kept = tokenizer.chat_template
    tokenizer.chat_template = kept.replace(
        "{{ message['content'] }}", "{{ message['content'] if loop.revindex < 3 else '(…)' }}"
    )
    try:
        with pytest.raises(InputError, match="rewrites earlier turns"):
            encode(TALK, tokenizer)
    finally:
        tokenizer.chat_template = kept


def test_conversations_that_are_too_long_are_left_out(tokenizer):
    length = len(encode(TALK, tokenizer).input_ids)
    assert len(dataset_rows([TALK, TALK], tokenizer, length)) == 2
    assert dataset_rows([TALK], tokenizer, length - 1) == []


def test_a_row_holds_the_messages_and_what_each_turn_practises():
    row = TALK.row()
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    assert (row["task"], row["source"], row["kinds"]) == ("answer", "w", ["fact", ""])
