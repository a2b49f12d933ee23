"""Lab 03 beyond its registered answers: more ways to be nearly right, its numbers, and the gap it fills."""

import inspect
from statistics import mean

import pytest

from labkit.course.checks import lab03
from labkit.course.mysystem import SIGNATURES
from labkit.schema import RequestContext


def letters_must_be_capitals(text, known):
    words = [word if word.isupper() or len(word) > 1 else f"{word}~" for word in text.split()]
    return lab03._longest_known(" ".join(words), known).replace("~", "")


def marks_are_lost(text, known):
    return lab03._longest_known("".join(char for char in text if char not in lab03.MARKS), known)


def ties_as_they_came(lists, weights, k):
    order = {name: place for place, name in enumerate(name for hits in lists.values() for name, _ in reversed(hits))}
    return sorted(lab03._empty_left_out(lists, weights, 100), key=lambda pair: (-pair[1], -order[pair[0]]))[:k]


def never_deep_enough(engine, question, k, ctx):
    return [chunk for chunk in engine(question, 20 * k) if lab03._allowed(chunk, ctx)][:k]


def nobody_is_a_contractor(engine, question, k, ctx):
    found = [chunk for chunk in engine(question, 1000) if ctx.may_read(chunk.acl, chunk.tenant)]
    return [chunk for chunk in found if ctx.in_force(chunk.valid_from, chunk.valid_to)][:k]


def cheapest(settings, budget_ms):
    return min(settings, key=lambda one: mean(one["ms"]))["name"]


def median(settings, budget_ms):
    halved = [{**one, "ms": sorted(one["ms"])[:51]} for one in settings]
    return lab03._quickest_that_is_good(halved, budget_ms)


def scores_of_one_path(question, k, ctx, paths):
    fused = lab03._phone_desk(question, k, ctx, paths)
    return [hit.model_copy(update={"score": float(place)}) for place, hit in enumerate(fused)]


def words_only(question, k, ctx, paths):
    return lab03._phone_desk(question, k, ctx, {"lexical": paths["lexical"]})


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (lab03.q1, letters_must_be_capitals),
        (lab03.q1, marks_are_lost),
        (lab03.q2, ties_as_they_came),
        (lab03.q3, never_deep_enough),
        (lab03.q3, nobody_is_a_contractor),
        (lab03.q4, cheapest),
        (lab03.q4, median),
        (lab03.q5, scores_of_one_path),
        (lab03.q5, words_only),
    ],
)
def test_nearly_right_is_not_yet(asked, answer):
    verdict = asked(answer)
    assert verdict.state == "not yet"
    assert "Hint:" in verdict.message


def test_the_percentile_is_the_one_described():
    assert lab03._p95([10.0] * 95 + [400.0] * 5) == 10
    assert lab03._p95([10.0] * 94 + [400.0] * 6) == 400
    assert lab03._p95([7.0]) == 7


def test_the_drive_holds_what_the_rights_are_about():
    everybody = RequestContext(groups=frozenset({"public", "contractors"}), tenant="tidewater", as_of=lab03.TODAY)
    seen = [chunk.chunk_id for chunk in lab03._drive() if lab03._allowed(chunk, everybody)]
    assert seen == ["c004", "c061", "c118", "c170"]
    assert len(lab03._drive()) == 200


def test_the_search_fits_the_learners_system():
    parameters = tuple(inspect.signature(lab03._phone_desk).parameters)
    assert parameters == (*SIGNATURES["retrieve"], "paths")
