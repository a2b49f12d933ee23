"""Lab 06 beyond its registered answers: more ways to be nearly right, the library's mask, and what the data hold."""

import re

import pytest

from labkit.course.checks import lab06


def last_reply_only(tokens, bad):
    replies = [reply for _, _, reply in lab06._walked(tokens)]
    learned = lab06._good_replies_and_their_end(tokens, bad)
    return [count and reply == max(replies) for count, reply in zip(learned, replies, strict=True)]


def every_end_mark(tokens, bad):
    learned = lab06._good_replies_and_their_end(tokens, bad)
    return [count or token == lab06.END for count, token in zip(learned, tokens, strict=True)]


def bad_replies_counted_from_one(tokens, bad):
    return lab06._good_replies_and_their_end(tokens, {number - 1 for number in bad})


def everything(tokens, bad):
    return [True] * len(tokens)


def one_mark_too_few(tokens, bad):
    return lab06._good_replies_and_their_end(tokens, bad)[1:]


def ties_away_from_zero(weights, levels, block):
    found, step = [], max(map(abs, weights)) / lab06.STEPS
    for start in range(0, len(weights), block):
        part = weights[start : start + block]
        scale = -(-max(map(abs, part)) // step) * step if any(part) else 0.0
        found += [
            scale * min(levels, key=lambda level: (abs(level - weight / scale), -abs(level))) if scale else 0.0
            for weight in part
        ]
    return found


def divides_by_zero(weights, levels, block):
    step = max(map(abs, weights)) / lab06.STEPS
    scales = [max(map(abs, weights[at : at + block])) for at in range(0, len(weights), block)]
    scales = [-(-scale // step) * step for scale in scales]
    return [
        scales[at // block] * lab06._level(weight / scales[at // block], levels) for at, weight in enumerate(weights)
    ]


def unchanged(weights, levels, block):
    return weights


def evenly_spaced(weights, levels, block):
    return lab06._restored(weights, [n / 4 for n in range(-4, 5)], block)


def first_turn_only(rows, held_out):
    short = [{**row, "turns": row["turns"][:1]} for row in rows]
    return lab06._one_kind(rows).union(*(lab06._of(row, held_out) for row in short))


def citation_not_looked_up(rows, held_out):
    """A bracket is taken for a citation, whatever is in it."""
    padded = [{**row, "passages": [*row["passages"], "\n".join(row["passages"])]} for row in rows]
    return lab06._row_by_row_then_the_set(padded, held_out)


def case_matters(rows, held_out):
    def stands(text, words):
        return re.search(rf"(?<![\w.-]){re.escape(words)}(?![\w-])", text) is not None

    return lab06._one_kind(rows).union(*(lab06._of(row, held_out, stands) for row in rows))


def passages_not_read_for_names(rows, held_out):
    told = {
        row["id"] for row in rows for turn in row["turns"] if any(lab06._whole(" ".join(turn), n) for n in held_out)
    }
    return {(of, why) for of, why in lab06._row_by_row_then_the_set(rows, held_out) if why != "name" or of in told}


def silence_is_one_kind_but_talk_is_not(rows, held_out):
    found = lab06._row_by_row_then_the_set(rows, held_out)
    silent = any(reply == lab06.SILENT for row in rows for _, reply in row["turns"])
    return found if silent else found - {(lab06.THE_SET, "one kind")}


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (lab06.q1, last_reply_only),
        (lab06.q1, every_end_mark),
        (lab06.q1, bad_replies_counted_from_one),
        (lab06.q1, everything),
        (lab06.q1, one_mark_too_few),
        (lab06.q2, ties_away_from_zero),
        (lab06.q2, divides_by_zero),
        (lab06.q2, unchanged),
        (lab06.q2, evenly_spaced),
        (lab06.q3, first_turn_only),
        (lab06.q3, citation_not_looked_up),
        (lab06.q3, case_matters),
        (lab06.q3, passages_not_read_for_names),
        (lab06.q3, silence_is_one_kind_but_talk_is_not),
        (lab06.q3, lambda rows, held_out: set()),
    ],
)
def test_nearly_right_is_not_yet(asked, answer):
    verdict = asked(answer)
    assert verdict.state == "not yet"
    assert asked.hint in str(verdict)


def test_a_forgotten_end_mark_shows_in_the_verdict():
    assert "it learns '18 months [1]'" in str(lab06.q1(lab06._without_the_end))


def test_a_division_by_zero_is_shown_with_its_line():
    assert "ZeroDivisionError" in str(lab06.q2(divides_by_zero))


def test_a_mark_may_be_anything_true_or_false():
    assert lab06.q1(lambda tokens, bad: map(int, lab06._good_replies_and_their_end(tokens, bad))).state == "right"


def test_reasons_may_come_in_any_order_and_twice():
    def listed(rows, held_out):
        found = sorted(lab06._row_by_row_then_the_set(rows, held_out))
        return [list(pair) for pair in found[::-1] + found]

    assert lab06.q3(listed).state == "right"


def test_scales_rounded_up_cut_no_weight_off():
    for _, weights, block in lab06.ROWS:
        restored = lab06._restored(weights, lab06.LEVELS, block)
        for start in range(0, len(weights), block):
            most = max(map(abs, weights[start : start + block]))
            assert max(map(abs, restored[start : start + block])) >= most


def test_every_reason_occurs_and_the_good_set_has_none():
    found = {why for _, _, reasons in lab06.SETS for _, why in reasons}
    assert found == {"name", "uncited", "unsupported", "one kind"}
    assert lab06._row_by_row_then_the_set(list(lab06.GOOD), set(lab06.HELD_OUT)) == set()


def test_the_mask_is_the_one_labkit_trains_with():
    """What lab06 calls learned is what the course's own encoding labels, end mark included."""
    dialogue = pytest.importorskip("labkit.tune.dialogue")

    class Words:
        """A tokenizer of one token a word, with the lab's marks."""

        eos_token_id = 0

        def __init__(self):
            self.ids = {lab06.END: 0}

        def apply_chat_template(self, messages, *, tokenize, add_generation_prompt):
            said = [f"<{one['role']}> {one['content']} {lab06.END}" for one in messages]
            return " ".join([*said, "<assistant>"] if add_generation_prompt else said)

        def __call__(self, text, *, add_special_tokens):
            return {"input_ids": [self.ids.setdefault(word, len(self.ids)) for word in text.split()]}

    talk = dialogue.Dialogue(
        "answer",
        (dialogue.Turn("How long ?", "18 months [1]"), dialogue.Turn("Sure ?", "Not in the passages .")),
        "test",
    )
    words = Words()
    encoded = dialogue.encode(talk, words)
    spelled = {number: word for word, number in words.ids.items()}
    tokens = [spelled[number] for number in encoded.input_ids]
    learned = [label != dialogue.IGNORED for label in encoded.labels]
    assert lab06._good_replies_and_their_end(tokens, set()) == learned
