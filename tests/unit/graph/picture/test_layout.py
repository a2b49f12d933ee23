"""Where boxes stand: never on each other, and arrows run to the right unless they close a circle."""

from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.graph.picture.layout import Link, Point, layered, ring

SIZE = Point(60.0, 20.0)
pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1]), unique=True)


def apart(one, other, size=SIZE):
    return abs(one.x - other.x) >= size.x - 1e-6 or abs(one.y - other.y) >= size.y - 1e-6


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_boxes_never_overlap(found):
    links = [Link(str(one), str(other), 30.0) for one, other in found]
    places, bends = layered({str(number): SIZE for number in range(10)}, links)
    keys = sorted(places)
    assert all(apart(places[a], places[b]) for at, a in enumerate(keys) for b in keys[:at])
    for way in bends:
        assert all(abs(y - place.y) >= SIZE.y / 2 for x, y in way for place in places.values() if abs(x - place.x) < 20)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_arrows_run_to_the_right_with_room_for_their_label(found):
    links = [Link(str(min(pair)), str(max(pair)), 30.0) for pair in sorted({tuple(sorted(pair)) for pair in found})]
    places, _ = layered({str(number): SIZE for number in range(10)}, links)
    assert all(places[link.target].x - places[link.source].x >= SIZE.x + link.label for link in links)


def test_a_circle_of_arrows_has_one_that_runs_back():
    links = [Link("a", "b", heavy=True), Link("b", "c"), Link("c", "a")]
    places, bends = layered(dict.fromkeys("abc", SIZE), links)
    assert places["a"].x < places["b"].x < places["c"].x
    assert [len(way) for way in bends] == [0, 0, 2]
    assert bends[2][0].x > bends[2][1].x


def test_nothing_is_laid_out_as_nothing():
    assert layered({}, []) == ({}, [])
    assert ring(0, {}) == []
    assert ring(1, {}) == [Point(0.0, 0.0)]


def test_linked_ones_are_neighbours_on_the_ring():
    places = ring(8, {(0, 4): 1.0, (1, 5): 1.0})
    assert len(set(places)) == 8
    assert all(abs(x * x + y * y - 1) < 1e-9 for x, y in places)
    near = sorted(
        range(1, 8), key=lambda other: abs(places[0].x - places[other].x) + abs(places[0].y - places[other].y)
    )
    assert 4 in near[:3]
