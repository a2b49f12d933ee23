"""Each question is put under the first stage that lost it."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import InputError
from labkit.evaluate.stages import DEPTH, Need, Stage, needs_of, picture, stage_counts, stage_of
from labkit.pipeline.select import Passage
from labkit.retrieve.text import sentences
from labkit.schema import Answer, Chunk, Citation, Hit
from labkit.world.questions import Question

TEXT = "The screw is tightened to 18 N·m. Wear gloves."


def question(value="18 N·m", **more):
    return Question("q", "test", "single_hop", "How tight?", value, aliases=("18 Nm",), as_of=date(2025, 1, 1), **more)


def chunk(chunk_id="c1", text=TEXT, path="a.md"):
    return Chunk(chunk_id=chunk_id, doc_id=path, source_path=path, ordinal=0, text=text, start=0, end=len(text),
                 tokens=9, content_hash="")  # fmt: skip


def hits(*ids):
    return [Hit(chunk=chunk(chunk_id), score=1.0) for chunk_id in ids]


def shown(chunk_id="c1", first=0, last=2):
    parts = tuple(sentences(TEXT))[first:last]
    return Passage(chunk(chunk_id), parts, (0.5,) * len(parts), 0.5)


def said(chunk_id, text="12 N·m"):
    return Answer(text=text, citations=(Citation(chunk_id=chunk_id, source_path="a.md", start=0, end=5, quote=text),))


NEED = Need(frozenset({"c1"}), ("18 N·m",))
SECOND = Need(frozenset({"c2"}), ("18 N·m",))
FAR = hits(*(f"x{n}" for n in range(DEPTH)), "c1")


@pytest.mark.parametrize(
    ("answer", "right", "found", "read", "needs", "stage"),
    [
        (said("c1"), True, [], [], [], Stage.ANSWERED),
        (said("x"), False, hits("x"), [], [Need(frozenset(), ())], Stage.NOT_INGESTED),
        (said("x"), False, hits("x"), [], [NEED], Stage.NOT_RETRIEVED),
        (said("x"), False, FAR, [], [NEED], Stage.NOT_RETRIEVED),
        (said("x"), False, hits("x", "c1"), [shown("x")], [NEED], Stage.RANKED_LOW),
        (said("c1"), False, hits("c1"), [shown(first=1)], [NEED], Stage.CUT_AWAY),
        (said("x"), False, hits("c1"), [shown()], [NEED], Stage.NOT_USED),
        (Answer(text="?", abstained=True), False, hits("c1"), [shown()], [NEED], Stage.NOT_USED),
        (said("c1"), False, hits("c1"), [shown()], [NEED], Stage.WRONGLY_READ),
        (said("c1"), False, hits("c1"), [shown()], [NEED, SECOND], Stage.NOT_RETRIEVED),
        (said("c1"), False, hits("c1", "c2"), [shown()], [NEED, SECOND], Stage.RANKED_LOW),
    ],
)
def test_the_first_loss_counts(answer, right, found, read, needs, stage):
    assert stage_of(question(), answer, right, found, read, needs) is stage


def test_an_answer_to_the_unanswerable_is_invented():
    assert stage_of(question(value=""), said("c1"), False, hits("c1"), [shown()], []) is Stage.INVENTED
    with pytest.raises(InputError, match="global"):
        stage_of(question(), said("c1"), False, hits("c1"), [shown()], [])


def test_needs_come_from_files_that_state_the_fact_in_any_wording():
    asked = question(facts=("f1", "f2"))
    chunks = {
        "a.md": [chunk("a1"), chunk("a2", "Wear gloves.")],
        "b.md": [chunk("b1", "It takes 18 Nm.", "b.md")],
        "c.md": [chunk("c1", TEXT, "c.md")],  # holds the value and states another fact
    }
    paths = {"f1": {"a.md", "b.md", "copy-of-a.md"}, "f2": {"a.md"}}
    needs = needs_of(asked, {"f1": ["18 N·m"], "f2": ["never written"]}, paths, chunks)
    assert [need.chunk_ids for need in needs] == [{"a1", "b1"}, frozenset()]


@settings(deadline=None, max_examples=10)  # each draws a picture
@given(st.lists(st.sampled_from(list(Stage)), min_size=1))
def test_nothing_is_lost_in_counting(stages):
    counts = stage_counts(stages)
    assert list(counts) == list(Stage)
    _, alt, table = picture(counts)
    assert table["alive before"][0] == sum(counts.values()) == len(stages)
    assert table["alive before"][-1] == counts[Stage.ANSWERED]
    assert f"of {len(stages)} questions {counts[Stage.ANSWERED]} are answered rightly" in alt


def test_the_picture_can_be_drawn(tmp_path):
    fig, _, _ = picture(stage_counts([Stage.ANSWERED, Stage.CUT_AWAY]))
    fig.savefig(tmp_path / "stages.png")
    assert (tmp_path / "stages.png").stat().st_size > 2000
    with pytest.raises(InputError):
        picture({})
